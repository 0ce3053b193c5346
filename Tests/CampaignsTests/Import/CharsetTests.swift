import Foundation
import MailTypes
import Testing

@testable import Campaigns

@Suite("Charsets of uploads")
struct CharsetTests {
    private static let list = "email;name;city\r\na@b.co;Jørgen;Århus\r\nb@b.co;Zoë €;\r\n"

    private func rows(_ octets: [UInt8], _ form: UploadForm, chunk: Int = .max) -> [CSVTests.Row] {
        events(of: octets, form, chunk: chunk).events.map(CSVTests.row)
    }

    private var expected: [CSVTests.Row] {
        [CSVTests.Row("a@b.co", "Jørgen", ["Århus"]), CSVTests.Row("b@b.co", "Zoë €", [""])]
    }

    @Test(arguments: [1, 2, 3, 5, 7, .max])
    func `UTF-16 is read with its mark and without, however it is cut`(chunk: Int) throws {
        for (encoding, mark) in [
            (String.Encoding.utf16LittleEndian, [0xFF, 0xFE] as [UInt8]), (.utf16BigEndian, [0xFE, 0xFF]),
        ] {
            let octets = Array(try #require(Self.list.data(using: encoding)))
            for upload in [octets, mark + octets] {
                for charset in [nil, Charset.utf16, .utf8] {
                    #expect(rows(upload, UploadForm(.csv, charset: charset), chunk: chunk) == expected)
                }
            }
        }
    }

    @Test(arguments: [nil, "utf-8", "windows-1252", "utf-16"])
    func `a mark tells UTF-8 whatever is said`(label: String?) {
        let form = UploadForm(.csv, charset: label.flatMap { Charset(label: $0) })
        #expect(rows([0xEF, 0xBB, 0xBF] + Array(Self.list.utf8), form) == expected)
    }

    @Test(
        arguments: [
            ("windows-1252", 0x80, "€"), ("ISO-8859-1", 0xE9, "é"), ("iso-8859-1", 0x80, "€"), ("latin1", 0xFC, "ü"),
            ("ISO-8859-15", 0xA4, "€"), ("latin9", 0xBD, "œ"), ("iso-8859-2", 0xB1, "ą"), ("iso-8859-5", 0xD0, "а"),
            ("windows-1250", 0x9E, "ž"), ("cp1251", 0xE6, "ж"), ("windows-1253", 0xE1, "α"),
            ("windows-1254", 0xFE, "ş"),
            ("koi8-r", 0xC1, "а"), ("macintosh", 0x8E, "é"),
        ] as [(String, UInt8, String)])
    func `a charset of one octet a character is read when it is said`(label: String, octet: UInt8, character: String)
        throws
    {
        let charset = try #require(Charset(label: label))
        let upload = Array("email,name\na@b.co,x".utf8) + [octet] + Array("y\n".utf8)
        for chunk in [1, 4, 100] {
            #expect(
                rows(upload, UploadForm(.csv, charset: charset), chunk: chunk)
                    == [CSVTests.Row("a@b.co", "x\(character)y")])
        }
    }

    @Test(arguments: ["utf-7", "utf-32", "shift_jis", "", "x", "UTF-8//IGNORE"])
    func `a charset that is not read has no value`(label: String) {
        #expect(Charset(label: label) == nil)
    }

    /// The tables against another converter.
    @Test(arguments: [
        ("windows-1252", String.Encoding.windowsCP1252), ("windows-1250", .windowsCP1250),
        ("windows-1251", .windowsCP1251), ("iso-8859-2", .isoLatin2),
    ])
    func `a table says of each octet what Foundation says`(label: String, encoding: String.Encoding) throws {
        let table = try #require(Charset(label: label)?.table())
        for octet in UInt8.min ... .max where !table[Int(octet)].isEmpty {
            #expect(
                String(data: Data([octet]), encoding: encoding) == String(decoding: table[Int(octet)], as: UTF8.self))
        }
        #expect(table.count { !$0.isEmpty } >= 250)
    }

    @Test func `what is no character in the charset is told with its place`() throws {
        let found = events(of: Array("email,name\na@b.co,éJ".utf8) + [0xE9] + Array("\nb@b.co,x\n".utf8), .csv)
        #expect(found.events.first == .invalidLine(2, .cell(column: 2, .undecodable(charset: .utf8, character: 10))))
        #expect(found.events.count == 2)
        let windows = try #require(Charset(label: "windows-1252"))
        let table = UploadForm(.csv, charset: windows)
        #expect(
            events(of: Array("email\na@b.co".utf8) + [0x81] + Array("\n".utf8), table).events
                == [.invalidLine(2, .cell(column: 1, .undecodable(charset: windows, character: 7)))])
    }

    @Test func `half a character of UTF-16 at the end is refused, and so is half a pair`() {
        var octets: [UInt8] = [0xFF, 0xFE] + "email\na@b.co".utf8.flatMap { [$0, 0] }
        #expect(rows(octets, .csv) == [CSVTests.Row("a@b.co")])
        octets.append(0x61)
        #expect(
            events(of: octets, .csv).events
                == [.invalidLine(2, .cell(column: 1, .undecodable(charset: .utf16LittleEndian, character: 7)))])
        let lone: [UInt8] =
            [0xFF, 0xFE] + Array("email,name\na@b.co,".utf8).flatMap { [$0, 0 as UInt8] } + [0x3D, 0xD8, 0x61, 0x00]
        #expect(
            events(of: lone, .csv).events
                == [.invalidLine(2, .cell(column: 2, .undecodable(charset: .utf16LittleEndian, character: 8)))])
        let pair: [UInt8] =
            [0xFF, 0xFE] + Array("email,name\na@b.co,".utf8).flatMap { [$0, 0 as UInt8] } + [0x3D, 0xD8, 0x00, 0xDE]
        #expect(rows(pair, .csv, chunk: 1) == [CSVTests.Row("a@b.co", "😀")])
    }

    @Test func `what was found out is in the report`() throws {
        var parser = RecipientParser(format: .csv)
        parser.feed([0xFF, 0xFE] + Array(Self.list.data(using: .utf16LittleEndian) ?? Data()))
        parser.end()
        _ = try parser.next()
        #expect(parser.charset == .utf16LittleEndian)
        #expect(parser.separator == .semicolon)
    }

    @Test func `NDJSON is read in other charsets as well`() throws {
        let line = #"{"email":"a@b.co","name":"José"}"# + "\n"
        let windows = try #require(Charset(label: "windows-1252"))
        for (octets, charset) in [
            (line.data(using: .utf16BigEndian), nil), (line.data(using: .windowsCP1252), windows),
        ] as [(Data?, Charset?)] {
            let found = rows(Array(try #require(octets)), UploadForm(.ndjson, charset: charset), chunk: 3)
            #expect(found == [CSVTests.Row("a@b.co", "José")])
        }
    }
}

import MailTypes
import TestSupport
import Testing

@testable import Campaigns

@Suite("Recipient parser")
struct RecipientParserTests {
    private static let ndjson = Array(
        """
        \u{FEFF}{"email":"a@b.co","name":"José","vars":{"x":"\\u00e9\\n","y":[1,{"z":null}]}}\r
        {"email":"bad"}

        {"email":"b@b.co"}
        """.utf8)
    private static let csv = Array(
        "\u{FEFF}email,name,x\r\na@b.co,\"Jo\"\"sé\",\"1\r\n2\"\r\nbad,1\n\nb@b.co,,\"\"".utf8)

    @Test(arguments: 1...12)
    func `chunks may be cut anywhere`(size: Int) {
        for (upload, format) in [(Self.ndjson, UploadForm.ndjson), (Self.csv, .csv)] {
            let whole = events(of: upload, format)
            let cut = events(of: upload, format, chunk: size)
            #expect(whole.events.count == 3)
            #expect(cut.events == whole.events)
            #expect(cut.refused == whole.refused)
        }
    }

    @Test(arguments: [UploadForm.ndjson, .csv])
    func `a long line is one bad line`(format: UploadForm) {
        let header = format == .csv ? "email,x\n" : ""
        let good = format == .csv ? "a@b.co,1\n" : "{\"email\":\"a@b.co\"}\n"
        let first = format == .csv ? 2 : 1
        for count in [ImportLimits.lineOctets + 1, 200_000, 1_000_000] {
            let upload = Array(header.utf8) + [UInt8](repeating: 0x78, count: count) + [0x0A] + Array(good.utf8)
            for chunk in [4_096, 65_536, Int.max] {
                let found = events(of: upload, format, chunk: chunk)
                #expect(found.events.first == .invalidLine(first, .tooLong))
                #expect(found.events.count == 2)
                #expect(found.events.last.flatMap(lineNumber) == first + 1)
                if chunk < count { #expect(found.held <= ImportLimits.lineOctets + chunk) }
            }
        }
    }

    @Test func `a line at the limit is read`() {
        let frame = "{\"email\":\"a@b.co\",\"vars\":{\"x\":\"\"}}"
        let filler = String(repeating: "y", count: ImportLimits.lineOctets - frame.utf8.count)
        for (extra, isRead) in [("", true), ("y", false)] {
            let line = frame.replacing("\"x\":\"\"", with: "\"x\":\"\(filler)\(extra)\"")
            let found = events(of: Array(line.utf8), .ndjson, chunk: 1_000).events
            #expect((found.first != .invalidLine(1, .tooLong)) == isRead)
            #expect(found.count == 1)
        }
    }

    @Test(arguments: [UploadForm.ndjson, .csv])
    func `a line of ten megabytes refuses the upload`(format: UploadForm) {
        let header = Array((format == .csv ? "email,x\na@b.co,\"" : "").utf8)
        let upload = header + [UInt8](repeating: 0x78, count: 10_000_000) + [0x0A]
        for chunk in [65_536, Int.max] {
            let found = events(of: upload, format, chunk: chunk)
            #expect(found.refused?.code == .lineTooLong)
            if chunk < Int.max { #expect(found.held <= ImportLimits.lineOctets + chunk) }
        }
    }

    @Test(arguments: Seed.range(2_000..<2_006))
    func `random octets do no harm`(seed: Seed) {
        var random = ImportRandom(seed)
        for format in [UploadForm.ndjson, .csv] {
            let start = format == .csv ? Array("email,x\n".utf8) : []
            let upload = start + random.octets(20_000)
            let whole = events(of: upload, format)
            let cut = events(of: upload, format, chunk: 1 + random.below(700))
            #expect(cut.events == whole.events)
            #expect(cut.refused == whole.refused)
            #expect(cut.held <= ImportLimits.lineOctets + 700)
        }
    }

    @Test(arguments: Seed.range(3_000..<3_010))
    func `mutated uploads do no harm, however they are cut`(seed: Seed) {
        var random = ImportRandom(seed)
        for _ in 0..<150 {
            for (original, format) in [(Self.ndjson, UploadForm.ndjson), (Self.csv, .csv)] {
                var upload = original + [0x0A] + original
                for _ in 0...random.below(6) {
                    let position = random.below(upload.count)
                    switch random.below(5) {
                    case 0: upload[position] = UInt8.random(in: .min ... .max, using: &random)
                    case 1: upload.remove(at: position)
                    case 2: upload.insert(random.pick(Array("\"\\{},:\n\r\u{0}".utf8)), at: position)
                    case 3: upload.removeSubrange(position..<min(upload.count, position + random.below(20)))
                    default: upload.insert(contentsOf: upload.prefix(random.below(60)), at: position)
                    }
                    if upload.isEmpty { upload = [0x0A] }
                }
                let whole = events(of: upload, format)
                let cut = events(of: upload, format, chunk: 1 + random.below(9))
                #expect(cut.events == whole.events)
                #expect(cut.refused == whole.refused)
            }
        }
    }

    @Test(arguments: [
        ("application/x-ndjson", RecipientFormat.ndjson), ("text/csv", .csv), ("Text/CSV; charset=utf-8", .csv),
        ("text/tab-separated-values", .csv), ("application/json", nil), ("", nil), ("text/plain", nil),
    ])
    func `media types name formats`(type: String, format: RecipientFormat?) {
        #expect(RecipientFormat(mediaType: type) == format)
    }
}

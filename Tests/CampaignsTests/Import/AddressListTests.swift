import MailTypes
import Testing

@testable import Campaigns

@Suite("Lists of addresses")
struct AddressListTests {
    private func read(_ list: [UInt8], chunk: Int) throws(ImportError) -> [String] {
        var parser = AddressListParser()
        var found: [String] = []
        var rest = list[...]
        repeat {
            parser.feed(rest.prefix(chunk))
            rest = rest.dropFirst(chunk)
            if rest.isEmpty { parser.end() }
            reading: while true {
                switch try parser.next() {
                case .needsMore: break reading
                case .address(let address): found.append(address.text)
                case .invalidLine(let line, let error): found.append("\(line): \(error.code)")
                }
            }
        } while !rest.isEmpty
        return found
    }

    @Test(arguments: [
        ("a@b.co\nb@b.co", ["a@b.co", "b@b.co"]),
        ("  a@b.co \r\n\r\n\u{A0}b@b.co\u{200B}\r\n", ["a@b.co", "b@b.co"]),
        ("a@b.co\rada\rb@b.co\r", ["a@b.co", "2: address_no_domain", "b@b.co"]),
        ("ada\na@b.co\n", ["1: address_no_domain", "a@b.co"]),
        (
            "\"first..last\"@b.co\n\"b@b.co\nc@b.co\n",
            ["\"first..last\"@b.co", "2: address_invalid_character", "c@b.co"]
        ),
        ("a@b.co,Ada\n", ["1: address_invalid_character"]),
        ("email\na@b.co\n\n", ["a@b.co"]),
        ("E-Mail;reason\na@b.co;bounce\n;x\nb@b.co\n;;\n", ["a@b.co", "3: email_missing", "b@b.co"]),
        (
            "date,Email Address,note\n1,a@b.co,\"x\ny\"\n2,b,z\n3\n",
            ["a@b.co", "4: address_no_domain", "5: email_missing"]
        ),
        ("", []),
    ])
    func `good lines are taken and bad ones named, however the list is written and cut`(
        list: String, expected: [String]
    ) throws {
        for chunk in [1, 3, 1_000] {
            #expect(try read(Array(list.utf8), chunk: chunk) == expected)
            #expect(
                try read([0xFF, 0xFE] + list.utf16.flatMap { [UInt8($0 & 0xFF), UInt8($0 >> 8)] }, chunk: chunk)
                    == expected)
        }
    }

    @Test func `a list that is no text is refused as what it is`() {
        let error = #expect(throws: ImportError.self) { try read([0x50, 0x4B, 0x03, 0x04, 0x14], chunk: 2) }
        #expect(error?.code == .wrongFormat)
    }
}

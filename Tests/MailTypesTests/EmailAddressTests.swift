import MailTypes
import TestSupport
import Testing

@Suite struct EmailAddressTests {
    @Test(arguments: [
        ("jane@example.org", "jane@example.org", "jane@example.org"),
        ("Jane.Doe@Example.ORG", "Jane.Doe@example.org", "jane.doe@example.org"),
        (
            "a+b/c=d!#$%&'*?^_`{|}~-@example.org", "a+b/c=d!#$%&'*?^_`{|}~-@example.org",
            "a+b/c=d!#$%&'*?^_`{|}~-@example.org"
        ),
        ("\"jane doe\"@example.org", "\"jane doe\"@example.org", "\"jane doe\"@example.org"),
        ("\"a@b\"@example.org", "\"a@b\"@example.org", "\"a@b\"@example.org"),
        ("\"Jane\"@example.org", "Jane@example.org", "jane@example.org"),
        ("\"j\\ane.d\"@example.org", "jane.d@example.org", "jane.d@example.org"),
        ("\"a\\\"b\"@example.org", "\"a\\\"b\"@example.org", "\"a\\\"b\"@example.org"),
        ("\"a\\ b\"@example.org", "\"a b\"@example.org", "\"a b\"@example.org"),
        ("\"a..b\"@example.org", "\"a..b\"@example.org", "\"a..b\"@example.org"),
        ("\"\"@example.org", "\"\"@example.org", "\"\"@example.org"),
        ("first..last@example.net", "\"first..last\"@example.net", "\"first..last\"@example.net"),
        ("Jane.@example.net", "\"Jane.\"@example.net", "\"jane.\"@example.net"),
        (".jane@example.net", "\".jane\"@example.net", "\".jane\"@example.net"),
        ("...@example.net", "\"...\"@example.net", "\"...\"@example.net"),
        ("jörg..ü@example.net", "\"jörg..ü\"@example.net", "\"jörg..ü\"@example.net"),
        ("jane@bücher.example", "jane@xn--bcher-kva.example", "jane@xn--bcher-kva.example"),
        ("JÖRG@example.org", "JÖRG@example.org", "jörg@example.org"),
    ])
    func `addresses are read and normalised`(text: String, written: String, normalised: String) throws {
        let address = try EmailAddress(text)
        #expect(address.text == written)
        #expect(address.normalised == normalised)
    }

    @Test func `composed and decomposed spellings are one recipient`() throws {
        let composed = try EmailAddress("j\u{F6}rg@example.org").normalised
        let decomposed = try EmailAddress("JO\u{308}RG@example.org").normalised
        #expect(Array(composed.utf8) == Array(decomposed.utf8))
    }

    @Test(arguments: [
        ("", AddressError.empty), ("jane", .noDomain), ("jane@", .noDomain), ("@example.org", .noLocalPart),
        ("jane@example", .domainHasOneLabel), ("jane@[192.0.2.1]", .domainIsAddressLiteral),
        ("jane@192.0.2.1", .domainIsAddressLiteral), ("ja ne@example.org", .character(" ", .localPart)),
        ("a@b@example.org", .character("@", .localPart)), ("jane,joe@example.org", .character(",", .localPart)),
        ("<jane@example.org>", .character("<", .localPart)), ("jane@example.org>", .character(">", .domain)),
        ("jane(c)@example.org", .character("(", .localPart)), ("\"jane@example.org", .character("\"", .localPart)),
        ("ja\"ne@example.org", .character("\"", .localPart)), ("\"ja\"ne\"@example.org", .character("\"", .localPart)),
        ("\"jane\\\"@example.org", .character("\\", .localPart)), ("\"@example.org", .character("\"", .localPart)),
        ("\"a\\ü\"@example.org", .character("ü", .localPart)),
        ("jane\r\nRCPT TO:<x@example.org>", .character("\r", .localPart)),
        ("jane\t@example.org", .character("\t", .localPart)),
        ("\"ja\nne\"@example.org", .character("\n", .localPart)),
        ("jane\u{0}@example.org", .character("\u{0}", .localPart)),
        ("jane@exam\rple.org", .character("\r", .domain)), ("ja\u{85}ne@example.org", .character("\u{85}", .localPart)),
        ("jane\u{7F}@example.org", .character("\u{7F}", .localPart)),
        ("jane@example.org\u{0}", .character("\u{0}", .domain)),
        ("\u{1B}jane@example.org", .character("\u{1B}", .localPart)),
        ("jane\u{0}", .character("\u{0}", .localPart)),
        ("jane@example..org", .emptyLabel),
    ])
    func `other texts are refused`(text: String, expected: AddressError) {
        #expect(throws: expected) { try EmailAddress(text) }
    }

    /// What comes with text copied from web pages and documents: blanks of all kinds, zero-width and format characters.
    static let copied: [Unicode.Scalar] = [
        " ", "\t", "\n", "\r", "\u{B}", "\u{C}", "\u{85}", "\u{A0}", "\u{AD}", "\u{34F}", "\u{61C}", "\u{1680}",
        "\u{180E}",
        "\u{2000}", "\u{2003}", "\u{2009}", "\u{200A}", "\u{200B}", "\u{200C}", "\u{200D}", "\u{200E}", "\u{200F}",
        "\u{2028}",
        "\u{2029}", "\u{202A}", "\u{202E}", "\u{202F}", "\u{205F}", "\u{2060}", "\u{2066}", "\u{2069}", "\u{3000}",
        "\u{FE0F}",
        "\u{FEFF}", "\u{E0020}",
    ]

    @Test(arguments: copied)
    func `what surrounds an address unseen is dropped, inside it is refused by its code point`(
        scalar: Unicode.Scalar
    ) throws {
        let hidden = String(scalar)
        for around in [
            hidden + "jane@example.org", "jane@example.org" + hidden, hidden + hidden + "jane@example.org" + hidden,
        ] {
            #expect(try EmailAddress(around).text == "jane@example.org")
        }
        for (inside, part) in [
            ("ja\(hidden)ne@example.org", AddressError.Part.localPart), ("jane\(hidden)@example.org", .localPart),
            ("jane@\(hidden)example.org", .domain), ("jane@exa\(hidden)mple.org", .domain),
            ("jane@example\(hidden).org", .domain), ("jörg\(hidden)@example.org", .localPart),
        ] {
            let error = #expect(throws: AddressError.character(scalar, part)) { try EmailAddress(inside) }
            let digits = String(scalar.value, radix: 16, uppercase: true)
            #expect(error?.description.contains(digits) == true)
        }
    }

    /// What may stand for a lost or a private character is never dropped: the text may not be what was meant.
    @Test(
        arguments: ["\u{FFFD}", "\u{E000}", "\u{F8FF}", "\u{FFFC}", "\u{2800}", "\u{378}", "\u{10FFFF}"]
            as [Unicode.Scalar])
    func `lost and private characters are refused wherever they stand`(scalar: Unicode.Scalar) {
        for text in ["\(scalar)jane@example.org", "ja\(scalar)ne@example.org", "\"ja\(scalar)ne\"@example.org"] {
            let error = #expect(throws: AddressError.character(scalar, .localPart)) { try EmailAddress(text) }
            #expect(error?.code == "address_invisible_character")
        }
        #expect(throws: AddressError.character(scalar, .domain)) { try EmailAddress("jane@example.org\(scalar)") }
    }

    @Test(arguments: [
        ("\"first..last\"@example.net", "first..last@example.net"), ("\"jane\"@example.net", "jane@example.net"),
        ("\"j\\ane\"@example.net", "jane@example.net"), ("\"jane.\"@Example.net", "Jane.@example.net"),
        ("\".jane\"@example.net", ".jane@example.net"), ("\"a\\b..c\"@example.net", "ab..c@example.net"),
    ])
    func `two spellings of one mailbox are one recipient`(quoted: String, bare: String) throws {
        #expect(try EmailAddress(quoted).normalised == EmailAddress(bare).normalised)
        #expect(try EmailAddress(quoted.lowercased()) == EmailAddress(bare.lowercased()))
    }

    @Test func `the quotes that dots need count as octets of the local part`() throws {
        let local = "a.." + String(repeating: "b", count: 59)
        #expect(try EmailAddress(local + "@example.net").localPart.utf8.count == 64)
        #expect(throws: AddressError.localPartTooLong) { try EmailAddress(local + "b@example.net") }
    }

    @Test(arguments: [
        ("jane\u{A0}@example.org", "the invisible character U+00A0 (NO-BREAK SPACE) stands before the @"),
        ("jane@exam\u{200B}ple.org", "the invisible character U+200B (ZERO WIDTH SPACE) stands in the domain"),
        ("ja\u{0}ne@example.org", "U+0000, a control character, stands before the @"),
        ("jane,joe@example.org", "U+002C (COMMA) may not stand where it does before the @"),
    ])
    func `errors name the character and its place`(text: String, expected: String) {
        let error = #expect(throws: AddressError.self) { try EmailAddress(text) }
        #expect(error?.description == expected)
    }

    @Test func `lengths are bounded`() throws {
        let local = String(repeating: "l", count: 64)
        #expect(try EmailAddress(local + "@example.org").localPart == local)
        #expect(throws: AddressError.localPartTooLong) { try EmailAddress(local + "l@example.org") }
        #expect(throws: AddressError.localPartTooLong) {
            try EmailAddress(String(repeating: "ü", count: 33) + "@example.org")
        }
        let label = String(repeating: "d", count: 61)
        let domain = [label, label, label, "dd"].joined(separator: ".")
        #expect(try EmailAddress(local + "@" + domain + "d").text.utf8.count == 254)
        #expect(throws: AddressError.tooLong) { try EmailAddress(local + "@" + domain + "dd") }
    }

    @Test func `invalid UTF-8 is refused`() {
        let bytes: [UInt8] = [0x61, 0xFF] + Array("@example.org".utf8)
        #expect(throws: AddressError.notUTF8) { try EmailAddress(utf8: bytes[...]) }
    }

    @Test func `only non-ASCII local parts need SMTPUTF8`() throws {
        #expect(try !EmailAddress("jane@bücher.example").needsSMTPUTF8)
        #expect(try EmailAddress("jörg@example.org").needsSMTPUTF8)
    }

    @Test func `descriptions hide the local part`() throws {
        let address = try EmailAddress("jane@example.org")
        #expect("\(address)" == "<redacted>@example.org")
    }

    /// No text of any kind makes an address whose SMTP form would end its command or its path.
    @Test(arguments: Seed.one(3)) func `random text never makes an address that breaks a path`(seed: Seed) {
        var generator = SeededGenerator(seed)
        let alphabet = Array("ab.@\"\\ <>()[],;:\r\n\t\u{0}é1-_".utf8)
        var accepted = 0
        for _ in 0..<50_000 {
            var bytes = (0..<Int.random(in: 0...8, using: &generator)).map { _ in
                alphabet.randomElement(using: &generator)!
            }
            bytes += Array("@ex.org".utf8)
            guard let address = try? EmailAddress(utf8: bytes[...]) else { continue }
            accepted += 1
            #expect(!address.text.utf8.contains { $0 < 0x20 || $0 == 0x7F })
            if address.localPart.first != "\"" {
                #expect(!address.text.utf8.contains { $0 == UInt8(ascii: ">") || $0 == UInt8(ascii: " ") })
            }
            #expect((try? EmailAddress(address.text)) == address)
            #expect((try? EmailAddress(address.normalised))?.normalised == address.normalised)
        }
        #expect(accepted > 1_000)
    }

    @Test(arguments: Seed.one(4)) func `parts make the address that they make together`(seed: Seed) throws {
        var generator = SeededGenerator(seed)
        let alphabet = Array("abZ9.+_@\"\\ \r\u{0}é".unicodeScalars)
        let domain = try DomainName("ex.org")
        var accepted = 0
        for _ in 0..<20_000 {
            let long = Int.random(in: 0..<20, using: &generator) == 0
            let count = long ? Int.random(in: 60...70, using: &generator) : Int.random(in: 0...8, using: &generator)
            let letters = long ? alphabet.prefix(2) : alphabet[...]
            var local = ""
            for _ in 0..<count { local.unicodeScalars.append(letters.randomElement(using: &generator)!) }
            let whole = try? EmailAddress("\(local)@ex.org")
            #expect((try? EmailAddress(localPart: local, domain: domain)) == whole)
            if whole != nil { accepted += 1 }
        }
        #expect(accepted > 1_000)
    }
}

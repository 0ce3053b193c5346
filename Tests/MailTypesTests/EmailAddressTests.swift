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
        ("\"Jane\"@example.org", "\"Jane\"@example.org", "jane@example.org"),
        ("\"j\\ane.d\"@example.org", "\"j\\ane.d\"@example.org", "jane.d@example.org"),
        ("\"a\\\"b\"@example.org", "\"a\\\"b\"@example.org", "\"a\\\"b\"@example.org"),
        ("\"a\\ b\"@example.org", "\"a\\ b\"@example.org", "\"a b\"@example.org"),
        ("\"a..b\"@example.org", "\"a..b\"@example.org", "\"a..b\"@example.org"),
        ("\"\"@example.org", "\"\"@example.org", "\"\"@example.org"),
        ("jane@bücher.example", "jane@xn--bcher-kva.example", "jane@xn--bcher-kva.example"),
        ("JÖRG@example.org", "JÖRG@example.org", "jörg@example.org"),
    ])
    func addressesAreReadAndNormalised(text: String, written: String, normalised: String) throws {
        let address = try EmailAddress(text)
        #expect(address.text == written)
        #expect(address.normalised == normalised)
    }

    @Test func composedAndDecomposedSpellingsAreOneRecipient() throws {
        let composed = try EmailAddress("j\u{F6}rg@example.org").normalised
        let decomposed = try EmailAddress("JO\u{308}RG@example.org").normalised
        #expect(Array(composed.utf8) == Array(decomposed.utf8))
    }

    @Test(arguments: [
        ("", AddressError.empty), ("jane", .noDomain), ("jane@", .noDomain), ("@example.org", .noLocalPart),
        ("jane@example", .domainHasOneLabel), ("jane@[192.0.2.1]", .domainIsAddressLiteral),
        ("jane@192.0.2.1", .domainIsAddressLiteral), (".jane@example.org", .invalidCharacter),
        ("jane.@example.org", .invalidCharacter), ("ja..ne@example.org", .invalidCharacter),
        ("ja ne@example.org", .invalidCharacter),
        ("a@b@example.org", .invalidCharacter), ("jane,joe@example.org", .invalidCharacter),
        ("<jane@example.org>", .invalidCharacter),
        ("jane@example.org>", .invalidCharacter), ("jane(c)@example.org", .invalidCharacter),
        ("\"jane@example.org", .invalidCharacter),
        ("ja\"ne@example.org", .invalidCharacter), ("\"ja\"ne\"@example.org", .invalidCharacter),
        ("\"jane\\\"@example.org", .invalidCharacter), ("\"@example.org", .invalidCharacter),
        ("\"a\\ü\"@example.org", .invalidCharacter),
        ("jane\r\nRCPT TO:<x@example.org>", .controlCharacter), ("jane\t@example.org", .controlCharacter),
        ("\"ja\nne\"@example.org", .controlCharacter), ("jane\u{0}@example.org", .controlCharacter),
        ("jane@exam\rple.org", .controlCharacter), ("ja\u{85}ne@example.org", .controlCharacter),
        ("jane\u{7F}@example.org", .controlCharacter),
        ("jane@example..org", .emptyLabel),
    ])
    func otherTextsAreRefused(text: String, expected: AddressError) {
        #expect(throws: expected) { try EmailAddress(text) }
    }

    @Test func lengthsAreBounded() throws {
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

    @Test func invalidUTF8IsRefused() {
        let bytes: [UInt8] = [0x61, 0xFF] + Array("@example.org".utf8)
        #expect(throws: AddressError.invalidCharacter) { try EmailAddress(utf8: bytes[...]) }
    }

    @Test func onlyNonASCIILocalPartsNeedSMTPUTF8() throws {
        #expect(try !EmailAddress("jane@bücher.example").needsSMTPUTF8)
        #expect(try EmailAddress("jörg@example.org").needsSMTPUTF8)
    }

    @Test func descriptionsHideTheLocalPart() throws {
        let address = try EmailAddress("jane@example.org")
        #expect("\(address)" == "<redacted>@example.org")
    }

    /// No text of any kind makes an address whose SMTP form would end its command or its path.
    @Test func randomTextNeverMakesAnAddressThatBreaksAPath() {
        var generator = SeededGenerator(seed: 3)
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
}

import Testing

@testable import MailTypes

@Suite struct DomainNameTests {
    @Test(arguments: [
        ("example.org", "example.org"), ("EXAMPLE.Org", "example.org"), ("a.b.c.d.example", "a.b.c.d.example"),
        ("1and1.example", "1and1.example"), ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("a-b.c--d.example", "a-b.c--d.example"),
        ("bücher.example", "xn--bcher-kva.example"), ("BÜCHER.example", "xn--bcher-kva.example"),
        ("bu\u{308}cher.example", "xn--bcher-kva.example"), ("BU\u{308}CHER.EXAMPLE", "xn--bcher-kva.example"),
        ("faß.de", "xn--fa-hia.de"), ("例え.テスト", "xn--r8jz45g.xn--zckzah"), ("例え。テスト", "xn--r8jz45g.xn--zckzah"),
        ("例え．テスト", "xn--r8jz45g.xn--zckzah"), ("παράδειγμα.δοκιμή", "xn--hxajbheg2az3al.xn--jxalpdlp"),
        ("пример.испытание", "xn--e1afmkfd.xn--80akhbyknj4f"), ("उदाहरण.परीक्षा", "xn--p1b6ci4b4b3a.xn--11b5bs3a9aj6g"),
        ("مثال.إختبار", "xn--mgbh0fb.xn--kgbechtv"), ("실례.테스트", "xn--9n2bp8q.xn--9t4b11yi5a"),
        ("ｅｘａｍｐｌｅ.ｏｒｇ", "example.org"), ("mail.bücher.example", "mail.xn--bcher-kva.example"),
    ])
    func `names are read as A-labels`(text: String, expected: String) throws {
        #expect(try DomainName(text).text == expected)
    }

    @Test(arguments: [
        ("", AddressError.noDomain), ("example", .domainHasOneLabel), ("[192.0.2.1]", .domainIsAddressLiteral),
        ("192.0.2.1", .domainIsAddressLiteral), ("example.1", .domainIsAddressLiteral), ("example.org.", .emptyLabel),
        (".example.org", .emptyLabel), ("example..org", .emptyLabel), ("exa mple.org", .character(" ", .domain)),
        ("exa_mple.org", .character("_", .domain)), ("example.org\r\n", .character("\r", .domain)),
        ("exam\u{0}ple.org", .character("\u{0}", .domain)),
        ("-example.org", .character("-", .domain)), ("example-.org", .character("-", .domain)),
        ("example.-org", .character("-", .domain)),
        ("-bücher.example", .character("-", .domain)), ("bücher-.example", .character("-", .domain)),
        ("xn--bücher.example", .character("-", .domain)),
        ("\u{301}a.example", .character("\u{301}", .domain)), ("a.\u{301}example", .character("\u{301}", .domain)),
        ("a\u{200D}b.example", .character("\u{200D}", .domain)),
        ("a\u{202E}b.example", .character("\u{202E}", .domain)), ("a℀b.example", .character("℀", .domain)),
        ("a⒈b.example", .character("⒈", .domain)), ("⒈.example", .character("⒈", .domain)),
        ("💩.example", .character("💩", .domain)), ("a@b.example", .character("@", .domain)),
        ("a/b.example", .character("/", .domain)), ("a\u{AD}b.example", .character("\u{AD}", .domain)),
        ("a\u{A0}b.example", .character("\u{A0}", .domain)), ("a\u{115F}b.example", .character("\u{115F}", .domain)),
        ("a\u{FE0F}b.example", .character("\u{FE0F}", .domain)),
        ("a\u{E000}b.example", .character("\u{E000}", .domain)),
        ("bü\u{200B}cher.example", .character("\u{200B}", .domain)),
    ])
    func `other texts are refused`(text: String, expected: AddressError) {
        #expect(throws: expected) { try DomainName(text) }
    }

    @Test func `invalid UTF-8 is refused`() {
        #expect(throws: AddressError.notUTF8) { try DomainName(utf8: [0x61, 0xC3, 0x2E, 0x62, 0x63]) }
    }

    @Test func `lengths are bounded`() throws {
        let label63 = String(repeating: "a", count: 63)
        #expect(try DomainName(label63 + ".org").text.utf8.count == 67)
        #expect(throws: AddressError.domainTooLong) { try DomainName(label63 + "a.org") }
        let name253 = [label63, label63, label63, String(repeating: "b", count: 61)].joined(separator: ".")
        #expect(try DomainName(name253).text.utf8.count == 253)
        #expect(throws: AddressError.domainTooLong) { try DomainName(name253 + "b") }
        #expect(throws: AddressError.domainTooLong) { try DomainName(String(repeating: "ü", count: 63) + ".org") }
        #expect(throws: AddressError.domainTooLong) { try DomainName(String(repeating: "ü", count: 1_000_000)) }
    }

    /// RFC 3492 §7.1; the samples with non-ASCII text, their case annotations lowered.
    @Test(arguments: [
        ("ليهمابتكلموشعربي؟", "egbpdaj6bu4bxfgehfvwxn"), ("他们为什么不说中文", "ihqwcrb4cv8a8dqg056pqjye"),
        ("他們爲什麽不說中文", "ihqwctvzc91f659drss3x8bo0yb"), ("Pročprostěnemluvíčesky", "Proprostnemluvesky-uyb24dma41a"),
        ("למההםפשוטלאמדבריםעברית", "4dbcagdahymbxekheh6e0a7fei0b"),
        ("यहलोगहिन्दीक्योंनहींबोलसकतेहैं", "i1baa7eci9glrd9b2ae1bj0hfcgg6iyaf8o0a1dig0cd"),
        ("なぜみんな日本語を話してくれないのか", "n8jok5ay5dzabd5bym9f0cm5685rrjetr6pdxa"),
        ("세계의모든사람들이한국어를이해한다면얼마나좋을까", "989aomsvi5e83db1d2a355cv1e0vak1dwrv93d5xbh15a0dt30a5jpsd879ccm6fea98c"),
        ("почемужеонинеговорятпорусски", "b1abfaaepdrnnbgefbadotcwatmq2g4l"),
        ("PorquénopuedensimplementehablarenEspañol", "PorqunopuedensimplementehablarenEspaol-fmd56a"),
        ("TạisaohọkhôngthểchỉnóitiếngViệt", "TisaohkhngthchnitingVit-kjcr8268qyxafd2f1b9g"),
        ("3年B組金八先生", "3B-ww4c5e180e575a65lsy2b"),
        ("安室奈美恵-with-SUPER-MONKEYS", "-with-SUPER-MONKEYS-pc58ag80a8qai00g7n9n"),
        ("Hello-Another-Way-それぞれの場所", "Hello-Another-Way--fc4qua05auwb3674vfr0b"), ("ひとつ屋根の下2", "2-u9tlzr9756bt3uc0v"),
        ("MajiでKoiする5秒前", "MajiKoi5-783gue6qz075azm5e"), ("パフィーdeルンバ", "de-jg4avhby1noc0d"),
        ("そのスピードで", "d9juau41awczczp"),
        ("-> $1.00 <-", "-> $1.00 <--"),
    ])
    func `punycode encodes the samples of RFC 3492`(text: String, expected: String) {
        #expect(Punycode.encode(text.unicodeScalars) == expected)
    }

    @Test func `names sort by text`() throws {
        let names = try ["b.example", "a.example", "c.example"].map { try DomainName($0) }.sorted()
        #expect(names.map(\.text) == ["a.example", "b.example", "c.example"])
    }
}

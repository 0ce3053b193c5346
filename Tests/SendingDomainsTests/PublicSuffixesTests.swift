import MailTypes
import SendingDomains
import Testing

/// The algorithm of https://publicsuffix.org/list/ on a list of its own, with cases from its test data.
@Suite struct PublicSuffixesTests {
    private static let list = PublicSuffixes(
        list: """
            // ===BEGIN ICANN DOMAINS===
            com
            uk
            co.uk

            *.ck
            !www.ck
            jp
            *.kobe.jp
            !city.kobe.jp
            中国
            公司.cn   // as people write it
            // ===BEGIN PRIVATE DOMAINS===
            blogspot.com
            """)

    @Test(arguments: [
        ("example.com", "example.com"), ("a.b.example.com", "example.com"), ("co.uk", nil),
        ("shop.co.uk", "shop.co.uk"),
        ("test.ck", nil), ("b.test.ck", "b.test.ck"), ("www.ck", "www.ck"), ("www.www.ck", "www.ck"),
        ("c.kobe.jp", nil),
        ("a.b.c.kobe.jp", "b.c.kobe.jp"), ("a.city.kobe.jp", "city.kobe.jp"), ("blogspot.com", nil),
        ("me.blogspot.com", "me.blogspot.com"), ("unlisted.example", "unlisted.example"),
        ("a.unlisted.example", "unlisted.example"), ("食狮.中国", "xn--85x722f.xn--fiqs8s"), ("公司.cn", nil),
        ("a.xn--55qx5d.cn", "a.xn--55qx5d.cn"),
    ])
    func `organisational domains`(_ name: String, _ organisation: String?) throws {
        #expect(Self.list.organisation(of: try DomainName(name))?.text == organisation)
    }

    @Test func `the system has the list`() throws {
        let list = try #require(PublicSuffixes.system, "Debian's package publicsuffix is not installed")
        #expect(list.contains(try DomainName("co.uk")))
        #expect(list.organisation(of: try DomainName("news.example.co.uk"))?.text == "example.co.uk")
    }
}

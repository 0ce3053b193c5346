import MailMessage
import MailTypes
import Testing

/// Variables inside URLs.
struct LinkValueTests {
    static let html: [LanguageFixture] = [
        LanguageFixture(
            "<a href=\"https://e.com/?e={{e}}\">", ["e": "k+tag@example.org"],
            "<a href=\"https://e.com/?e=k%2Btag%40example.org\">"),
        LanguageFixture(
            "<a href='https://e.com/?a=1&amp;e={{e}}&amp;f={{e}}'>", ["e": "a&b=c d"],
            "<a href='https://e.com/?a=1&amp;e=a%26b%3Dc%20d&amp;f=a%26b%3Dc%20d'>"),
        LanguageFixture(
            "<a href='https://e.com/u/{{e}}/x'>", ["e": "AC/DC ü"], "<a href='https://e.com/u/AC%2FDC%20%C3%BC/x'>"),
        LanguageFixture("<a href=\"https://e.com/#{{e}}\">", ["e": "a b"], "<a href=\"https://e.com/#a%20b\">"),
        LanguageFixture(
            "<img src=\"https://e.com/i.png?u={{e}}\">", ["e": "a\"b"], "<img src=\"https://e.com/i.png?u=a%22b\">"),
        LanguageFixture("<A HREF = https://e.com/?e={{e}}>", ["e": "a b>c"], "<A HREF = https://e.com/?e=a%20b%3Ec>"),
        LanguageFixture("<a href='/u?e={{e}}'>", ["e": "a+b"], "<a href='/u?e=a%2Bb'>"),
        LanguageFixture("<a href='page?e={{e}}'>", ["e": "a+b"], "<a href='page?e=a%2Bb'>"),
        LanguageFixture("<a href='//e.com/{{e}}'>", ["e": "a+b"], "<a href='//e.com/a%2Bb'>"),
        LanguageFixture(
            "<a href='mailto:x@e.com?subject={{e}}'>", ["e": "a b&c"], "<a href='mailto:x@e.com?subject=a%20b%26c'>"),
        LanguageFixture(
            "<a href='{{base}}/p?e={{e}}'>", ["base": "https://e.com:8080", "e": "a+b"],
            "<a href='https://e.com:8080/p?e=a%2Bb'>"),
        LanguageFixture(
            "<a href='https://e.com/?e={{#s}}{{e}}{{/s}}'>", ["s": true, "e": "a+b"],
            "<a href='https://e.com/?e=a%2Bb'>"),
        LanguageFixture("<a href='https://e.com/?e={{e|a b}}'>", [:], "<a href='https://e.com/?e=a%20b'>"),
        // The whole URL, a host, an address, text: as ever.
        LanguageFixture(
            "<a href=\"{{url}}\">", ["url": "https://e.com/?a=1&b=2"], "<a href=\"https://e.com/?a=1&amp;b=2\">"),
        LanguageFixture("<a href={{url}}>", ["url": "https://e.com/x"], "<a href=https://e.com/x>"),
        LanguageFixture("<a href='https://{{host}}/x'>", ["host": "e.com:8080"], "<a href='https://e.com:8080/x'>"),
        LanguageFixture(
            "<a href='{{base}}{{path}}'>", ["base": "https://e.com", "path": "/a?b=c"], "<a href='https://e.com/a?b=c'>"
        ),
        LanguageFixture("<a href='mailto:{{e}}'>", ["e": "k+t@e.org"], "<a href='mailto:k+t@e.org'>"),
        LanguageFixture(
            "<a href='https://e.com/?x'>{{e}}</a> = {{e}}", ["e": "a+b&c"],
            "<a href='https://e.com/?x'>a+b&amp;c</a> = a+b&amp;c"),
        LanguageFixture("<a title='https://e.com/?e={{e}}'>", ["e": "a+b"], "<a title='https://e.com/?e=a+b'>"),
        LanguageFixture("https://e.com/?e={{e}}", ["e": "a+b"], "https://e.com/?e=a+b"),
        LanguageFixture(
            "<style>a{href='https://e.com/?{{e}}'}</style>", ["e": "a+b"], "<style>a{href='https://e.com/?a+b'}</style>"
        ),
        LanguageFixture(
            "<!-- <a href='https://e.com/? --> {{e}}", ["e": "a+b"], "<!-- <a href='https://e.com/? --> a+b"),
        // The way to write it raw.
        LanguageFixture("<a href='https://e.com/?{{{q}}}'>", ["q": "a=1&b=2"], "<a href='https://e.com/?a=1&b=2'>"),
        LanguageFixture("<a href='https://e.com/{{&q}}'>", ["q": "a/b"], "<a href='https://e.com/a/b'>"),
    ]

    static let text: [LanguageFixture] = [
        LanguageFixture(
            "Go: https://e.com/?e={{e}} now {{e}}", ["e": "k+t@e.org"],
            "Go: https://e.com/?e=k%2Bt%40e.org now k+t@e.org"),
        LanguageFixture("<https://e.com/{{e}}>", ["e": "a b"], "<https://e.com/a%20b>"),
        LanguageFixture("(HTTP://e.com/{{e}}) {{e}}", ["e": "a b"], "(HTTP://e.com/a%20b) a b"),
        LanguageFixture(
            "{{url}} {{url}}", ["url": "https://e.com/?a=b c"], "https://e.com/?a=b c https://e.com/?a=b c"),
        LanguageFixture("https://{{host}}/x", ["host": "e.com:80"], "https://e.com:80/x"),
        LanguageFixture("a/b?c={{e}}", ["e": "a b"], "a/b?c=a b"),
        LanguageFixture("https://e.com/?{{{e}}}", ["e": "a=b"], "https://e.com/?a=b"),
    ]

    @Test(arguments: html) func `in html a part of a URL is percent-encoded`(_ fixture: LanguageFixture) throws {
        #expect(try Samples.html("x" + fixture.template, fixture.variables) == "x" + fixture.text + "\n")
    }

    @Test(arguments: text) func `in text a part of a URL is percent-encoded`(_ fixture: LanguageFixture) throws {
        #expect(try Samples.text(fixture.template, fixture.variables) == fixture.text + "\n")
    }
}

import Identity
import MailTypes
import Testing

/// What is kept of where a session began.
@Suite struct SessionOriginTests {
    private static let mozilla = "Mozilla/5.0 "

    @Test(
        arguments: [
            (mozilla + "(X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
            (
                mozilla
                    + "(Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36",
                "Chrome on Windows"
            ),
            (
                mozilla
                    + "(Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36 Edg/138.0",
                "Edge on Windows"
            ),
            (
                mozilla
                    + "(Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15",
                "Safari on macOS"
            ),
            (
                mozilla
                    + "(iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
                "Safari on iOS"
            ),
            (
                mozilla
                    + "(Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Mobile Safari/537.36",
                "Chrome on Android"
            ),
            ("curl/8.5.0", "curl"), (mozilla + "(X11; Linux x86_64)", "Linux"), ("", nil),
            ("canary <script>alert(1)</script>", nil), (String(repeating: "x", count: 512) + "Firefox/140.0", nil),
        ] as [(String, String?)]) func `a browser is told by a list of our own, and nothing of its words is kept`(
            _ userAgent: String, _ client: String?
        )
    {
        #expect(SessionOrigin(userAgent: userAgent, address: nil).client == client)
    }

    @Test(arguments: [
        ("203.0.113.77", "203.0.113.0/24"), ("::ffff:203.0.113.77", "203.0.113.0/24"),
        ("2001:db8:12:3456::1", "2001:db8:12::/48"),
    ]) func `a network is kept without what tells a subscriber`(_ address: String, _ network: String) {
        let origin = SessionOrigin(userAgent: nil, address: IPAddress(address))
        #expect(origin.network?.description == network)
        #expect(SessionOrigin.unknown.network == nil && SessionOrigin.unknown.client == nil)
    }
}

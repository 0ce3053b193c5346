import Testing

@testable import Webhooks

struct URLTests {
    @Test(arguments: [
        ("https://hooks.example.org", "https://hooks.example.org/"),
        ("HTTPS://Hooks.Example.ORG:443/a%20b?c=d", "https://hooks.example.org/a%20b?c=d"),
        ("https://hooks.example.org:8443/", "https://hooks.example.org:8443/"),
        ("https://8.8.8.8/x", "https://8.8.8.8/x"),
        ("https://[2a00:0::1]/x", "https://[2a00::1]/x"),
    ])
    func `an address is requested in its plainest form`(text: String, plain: String) throws {
        #expect(try WebhookURL(text, allowsPrivate: false).text == plain)
    }

    @Test(arguments: [
        ("http://hooks.example.org/", WebhookError.Code.invalidURL),
        ("ftp://hooks.example.org/", .invalidURL),
        ("https:///x", .invalidURL), ("https://", .invalidURL), ("hooks.example.org", .invalidURL), ("", .invalidURL),
        ("https://user:pass@hooks.example.org/", .invalidURL),
        ("https://user@hooks.example.org/", .invalidURL),
        ("https://hooks.example.org/#a", .invalidURL),
        ("https://hooks.example.org:0/", .invalidURL), ("https://hooks.example.org:70000/", .invalidURL),
        ("https://hooks.example.org/a b", .invalidURL), ("https://hooks.example.org/\r\nX: y", .invalidURL),
        ("https://2130706433/", .invalidURL), ("https://0x7f.1/", .invalidURL), ("https://127.1/", .invalidURL),
        ("https://intranet/", .invalidURL),
        ("https://localhost/", .privateDestination), ("https://127.0.0.1/", .privateDestination),
        ("https://169.254.169.254/latest/meta-data", .privateDestination),
        ("https://10.0.0.1/", .privateDestination), ("https://192.168.1.1/", .privateDestination),
        ("https://[::1]/", .privateDestination), ("https://[fd00::1]/", .privateDestination),
        ("https://[fe80::1]/", .privateDestination), ("https://[::ffff:127.0.0.1]/", .privateDestination),
        ("https://[::ffff:8.8.8.8]/", .privateDestination), ("https://0.0.0.0/", .privateDestination),
        ("https://hooks.example.org/" + String(repeating: "a", count: 2_000), .invalidURL),
    ])
    func `an address that leads inside, or is none, is refused`(text: String, code: WebhookError.Code) {
        #expect(throws: WebhookError.self) { try WebhookURL(text, allowsPrivate: false) }
        do throws(WebhookError) {
            _ = try WebhookURL(text, allowsPrivate: false)
        } catch {
            // `127.1` and the like are names to one reader and addresses to another: neither may pass.
            #expect(error.code == code || text.contains("127.1") || text.contains("0x7f"))
        }
    }

    @Test func `private addresses and plain HTTP pass where the installation allows them`() throws {
        #expect(try WebhookURL("http://localhost:8090", allowsPrivate: true).text == "http://localhost:8090/")
        #expect(try WebhookURL("http://127.0.0.1/", allowsPrivate: true).port == 80)
    }
}

import MailTypes
import TestPeers
import TestSupport
import Testing

@testable import DNSResolution

@Suite struct WireTests {
    @Test(arguments: [
        (Wire.mx(10, "mx.example.org"), MailExchange.Host.name("mx.example.org")), (Wire.mx(10, "MX"), .name("mx")),
        (Wire.mx(0, ""), .none), (Wire.mx(1, "a_b.example"), .name("a_b.example")),
        (Wire.mx(1, "192.0.2.1"), .unusable),
        ([0, 1, 3, 0x61, 0x2E, 0x62, 0], .unusable), ([0, 1, 2, 0x61, 0x20, 0], .unusable),
        ([0, 1, 1, 0xFF, 0], .unusable),
        ([0, 1, 1, 0, 0], .unusable),
    ])
    func `mail exchanges are read`(data: [UInt8], host: MailExchange.Host) {
        #expect(MailExchange(data)?.host == host)
    }

    @Test(
        arguments: [
            [], [0], [0, 10], [0, 10, 1], [0, 10, 1, 0x61], [0, 10, 1, 0x61, 0, 0],
            [0, 10, 64] + [UInt8](repeating: 0x61, count: 64) + [0],
            [0, 10, 0xC0, 0x0C], [0, 10] + (0..<128).flatMap { _ in [UInt8(1), 0x61] } + [0],
        ] as [[UInt8]])
    func `broken mail exchanges are not`(data: [UInt8]) {
        #expect(MailExchange(data) == nil)
    }

    @Test(arguments: [
        ("a", "a"), ("A.B", "a.b"), ("_dmarc.example.org", "_dmarc.example.org"), ("1.example", "1.example"),
        (String(repeating: "a", count: 63), String(repeating: "a", count: 63)),
    ])
    func `host names`(text: String, expected: String) {
        #expect(HostName.checked(text) == expected)
    }

    @Test(arguments: [
        "", ".", "a.", ".a", "a..b", "a b", "a\\b", "a\u{0}", "ä", "1", "a.1", "192.0.2.1",
        String(repeating: "a", count: 64),
        String(repeating: "a.", count: 127),
    ])
    func `other texts are no host names`(text: String) {
        #expect(HostName.checked(text) == nil)
    }

    @Test func `text records are joined`() {
        #expect(TextRecord.joined(Wire.text("a", "", "b")) == "ab")
        #expect(TextRecord.joined([]) == "")
        #expect(TextRecord.joined([2, 0x61]) == nil)
    }

    private func aliases(_ packet: [UInt8]) -> Int? { AnswerPacket.aliases(packet.span) }

    @Test func `aliases are counted`() {
        func packet(_ types: [UInt8]) -> [UInt8] {
            [0, 1, 0x81, 0x80, 0, 1, 0, UInt8(types.count), 0, 0, 0, 0] + Wire.name("a.example") + [0, 1, 0, 1]
                + types.flatMap { [0xC0, 0x0C, 0, $0, 0, 1, 0, 0, 0, 60, 0, 2, 0xC0, 0x0C] }
        }
        #expect(aliases(packet([])) == 0)
        #expect(aliases(packet([5, 5, 1])) == 2)
        #expect(aliases(packet([5]).dropLast()) == nil)
        #expect(aliases([]) == nil)
    }

    @Test(arguments: Seed.one(21)) func `random octets never crash`(seed: Seed) {
        var generator = SeededGenerator(seed)
        for _ in 0..<20_000 {
            let bytes = (0..<Int.random(in: 0...60, using: &generator)).map { _ in
                // Small numbers, so that lengths and counts are often plausible.
                Bool.random(using: &generator)
                    ? UInt8.random(in: 0...8, using: &generator) : UInt8.random(in: 0...255, using: &generator)
            }
            // What is read cannot be more than what is there: an answer has ten octets, a string one before it.
            if let count = aliases(bytes) { #expect(count <= bytes.count / 10) }
            // Octets that are no UTF-8 become three each.
            if let text = TextRecord.joined(bytes) { #expect(text.utf8.count <= 3 * bytes.count) }
            if case .name(let host)? = MailExchange(bytes)?.host { #expect(host.description.utf8.count <= bytes.count) }
        }
    }

    @Test(arguments: [
        ("192.0.2.53", "192.0.2.53:53"), ("127.0.0.1:5353", "127.0.0.1:5353"), ("127.0.0.1@5353", "127.0.0.1:5353"),
        ("2001:db8::53", "[2001:db8::53]:53"), ("2001:db8::53@5353", "[2001:db8::53]:5353"),
        ("[::1]:5353", "[::1]:5353"),
        ("[::1]", "[::1]:53"), ("[::1]@5353", "[::1]:5353"),
    ])
    func `servers are read`(text: String, expected: String) {
        #expect(DNSServer(text)?.description == expected)
    }

    @Test(arguments: [
        "", "localhost", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:+5", "127.0.0.1: 5", "127.0.0.1@",
        "@53",
        "[127.0.0.1]:53", "[::1", "::1]:53", "[::1]53", "[::1]:", "127.0.0.1:53:53", "127.0.0.1@53@53",
    ])
    func `other texts are no servers`(text: String) {
        #expect(DNSServer(text) == nil)
    }
}

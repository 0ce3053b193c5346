import MailTypes
import TestSupport
import Testing

@Suite struct IPAddressTests {
    @Test(arguments: [
        ("192.0.2.1", "192.0.2.1"), ("0.0.0.0", "0.0.0.0"), ("255.255.255.255", "255.255.255.255"),
        // RFC 5952 §1, §4 and §5.
        ("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"), ("2001:0db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"),
        ("2001:db8::1:0:0:1", "2001:db8::1:0:0:1"), ("2001:db8::0:1:0:0:1", "2001:db8::1:0:0:1"),
        ("2001:0db8::1:0:0:1", "2001:db8::1:0:0:1"), ("2001:db8:0:0:1::1", "2001:db8::1:0:0:1"),
        ("2001:DB8:0:0:1::1", "2001:db8::1:0:0:1"), ("2001:db8::1:1:1:1:1", "2001:db8:0:1:1:1:1:1"),
        ("2001:0:0:1:0:0:0:1", "2001:0:0:1::1"),
        ("2001:db8:aaaa:bbbb:cccc:dddd:eeee:AAAA", "2001:db8:aaaa:bbbb:cccc:dddd:eeee:aaaa"),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.1"), ("::FFFF:c000:0201", "::ffff:192.0.2.1"),
        ("::192.0.2.1", "::c000:201"),
        ("64:ff9b::192.0.2.33", "64:ff9b::c000:221"), ("1:2:3:4:5:6:192.0.2.1", "1:2:3:4:5:6:c000:201"),
        ("::", "::"), ("::1", "::1"), ("1::", "1::"), ("0:0:0:0:0:0:0:0", "::"), ("fe80::1:2:3:4", "fe80::1:2:3:4"),
        ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"), ("::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"),
    ])
    func `text is read and written canonically`(text: String, canonical: String) throws {
        let address = try #require(IPAddress(text))
        #expect(address.description == canonical)
        #expect(IPAddress(canonical) == address)
        #expect(IPAddress(bytes: address.bytes) == address)
    }

    @Test(arguments: [
        "", ".", "1.2.3", "1.2.3.4.5", "1.2.3.", ".1.2.3", "1..2.3", "256.1.1.1", "1.2.3.999", "01.2.3.4", "1.2.3.00",
        "0x7f.1.1.1", "1.2.3.4 ", " 1.2.3.4", "1.2.3.4\n", "+1.2.3.4", "-1.2.3.4", "1.2.3.4/8", "127.1", "2130706433",
        "١.٢.٣.٤", ":", ":::", "1::2::3", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8::",
        "::1:2:3:4:5:6:7:8",
        "1:2:3:4::5:6:7:8", ":1:2:3:4:5:6:7", "1:2:3:4:5:6:7:", "12345::", "g::", "::1%eth0", "[::1]", "::1/128",
        "::1.2.3", "::1.2.3.4.5", "1.2.3.4::", "1:2:3:4:5:6:7:1.2.3.4", "::01.2.3.4", "::1.2.3.4:5", ":: 1", "::-1",
        "::ffff:1.2.3.256",
    ])
    func `malformed text is refused`(text: String) {
        #expect(IPAddress(text) == nil)
    }

    @Test(arguments: [0, 1, 3, 5, 8, 15, 17, 32])
    func `only four or sixteen octets make an address`(count: Int) {
        #expect(IPAddress(bytes: [UInt8](repeating: 1, count: count)) == nil)
    }

    /// Both ends of each refused block, and the neighbours outside where those are public.
    @Test(arguments: [
        ("0.0.0.0", false), ("0.255.255.255", false), ("1.0.0.0", true), ("9.255.255.255", true), ("10.0.0.0", false),
        ("10.255.255.255", false), ("11.0.0.0", true), ("100.63.255.255", true), ("100.64.0.0", false),
        ("100.127.255.255", false), ("100.128.0.0", true), ("126.255.255.255", true), ("127.0.0.0", false),
        ("127.0.0.1", false), ("127.255.255.255", false), ("128.0.0.0", true), ("169.253.255.255", true),
        ("169.254.0.0", false), ("169.254.169.254", false), ("169.255.0.0", true), ("172.15.255.255", true),
        ("172.16.0.0", false), ("172.31.255.255", false), ("172.32.0.0", true), ("191.255.255.255", true),
        ("192.0.0.0", false), ("192.0.0.255", false), ("192.0.1.0", true), ("192.0.2.0", false), ("192.0.2.255", false),
        ("192.0.3.0", true), ("192.88.99.1", false), ("192.167.255.255", true), ("192.168.0.0", false),
        ("192.168.255.255", false), ("192.169.0.0", true), ("198.17.255.255", true), ("198.18.0.0", false),
        ("198.19.255.255", false), ("198.20.0.0", true), ("198.51.99.255", true), ("198.51.100.0", false),
        ("198.51.100.255", false), ("198.51.101.0", true), ("203.0.112.255", true), ("203.0.113.0", false),
        ("203.0.113.255", false), ("203.0.114.0", true), ("223.255.255.255", true), ("224.0.0.0", false),
        ("239.255.255.255", false), ("240.0.0.0", false), ("255.255.255.254", false), ("255.255.255.255", false),
        ("::", false), ("::1", false), ("::8.8.8.8", false), ("::ffff:8.8.8.8", false), ("::ffff:127.0.0.1", false),
        ("::ffff:0:8.8.8.8", false), ("64:ff9b::8.8.8.8", false), ("64:ff9b:1::1", false), ("100::1", false),
        ("1fff:ffff::1", false), ("2000::1", true), ("2001::1", false), ("2001:0:ffff::1", false),
        ("2001:1ff::1", false),
        ("2001:200::1", true), ("2001:db7:ffff::1", true), ("2001:db8::", false),
        ("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", false), ("2001:db9::1", true), ("2001:ffff::1", true),
        ("2002::1", false), ("2002:808:808::1", false), ("2003::1", true), ("2606:4700::1111", true),
        ("2a00:1450:4001::1a", true), ("3ffe:ffff::1", true), ("3fff::1", false), ("3fff:fff::1", false),
        ("3fff:1000::1", true), ("4000::1", false), ("5f00::1", false), ("fc00::1", false), ("fdff::1", false),
        ("fe00::1", false), ("fe80::1", false), ("febf::1", false), ("fec0::1", false), ("feff::1", false),
        ("ff02::1", false),
    ])
    func `only public addresses are global`(text: String, isGlobal: Bool) throws {
        #expect(try #require(IPAddress(text)).isGlobal == isGlobal)
    }

    /// The same rule by another road: each refused IPv4 block as its first and last address.
    @Test(arguments: Seed.one(1)) func `random version 4 addresses agree with a range table`(seed: Seed) {
        let ranges: [(String, String)] = [
            ("0.0.0.0", "0.255.255.255"), ("10.0.0.0", "10.255.255.255"), ("100.64.0.0", "100.127.255.255"),
            ("127.0.0.0", "127.255.255.255"), ("169.254.0.0", "169.254.255.255"), ("172.16.0.0", "172.31.255.255"),
            ("192.0.0.0", "192.0.0.255"), ("192.0.2.0", "192.0.2.255"), ("192.88.99.0", "192.88.99.255"),
            ("192.168.0.0", "192.168.255.255"), ("198.18.0.0", "198.19.255.255"), ("198.51.100.0", "198.51.100.255"),
            ("203.0.113.0", "203.0.113.255"), ("224.0.0.0", "255.255.255.255"),
        ]
        func bits(_ text: String) -> UInt32 {
            text.split(separator: ".").reduce(0) { $0 << 8 | UInt32($1)! }
        }
        let refused = ranges.map { bits($0.0)...bits($0.1) }
        var generator = SeededGenerator(seed)
        for _ in 0..<20_000 {
            var value = UInt32.random(in: .min ... .max, using: &generator)
            // Half of them close to an edge.
            if Bool.random(using: &generator), let range = refused.randomElement(using: &generator) {
                let edge = Bool.random(using: &generator) ? range.lowerBound : range.upperBound
                value = edge &+ UInt32.random(in: 0...4, using: &generator) &- 2
            }
            #expect(IPAddress.v4(value).isGlobal == !refused.contains { $0.contains(value) }, "\(IPAddress.v4(value))")
        }
    }

    @Test(arguments: Seed.one(2)) func `random addresses survive their text`(seed: Seed) {
        var generator = SeededGenerator(seed)
        for _ in 0..<5_000 {
            // Many zero groups, so that runs of all lengths and places come up.
            var groups = (0..<8).map { _ in UInt64(UInt16.random(in: .min ... .max, using: &generator)) }
            for index in groups.indices where Int.random(in: 0..<3, using: &generator) > 0 { groups[index] = 0 }
            let address = IPAddress.v6(
                high: groups[..<4].reduce(0) { $0 << 16 | $1 }, low: groups[4...].reduce(0) { $0 << 16 | $1 })
            #expect(IPAddress(address.description) == address)
            #expect(IPAddress(groups.map { String($0, radix: 16) }.joined(separator: ":")) == address)
        }
    }

    @Test func `loopback is known`() {
        #expect(IPAddress("127.3.2.1")?.isLoopback == true)
        #expect(IPAddress("::1")?.isLoopback == true)
        #expect(IPAddress("128.0.0.1")?.isLoopback == false)
        #expect(IPAddress("::2")?.isLoopback == false)
    }
}

import MailTypes
import Testing

@Suite struct IPNetworkTests {
    @Test(arguments: [
        ("192.0.2.0/24", "192.0.2.0/24"), ("192.0.2.1", "192.0.2.1"), ("192.0.2.1/32", "192.0.2.1"),
        ("0.0.0.0/0", "0.0.0.0/0"), ("2001:DB8::/32", "2001:db8::/32"), ("::1/128", "::1"), ("::/0", "::/0"),
        ("10.0.0.128/25", "10.0.0.128/25"), ("::ffff:192.0.2.1", "192.0.2.1"),
    ]) func `networks are read`(_ text: String, _ canonical: String) {
        #expect(IPNetwork(text)?.description == canonical)
    }

    @Test(arguments: [
        "", "/", "/24", "192.0.2.0/", "192.0.2.0/33", "192.0.2.0/-1", "192.0.2.0/024", "192.0.2.0/+24", "192.0.2.1/24",
        "192.0.2/24", "2001:db8::/129", "2001:db8::1/32", "192.0.2.0/24/8", " 192.0.2.0/24", "example.org",
    ]) func `what is none is refused`(_ text: String) {
        #expect(IPNetwork(text) == nil)
    }

    @Test(arguments: [
        ("192.0.2.255", 24, "192.0.2.0/24"), ("192.0.2.255", 25, "192.0.2.128/25"), ("192.0.2.255", 0, "0.0.0.0/0"),
        ("192.0.2.255", 32, "192.0.2.255"), ("::ffff:192.0.2.255", 20, "192.0.0.0/20"),
        ("2001:db8:ffff:ffff::1", 48, "2001:db8:ffff::/48"), ("2001:db8:ffff:ffff::1", 33, "2001:db8:8000::/33"),
        ("2001:db8::1", 128, "2001:db8::1"),
    ]) func `an address has a network of each length`(_ address: String, _ prefix: Int, _ network: String) throws {
        #expect(IPNetwork(of: try #require(IPAddress(address)), prefix: prefix).description == network)
    }

    @Test(arguments: [
        ("192.0.2.0/24", "192.0.2.0", true), ("192.0.2.0/24", "192.0.2.255", true),
        ("192.0.2.0/24", "192.0.3.0", false), ("192.0.2.0/24", "::ffff:192.0.2.7", true),
        ("192.0.2.0/24", "2001:db8::1", false), ("10.0.0.128/25", "10.0.0.127", false),
        ("0.0.0.0/0", "255.1.2.3", true), ("0.0.0.0/0", "::1", false), ("::/0", "2001:db8::1", true),
        ("2001:db8::/33", "2001:db8:7fff::1", true), ("2001:db8::/33", "2001:db8:8000::1", false),
        ("192.0.2.1", "192.0.2.1", true), ("192.0.2.1", "192.0.2.2", false),
    ]) func `an address is in a network or not`(_ network: String, _ address: String, _ isInside: Bool) throws {
        let (network, address) = (try #require(IPNetwork(network)), try #require(IPAddress(address)))
        #expect(network.contains(address) == isInside)
    }

    @Test(arguments: [
        ("10.0.0.0/8", "10.1.0.0/16", true), ("10.1.0.0/16", "10.0.0.0/8", false), ("10.0.0.0/8", "10.0.0.0/8", true),
        ("10.0.0.0/8", "11.0.0.1", false), ("::/0", "10.0.0.1", false),
    ]) func `a network is in another or not`(_ outer: String, _ inner: String, _ isInside: Bool) throws {
        #expect(try #require(IPNetwork(outer)).contains(try #require(IPNetwork(inner))) == isInside)
    }
}

import MailSigning
import MailTypes
import Testing

@Suite struct SendingDomainRecordsTests {
    private func advice(
        addresses: [String] = [], included: [String] = [], report: String? = nil
    ) throws -> [DNSRecordAdvice] {
        try SendingDomainRecords(
            domain: DomainName("example.org"),
            keys: [("s1", TestKeys.rsa.dnsRecord), ("s2", TestKeys.ed25519.dnsRecord)],
            mailHost: DomainName("in.sluice.example"), sourceAddresses: addresses.compactMap { IPAddress($0) },
            includedDomains: included.map { try DomainName($0) }, reportAddress: report.map { try EmailAddress($0) }
        ).records
    }

    @Test func `every record is there`() throws {
        let records = try advice(addresses: ["198.51.100.7", "2001:DB8::7"], included: ["spf.sluice.example"])
        #expect(
            records.map { "\($0.purpose.rawValue) \($0.name) \($0.type)" } == [
                "dkim s1._domainkey.example.org TXT", "dkim s2._domainkey.example.org TXT",
                "spf bounce.example.org TXT",
                "return_path bounce.example.org MX", "dmarc _dmarc.example.org TXT",
            ])
        #expect(records[0].value == TestKeys.rsa.dnsRecord)
        #expect(records[2].value == "v=spf1 ip4:198.51.100.7 ip6:2001:db8::7 include:spf.sluice.example -all")
        #expect(records[3].value == "10 in.sluice.example.")
        #expect(records[3].zoneFileLine == "bounce.example.org. 3600 IN MX 10 in.sluice.example.")
        #expect(records[4].value == "v=DMARC1; p=none")
        #expect(records[4].zoneFileLine == "_dmarc.example.org. 3600 IN TXT \"v=DMARC1; p=none\"")
    }

    @Test func `without addresses the return path's hosts may send`() throws {
        #expect(try advice()[2].value == "v=spf1 mx -all")
    }

    @Test(arguments: [
        ("dmarc@example.org", "dmarc@example.org"), ("d+m@example.org", "d+m@example.org"), ("a!b,c@example.org", nil),
        ("a!b@example.org", "a%21b@example.org"), ("\"a;b\"@example.org", "%22a%3Bb%22@example.org"),
    ])
    func `report addresses are URIs`(address: String, uri: String?) throws {
        guard let uri else {
            #expect(throws: AddressError.self) { try advice(report: address) }
            return
        }
        #expect(try advice(report: address)[4].value == "v=DMARC1; p=none; rua=mailto:\(uri)")
    }

    @Test func `long text is cut into strings of 255 octets`() throws {
        let line = try advice()[0].zoneFileLine
        let prefix = "s1._domainkey.example.org. 3600 IN TXT \""
        #expect(line.hasPrefix(prefix))
        let strings = line.dropFirst(prefix.count).dropLast().components(of: "\" \"")
        #expect(strings.map(\.utf8.count) == [255, TestKeys.rsa.dnsRecord.utf8.count - 255])
        #expect(strings.joined() == TestKeys.rsa.dnsRecord)
    }

    @Test func `return path labels are checked`() throws {
        let domain = try DomainName("example.org")
        #expect(throws: AddressError.self) {
            try SendingDomainRecords(domain: domain, keys: [], mailHost: domain, returnPathLabel: "a b")
        }
        #expect(
            try SendingDomainRecords(domain: domain, keys: [], mailHost: domain, returnPathLabel: "r").returnPathDomain
                .text
                == "r.example.org")
    }
}

extension Substring {
    fileprivate func components(of separator: String) -> [String] { String(self).components(of: separator) }
}

import MailSigning
import Testing

@Suite struct DKIMKeyTests {
    @Test(arguments: DKIMKey.Algorithm.allCases)
    func `keys survive their DER`(algorithm: DKIMKey.Algorithm) throws {
        let key = algorithm == .rsaSHA256 ? TestKeys.rsa : TestKeys.ed25519
        let again = try DKIMKey(privateKeyDER: key.privateKeyDER)
        #expect(again.algorithm == algorithm)
        #expect(again.dnsRecord == key.dnsRecord)
        #expect(again.privateKeyDER == key.privateKeyDER)
    }

    @Test func `keys are new`() throws {
        let other = try DKIMKey.generate(.ed25519SHA256)
        #expect(other.dnsRecord != TestKeys.ed25519.dnsRecord)
    }

    @Test func `the record names type and key`() {
        #expect(TestKeys.rsa.dnsRecord.hasPrefix("v=DKIM1; k=rsa; p=MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A"))
        // 294 octets of SubjectPublicKeyInfo, and 32.
        #expect(TestKeys.rsa.dnsRecord.utf8.count == "v=DKIM1; k=rsa; p=".utf8.count + 392)
        #expect(TestKeys.ed25519.dnsRecord.utf8.count == "v=DKIM1; k=ed25519; p=".utf8.count + 44)
    }

    @Test func `other bytes are no key`() {
        let truncated = Array(TestKeys.rsa.privateKeyDER.dropLast())
        let continued = TestKeys.rsa.privateKeyDER + [0]
        for bytes in [[], [0x30], [0x30, 0x00], Array("hello".utf8), truncated, continued] {
            #expect { try DKIMKey(privateKeyDER: bytes) } throws: { ($0 as? DKIMError)?.code == .invalidKey }
        }
    }

    @Test(arguments: [
        "", "hello", "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n",
        // Made for this test with `openssl genpkey -algorithm ed25519 -aes-128-cbc -pass pass:x`: no password is asked for.
        """
        -----BEGIN ENCRYPTED PRIVATE KEY-----
        MIGbMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAj9HMCLCWletAICCAAw
        DAYIKoZIhvcNAgkFADAdBglghkgBZQMEAQIEEKnvZTVey3wAgZRg8Jo001oEQFxS
        fC+ucGoRvQTcctbPpW06IU78o2wbABXrnh3W5ol7PBphwzgD+UFTa3N/ri96U8D2
        rKJPlzgSsxPss6k6/og=
        -----END ENCRYPTED PRIVATE KEY-----
        """,
    ])
    func `other texts are no key`(text: String) {
        #expect { try DKIMKey(privateKeyPEM: text) } throws: { ($0 as? DKIMError)?.code == .invalidKey }
    }

    @Test func `keys for other uses are refused`() {
        // A P-256 key (RFC 5915 in PKCS#8), made for this test.
        let text = """
            -----BEGIN PRIVATE KEY-----
            MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgQ+BZkbtxfqXvdTy0
            wMpfxRjgfhZbYie4VThGzLKjMOehRANCAARveLkmfq/DlmVKTL8JkDQ4+Mek3sVz
            EuT/AixnSzvg91IszZ3dFw4eptTAPoEq1iDzEIB80PVzmUG0KyFRzQl8
            -----END PRIVATE KEY-----
            """
        #expect { try DKIMKey(privateKeyPEM: text) } throws: { ($0 as? DKIMError)?.code == .invalidKey }
    }

    @Test func `small RSA keys are refused`() throws {
        #expect { try DKIMKey.generate(.rsaSHA256, rsaBits: 512) } throws: { ($0 as? DKIMError)?.code == .keyTooSmall }
        let text = """
            -----BEGIN PRIVATE KEY-----
            MIIB5QIBADANBgkqhkiG9w0BAQEFAASCAc8wggHLAgEAAmEAmTTdz9edEWQQYKxQ
            ooxfDPLtWhiGJE4Xp5u47LybJst9uw7y4cTaDAces1FuL872vjq2L9nwiAH+6ye2
            UHdWfPWXzuK9sx+uoGTLcRUGsyjl8xCebSJ8/T0Oyj+aXg37AgMBAAECYHUySL+W
            a3ODPTgGeMRvZsKMDl8ORYb+KgAwEj0eZf0+StbOL6PfJwFubOC1WPm/cjfBYI/X
            5rYqO/ayp2NldpXIgyaeCg0JQ9Ih38Ew781YYLbAN5gsF2k1alV+fBu/yQIxAMcq
            Sy9SNa3KrXsNUYfSfWexOX1cxn6mpaVyaJYzlHWu4lpFcsOcSDIN7ScHNmlUVwIx
            AMTtIYo/dgccqsUYpEly7s9DQB5R/oWnKsxL0L6ouBbho2V6x0naHfN+u4kFKjds
            /QIxAIBkwo1iGRrNoyLFxj6iMpgLRz2K9qelNPpAlC3oWJe5Q1Dgnoh+Eoi6M51K
            aAhlBwIwH/ZRBExKjtrzSKw4NgemhRNoO8OZKP457xC7H8booiYbTCRCZlU1mUjP
            jWy+LmLNAjEAtEWuYirJnfaw1SoQ3HiBqEEDEZ3yiIJvep7WBbpGeP1e2ZL0CqX1
            Cd6Bkd0xXDYd
            -----END PRIVATE KEY-----
            """
        #expect { try DKIMKey(privateKeyPEM: text) } throws: { ($0 as? DKIMError)?.code == .keyTooSmall }
    }

    @Test func `descriptions show no key`() {
        var dumped = ""
        dump(TestKeys.ed25519, to: &dumped)
        #expect("\(TestKeys.ed25519)" == "DKIMKey(ed25519-sha256)")
        #expect(!dumped.contains("privateKey"))
    }
}

import Testing

@testable import MailSigning

/// The example of RFC 8463 appendix A. Both algorithms are deterministic, so the published signatures can be made again.
@Suite struct RFC8463Tests {
    static let ed25519Seed = "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A="
    static let rsaKey = """
        -----BEGIN RSA PRIVATE KEY-----
        MIICXQIBAAKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQi
        Y/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqM
        KrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB
        AoGAH0cxOhFZDgzXWhDhnAJDw5s4roOXN4OhjiXa8W7Y3rhX3FJqmJSPuC8N9vQm
        6SVbaLAE4SG5mLMueHlh4KXffEpuLEiNp9Ss3O4YfLiQpbRqE7Tm5SxKjvvQoZZe
        zHorimOaChRL2it47iuWxzxSiRMv4c+j70GiWdxXnxe4UoECQQDzJB/0U58W7RZy
        6enGVj2kWF732CoWFZWzi1FicudrBFoy63QwcowpoCazKtvZGMNlPWnC7x/6o8Gc
        uSe0ga2xAkEA8C7PipPm1/1fTRQvj1o/dDmZp243044ZNyxjg+/OPN0oWCbXIGxy
        WvmZbXriOWoSALJTjExEgraHEgnXssuk7QJBALl5ICsYMu6hMxO73gnfNayNgPxd
        WFV6Z7ULnKyV7HSVYF0hgYOHjeYe9gaMtiJYoo0zGN+L3AAtNP9huqkWlzECQE1a
        licIeVlo1e+qJ6Mgqr0Q7Aa7falZ448ccbSFYEPD6oFxiOl9Y9se9iYHZKKfIcst
        o7DUw1/hz2Ck4N5JrgUCQQCyKveNvjzkkd8HjYs0SwM0fPjK16//5qDZ2UiDGnOe
        uEzxBDAr518Z8VFbR41in3W4Y3yCDgQlLlcETrS+zYcL
        -----END RSA PRIVATE KEY-----
        """
    static let ed25519Record = "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
    static let rsaRecord =
        "v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY"
        + "/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT"
        + "+l/K4w3QIDAQAB"

    static let ed25519Signature =
        "/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11BusFa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw=="
    static let rsaSignature =
        "F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz"
        + "dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8="

    static let ed25519Field = """
        DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;
         d=football.example.com; i=@football.example.com;
         q=dns/txt; s=brisbane; t=1528637909; h=from : to :
         subject : date : message-id : from : subject : date;
         bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
         b=
        """
    static let rsaField = """
        DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;
         d=football.example.com; i=@football.example.com;
         q=dns/txt; s=test; t=1528637909; h=from : to : subject :
         date : message-id : from : subject : date;
         bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
         b=
        """
    static let fields = [
        "From: Joe SixPack <joe@football.example.com>", "To: Suzie Q <suzie@shopping.example.net>",
        "Subject: Is dinner ready?", "Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)",
        "Message-ID: <20030712040037.46341.5F8J@football.example.com>",
    ]
    static let body = "Hi.\n\nWe lost the game.  Are you hungry yet?\n\nJoe.\n\n"

    private static func crlf(_ text: String) -> [UInt8] {
        Array(text.replacing("\n", with: "\r\n").utf8)
    }

    /// PKCS#8 of a bare Ed25519 seed (RFC 8410 §7).
    private static func pkcs8(seed: String) -> String {
        "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEI" + Self.joined(seed) + "\n-----END PRIVATE KEY-----\n"
    }

    /// The sixteen octets of the PKCS#8 prefix do not end at a Base64 group, so the seed is encoded behind them again.
    private static func joined(_ seed: String) -> String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        var bits: [UInt8] = []
        for character in seed.utf8 where character != UInt8(ascii: "=") {
            let value = UInt8(alphabet.firstIndex(of: character)!)
            bits += (0..<6).map { value >> (5 - $0) & 1 }
        }
        bits = Array(bits.prefix(256))
        let octets = stride(from: 0, to: 256, by: 8).map { start in
            bits[start..<start + 8].reduce(UInt8(0)) { $0 << 1 | $1 }
        }
        // 0x20, the length, is the last octet of the prefix: "MC4CAQAwBQYDK2VwBCIE" covers the fifteen before it.
        return String(Base64.encode([0x20] + octets).dropFirst(1))
    }

    private static func signature(_ field: String, _ key: DKIMKey) throws -> String {
        var canonical: [UInt8] = []
        for text in fields {
            let bytes = crlf(text)
            RelaxedHeader.append(bytes.span, 0..<bytes.count, colon: bytes.firstIndex(of: 0x3A)!, to: &canonical)
            canonical += [0x0D, 0x0A]
        }
        let bytes = crlf(field)
        RelaxedHeader.append(bytes.span, 0..<bytes.count, colon: bytes.firstIndex(of: 0x3A)!, to: &canonical)
        let hasher = try SHA256Hasher()
        var digest = [UInt8](repeating: 0, count: 32)
        hasher.reset()
        hasher.update(canonical.span)
        hasher.finish(into: &digest)
        let operation = try SigningOperation(key)
        // Twice, for a context that is used again must give the same.
        let signatures = [try operation.sign(digest), try operation.sign(digest)]
        #expect(signatures[0] == signatures[1])
        return Base64.encode(signatures[1])
    }

    @Test func `the body hash is the published one`() throws {
        let hasher = try SHA256Hasher()
        var chunk = [UInt8](repeating: 0, count: 64)
        var digest = [UInt8](repeating: 0, count: 32)
        hasher.reset()
        try RelaxedBody.canonicalise(Self.crlf(Self.body).span, through: &chunk) { hasher.update($0) }
        hasher.finish(into: &digest)
        #expect(Base64.encode(digest) == "2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=")
    }

    @Test func `the Ed25519 signature is the published one`() throws {
        let key = try DKIMKey(privateKeyPEM: Self.pkcs8(seed: Self.ed25519Seed))
        #expect(key.algorithm == .ed25519SHA256)
        #expect(key.dnsRecord == Self.ed25519Record)
        #expect(try Self.signature(Self.ed25519Field, key) == Self.ed25519Signature)
    }

    @Test func `the RSA signature is the published one`() throws {
        let key = try DKIMKey(privateKeyPEM: Self.rsaKey)
        #expect(key.algorithm == .rsaSHA256)
        #expect(key.dnsRecord == Self.rsaRecord)
        #expect(try Self.signature(Self.rsaField, key) == Self.rsaSignature)
    }

    @Test func `the verifier accepts the example`() throws {
        let verifier = try DKIMVerifier(keys: [
            "brisbane._domainkey.football.example.com": Self.ed25519Record,
            "test._domainkey.football.example.com": Self.rsaRecord,
        ])
        let message = Self.crlf(
            Self.ed25519Field + Self.ed25519Signature + "\n" + Self.rsaField + Self.rsaSignature + "\n"
                + Self.fields.joined(separator: "\n") + "\n\n" + Self.body)
        let verification = try verifier.verify(message)
        #expect(
            verification.signatures == [
                DKIMVerification.Signature(
                    domain: "football.example.com", selector: "brisbane", algorithm: "ed25519-sha256", result: .pass),
                DKIMVerification.Signature(
                    domain: "football.example.com", selector: "test", algorithm: "rsa-sha256", result: .pass),
            ])
        #expect(verification.passes)
    }
}

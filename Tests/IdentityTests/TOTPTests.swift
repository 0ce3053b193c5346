import MailTypes
import Testing

@testable import Identity

/// Codes of the time, against the vectors of the RFCs.
@Suite struct TOTPTests {
    private let totp = TOTP(secret: Array("12345678901234567890".utf8))

    /// RFC 6238, appendix B, the lines of SHA-1.
    @Test(
        arguments: [
            (59, "94287082"), (1_111_111_109, "07081804"), (1_111_111_111, "14050471"), (1_234_567_890, "89005924"),
            (2_000_000_000, "69279037"), (20_000_000_000, "65353130"),
        ] as [(Int64, String)]) func `codes are those of RFC 6238`(_ seconds: Int64, _ code: String)
    {
        #expect(totp.code(at: TOTP.step(at: seconds), digits: 8) == code)
        #expect(totp.code(at: TOTP.step(at: seconds)) == String(code.suffix(6)))
    }

    /// RFC 4226, appendix D.
    @Test func `codes are those of RFC 4226`() {
        let codes = [
            "755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489",
        ]
        for (counter, code) in codes.enumerated() { #expect(totp.code(at: Int64(counter)) == code) }
    }

    @Test func `a code is taken a step early and a step late, and never at or before the last one`() {
        let now: Int64 = 1_800_000_015
        let step = TOTP.step(at: now)
        for (shift, isTaken) in [(-2, false), (-1, true), (0, true), (1, true), (2, false)] as [(Int64, Bool)] {
            let code = totp.code(at: step + shift)
            #expect(totp.step(of: code, at: now, after: 0) == (isTaken ? step + shift : nil), "\(shift)")
            #expect(totp.step(of: code, at: now, after: step + shift) == nil)
            #expect(totp.step(of: code, at: now, after: step + shift - 1) == (isTaken ? step + shift : nil))
        }
        // At both ends of a step it is the same one.
        #expect(TOTP.step(at: 59) == 1 && TOTP.step(at: 60) == 2)
    }

    @Test func `what is no code is none`() {
        let now: Int64 = 1_111_111_109
        #expect(totp.step(of: "081804", at: now, after: 0) != nil)
        #expect(totp.step(of: " 081 804 ", at: now, after: 0) != nil)
        for text in [
            "", " ", "81804", "0081804", "07081804", "081804\n", "081804\u{0}", "-81804", "+81804", "O81804",
            "０８１８０４", "081-804", String(repeating: "081804", count: 1_000),
        ] { #expect(totp.step(of: text, at: now, after: 0) == nil, "\(text.prefix(20))") }
    }

    @Test func `the address of a secret is one that apps read`() {
        #expect(
            totp.uri(account: "ada+x@example.org")
                == "otpauth://totp/Sluice:ada%2Bx%40example.org?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Sluice"
                + "&algorithm=SHA1&digits=6&period=30")
        #expect(totp.uri(account: "a&secret=b?c#d").contains("Sluice:a%26secret%3Db%3Fc%23d?secret=GEZ"))
    }

    /// RFC 4648 §10, without padding.
    @Test(arguments: [
        ("", ""), ("f", "MY"), ("fo", "MZXQ"), ("foo", "MZXW6"), ("foob", "MZXW6YQ"), ("fooba", "MZXW6YTB"),
        ("foobar", "MZXW6YTBOI"),
    ]) func `base 32 is that of RFC 4648`(_ text: String, _ encoded: String) {
        #expect(Base32.text(text.utf8) == encoded)
    }

    @Test func `secrets and recovery codes are random, and long enough`() {
        let secrets = (0..<100).map { _ in TOTP.random().secret }
        #expect(Set(secrets).count == 100 && secrets.allSatisfy { $0.count == 20 })
        let codes = (0..<1_000).map { _ in RecoveryCode.random().shown.exposed }
        #expect(Set(codes).count == 1_000)
        // 16 characters of 5 bits, and each of the 32 occurs.
        for code in codes { #expect(code.wholeMatch(of: /([0-9A-HJKMNP-TV-Z]{4}-){3}[0-9A-HJKMNP-TV-Z]{4}/) != nil) }
        #expect(Set(codes.joined()).subtracting(["-"]).count == 32)
    }

    @Test func `a recovery code is read as people type it`() throws {
        let code = try #require(RecoveryCode("01AB-CDEF-GHJK-MNPQ"))
        for text in ["01abcdefghjkmnpq", " 01AB CDEF GHJK MNPQ ", "OIab-cdef-ghjk-mnpq", "oLAB-CDEF-GHJK-MNPQ"] {
            #expect(RecoveryCode(text)?.hash == code.hash, "\(text)")
        }
        for text in [
            "", "01AB-CDEF-GHJK", "01AB-CDEF-GHJK-MNPQR", "01AB-CDEF-GHJK-MNPU", "01AB_CDEF_GHJK_MNPQ",
            "01AB-CDEF-GHJK-MNPＱ", "01AB-CDEF-GHJK-MNP\u{0}", String(repeating: "-", count: 100) + "01ABCDEFGHJKMNPQ",
        ] { #expect(RecoveryCode(text) == nil, "\(text)") }
        #expect(RecoveryCode("01AB-CDEF-GHJK-MNPR")?.hash != code.hash)
        #expect("\(code.shown)" == "<redacted>")
    }
}

import HTTPTypes
import Hummingbird

/// Headers that every answer carries. Nothing here is for a browser but the unsubscribe page, and that one needs no more
/// than its own form; links with tokens must not travel on as a referrer.
enum ResponseHeaders {
    /// - Parameter isEncrypted: whether the answer goes over TLS; over plain HTTP nobody may promise it (RFC 6797 §7.2).
    static func add(to response: inout Response, isEncrypted: Bool) {
        for field in always where !response.headers.contains(field.name) { response.headers.append(field) }
        if isEncrypted { response.headers[.strictTransportSecurity] = "max-age=31536000; includeSubDomains" }
    }

    /// Made once, because each value is looked through when its field is made.
    private static let always: [HTTPField] = [
        HTTPField(name: .cacheControl, value: "no-store"),
        HTTPField(name: .contentSecurityPolicy, value: "default-src 'none'; frame-ancestors 'none'"),
        HTTPField(name: .contentTypeOptions, value: "nosniff"),
        HTTPField(name: .frameOptions, value: "DENY"),
        HTTPField(
            name: .permissionsPolicy,
            value: "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()"),
        HTTPField(name: .referrerPolicy, value: "no-referrer"),
    ]
}

extension HTTPField.Name {
    static let crossOriginOpenerPolicy = HTTPField.Name("Cross-Origin-Opener-Policy")!
    static let contentTypeOptions = HTTPField.Name("X-Content-Type-Options")!
    static let frameOptions = HTTPField.Name("X-Frame-Options")!
    static let idempotencyKey = HTTPField.Name("Idempotency-Key")!
    static let idempotencyReplayed = HTTPField.Name("Idempotency-Replayed")!
    static let permissionsPolicy = HTTPField.Name("Permissions-Policy")!
    static let referrerPolicy = HTTPField.Name("Referrer-Policy")!
}

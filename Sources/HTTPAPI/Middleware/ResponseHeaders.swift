import HTTPTypes
import Hummingbird

/// Headers that every answer carries. Nothing here is for a browser but the unsubscribe page, and that one needs no more
/// than its own form; links with tokens must not travel on as a referrer.
enum ResponseHeaders {
    /// - Parameter isEncrypted: whether the answer goes over TLS; over plain HTTP nobody may promise it (RFC 6797 §7.2).
    static func add(to response: inout Response, isEncrypted: Bool) {
        for (name, value) in always { response.headers[name] = response.headers[name] ?? value }
        if isEncrypted { response.headers[.strictTransportSecurity] = "max-age=31536000; includeSubDomains" }
    }

    private static let always: [(HTTPField.Name, String)] = [
        (.cacheControl, "no-store"),
        (.contentSecurityPolicy, "default-src 'none'; frame-ancestors 'none'"),
        (.contentTypeOptions, "nosniff"),
        (.frameOptions, "DENY"),
        (.permissionsPolicy, "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()"),
        (.referrerPolicy, "no-referrer"),
    ]
}

extension HTTPField.Name {
    static let contentTypeOptions = HTTPField.Name("X-Content-Type-Options")!
    static let frameOptions = HTTPField.Name("X-Frame-Options")!
    static let idempotencyKey = HTTPField.Name("Idempotency-Key")!
    static let idempotencyReplayed = HTTPField.Name("Idempotency-Replayed")!
    static let permissionsPolicy = HTTPField.Name("Permissions-Policy")!
    static let referrerPolicy = HTTPField.Name("Referrer-Policy")!
}

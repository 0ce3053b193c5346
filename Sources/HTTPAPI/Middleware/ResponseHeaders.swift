import HTTPTypes
import Hummingbird

/// Headers that every answer carries. Nothing here is for a browser but the unsubscribe page, and that one needs no more
/// than its own form; links with tokens must not travel on as a referrer.
enum ResponseHeaders {
    static func add(to response: inout Response) {
        for (name, value) in always { response.headers[name] = response.headers[name] ?? value }
    }

    private static let always: [(HTTPField.Name, String)] = [
        (.cacheControl, "no-store"),
        (.contentSecurityPolicy, "default-src 'none'; frame-ancestors 'none'"),
        (.contentTypeOptions, "nosniff"),
        (.frameOptions, "DENY"),
        (.referrerPolicy, "no-referrer"),
    ]
}

extension HTTPField.Name {
    static let contentTypeOptions = HTTPField.Name("X-Content-Type-Options")!
    static let frameOptions = HTTPField.Name("X-Frame-Options")!
    static let idempotencyKey = HTTPField.Name("Idempotency-Key")!
    static let idempotencyReplayed = HTTPField.Name("Idempotency-Replayed")!
    static let referrerPolicy = HTTPField.Name("Referrer-Policy")!
}

import HTTPTypes
import Testing

/// What came back.
struct Answer: Sendable {
    let status: Int
    let headers: HTTPFields
    let text: String

    var json: JSON { (try? JSON(parsing: text)) ?? .null }
    var code: String? { json["code"].string }
    var isReplayed: Bool { headers[HTTPField.Name("Idempotency-Replayed")!] == "true" }

    /// A problem document with everything that one must have.
    func expectProblem(_ status: Int, _ code: String, sourceLocation: SourceLocation = #_sourceLocation) {
        #expect(self.status == status, "\(text)", sourceLocation: sourceLocation)
        #expect(self.code == code, "\(text)", sourceLocation: sourceLocation)
        expectAnyProblem(sourceLocation: sourceLocation)
    }

    func expectAnyProblem(sourceLocation: SourceLocation = #_sourceLocation) {
        #expect(headers[.contentType] == "application/problem+json", sourceLocation: sourceLocation)
        #expect(json["type"] == "about:blank", sourceLocation: sourceLocation)
        #expect(json["status"].integer == status, sourceLocation: sourceLocation)
        #expect(json["title"].string?.isEmpty == false, sourceLocation: sourceLocation)
        #expect(json["reference"].string?.isEmpty == false, sourceLocation: sourceLocation)
        #expect(
            code?.wholeMatch(of: /[a-z][a-z0-9]*(_[a-z0-9]+)*/) != nil, "not snake_case: \(code ?? "no code")",
            sourceLocation: sourceLocation)
        let detail = json["detail"].string ?? ""
        #expect(detail.last == "." || detail.last == "?", "\(detail)", sourceLocation: sourceLocation)
        #expect(
            detail.dropLast().last != "?" && detail.dropLast().last != ".", "\(detail)", sourceLocation: sourceLocation)
        expectHeaders(sourceLocation: sourceLocation)
    }

    /// The headers that every answer carries.
    func expectHeaders(sourceLocation: SourceLocation = #_sourceLocation) {
        for (name, value) in [
            ("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "no-referrer"), ("X-Frame-Options", "DENY"),
            ("Cache-Control", "no-store"),
            (
                "Permissions-Policy",
                "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()"
            ),
        ] {
            #expect(headers[HTTPField.Name(name)!] == value, "\(name)", sourceLocation: sourceLocation)
        }
        for part in ["default-src 'none'", "frame-ancestors 'none'"] {
            #expect(headers[.contentSecurityPolicy]?.contains(part) == true, sourceLocation: sourceLocation)
        }
    }
}

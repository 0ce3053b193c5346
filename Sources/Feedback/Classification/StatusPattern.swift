import MailTypes

/// Enhanced codes without their class, written `x.1.1`, `x.7.20-24` or `x.6`.
struct StatusPattern: Sendable, Decodable {
    let subject: UInt16
    let detail: ClosedRange<UInt16>

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let pattern = StatusPattern(text) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "no enhanced code: \(text)")
        }
        self = pattern
    }

    private init?(_ text: String) {
        let parts = text.split(separator: ".")
        guard (2...3).contains(parts.count), parts[0] == "x", let subject = UInt16(parts[1]) else { return nil }
        self.subject = subject
        let bounds = parts.count == 3 ? parts[2].split(separator: "-").map { UInt16($0) } : [0, 999]
        guard let first = bounds.first ?? nil, let last = bounds.last ?? nil, first <= last else { return nil }
        detail = first...last
    }

    func matches(_ code: EnhancedStatusCode) -> Bool { subject == code.subject && detail.contains(code.detail) }
}

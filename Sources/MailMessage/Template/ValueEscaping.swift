/// What is done to a value, and to a fallback, on its way into a template.
enum ValueEscaping: Sendable, Hashable {
    /// As it is.
    case none
    /// `& < > " '` as entities.
    case html
    /// A part of a URL: everything but unreserved characters percent-encoded (RFC 3986 §2.1, §2.3).
    case percent
    /// Html that goes into a text part made from html: its text.
    case textOfHTML

    func apply(_ text: some Collection<UInt8>) -> [UInt8] {
        switch self {
        case .none: Array(text)
        case .html: HTMLEscaping.escape(text)
        case .percent: PercentEncoding.encode(text)
        case .textOfHTML: TextOfHTML.plain(Array(text))
        }
    }
}

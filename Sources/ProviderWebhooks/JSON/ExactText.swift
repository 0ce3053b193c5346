/// A stranger's word, compared octet by octet. Strings are equal where Unicode holds their characters for the same
/// (the Kelvin sign is a K), and to find that out takes quadratic time where marks come in the wrong order.
struct ExactText: Sendable, Hashable, ExpressibleByStringLiteral {
    let text: String

    init(_ text: String) { self.text = text }
    init(stringLiteral text: String) { self.text = text }

    static func == (one: Self, other: Self) -> Bool { one.text.utf8.elementsEqual(other.text.utf8) }

    func hash(into hasher: inout Hasher) {
        for byte in text.utf8 { hasher.combine(byte) }
    }
}

extension RawRepresentable where Self: CaseIterable, RawValue == String {
    /// The case of this name.
    init?(exactly name: ExactText) {
        guard let found = Self.allCases.first(where: { ExactText($0.rawValue) == name }) else { return nil }
        self = found
    }
}

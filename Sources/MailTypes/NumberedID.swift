/// Names a row by a number that tells nothing. No secret.
///
/// Text form: a prefix that says what it names, and the decimal number: `key_7`.
package protocol NumberedID: RawRepresentable, Hashable, Comparable, Sendable, CustomStringConvertible
where RawValue == Int64 {
    static var prefix: String { get }
    init(rawValue: Int64)
}

extension NumberedID {
    package init?(_ text: String) {
        // Int64 also reads "+7" and "007"; one row has one text.
        guard text.hasPrefix(Self.prefix), let value = Int64(text.dropFirst(Self.prefix.count)), value > 0,
            text == "\(Self.prefix)\(value)"
        else { return nil }
        self.init(rawValue: value)
    }

    package var description: String { "\(Self.prefix)\(rawValue)" }

    package static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

/// Digits, then capital letters, then small letters.
enum Base62 {
    static let digits = Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)

    /// The number with leading zeros. Digits beyond `digits` are cut off.
    static func text(_ number: UInt64, digits count: Int) -> String {
        var text = [UInt8](repeating: digits[0], count: count)
        var rest = number
        for index in text.indices.reversed() {
            text[index] = digits[Int(rest % 62)]
            rest /= 62
        }
        return String(decoding: text, as: UTF8.self)
    }
}

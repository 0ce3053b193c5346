extension StringProtocol {
    /// The text with each mail address in it replaced by `…@…`, for what people other than the customer may read: replies
    /// often repeat the address that they refuse.
    ///
    ///     "550 5.1.1 <ada@example.org>: no such user".addressesMasked   // "550 5.1.1 <…@…>: no such user"
    package var addressesMasked: String {
        var masked = ""
        var word = Substring()
        func flushed(_ word: Substring) -> Substring { word.contains("@") ? "…@…" : word }
        for character in self {
            guard Self.endsWord(character) else {
                word.append(character)
                continue
            }
            masked += flushed(word)
            masked.append(character)
            word = Substring()
        }
        return masked + flushed(word)
    }

    /// Quotation marks do not: a local part may be quoted (RFC 5321 §4.1.2).
    private static func endsWord(_ character: Character) -> Bool {
        character.isWhitespace || "<>()[],;:".contains(character)
    }
}

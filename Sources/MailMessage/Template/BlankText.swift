/// What no reader sees.
enum BlankText {
    /// White space, and characters without width that templates are padded with.
    static func isInvisible(_ character: Character) -> Bool {
        character.isWhitespace
            || character.unicodeScalars.allSatisfy { scalar in
                switch scalar.value {
                case 0x00AD, 0x034F, 0x180E, 0x200B...0x200F, 0x2060...0x2064, 0xFEFF: true
                default: scalar.properties.isWhitespace
                }
            }
    }
}

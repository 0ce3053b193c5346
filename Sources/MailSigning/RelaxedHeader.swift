/// The "relaxed" header canonicalisation of RFC 6376 §3.4.2: the name in lower case, the value on one line, runs of
/// spaces and tabs as one space, none at either end.
enum RelaxedHeader {
    /// Appends `name:value` without a CRLF.
    ///
    /// - Parameters:
    ///   - bytes: holds the field.
    ///   - field: from the first octet of the name to the last before the CRLF that ends the field.
    ///   - colon: the place of the colon in `bytes`.
    static func append(_ bytes: Span<UInt8>, _ field: Range<Int>, colon: Int, to output: inout [UInt8]) {
        for index in field.lowerBound..<colon {
            let byte = bytes[index]
            if byte == 0x20 || byte == 0x09 { continue }
            output.append((0x41...0x5A).contains(byte) ? byte | 0x20 : byte)
        }
        output.append(UInt8(ascii: ":"))
        let start = output.count
        var index = colon + 1
        while true {
            var hasSpace = false
            while index < field.upperBound, isBetweenWords(bytes[index]) {
                // Folding: the CRLF goes, the white space after it stays.
                if bytes[index] == 0x20 || bytes[index] == 0x09 { hasSpace = true }
                index += 1
            }
            guard index < field.upperBound else { return }
            if hasSpace && output.count > start { output.append(0x20) }
            let word = index
            while index < field.upperBound, !isBetweenWords(bytes[index]) { index += 1 }
            unsafe bytes.extracting(word..<index).withUnsafeBytes { unsafe output.append(contentsOf: $0) }
        }
    }

    @inline(__always)
    private static func isBetweenWords(_ byte: UInt8) -> Bool {
        byte <= 0x20 && (byte == 0x20 || byte == 0x09 || byte == 0x0D || byte == 0x0A)
    }
}

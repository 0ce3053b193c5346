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
        var owedSpace = false
        let start = output.count
        for index in colon + 1..<field.upperBound {
            let byte = bytes[index]
            switch byte {
            case 0x20, 0x09: owedSpace = true
            // Folding: the CRLF goes, the white space after it stays.
            case 0x0D, 0x0A: continue
            default:
                if owedSpace {
                    if output.count > start { output.append(0x20) }
                    owedSpace = false
                }
                output.append(byte)
            }
        }
    }
}

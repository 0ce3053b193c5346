import MailTypes

/// Makes checked texts from octets of a line, the same way for both formats.
enum LineText {
    static func string(_ octets: Span<UInt8>) throws(LineError) -> String {
        do {
            return String(copying: try UTF8Span(validating: octets))
        } catch {
            throw .notUTF8
        }
    }

    static func address(_ octets: Span<UInt8>) throws(LineError) -> EmailAddress {
        var copy: [UInt8] = []
        copy.reserveCapacity(octets.count)
        for position in octets.indices { copy.append(octets[position]) }
        do {
            return try EmailAddress(utf8: copy[...])
        } catch {
            throw .address(error)
        }
    }

    /// What is left without the spaces and tabs at either end, which spreadsheets like to leave.
    static func trimmed(_ octets: Span<UInt8>) -> Range<Int> {
        var range = octets.indices
        while let first = range.first, octets[first] == 0x20 || octets[first] == 0x09 { range = range.dropFirst() }
        while let last = range.last, octets[last] == 0x20 || octets[last] == 0x09 { range = range.dropLast() }
        return range
    }

    /// Nil where it is empty.
    static func name(_ octets: Span<UInt8>) throws(LineError) -> String? {
        guard !octets.isEmpty else { return nil }
        guard octets.count <= ImportLimits.nameOctets else { throw .nameTooLong }
        guard !hasControlCharacter(octets) else { throw .nameControlCharacter }
        return try string(octets)
    }

    static func variableName(_ octets: Span<UInt8>) throws(LineError) -> String {
        guard (1...ImportLimits.variableNameOctets).contains(octets.count), !hasControlCharacter(octets) else {
            throw .badVariableName
        }
        return try string(octets)
    }

    /// Line breaks and tabs may stand in the text of a body; rendering keeps them out of headers.
    static func variable(_ octets: Span<UInt8>) throws(LineError) -> String {
        for position in octets.indices {
            let octet = octets[position]
            guard octet >= 0x20 || octet == 0x09 || octet == 0x0A || octet == 0x0D else {
                throw .variableControlCharacter
            }
        }
        return try string(octets)
    }

    /// Whether UTF-8 text holds any control character: C0, DEL or C1.
    private static func hasControlCharacter(_ octets: Span<UInt8>) -> Bool {
        var previous: UInt8 = 0
        for position in octets.indices {
            let octet = octets[position]
            if octet < 0x20 || octet == 0x7F { return true }
            // U+0080…U+009F are C2 80 … C2 9F in UTF-8.
            if previous == 0xC2, octet < 0xA0 { return true }
            previous = octet
        }
        return false
    }
}

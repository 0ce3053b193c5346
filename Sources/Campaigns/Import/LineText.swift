import MailMessage
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

    /// What is left without the white space at either end, which spreadsheets like to leave.
    static func trimmed(_ octets: Span<UInt8>) -> Range<Int> {
        var range = octets.indices
        while let first = range.first, octets[first] == 0x20 || octets[first] == 0x09 { range = range.dropFirst() }
        while let last = range.last, octets[last] == 0x20 || octets[last] == 0x09 { range = range.dropLast() }
        guard let first = range.first, let last = range.last, octets[first] >= 0x80 || octets[last] >= 0x80 else {
            return range
        }
        let copy = ArraySlice(range.map { octets[$0] })
        let left = InvisibleCharacters.trimmed(copy)
        return range.lowerBound + left.startIndex..<range.lowerBound + left.endIndex
    }

    /// A display name on one line: white space at its ends is dropped, a line break or tab inside, with the white space
    /// around it, becomes one blank. Nil where nothing is left.
    static func name(_ octets: Span<UInt8>) throws(LineError) -> String? {
        guard !octets.isEmpty else { return nil }
        let name = oneLine(try string(octets))
        if let control = name.unicodeScalars.first(where: isControl) { throw .nameControlCharacter(control) }
        guard name.utf8.count <= ImportLimits.nameOctets else { throw .nameTooLong }
        return name.isEmpty ? nil : name
    }

    private static func oneLine(_ text: String) -> String {
        guard !text.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else { return text }
        var line = String.UnicodeScalarView()
        var gap: [Unicode.Scalar] = []
        for scalar in text.unicodeScalars {
            guard !scalar.properties.isWhitespace else {
                gap.append(scalar)
                continue
            }
            if !line.isEmpty, !gap.isEmpty { line.append(contentsOf: gap.contains(where: isBreak) ? [" "] : gap) }
            gap = []
            line.append(scalar)
        }
        return String(line)
    }

    /// White space other than blanks.
    private static func isBreak(_ scalar: Unicode.Scalar) -> Bool {
        scalar.properties.generalCategory != .spaceSeparator
    }

    /// Unicode's general category Cc, which never changes. Asking for it takes a look-up for each character of a list.
    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value)
    }

    static func variableName(_ octets: Span<UInt8>) throws(LineError) -> String {
        guard !octets.isEmpty else { throw .variableNameEmpty }
        guard octets.count <= ImportLimits.variableNameOctets else { throw .variableNameTooLong }
        let name = try string(octets)
        if let control = name.unicodeScalars.first(where: isControl) { throw .variableNameControlCharacter(control) }
        return name
    }

    /// Line breaks and tabs may stand in the text of a body; rendering keeps them out of headers.
    static func variable(_ octets: Span<UInt8>) throws(LineError) -> String {
        for position in octets.indices {
            let octet = octets[position]
            guard octet >= 0x20 || octet == 0x09 || octet == 0x0A || octet == 0x0D else {
                throw .variableControlCharacter(Unicode.Scalar(octet))
            }
        }
        return try string(octets)
    }

    /// A cell of a table. Every cell is text there, so those that spreadsheets and people write for "no" are false.
    static func cell(_ octets: Span<UInt8>) throws(LineError) -> MergeValue {
        let text = try variable(octets)
        // Empty text is false by itself.
        return !text.isEmpty && saysNo(octets.extracting(trimmed(octets))) ? .falseText(text) : .text(text)
    }

    /// Whether text without white space around it is `false`, `no`, `off`, in any case, `0` or nothing.
    private static func saysNo(_ octets: Span<UInt8>) -> Bool {
        guard octets.count <= 5 else { return false }
        var lowercase: [UInt8] = []
        for position in octets.indices { lowercase.append(octets[position] | 0x20) }
        return ["", "0", "no", "off", "false"].contains { $0.utf8.elementsEqual(lowercase) }
    }

    /// Which character of a line that is not UTF-8 is the first wrong one, from 1.
    static func firstInvalidCharacter(_ octets: Span<UInt8>) -> Int {
        var copy: [UInt8] = []
        for position in octets.indices { copy.append(octets[position]) }
        var iterator = copy.makeIterator()
        var decoder = UTF8()
        var count = 1
        while case .scalarValue = decoder.decode(&iterator) { count += 1 }
        return count
    }
}

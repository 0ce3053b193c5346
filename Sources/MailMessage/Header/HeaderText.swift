import MailTypes

/// Writes the bodies of header fields behind `Name:`, folded (RFC 5322 §2.2.3). Each function puts the blank before
/// what it writes, so that a fold can take the blank's place, and moves `column` along.
enum HeaderText {
    /// What a word may do that is longer than a line.
    enum LongWords: Sendable {
        /// Text for people: the field becomes encoded words, and every line stays within 76.
        case encoded
        /// Text for programs, such as a URI: left whole as long as the line stays within 998 octets.
        case kept
    }

    private static let preferredLineOctets = 76

    static func fold(_ output: inout [UInt8], _ column: inout Int) {
        output.append(UInt8(ascii: "\r"))
        output.append(UInt8(ascii: "\n"))
        output.append(UInt8(ascii: " "))
        column = 1
    }

    /// CR, LF, NUL and all other C0 and C1 controls and DEL, in UTF-8.
    static func containsControl(_ text: UnsafeBufferPointer<UInt8>) -> Bool {
        var previous: UInt8 = 0
        for byte in text {
            if byte < 0x20 || byte == 0x7F || (previous == 0xC2 && (0x80...0x9F).contains(byte)) { return true }
            previous = byte
        }
        return false
    }

    /// Appends a value that goes into a header field: each run of white space and control characters becomes one blank,
    /// so that a value neither ends the field nor breaks its look. White space is Unicode's (`White_Space`).
    static func appendCollapsed(_ text: UnsafeBufferPointer<UInt8>, to output: inout [UInt8]) {
        var index = 0
        var start = 0
        while index < text.count {
            var end = index
            while case let octets = blankOctets(text, at: end), octets > 0 { end += octets }
            if end == index {
                index += 1
            } else {
                output.append(contentsOf: UnsafeBufferPointer(rebasing: text[start..<index]))
                output.append(UInt8(ascii: " "))
                index = end
                start = end
            }
        }
        output.append(contentsOf: UnsafeBufferPointer(rebasing: text[start...]))
    }

    /// How many octets of white space, or of a control character, start at `index`; 0 if neither does.
    @inline(__always)
    private static func blankOctets(_ text: UnsafeBufferPointer<UInt8>, at index: Int) -> Int {
        guard index < text.count else { return 0 }
        let byte = text[index]
        guard byte <= 0x20 || byte >= 0x7F else { return 0 }
        return byte <= 0x20 || byte == 0x7F ? 1 : wideBlankOctets(text, at: index)
    }

    private static func wideBlankOctets(_ text: UnsafeBufferPointer<UInt8>, at index: Int) -> Int {
        func octet(_ offset: Int) -> UInt8 { index + offset < text.count ? text[index + offset] : 0 }
        switch (octet(0), octet(1), octet(2)) {
        // The C1 controls with U+0085, and U+00A0.
        case (0xC2, 0x80...0xA0, _): return 2
        // U+1680; U+2000 to U+200A; U+2028, U+2029, U+202F; U+205F; U+3000.
        case (0xE1, 0x9A, 0x80), (0xE2, 0x80, 0x80...0x8A), (0xE2, 0x80, 0xA8), (0xE2, 0x80, 0xA9), (0xE2, 0x80, 0xAF),
            (0xE2, 0x81, 0x9F), (0xE3, 0x80, 0x80):
            return 3
        default: return 0
        }
    }

    /// The longest start of `text` within `octets` that ends with a whole character.
    static func shortened(_ text: UnsafeBufferPointer<UInt8>, to octets: Int) -> UnsafeBufferPointer<UInt8> {
        guard text.count > octets else { return text }
        var end = 0
        for character in String(decoding: text.prefix(octets + 64), as: UTF8.self) {
            guard end + character.utf8.count <= octets else { break }
            end += character.utf8.count
        }
        return UnsafeBufferPointer(rebasing: text[..<end])
    }

    /// An unstructured field body (RFC 5322 §3.2.5). Surrounding blanks, which no receiver keeps, are left out.
    static func appendUnstructured(
        _ text: UnsafeBufferPointer<UInt8>, longWords: LongWords, to output: inout [UInt8], column: inout Int
    ) {
        let text = trimmed(text)
        guard !text.isEmpty else { return }
        guard canStandPlain(text, column: column, longWords: longWords) else {
            EncodedWords.append(text, to: &output, column: &column)
            return
        }
        var start = 0
        while start < text.count {
            var end = start
            while end < text.count, !isFoldPoint(text, end) { end += 1 }
            if start > 0, column + 1 + end - start > preferredLineOctets {
                fold(&output, &column)
            } else {
                output.append(UInt8(ascii: " "))
                column += 1
            }
            output.append(contentsOf: UnsafeBufferPointer(rebasing: text[start..<end]))
            column += end - start
            start = end + 1
        }
    }

    /// A mailbox (RFC 5322 §3.4). A display name is ASCII or encoded words; an address stands as it is, in UTF-8 if it
    /// has to (RFC 6532 §3.2).
    static func appendMailbox(
        name: String?, address: EmailAddress, to output: inout [UInt8], column: inout Int
    ) {
        var name = name ?? ""
        name.withUTF8 { appendMailbox(name: $0, address: address, to: &output, column: &column) }
    }

    /// - Parameter name: free of control characters; cut behind `MessageLimits.displayNameOctets`; empty for none.
    static func appendMailbox(
        name: UnsafeBufferPointer<UInt8>, address: EmailAddress, to output: inout [UInt8], column: inout Int
    ) {
        let addressOctets = address.localPart.utf8.count + 1 + address.domain.text.utf8.count
        let name = trimmed(shortened(trimmed(name), to: MessageLimits.displayNameOctets))
        let hasName = !name.isEmpty
        if hasName { appendPhrase(name, to: &output, column: &column) }
        // The first line is never left empty, whatever the address's length.
        if hasName, column + 3 + addressOctets > preferredLineOctets {
            fold(&output, &column)
        } else {
            output.append(UInt8(ascii: " "))
            column += 1
        }
        if hasName { output.append(UInt8(ascii: "<")) }
        output.append(contentsOf: address.localPart.utf8)
        output.append(UInt8(ascii: "@"))
        output.append(contentsOf: address.domain.text.utf8)
        if hasName { output.append(UInt8(ascii: ">")) }
        column += addressOctets + (hasName ? 2 : 0)
    }

    /// Atoms, a quoted string or encoded words, whichever is the plainest that says it.
    private static func appendPhrase(
        _ name: UnsafeBufferPointer<UInt8>, to output: inout [UInt8], column: inout Int
    ) {
        var isAtoms = true
        var isPrintable = true
        var escapes = 0
        var previous: UInt8 = 0
        for byte in name {
            if byte == UInt8(ascii: " ") {
                isAtoms = isAtoms && previous != UInt8(ascii: " ")
            } else if !isAtomText(byte) {
                isAtoms = false
                isPrintable = isPrintable && (0x21...0x7E).contains(byte)
                if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { escapes += 1 }
            }
            if previous == UInt8(ascii: "="), byte == UInt8(ascii: "?") { isPrintable = false }
            previous = byte
        }
        let plainOctets = 1 + name.count + (isAtoms ? 0 : 2 + escapes)
        guard isPrintable, column + plainOctets <= preferredLineOctets else {
            EncodedWords.append(name, to: &output, column: &column)
            return
        }
        output.append(UInt8(ascii: " "))
        if isAtoms {
            output.append(contentsOf: name)
        } else {
            output.append(UInt8(ascii: "\""))
            for byte in name {
                if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { output.append(UInt8(ascii: "\\")) }
                output.append(byte)
            }
            output.append(UInt8(ascii: "\""))
        }
        column += plainOctets
    }

    /// RFC 5322 §3.2.3
    private static func isAtomText(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x61...0x7A, 0x41...0x5A, 0x30...0x39: true
        default: "!#$%&'*+-/=?^_`{|}~".utf8.contains(byte)
        }
    }

    private static func trimmed(_ text: UnsafeBufferPointer<UInt8>) -> UnsafeBufferPointer<UInt8> {
        var lower = 0
        var upper = text.count
        while lower < upper, text[lower] == UInt8(ascii: " ") { lower += 1 }
        while lower < upper, text[upper - 1] == UInt8(ascii: " ") { upper -= 1 }
        return UnsafeBufferPointer(rebasing: text[lower..<upper])
    }

    /// A single blank between two words. A run of blanks is kept together: a fold inside it could lose some.
    private static func isFoldPoint(_ text: UnsafeBufferPointer<UInt8>, _ index: Int) -> Bool {
        guard text[index] == UInt8(ascii: " "), index > 0, index + 1 < text.count else { return false }
        return text[index - 1] != UInt8(ascii: " ") && text[index + 1] != UInt8(ascii: " ")
    }

    /// Whether `text` is printable ASCII that no reader takes for an encoded word, and folds within the line bound.
    private static func canStandPlain(
        _ text: UnsafeBufferPointer<UInt8>, column: Int, longWords: LongWords
    ) -> Bool {
        let lineOctets =
            switch longWords {
            case .encoded: preferredLineOctets
            case .kept: MailLimits.lineOctets
            }
        var room = lineOctets - column - 1
        var word = 0
        for index in text.indices {
            let byte = text[index]
            guard (0x20...0x7E).contains(byte) else { return false }
            if byte == UInt8(ascii: "="), index + 1 < text.count, text[index + 1] == UInt8(ascii: "?") { return false }
            if isFoldPoint(text, index) {
                word = 0
                room = lineOctets - 1
            } else {
                word += 1
                guard word <= room else { return false }
            }
        }
        return true
    }
}

extension String {
    /// The UTF-8 octets, without a copy for strings that are UTF-8 already: all of them, on Linux.
    func withBytes<Result>(_ body: (UnsafeBufferPointer<UInt8>) -> Result) -> Result {
        var text = self
        return text.withUTF8(body)
    }

    func trimmingSpaces() -> String {
        var text = self[...]
        while text.utf8.first == UInt8(ascii: " ") { text = text[text.utf8.index(after: text.utf8.startIndex)...] }
        while text.utf8.last == UInt8(ascii: " ") { text = text[..<text.utf8.index(before: text.utf8.endIndex)] }
        return String(text)
    }
}

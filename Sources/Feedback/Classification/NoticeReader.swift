import MailMessage
import MailTypes

/// Reads what a mail server wrote to people: which addresses it speaks of, what it says of each, and where the mail that
/// it returns begins.
///
/// Addresses at the beginning of a line, or behind words that announce a recipient, count most; then others; then those
/// that the mail was first sent to; then the To field of a quoted header. The mail's own people are no recipients.
struct NoticeReader {
    /// How much is read: reports put what matters first.
    static let readOctets = 16 << 10
    static let readLines = 400
    static let readMentions = 500

    enum Strength: Int, Comparable {
        case quotedTo, alias, mentioned, announced

        static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
    }

    struct Mention {
        let address: String
        /// The address in small letters, in octets: those of strangers are compared much quicker than Strings.
        let key: [UInt8]
        let line: Int
        let strength: Strength
    }

    let text: [UInt8]
    /// The words of all lines before the returned mail
    private(set) var words = ReplyText()
    /// Of the text
    private(set) var lines: [Range<Int>] = []
    private(set) var mentions: [Mention] = []
    private(set) var marks: NoticeMarks = []
    /// Where fields of a delivery status begin, written into the prose.
    private(set) var statusStart: Int?
    /// Where the returned mail begins.
    private(set) var originalStart: Int?
    /// An address stands at the beginning of a line, or behind a short label, as people seldom write it.
    private(set) var announcesRecipient = false
    /// Addresses of helpers and of the mail's own people, in small letters
    private(set) var others: Set<[UInt8]> = []

    init(_ text: [UInt8]) {
        self.text = text
        read()
        marks = NoticeTable.notices.marks(in: words.words, words.words.indices)
    }

    /// The octets of `lines[range]`.
    func octetRange(_ range: Range<Int>) -> Range<Int> {
        guard !range.isEmpty else { return 0..<0 }
        return lines[range.lowerBound].lowerBound..<lines[range.upperBound - 1].upperBound
    }

    private mutating func read() {
        var input = OctetLines(text, in: 0..<min(text.count, Self.readOctets))
        while let range = input.next(), lines.count < Self.readLines {
            let line = text.trimmed(range)
            guard !line.isEmpty, !isUselessLine(line) else { continue }
            if isSignature(line) { return }
            if beginsOriginal(line, isFlush: line.lowerBound == range.lowerBound) {
                originalStart = originalStart ?? line.lowerBound
                return
            }
            let start = words.words.count
            words.append(text, line)
            let place = start..<words.words.count
            if !place.isEmpty, lines.count > 0, isSeparator(line, place) {
                originalStart = input.position
                return
            }
            if statusStart == nil, beginsStatus(line) { statusStart = line.lowerBound }
            lines.append(line)
            mention(line, place)
        }
    }

    /// What a server said of itself in a transcript of Postfix: not a refusal.
    private func isUselessLine(_ line: Range<Int>) -> Bool {
        let beginnings: [StaticString] = ["out: 2", "out: 3", "in:  ehlo", "in:  starttls", "in:  helo", "in:  quit"]
        return beginnings.contains { text.holds($0, at: line.lowerBound, before: line.upperBound) }
    }

    /// Behind it stands what some filter has to say of itself.
    private func isSignature(_ line: Range<Int>) -> Bool {
        lines.count > 1 && line.count == 2 && text.holds("--", at: line.lowerBound, before: line.upperBound)
    }

    /// A header that nobody announced: its trace fields stand at the beginning of a line.
    private func beginsOriginal(_ line: Range<Int>, isFlush: Bool) -> Bool {
        let fields: [StaticString] = [
            "received: ", "return-path: ", "dkim-signature: ", "mime-version: ", "x-originating-ip: ",
        ]
        return isFlush && fields.contains { text.holds($0, at: line.lowerBound, before: line.upperBound) }
    }

    private func beginsStatus(_ line: Range<Int>) -> Bool {
        let fields: [StaticString] = ["final-recipient", "original-recipient", "reporting-mta"]
        return fields.contains { text.holds($0, at: line.lowerBound, before: line.upperBound) }
    }

    /// A short line that announces the returned mail.
    private func isSeparator(_ line: Range<Int>, _ place: Range<Int>) -> Bool {
        guard place.count < 90 else { return false }
        let marks = NoticeTable.notices.marks(in: words.words, place)
        if marks.contains(.original) { return true }
        guard marks.contains(.originalRuled) else { return false }
        return Self.rules.contains(text[line.lowerBound])
            || NoticeTable.notices.marksAtStart(of: words.words, place).contains(.originalRuled)
    }

    private static let rules: Set<UInt8> = Set("-=*#_+~".utf8)

    private mutating func mention(_ line: Range<Int>, _ place: Range<Int>) {
        guard mentions.count < Self.readMentions, text.firstIndex(of: UInt8(ascii: "@"), in: line) != nil else {
            return
        }
        var start = line.lowerBound
        for found in AddressScanner.all(in: text, line) {
            let before = start..<found.range.lowerBound
            if let strength = strength(of: before, in: line) {
                if isHeadOfLine(before, line, strength) { announcesRecipient = true }
                mentions.append(
                    Mention(
                        address: found.text, key: Self.key(found.text), line: lines.count - 1, strength: strength))
            } else {
                others.insert(Self.key(found.text))
            }
            start = found.range.upperBound
        }
    }

    /// See ``Mention/key``.
    static func key(_ address: String) -> [UInt8] { Array(address.lowercased().utf8) }

    /// Nothing, or a short label, stands before the address. A line that begins with `>` is quoted by somebody.
    private func isHeadOfLine(_ before: Range<Int>, _ line: Range<Int>, _ strength: Strength) -> Bool {
        guard before.lowerBound == line.lowerBound, before.count <= 40, text[line.lowerBound] != UInt8(ascii: ">")
        else { return false }
        if strength != .quotedTo { return strength == .announced }
        var label = ReplyText()
        label.append(text, before)
        return NoticeTable.notices.marks(in: label.words, label.words.indices).contains(.label)
    }

    /// - Parameter before: the octets between the line's beginning, or the address before it, and the address
    private func strength(of before: Range<Int>, in line: Range<Int>) -> Strength? {
        let isFirst = before.lowerBound == line.lowerBound
        var prefix = ReplyText()
        prefix.append(text, before)
        guard !prefix.words.isEmpty else { return isFirst ? .announced : .mentioned }
        let marks = NoticeTable.notices.marks(in: prefix.words, prefix.words.indices)
        if marks.contains(.alias) { return .alias }
        if isFirst, isField(before, marks) { return marks.contains(.headerTo) ? .quotedTo : nil }
        let near = NoticeTable.notices.marks(in: prefix.words, prefix.lastWords(5))
        if near.contains(.header) { return nil }
        if near.contains(.label) { return .announced }
        return marks.contains(.header) ? nil : .mentioned
    }

    /// `Name: ` of a quoted header.
    private func isField(_ before: Range<Int>, _ marks: NoticeMarks) -> Bool {
        guard !marks.isDisjoint(with: [.header, .headerTo]) else { return false }
        let isShort = before.count < 40
        return isShort && text[before].contains(UInt8(ascii: ":")) && !marks.contains(.alias)
            && !text.holds("rcpt to", at: before.lowerBound, before: before.upperBound)
            && text[before.lowerBound] != UInt8(ascii: ">")
    }
}

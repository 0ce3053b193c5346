import MailMessage
import MailTypes

extension MailJudgement {
    /// A mail that is no report by its format: a notice in words, an answer of a program, or ordinary mail.
    mutating func judged(_ notice: NoticeReader) -> MailClassification {
        let subject = words(of: "subject")
        let subjectMarks = NoticeTable.notices.marks(in: subject.words, subject.words.indices)
        if let delivered = delivered(subjectMarks, notice) { return delivered }
        let failed = (header.text("x-failed-recipients").map { AddressScanner.all(in: $0, $0.indices) }) ?? []
        if !failed.isEmpty { note("X-Failed-Recipients names \(failed.count)") }
        guard !failed.isEmpty || isNotice(subject, subjectMarks, notice) else { return answered(subject, notice) }
        let isDelay =
            notice.marks.contains(.textDelayed) && !notice.marks.contains(.textFinal)
            || subjectMarks.contains(.subjectDelayed) && notice.marks.isDisjoint(with: [.textFailed, .textFinal])
        if failed.isEmpty, let wrapped = wrappedReport(notice) { return wrapped }
        note(
            isDelay
                ? "somebody goes on trying" + Self.quoted(.textDelayed, notice.words)
                : "nobody says to go on trying")
        return classification(isDelay ? .delayed : .bounce, recipients(failed, notice, isPermanent: !isDelay))
    }

    /// A notice of success that is no report by its format.
    private mutating func delivered(_ subject: NoticeMarks, _ notice: NoticeReader) -> MailClassification? {
        let isRelayed =
            notice.marks.contains(.textDelivered)
            && RefusalReader.replyCode(in: notice.text, notice.octetRange(notice.lines.indices)) == nil
        guard isFromMachine(), subject.contains(.subjectDelivered) || isRelayed else { return nil }
        note("its words say that the mail was delivered or relayed")
        return classification(
            .notABounce, notice.recipients(besides: ownAddresses()).map { .other($0, .delivered) })
    }

    /// Two of three: a machine sent it, its subject is that of a notice, its text speaks of a failure or a delay. Where
    /// a person may have sent it, both others, an address that is announced as notices do it or a mail that is returned,
    /// and nothing that tells an answer, a mail that is passed on, or a mailing list.
    private mutating func isNotice(_ words: ReplyText, _ subject: NoticeMarks, _ notice: NoticeReader) -> Bool {
        let isMachine = isFromMachine()
        let saysSubject = !subject.isDisjoint(with: .subjects)
        var saysText = !notice.marks.isDisjoint(with: .texts)
        if isMachine { note("a mail server sent it") }
        if isMachine, !saysText, isFromServer() { saysText = saysRefusal(notice) }
        if saysSubject { note("its subject is a notice's" + Self.quoted(.subjects, words)) }
        if saysText { note("its text is a notice's" + Self.quoted(.texts, notice.words)) }
        let start = NoticeTable.notices.marksAtStart(of: words.words, words.words.indices)
        if start.contains(.subjectAuto) || subject.contains(.subjectAuto) && !saysText { return false }
        if isMachine { return saysSubject || saysText }
        guard saysSubject, saysText, !start.contains(.subjectForward), !(start.contains(.subjectOrdinary) && isReply)
        else { return false }
        let isAnnounced = notice.announcesRecipient || evidence.returnedMail != nil
        // Programs of mailing lists call themselves so, and return what they refuse.
        let isProgram = senderMarks().contains(.senderWeak)
        return isProgram ? isAnnounced || notice.originalStart != nil : isAnnounced && !isOfList
    }

    private var isReply: Bool { header.has("in-reply-to") || header.has("references") }

    private var isOfList: Bool { header.has("list-id") || header.has("list-unsubscribe") || header.has("list-post") }

    /// Whether the text refuses a recipient in the words of a reply.
    private func saysRefusal(_ notice: NoticeReader) -> Bool {
        var reader = RefusalReader(isPermanent: true)
        reader.read(notice.text, notice.octetRange(notice.lines.indices))
        return reader.namesRecipient
    }

    private static func quoted(_ marks: NoticeMarks, _ words: ReplyText) -> String {
        NoticeTable.notices.phrase(of: marks, in: words.words).map { ": “\($0)”" } ?? ""
    }

    private func isFromMachine() -> Bool { hasNullReturnPath || isFromServer() }

    private var hasNullReturnPath: Bool {
        header.first("return-path").map { $0.filter { !$0.isBlank }.elementsEqual("<>".utf8) } ?? false
    }

    /// The From field is empty, or holds a name that servers give themselves.
    private func isFromServer() -> Bool {
        guard let from = header.text("from"), from.contains(UInt8(ascii: "@")) else { return true }
        return senderMarks().contains(.sender)
    }

    private func senderMarks() -> NoticeMarks {
        let from = header.text("from") ?? []
        var words = ReplyText()
        words.append(from.map { $0 == UInt8(ascii: "@") ? 0x20 : $0 == UInt8(ascii: ".") ? 0x20 : $0 }, from.indices)
        return NoticeTable.notices.marks(in: words.words, words.words.indices)
    }

    private mutating func answered(_ subject: ReplyText, _ notice: NoticeReader) -> MailClassification {
        let marks = NoticeTable.notices.marks(in: subject.words, subject.words.indices)
        let isChallenge = !marks.union(notice.marks).isDisjoint(with: [.subjectChallenge, .textChallenge])
        let isByItself =
            marks.contains(.subjectChallenge) || isChallenge && (header.has("auto-submitted") || hasNullReturnPath)
        guard saysAutomatic() || isByItself || soundsAutomatic(marks, notice) else {
            return nothing(nil, "nothing tells that it is a report")
        }
        note(isChallenge ? "it asks for a confirmation" : "a program answered (RFC 3834)")
        return classification(.autoReply, [.other(nil, isChallenge ? .challenge : .vacation)])
    }

    /// By its header fields
    private func saysAutomatic() -> Bool {
        let submitted = (header.first("auto-submitted") ?? []).map(\.inLowerCase)
        let precedence = (header.first("precedence") ?? []).map(\.inLowerCase)
        return submitted.starts(with: "auto-replied".utf8) || precedence.starts(with: "auto".utf8)
            || header.has("x-autoreply") || header.has("x-autorespond") || header.has("x-autoresponder")
            || header.has("x-apple-action")
    }

    /// By its words. People also write of their holidays: the text counts only in an answer, or without a return path.
    private func soundsAutomatic(_ subject: NoticeMarks, _ notice: NoticeReader) -> Bool {
        guard !isOfList else { return false }
        return subject.contains(.subjectAuto)
            || notice.marks.contains(.textAuto) && notice.lines.count < 30 && (hasNullReturnPath || isReply)
    }

    /// A notice that names nobody and returns a mail that is a report: somebody passed the report on.
    private mutating func wrappedReport(_ notice: NoticeReader) -> MailClassification? {
        guard notice.recipients(besides: ownAddresses()).isEmpty, let inside = returnedMail(notice) else { return nil }
        let evidence = MailEvidence(inside)
        guard let status = evidence.status else { return nil }
        note("it passes on a report")
        return reported(status, NoticeReader(evidence.notice))
    }

    private func returnedMail(_ notice: NoticeReader) -> ReceivedMail? {
        if let returned = evidence.returnedMail { return returned }
        guard let start = notice.originalStart, start < notice.text.count else { return nil }
        return ReceivedMail(Array(notice.text[start...]))
    }

    private func recipients(
        _ failed: [AddressScanner.Found], _ notice: NoticeReader, isPermanent: Bool
    ) -> [RecipientClassification] {
        var addresses = unique(failed.map(\.text))
        if addresses.isEmpty { addresses = notice.recipients(besides: ownAddresses()) }
        if addresses.isEmpty { addresses = [fallbackAddress(notice)].compactMap(\.self) }
        let isOnly = addresses.count <= 1
        let all = notice.octetRange(notice.lines.indices)
        return (addresses.isEmpty ? [nil] : addresses.map { $0 }).map { (address: String?) in
            var reader = RefusalReader(isPermanent: isPermanent)
            for context in address.map({ notice.contexts(of: [$0]) }) ?? [] { reader.read(notice.text, context) }
            if isOnly { reader.read(notice.text, all) }
            reader.readCodes()
            return reader.classification(of: address)
        }
    }

    /// Where the notice names nobody: the To field of the mail that it returns.
    func fallbackAddress(_ notice: NoticeReader) -> String? {
        if let quoted = notice.mentions.first(where: { $0.strength == .quotedTo }) { return quoted.address }
        return returnedMail(notice)?.header.first("to").flatMap { AddressScanner.first(in: $0) }
    }

    /// Whose mail the notice is: the sender it goes to and the server it comes from.
    private func ownAddresses() -> [String] {
        ["from", "to", "reply-to", "return-path"].flatMap { (name: StaticString) in
            header.all(name).flatMap { AddressScanner.all(in: $0, $0.indices).map { $0.text.lowercased() } }
        }
    }

    private func words(of name: StaticString) -> ReplyText {
        var words = ReplyText()
        if let text = header.text(name) { words.append(text, text.indices) }
        return words
    }

    func unique(_ addresses: [String]) -> [String] {
        var seen: Set<String> = []
        return addresses.filter { seen.insert($0.lowercased()).inserted }
    }
}

extension NoticeReader {
    /// The addresses with the greatest strength that anybody has, each once.
    func recipients(besides own: [String]) -> [String] {
        let own = others.union(own.map { Self.key($0) })
        let others = mentions.filter { !own.contains($0.key) && $0.strength > .quotedTo }
        let candidates = others.isEmpty ? mentions.filter { $0.strength == .announced } : others
        guard let best = candidates.map(\.strength).max() else { return [] }
        var seen: Set<[UInt8]> = []
        return candidates.filter { $0.strength == best && seen.insert($0.key).inserted }.map(\.address)
    }

    /// The octets that speak of a recipient: from each line that names it up to the one that names another.
    func contexts(of addresses: [String]) -> [Range<Int>] {
        let wanted = addresses.map { Self.key($0) }
        let named = mentions.filter { wanted.contains($0.key) && $0.strength != .quotedTo }
        var ranges: [Range<Int>] = []
        var end = 0
        for mention in named.prefix(20) where mention.line >= end {
            let next = mentions.first {
                $0.line > mention.line && $0.strength >= .mentioned && !wanted.contains($0.key)
                    && !others.contains($0.key)
            }
            end = next?.line ?? lines.count
            ranges.append(octetRange(mention.line..<end))
        }
        return ranges
    }
}

extension ReplyText {
    func contains(_ word: StaticString) -> Bool {
        words.indices.contains { words.holds(word, at: $0, before: words.count) }
    }
}

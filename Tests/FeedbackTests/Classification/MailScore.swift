import Feedback
import TestSupport

/// How often the classifier is right, counted as the table of `docs/operators/feedback.md` has it.
struct MailScore {
    struct Share {
        var right = 0
        var of = 0

        mutating func count(_ isRight: Bool) {
            of += 1
            if isRight { right += 1 }
        }

        /// In tenths of a percent, rounded down
        var permille: Int { of == 0 ? 1_000 : right * 1_000 / of }

        var text: String { "\(permille / 10).\(permille % 10) % (\(right) of \(of))" }
    }

    private(set) var recall = Share()
    private(set) var precision = Share()
    private(set) var kind = Share()
    private(set) var hardRecognised = Share()
    private(set) var softCalledHard = Share()
    private(set) var negativesCalledBounce = Share()
    private(set) var delaysTakenForFinal = Share()
    private(set) var faults: [String] = []

    mutating func add(_ mail: MailCorpus.Mail, _ found: MailClassification) {
        let isRight = mail.kinds.contains(found.kind.rawValue)
        kind.count(isRight)
        if !isRight { faults.append("\(mail.file): \(found.kind.rawValue) for \(mail.kinds)") }
        if Set(mail.kinds).isSubset(of: ["not-a-bounce", "auto-reply", "complaint"]) {
            negativesCalledBounce.count(found.kind == .bounce)
        }
        if mail.kinds == ["delayed"] { delaysTakenForFinal.count(found.kind == .bounce) }
        addRecipients(mail, found)
    }

    private mutating func addRecipients(_ mail: MailCorpus.Mail, _ found: MailClassification) {
        var open = mail.recipients.filter { !$0.addresses.isEmpty }
        let named = found.recipients.filter { $0.address != nil }
        let speaks = found.kind != .notABounce && found.kind != .autoReply
        for recipient in named {
            let address = recipient.address?.lowercased() ?? ""
            guard let place = open.firstIndex(where: { $0.addresses.contains(address) }) else {
                guard speaks else { continue }
                precision.count(false)
                faults.append("\(mail.file): \(address) is nobody's")
                continue
            }
            let expected = open.remove(at: place)
            precision.count(true)
            recall.count(true)
            addHardness(mail, expected, recipient.hardness)
        }
        for missing in open {
            recall.count(false)
            if missing.hard == "yes" { hardRecognised.count(false) }
            faults.append("\(mail.file): \(missing.addresses) is missing")
        }
    }

    private mutating func addHardness(
        _ mail: MailCorpus.Mail, _ expected: MailCorpus.Expected, _ hardness: FeedbackHardness
    ) {
        guard mail.kinds.contains("bounce") else { return addMildness(mail, hardness) }
        if expected.hard == "yes" { hardRecognised.count(hardness == .yes) }
        if expected.hard == "no" { softCalledHard.count(hardness == .yes) }
        if expected.hard == "yes" && hardness != .yes || expected.hard == "no" && hardness == .yes {
            faults.append("\(mail.file): hard is \(hardness.rawValue) for \(expected.hard)")
        }
    }

    /// A mail that is no bounce condemns nobody.
    private mutating func addMildness(_ mail: MailCorpus.Mail, _ hardness: FeedbackHardness) {
        guard hardness == .yes else { return }
        softCalledHard.count(true)
        faults.append("\(mail.file): hard, and no bounce")
    }

    var table: String {
        """
        mails
          recipients found       \(recall.text), of those named \(precision.text)
          kind right             \(kind.text)
          hard recognised        \(hardRecognised.text), soft called hard \(softCalledHard.text)
          negatives a bounce     \(negativesCalledBounce.text), delays taken for final \(delaysTakenForFinal.text)
        """
    }
}

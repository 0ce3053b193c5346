import Yams

/// What words of a notice mean, by where they stand (`notices.yaml`).
struct NoticeMarks: OptionSet, Sendable {
    let rawValue: UInt32

    static let sender = NoticeMarks(named: "sender")
    static let senderWeak = NoticeMarks(named: "sender-weak")
    static let subjectFailed = NoticeMarks(named: "subject-failed")
    static let subjectDelayed = NoticeMarks(named: "subject-delayed")
    static let subjectAuto = NoticeMarks(named: "subject-auto")
    static let subjectChallenge = NoticeMarks(named: "subject-challenge")
    static let subjectOrdinary = NoticeMarks(named: "subject-ordinary")
    static let subjectForward = NoticeMarks(named: "subject-forward")
    static let subjectDelivered = NoticeMarks(named: "subject-delivered")
    static let textDelivered = NoticeMarks(named: "text-delivered")
    static let textFailed = NoticeMarks(named: "text-failed")
    static let textFinal = NoticeMarks(named: "text-final")
    static let textDelayed = NoticeMarks(named: "text-delayed")
    static let textAuto = NoticeMarks(named: "text-auto")
    static let textBeforeRecipient = NoticeMarks(named: "text-before-recipient")
    static let textChallenge = NoticeMarks(named: "text-challenge")
    static let textComplaint = NoticeMarks(named: "text-complaint")
    static let textRejected = NoticeMarks(named: "text-rejected")
    static let textUnread = NoticeMarks(named: "text-unread")
    static let original = NoticeMarks(named: "original")
    static let originalRuled = NoticeMarks(named: "original-ruled")
    static let label = NoticeMarks(named: "label")
    static let alias = NoticeMarks(named: "alias")
    static let header = NoticeMarks(named: "header")
    static let headerTo = NoticeMarks(named: "header-to")

    /// Of a subject that a notice has
    static let subjects: NoticeMarks = [.subjectFailed, .subjectDelayed]
    /// Of a text that a notice has
    static let texts: NoticeMarks = [.textFailed, .textFinal, .textDelayed]

    static let names = [
        "sender", "sender-weak", "subject-forward", "subject-delivered", "text-delivered", "text-unread",
        "subject-failed", "subject-delayed", "subject-auto", "subject-challenge", "subject-ordinary",
        "text-failed", "text-final", "text-delayed", "text-auto", "text-before-recipient",
        "text-challenge", "text-complaint", "text-rejected", "original",
        "original-ruled", "label", "alias", "header", "header-to",
    ]

    init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    /// - Precondition: the name is one of ``names``: the file is ours.
    init(named name: String) {
        guard let place = Self.names.firstIndex(of: name) else { fatalError("notices.yaml: no mark \(name)") }
        self.init(rawValue: 1 << UInt32(place))
    }
}

/// `notices.yaml`, read once.
struct NoticeTable: Sendable {
    struct Entry: Decodable {
        let mark: String
        let provenance: String
        let phrases: [String]
    }

    private let phrases: PhraseIndex
    /// By the number of the phrase
    private let marks: [NoticeMarks]
    private let texts: [String]

    static let entries: [Entry] = {
        do {
            return try YAMLDecoder().decode(from: String(decoding: PackageResources.notices_yaml, as: UTF8.self))
        } catch {
            fatalError("notices.yaml: \(error)")
        }
    }()

    static let notices = NoticeTable(entries)

    init(_ entries: [Entry]) {
        var phrases = PhraseIndex()
        var marks: [NoticeMarks] = []
        var texts: [String] = []
        for entry in entries {
            let mark = NoticeMarks(named: entry.mark)
            for phrase in entry.phrases {
                let number = phrases.number(of: phrase)
                if number == marks.count {
                    marks.append([])
                    texts.append(phrase)
                }
                marks[number].insert(mark)
            }
        }
        self.phrases = phrases
        self.marks = marks
        self.texts = texts
    }

    /// The marks of all phrases in `range`. The caller asks only for those that its place can have.
    func marks(in words: [UInt8], _ range: Range<Int>) -> NoticeMarks {
        var found: NoticeMarks = []
        phrases.forEach(in: words, range) { found.formUnion(marks[$0]) }
        return found
    }

    /// The marks of the phrases that `range` begins with.
    func marksAtStart(of words: [UInt8], _ range: Range<Int>) -> NoticeMarks {
        var found: NoticeMarks = []
        phrases.forEachAtStart(of: words, range) { found.formUnion(marks[$0]) }
        return found
    }

    /// The first phrase in `words` that has one of `marks`, for explaining.
    func phrase(of wanted: NoticeMarks, in words: [UInt8]) -> String? {
        var number: Int?
        phrases.forEach(in: words, words.indices) {
            if number == nil, !marks[$0].isDisjoint(with: wanted) { number = $0 }
        }
        return number.map { texts[$0] }
    }
}

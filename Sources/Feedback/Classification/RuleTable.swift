import MailTypes

/// The rules with their phrases numbered.
struct RuleTable: Sendable {
    /// A class, so that going through the rows counts no references.
    private final class Row: Sendable {
        let rule: ReplyRule
        let phrases: [Int]
        let and: [Int]
        let unless: [Int]

        init(rule: ReplyRule, phrases: [Int], and: [Int], unless: [Int]) {
            self.rule = rule
            self.phrases = phrases
            self.and = and
            self.unless = unless
        }
    }

    /// What the rules look at, beside the words.
    struct Reply {
        /// 0 where none is known
        let code: Int
        let enhanced: EnhancedStatusCode?
        let isPermanent: Bool
    }

    let phrases: PhraseIndex
    private let rows: [Row]
    /// By the number of a phrase: the rows that it makes candidates
    private let rowsOfPhrase: [[Int]]
    /// Rows that need no phrase
    private let wordlessRows: [Bool]

    static let replies = RuleTable(ReplyRule.all)

    init(_ rules: [ReplyRule]) {
        var phrases = PhraseIndex()
        rows = rules.map { rule in
            Row(
                rule: rule, phrases: rule.phrases.map { phrases.number(of: $0) },
                and: rule.and.map { phrases.number(of: $0) }, unless: rule.unless.map { phrases.number(of: $0) })
        }
        self.phrases = phrases
        wordlessRows = rows.map(\.phrases.isEmpty)
        var rowsOfPhrase = [[Int]](repeating: [], count: phrases.count)
        for (place, row) in rows.enumerated() {
            for phrase in row.phrases { rowsOfPhrase[phrase].append(place) }
        }
        self.rowsOfPhrase = rowsOfPhrase
    }

    /// The first rule that holds for the words in `range`, and which of its phrases was found.
    func verdict(_ reply: Reply, _ words: [UInt8], _ range: Range<Int>) -> RuleVerdict? {
        var found = [Bool](repeating: false, count: phrases.count)
        var isCandidate = wordlessRows
        phrases.forEach(in: words, range) { number in
            guard !found[number] else { return }
            found[number] = true
            for row in rowsOfPhrase[number] { isCandidate[row] = true }
        }
        for place in rows.indices where isCandidate[place] {
            let row = rows[place]
            guard holds(row, found, reply) else { continue }
            let phrase = row.phrases.firstIndex { found[$0] }
            return RuleVerdict(rule: row.rule, phraseIndex: phrase)
        }
        return nil
    }

    private func holds(_ row: Row, _ found: [Bool], _ reply: Reply) -> Bool {
        if let severity = row.rule.severity, (severity == .permanent) != reply.isPermanent { return false }
        if !row.rule.codes.isEmpty, !row.rule.codes.contains(reply.code) { return false }
        if !row.rule.statuses.isEmpty {
            guard let enhanced = reply.enhanced, row.rule.statuses.contains(where: { $0.matches(enhanced) })
            else { return false }
        }
        if !row.and.isEmpty, !row.and.contains(where: { found[$0] }) { return false }
        return !row.unless.contains { found[$0] }
    }
}

/// The rule that decided.
struct RuleVerdict: Sendable {
    let rule: ReplyRule
    /// Of the rule's phrases; nil where a code decided.
    let phraseIndex: Int?

    var phrase: String? { phraseIndex.map { rule.phrases[$0] } }
    /// Codes mean less than words: they are asked only when nothing was said in words.
    var isFromWords: Bool { phraseIndex != nil }
}

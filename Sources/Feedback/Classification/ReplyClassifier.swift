package import MailTypes

/// Sorts refusals by what receivers wrote. Pure and quick: one pass over the text, then a short table.
///
/// ```swift
/// ReplyClassifier.classify(code: 550, enhanced: nil, text: "No such user here").suppresses  // true
/// ```
package enum ReplyClassifier {
    /// - Parameters:
    ///   - code: the reply code, 400…599
    ///   - enhanced: the enhanced code where the client has parsed one; otherwise the text is searched for one. Where it
    ///     contradicts the reply code, the milder of the two counts.
    ///   - text: all lines, joined by anything; codes and line breaks inside do no harm. The first 2,048 octets count.
    package static func classify(
        code: Int, enhanced: EnhancedStatusCode?, text: String
    ) -> ReplyClassification {
        let text = ReplyText(text)
        let enhanced = enhanced ?? text.enhanced
        let isPermanent = (500...599).contains(code) && enhanced?.statusClass != 4
        let found = table.phrases.matches(in: text.words)
        let rule = table.rules.first { $0.holds(found, code: code, enhanced: enhanced, isPermanent: isPermanent) }
        return ReplyClassification(replyClass: rule?.replyClass ?? .other, isPermanent: isPermanent)
    }

    private static let table = RuleTable(ReplyRules.all)
}

/// The rules with their phrases numbered.
private struct RuleTable: Sendable {
    struct Row: Sendable {
        let replyClass: ReplyClass
        let phrases: [Int]
        let and: [Int]
        let unless: [Int]
        let severity: ReplyRule.Severity?
        let codes: Set<Int>
        let statuses: [ReplyRule.Status]

        func holds(_ found: [Bool], code: Int, enhanced: EnhancedStatusCode?, isPermanent: Bool) -> Bool {
            if let severity, (severity == .permanent) != isPermanent { return false }
            if !codes.isEmpty, !codes.contains(code) { return false }
            if !statuses.isEmpty {
                guard let enhanced else { return false }
                guard
                    statuses.contains(where: {
                        $0.subject == enhanced.subject && $0.detail.contains(enhanced.detail)
                    })
                else { return false }
            }
            if !phrases.isEmpty, !phrases.contains(where: { found[$0] }) { return false }
            if !and.isEmpty, !and.contains(where: { found[$0] }) { return false }
            return !unless.contains { found[$0] }
        }
    }

    var phrases = PhraseIndex()
    var rules: [Row] = []

    init(_ table: [ReplyRule]) {
        for rule in table {
            rules.append(
                Row(
                    replyClass: rule.replyClass, phrases: rule.phrases.map { phrases.number(of: $0) },
                    and: rule.and.map { phrases.number(of: $0) }, unless: rule.unless.map { phrases.number(of: $0) },
                    severity: rule.severity, codes: rule.codes, statuses: rule.statuses))
        }
    }
}

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
        let reply = RuleTable.Reply(code: code, enhanced: enhanced, isPermanent: isPermanent)
        let verdict = RuleTable.replies.verdict(reply, text.words, text.words.indices)
        return ReplyClassification(
            replyClass: verdict?.rule.replyClass ?? .other, reason: verdict?.rule.reason ?? .undefined,
            isPermanent: isPermanent, enhanced: enhanced, rule: verdict?.rule.rule, phrase: verdict?.phrase)
    }

    /// Where a rule of `replies.yaml` comes from; nil where there is none of this name.
    package static func provenance(ofRule name: String) -> String? {
        ReplyRule.all.first { $0.rule == name }?.provenance
    }
}

import Testing

@testable import Feedback

/// The data files say what they say in a form that can be read and can occur.
@Suite struct RuleFileTests {
    @Test func every_phrase_can_occur() {
        let phrases = ReplyRule.all.flatMap { $0.phrases + $0.and + $0.unless } + NoticeTable.entries.flatMap(\.phrases)
        for phrase in phrases {
            let words = String(decoding: ReplyText(phrase).words, as: UTF8.self)
            #expect(words == phrase || words == phrase + " ", "\(phrase)")
            #expect(phrase.utf8.count >= 3, "\(phrase)")
        }
    }

    @Test func every_rule_has_a_name_of_its_own_and_a_provenance() {
        let rules = ReplyRule.all
        #expect(Set(rules.map(\.rule)).count == rules.count)
        #expect(rules.allSatisfy { !$0.provenance.isEmpty })
        #expect(rules.allSatisfy { !$0.phrases.isEmpty || !$0.codes.isEmpty || !$0.statuses.isEmpty })
        #expect(Set(NoticeTable.entries.map(\.mark)) == Set(NoticeMarks.names))
        #expect(NoticeTable.entries.allSatisfy { !$0.provenance.isEmpty })
        #expect(ReplyClassifier.provenance(ofRule: rules[0].rule) == rules[0].provenance)
    }

    /// What is about the sender must never cost a recipient.
    @Test func no_rule_about_the_sender_condemns_an_address() {
        for rule in ReplyRule.all where rule.replyClass.isAboutSender {
            #expect(rule.reason.condemns == .no, "\(rule.rule)")
            #expect(RefusalReader.consequence(rule.replyClass, rule.reason.condemns) != .suppress, "\(rule.rule)")
        }
    }
}

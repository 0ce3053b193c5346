import Feedback
import TestSupport
import Testing

@Suite struct ReplyCorpusTests {
    @Test func most_replies_of_real_receivers_are_understood() throws {
        guard let corpus = ReplyCorpus() else { return }
        try #require(corpus.rows.count > 200 && corpus.rows.allSatisfy { !$0.accepted.isEmpty })
        var accepted = 0
        var preferred = 0
        var missed: [String] = []
        for row in corpus.rows {
            let found = ReplyClassifier.classify(code: row.code, enhanced: row.enhanced, text: row.text)
            if row.accepted.first == found.replyClass { preferred += 1 }
            if row.accepted.contains(found.replyClass) {
                accepted += 1
            } else {
                missed.append("\(found.replyClass.rawValue) for \(row.accepted[0].rawValue): \(row.text.prefix(100))")
            }
            // The mistake that costs a good recipient for ever.
            if found.suppresses {
                #expect(row.accepted.contains { $0.rawValue.hasPrefix("hard:") }, "\(row.text)")
            }
            if found.replyClass == .hardBadMailbox {
                #expect(row.accepted.contains(.hardBadMailbox), "\(row.text)")
            }
        }
        print("replies: \(accepted) accepted, \(preferred) preferred of \(corpus.rows.count)")
        for line in missed { print("missed: \(line)") }
        #expect(accepted * 100 >= corpus.rows.count * 95)
        #expect(preferred * 100 >= corpus.rows.count * 85)
    }

    /// The codes alone, as a client without the words would have them, must not condemn addresses.
    @Test func without_words_no_blocked_or_temporary_reply_condemns_an_address() throws {
        guard let corpus = ReplyCorpus() else { return }
        for row in corpus.rows {
            let found = ReplyClassifier.classify(code: row.code, enhanced: row.enhanced, text: "")
            if found.suppresses { #expect(row.accepted.contains(.hardBadMailbox), "\(row.text)") }
        }
    }
}

import Feedback
import TestSupport
import Testing

@Suite struct MailCorpusTests {
    /// Floors a little below what is reached, so that a rule that helps one mail and hurts ten is seen.
    @Test func most_mails_of_real_servers_are_understood() throws {
        guard let corpus = MailCorpus() else { return }
        try #require(corpus.mails.count > 400)
        var all = MailScore()
        for mail in corpus.mails {
            all.add(mail, MailClassifier.classify(mail.octets))
        }
        print(all.table)
        for fault in all.faults { print("fault: \(fault)") }
        #expect(all.recall.permille >= 989)
        #expect(all.precision.permille >= 989)
        #expect(all.kind.permille >= 993)
        #expect(all.hardRecognised.permille >= 969)
        #expect(all.softCalledHard.right == 0)
        #expect(all.negativesCalledBounce.right == 0)
        #expect(all.delaysTakenForFinal.right == 0)
    }

    @Test func line_ends_change_nothing() throws {
        guard let corpus = MailCorpus() else { return }
        for mail in corpus.mails {
            let plain = MailClassifier.classify(mail.octets)
            let carried = MailClassifier.classify(withCarriageReturns(mail.octets))
            #expect(plain.kind == carried.kind && plain.recipients == carried.recipients, "\(mail.file)")
        }
    }

    /// Mails of all makes cut, doubled and spoilt: none may stop the program.
    @Test(arguments: Seed.range(8)) func spoilt_mails_are_survived(seed: Seed) throws {
        guard let corpus = MailCorpus() else { return }
        var generator = SeededGenerator(seed)
        for mail in corpus.mails.shuffled(using: &generator).prefix(60) {
            _ = MailClassifier.classify(SpoiltMail.of(mail.octets, using: &generator))
        }
    }
}

/// LF becomes CR LF.
func withCarriageReturns(_ octets: [UInt8]) -> [UInt8] {
    var result: [UInt8] = []
    for octet in octets {
        if octet == 0x0A, result.last != 0x0D { result.append(0x0D) }
        result.append(octet)
    }
    return result
}

import Feedback
import FoundationEssentials
import MailTypes
import TestSupport
import Testing

/// Our own samples in `fixtures/feedback/`: what each kind looks like, and what must come of it.
@Suite struct MailFixtureTests {
    static let samples = Fixtures.all("feedback", "/mail.eml")

    struct Expected: Decodable {
        struct Recipient: Decodable {
            let address: String?
            let hard: String
            let reason: String
            let `class`: String
            let consequence: String
            let status: String?
            let code: Int?
        }

        let about: String
        let kind: String
        let recipients: [Recipient]
    }

    static func expected(_ sample: Fixture) throws -> Expected {
        let found = try Fixtures.files("feedback", "/expected.json").first { $0.name == sample.name }
        return try JSONDecoder().decode(Expected.self, from: Data(try #require(found).bytes))
    }

    @Test(arguments: samples) func `a sample is what it is`(_ sample: Fixture) throws {
        let expected = try Self.expected(sample)
        for octets in [sample.bytes, withCarriageReturns(sample.bytes)] {
            let found = MailClassifier.classify(octets, explaining: true)
            #expect(found.kind.rawValue == expected.kind)
            #expect(!found.steps.isEmpty)
            try #require(found.recipients.count == expected.recipients.count, "\(found.recipients)")
            for (found, wanted) in zip(found.recipients, expected.recipients) {
                #expect(found.address == wanted.address)
                #expect(found.hardness.rawValue == wanted.hard)
                #expect(found.reason == wanted.reason)
                #expect(found.replyClass.rawValue == wanted.class)
                #expect(found.consequence.rawValue == wanted.consequence)
                #expect(found.enhanced?.description == wanted.status)
                #expect(found.smtpCode == wanted.code)
            }
        }
    }

    @Test(arguments: Seed.range(100)) func `spoilt samples are survived`(seed: Seed) {
        var generator = SeededGenerator(seed)
        for sample in Self.samples {
            let spoilt = SpoiltMail.of(sample.bytes, using: &generator)
            let first = MailClassifier.classify(spoilt)
            #expect(first.recipients == MailClassifier.classify(spoilt).recipients)
        }
    }

    @Test(arguments: Seed.range(50)) func `noise is no report`(seed: Seed) {
        var generator = SeededGenerator(seed)
        let found = MailClassifier.classify(generator.bytes(Int.random(in: 0...5_000, using: &generator)))
        #expect(found.kind == .notABounce)
    }

    @Test func `nothing at all is no report`() {
        for text in ["", "\n", "\r\n\r\n", ":", "From ", "Content-Type: multipart/report\n\n"] {
            #expect(MailClassifier.classify(Array(text.utf8)).kind == .notABounce, "\(text)")
        }
    }
}

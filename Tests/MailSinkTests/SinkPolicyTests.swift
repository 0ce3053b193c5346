import MailTypes
import SMTPProtocol
import Testing

@testable import MailSink

@Suite struct SinkPolicyTests {
    private func path(_ text: String) -> SMTPPath {
        SMTPPath(text) ?? .null
    }

    private func verdict(
        _ policy: SinkPolicy, _ address: String, seed: UInt64 = 0, _ tally: SinkTally = SinkTally()
    ) -> SinkPolicy.Verdict {
        policy.verdict(for: path(address), RecipientDigest(address, seed: seed), tally)
    }

    @Test func `shares come out as asked`() {
        var policy = SinkPolicy()
        policy.bounceShare = 0.03
        policy.deferShare = 0.05
        var permanent = 0
        var temporary = 0
        var late = 0
        var busy = 0
        for number in 0..<100_000 {
            guard case .refuse(let reply, let afterContent) = verdict(policy, "u\(number)@example.net") else {
                continue
            }
            if reply.isPermanent { permanent += 1 } else { temporary += 1 }
            if afterContent { late += 1 }
            if reply.code == 421 { busy += 1 }
        }
        #expect((2_700...3_300).contains(permanent))
        #expect((4_600...5_400).contains(temporary))
        #expect((0.17...0.23).contains(Double(late) / Double(permanent + temporary)))
        #expect((0.07...0.13).contains(Double(busy) / Double(temporary)))
    }

    @Test func `the seed decides, and case does not matter`() {
        var policy = SinkPolicy()
        policy.bounceShare = 0.5
        let addresses = (0..<200).map { "User\($0)@Example.net" }
        let first = addresses.map { verdict(policy, $0, seed: 1) }
        #expect(first == addresses.map { verdict(policy, $0, seed: 1) })
        #expect(first != addresses.map { verdict(policy, $0, seed: 2) })
        #expect(first.map { $0 == .accept } == addresses.map { verdict(policy, $0.lowercased(), seed: 1) == .accept })
    }

    @Test func `who is put off may come back`() {
        var policy = SinkPolicy()
        policy.deferShare = 1
        policy.deferrals = 2
        let tally = SinkTally()
        let digest = RecipientDigest("a@example.net", seed: 0)
        for _ in 0..<2 {
            #expect(verdict(policy, "a@example.net", tally) != .accept)
            tally.refused(digest, permanently: false)
        }
        #expect(verdict(policy, "a@example.net", tally) == .accept)
    }

    @Test func `every provider's texts are well formed`() throws {
        let domains = [
            "gmail.com", "GoogleMail.com", "yahoo.co.uk", "aol.com", "outlook.com", "hotmail.fr", "live.nl", "gmx.de",
            "web.de",
            "icloud.com", "orange.fr", "comcast.net", "mail.ru", "example.net",
        ]
        for domain in domains {
            let provider = ProviderReplies.provider(of: domain[...])
            let permanent = provider.unknownMailbox + provider.inactiveMailbox + provider.refusedContent
            let temporary = provider.deferredRecipient + provider.deferredContent + provider.busy
            let lists = [
                provider.unknownMailbox, provider.inactiveMailbox, provider.refusedContent, provider.deferredRecipient,
                provider.deferredContent, provider.busy,
            ]
            #expect(lists.allSatisfy { !$0.isEmpty })
            #expect(permanent.allSatisfy { (500...599).contains($0.code) && $0.enhanced?.statusClass ?? 5 == 5 })
            #expect(temporary.allSatisfy { (400...499).contains($0.code) && $0.enhanced?.statusClass ?? 4 == 4 })
            #expect(provider.busy.allSatisfy { $0.code == 421 })
            for template in permanent + temporary {
                let reply = template.reply(to: path("jane@\(domain)"), RecipientDigest("jane@\(domain)", seed: 3))
                #expect(!reply.text.contains("{"), "\(reply.text)")
                #expect(reply.lines.allSatisfy { !$0.isEmpty && $0.utf8.count < 480 })
            }
        }
        #expect(
            ProviderReplies.provider(of: "Gmail.COM").busy.count == ProviderReplies.provider(of: "gmail.com").busy.count
        )
    }

    @Test func `digests differ wherever addresses do`() {
        var seen: Set<RecipientDigest> = []
        for number in 0..<50_000 { seen.insert(RecipientDigest("u\(number)@example.net", seed: 0)) }
        #expect(seen.count == 50_000)
        #expect(RecipientDigest("", seed: 0) != RecipientDigest("\0", seed: 0))
        #expect(RecipientDigest("\0\0\0\0\0\0\0\0", seed: 0) != RecipientDigest("\0\0\0\0\0\0\0", seed: 0))
        #expect(RecipientDigest("A@X.org", seed: 0) == RecipientDigest("a@x.ORG", seed: 0))
        #expect(RecipientDigest("a@x.org", seed: 0) != RecipientDigest("a@x.org", seed: 1))
    }
}

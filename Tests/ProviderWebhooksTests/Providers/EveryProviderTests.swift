import Feedback
import MailTypes
import Postgres
import TestDatabases
import TestStores
import Testing
import Vault

@testable import ProviderWebhooks

/// What holds for all providers, each with its own signatures and bodies.
@Suite struct EveryProviderTests {
    @Test(arguments: ProviderKind.allCases)
    func `a hard bounce is believed, and suppresses its recipient once, however often it comes`(
        _ kind: ProviderKind
    ) async throws {
        try await Desk.with { desk in
            let specimen = try ProviderSpecimen(kind)
            let (id, secret) = try await desk.source(specimen)
            let token = try await desk.token("jane@example.org")
            let request = try specimen.hardBounces([token], now: Desk.now)
            for _ in 0..<3 { #expect(try await desk.post(request, to: kind, secret) == .taken) }
            #expect(try await desk.payloads(waiting: true) == 1)
            try await desk.workOff()
            #expect(try await desk.facts() == ["hardBounce provider:\(kind.rawValue) userunknown"])
            #expect(try await desk.suppression(of: "jane@example.org") == .hardBounce)
            // Again after it was worked off, and signed anew, as a provider's next attempt.
            #expect(try await desk.post(request, to: kind, secret) == .taken)
            #expect(try await desk.payloads(waiting: true) == 0)
            #expect(
                try await desk.post(specimen.hardBounces([token], now: Desk.now + 1), to: kind, secret) == .taken)
            try await desk.workOff()
            #expect(try await desk.facts().count == 1)
            let source = try #require(try await desk.sources.list().first { $0.id == id })
            #expect(source.noted == 1)
            #expect(source.recognised == source.events && source.events >= 1)
            #expect(source.waiting == 0)
        }
    }

    @Test(arguments: ProviderKind.allCases)
    func `without its signature or secret, or with another's, nothing is believed`(_ kind: ProviderKind) async throws {
        try await Desk.with { desk in
            let specimen = try ProviderSpecimen(kind)
            let (_, secret) = try await desk.source(specimen)
            let token = try await desk.token("jane@example.org")
            let others = try ProviderSpecimen(kind).hardBounces([token], now: Desk.now)
            try await desk.expect(others, kind, secret, answers: 403)
            let unsigned = ProviderSpecimen.Request(headers: [], body: Array(#"{"event-data":{}}"#.utf8))
            try await desk.expect(unsigned, kind, secret, answers: 403)
            #expect(try await desk.payloads(waiting: true) == 0)
        }
    }

    @Test(arguments: ProviderKind.allCases)
    func `an address with another secret, or for another provider, does not exist`(_ kind: ProviderKind) async throws {
        try await Desk.with { desk in
            let specimen = try ProviderSpecimen(kind)
            let (id, secret) = try await desk.source(specimen)
            let request = try specimen.hardBounces([try await desk.token("jane@example.org")], now: Desk.now)
            for other in [
                String(secret.dropLast()), secret + "0", secret.uppercased() + "x", "", SourceSecret().text.exposed,
            ] {
                #expect(try await desk.post(request, to: kind, other) == nil)
            }
            let another = ProviderKind.allCases.first { $0 != kind } ?? .generic
            #expect(try await desk.post(request, to: another, secret) == nil)
            #expect(try await desk.post(request, to: kind, secret)?.status == 200)
            #expect(try await desk.sources.remove(id))
            try await Task.sleep(for: .seconds(ProviderLimits.bookSeconds) + .milliseconds(200))
            #expect(try await desk.post(request, to: kind, secret) == nil)
            #expect(try await desk.payloads(waiting: true) == 0)
        }
    }

    @Test(arguments: ProviderKind.allCases)
    func `what cannot be read is refused, and nothing kept`(_ kind: ProviderKind) async throws {
        // The event of SES is text inside a signed envelope, and checked below.
        try await Desk.with { desk in
            let specimen = try ProviderSpecimen(kind)
            let (_, secret) = try await desk.source(specimen)
            let answer = try await desk.post(try specimen.sign(Array("{x".utf8), now: Desk.now), to: kind, secret)
            #expect(answer?.status == (kind == .mailgun ? 406 : 400))
            #expect(answer?.code == "feedback_unreadable")
            #expect(try await desk.payloads(waiting: true) == 0)
        }
    }

    @Test func `what waits is bounded, and each provider is told so that it comes again`() async throws {
        try await Desk.with { desk in
            let kinds: [ProviderKind] = [.sendgrid, .brevo, .mailgun]
            var sources: [(ProviderSpecimen, String)] = []
            for kind in kinds {
                let specimen = try ProviderSpecimen(kind)
                let (id, secret) = try await desk.source(specimen)
                sources.append((specimen, secret))
                guard kind == .sendgrid else { continue }
                try await desk.stores.records.owner.query(
                    """
                    INSERT INTO provider_payloads (source_id, receipt, digest, octets, sealed)
                    SELECT \(id), sha256(n::text::bytea), sha256('x'), 1, 'x'
                    FROM generate_series(1, \(ProviderLimits.waiting)) n
                    """)
            }
            let token = try await desk.token("jane@example.org")
            for (specimen, secret) in sources {
                let answer = try await desk.post(
                    specimen.hardBounces([token], now: Desk.now), to: specimen.kind, secret)
                #expect(answer?.status == (specimen.kind == .brevo ? 429 : 503))
                #expect(answer?.retryAfter == ProviderLimits.retrySeconds)
            }
        }
    }

    @Test func `deliveries at a time are bounded, for each source and together`() async throws {
        try await Desk.with { desk in
            let first = try await desk.source(try ProviderSpecimen(.brevo)).secret
            let second = try await desk.source(try ProviderSpecimen(.sendgrid)).secret
            var open: [ProviderIntake.Admission?] = []
            for _ in 0..<ProviderLimits.openPerSource {
                open.append(try await desk.intake.admit(provider: "brevo", secret: first))
            }
            await #expect(throws: ProviderAnswer.busy(.brevo)) {
                _ = try await desk.intake.admit(provider: "brevo", secret: first)
            }
            for _ in 0..<ProviderLimits.open - ProviderLimits.openPerSource {
                open.append(try await desk.intake.admit(provider: "sendgrid", secret: second))
            }
            let third = try await desk.source(try ProviderSpecimen(.postmark)).secret
            try await Task.sleep(for: .seconds(ProviderLimits.bookSeconds) + .milliseconds(200))
            await #expect(throws: ProviderAnswer.busy(.postmark)) {
                _ = try await desk.intake.admit(provider: "postmark", secret: third)
            }
            #expect(!open.contains { $0 == nil })
            open.removeAll()
            #expect(try await desk.intake.admit(provider: "postmark", secret: third) != nil)
        }
    }
}

import Campaigns
import Crypto
import Delivery
import Foundation
import MailTypes
import SMTPProtocol
import SMTPTransport
import SwiftASN1
import TestPeers
import TestSupport
import Testing
import TrafficShaping
import X509

/// Receivers whose TLS is out of order, under each policy: mail either goes as the policy allows or waits, and is there
/// once when the receiver is repaired. No policy makes it bounce.
struct TLSFaultTests {
    enum Trouble: CaseIterable {
        /// Nothing follows the answer to STARTTLS.
        case stall
        case expired
        case wrongName
        case unknownAuthority
        case notOffered
    }

    enum Demand: CaseIterable {
        case opportunistic
        case encrypted
        case verified
        /// TLSA records that fit the certificate of the repaired receiver only.
        case dane
        /// TLSA records that could not be had.
        case unknown

        func policy(_ repaired: TestAuthority.Identity) -> SMTPTLSPolicy {
            switch self {
            case .opportunistic: .opportunistic
            case .encrypted: .required(verify: false)
            case .verified: .required(verify: true)
            case .dane:
                .dane(
                    DANEPolicy(
                        records: [repaired.record(.endEntity, .publicKey, .sha256, at: 0)], baseName: "mx.example"))
            case .unknown: .refused(.tlsaUnavailable)
            }
        }

        /// Whether the mail goes nevertheless, and if so, encrypted or not.
        func goes(despite trouble: Trouble) -> Bool? {
            switch (self, trouble) {
            case (.opportunistic, .stall), (.opportunistic, .notOffered): false
            case (.opportunistic, _): true
            case (.encrypted, .expired), (.encrypted, .wrongName), (.encrypted, .unknownAuthority): true
            default: nil
            }
        }
    }

    private let authority: TestAuthority

    init() throws { authority = try TestAuthority() }

    @Test(.timeLimit(.minutes(1)), arguments: Trouble.allCases, Demand.allCases)
    func `mail goes as the policy allows, or waits for the repair`(_ trouble: Trouble, _ demand: Demand) async throws {
        let fixture = try await DeliveryFixture.make()
        let campaign = try await fixture.send(3)
        let repaired = try authority.identity()
        let policy = demand.policy(repaired)
        let goes = demand.goes(despite: trouble)

        var copies: [String: Int] = [:]
        try await withReceiver(trouble) { port, seen in
            try await fixture.withEngine(port: port, { adjust(&$0, port, policy) }) { _ in
                if goes != nil { return try await fixture.end(of: campaign).check { $0.delivered == 3 } }
                try await eventually("all are put off") {
                    let counters = try await fixture.counters(campaign)
                    return counters.deferred == 3
                }
            }
            let (all, encrypted) = seen()
            copies = all
            if goes != nil { #expect(encrypted.values.reduce(0, +) == (goes == true ? 3 : 0)) }
        }
        #expect(copies.values.reduce(0, +) == (goes == nil ? 0 : 3))

        guard goes == nil else { return }
        let waiting = try await fixture.counters(campaign)
        #expect(waiting.bounced == 0 && waiting.delivered == 0)
        let healthy = MailServer(identity: try TLSIdentity(repaired))
        try await healthy.run { port in
            // Records that cannot be had are no receiver's doing: their repair is that they can be.
            let policy = demand == .unknown ? Demand.dane.policy(repaired) : policy
            try await fixture.withEngine("second", port: port, { adjust(&$0, port, policy) }) { _ in
                try await fixture.end(of: campaign).check { $0.delivered == 3 && $0.inDoubtResent == 0 }
            }
        }
        #expect(healthy.mails.count == 3 && healthy.mails.allSatisfy(\.wasEncrypted))
        #expect(try await fixture.problemsOfBooks() == [])
    }

    // MARK: Receivers

    /// All copies, and the encrypted ones.
    private typealias Seen = @Sendable () -> (all: [String: Int], encrypted: [String: Int])

    private func withReceiver(_ trouble: Trouble, _ body: (_ port: Int, Seen) async throws -> Void) async throws {
        let shown: TestAuthority.Identity
        switch trouble {
        case .stall:
            let server = try HostileServer { session in
                session.behave(offering: ["STARTTLS"]) { command in
                    guard command.hasPrefix("STARTTLS") else { return nil }
                    session.say("220 go on")
                    session.stall()
                    return nil
                }
            }
            defer { server.stop() }
            return try await body(server.port) { (server.copies, [:]) }
        case .notOffered:
            let server = MailServer()
            return try await server.run { port in try await body(port) { (server.copies, [:]) } }
        case .expired: shown = try authority.identity(validity: TestAuthority.yesterday)
        case .wrongName: shown = try authority.identity(["other.example"])
        case .unknownAuthority: shown = try TestAuthority("Other").identity()
        }
        let server = MailServer(identity: try TLSIdentity(shown))
        try await server.run { port in
            try await body(port) {
                (
                    server.copies,
                    server.mails.reduce(into: [:]) { if $1.wasEncrypted { $0[$1.recipient, default: 0] += 1 } }
                )
            }
        }
    }

    private func adjust(_ configuration: inout DeliveryConfiguration, _ port: Int, _ policy: SMTPTLSPolicy) {
        var route = Smarthost(host: "mx.example", port: port)
        route.addresses = [IPAddress("127.0.0.1")].compactMap { $0 }
        route.tls = policy
        configuration.smarthosts = [route]
        configuration.trustRootsFile = authority.rootsFile
        configuration.timeouts.startTLS = .milliseconds(400)
        configuration.laneLimits = LaneLimits(connections: 1)
    }
}

extension CampaignStatus {
    fileprivate func check(
        sourceLocation: SourceLocation = #_sourceLocation, _ isRight: (CampaignCounters) -> Bool
    ) {
        #expect(isRight(counters), "\(counters)", sourceLocation: sourceLocation)
    }
}

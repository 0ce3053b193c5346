import MailTypes
import SMTPProtocol
import TestSupport
import Testing
import TrafficShaping

@testable import Delivery

/// What a refusal means for its mail and its lane.
struct RefusalTests {
    struct Row: Sendable, CustomTestStringConvertible {
        let phase: SMTPPhase
        let reply: SMTPReply
        let action: ReplyAction?
        let bounces: Bool
        var testDescription: String { "\(phase.rawValue): \(reply.code) \(reply.lines.joined())" }

        init(
            _ phase: SMTPPhase, _ code: Int, _ enhanced: String?, _ text: String, _ action: ReplyAction?, bounces: Bool
        ) {
            self.phase = phase
            reply = SMTPReply(code, enhanced.flatMap { EnhancedStatusCode($0) }, text)
            self.action = action
            self.bounces = bounces
        }
    }

    static let table: [Row] = [
        // About the sender, at any phase.
        Row(.greeting, 554, nil, "Your IP address is listed at a block list", .block, bounces: false),
        Row(.ehlo, 550, nil, "Access denied", .block, bounces: false),
        Row(.mail, 550, "5.7.1", "Client host blocked using a DNSBL", .block, bounces: false),
        Row(.mail, 553, nil, "Bad sequence of moon phases", .block, bounces: false),
        Row(
            .rcpt, 554, "5.7.1", "Service unavailable; client host [192.0.2.1] blocked using a list", .block,
            bounces: false),
        Row(.rcpt, 550, nil, "Reverse DNS lookup failed: no PTR record", .block, bounces: false),
        Row(.rcpt, 550, "5.7.1", "SPF check failed", .block, bounces: false),
        Row(
            .finalDot, 550, "5.7.26", "Unauthenticated email is not accepted due to the domain's DMARC policy", .block,
            bounces: false),
        Row(.finalDot, 554, "5.7.1", "This message has been considered spam", .block, bounces: false),
        Row(.finalDot, 552, nil, "Message contains an illegal attachment", .block, bounces: false),
        Row(.rcpt, 550, nil, "Too many messages per hour from your address", .block, bounces: false),
        // Its standing, said for now.
        Row(.rcpt, 450, "4.7.1", "Client host rejected: cannot find your reverse hostname", .block, bounces: false),
        // About the recipient.
        Row(.rcpt, 550, "5.1.1", "No such user", nil, bounces: true),
        Row(.finalDot, 550, "5.1.1", "User unknown", nil, bounces: true),
        Row(.rcpt, 550, "5.2.1", "The account is disabled", nil, bounces: true),
        Row(.rcpt, 552, nil, "Message too large", nil, bounces: true),
        Row(.rcpt, 550, nil, "Something else", nil, bounces: true),
        Row(.greeting, 556, nil, "This domain takes no mail", nil, bounces: true),
        // For now.
        Row(.rcpt, 450, "4.2.0", "Something else", nil, bounces: false),
        Row(.rcpt, 450, "4.1.1", "No such user", nil, bounces: false),
    ]

    private static let silent = Provider.relay(limits: LaneLimits())

    @Test(arguments: table) func `the reply and its place decide where no rule does`(_ row: Row) throws {
        let verdict: DeliveryReport.Verdict = row.reply.isPermanent ? .permanent : .temporary
        let report = DeliveryReport(verdict, .refused, in: row.phase, blame: .connection, reply: row.reply)
        let refusal = try #require(Refusal(report, Self.silent))
        #expect(refusal.action == row.action)
        #expect(refusal.bounces(RefusalPolicy(), attempts: 1) == row.bounces)
    }

    @Test func `a provider's rule stands above the text`() throws {
        let rules = try ProviderRules(
            operatorFile: """
                providers:
                  default:
                    replies:
                      - {code: 550, contains: [later], action: retry}
                      - {code: 450, contains: [never], action: bounce}
                      - {code: 554, contains: [listed], action: rotate_source, for: 1h}
                """, named: "rules")
        func refusal(_ code: Int, _ text: String) -> Refusal? {
            let verdict: DeliveryReport.Verdict = code >= 500 ? .permanent : .temporary
            return Refusal(
                DeliveryReport(verdict, .refused, in: .rcpt, blame: .recipient, reply: SMTPReply(code, nil, text)),
                rules.fallback)
        }
        let policy = RefusalPolicy()
        #expect(refusal(550, "No such user, later")?.bounces(policy, attempts: 1) == false)
        #expect(refusal(450, "Never")?.bounces(policy, attempts: 1) == true)
        #expect(refusal(554, "listed at a list")?.action == .rotateSource(seconds: 3_600))
        #expect(refusal(554, "listed at a list")?.bounces(policy, attempts: 1) == false)
    }

    @Test func `blocks are tried so many times, and with soft bounces everything is`() {
        var policy = RefusalPolicy()
        policy.mostAttempts = 3
        let block = Refusal(isPermanent: true, action: .block)
        #expect((1...4).map { block.bounces(policy, attempts: $0) } == [false, false, true, true])
        // A temporary refusal ends with the campaign's expiry alone.
        #expect(!Refusal(isPermanent: false, action: .block).bounces(policy, attempts: 99))
        policy.isSoft = true
        #expect(!block.bounces(policy, attempts: 99))
        #expect(!Refusal(isPermanent: true, action: nil).bounces(policy, attempts: 1))
        #expect(Refusal(isPermanent: true, action: .bounce).bounces(policy, attempts: 1))
    }

    @Test func `only for its sender does a refusal count against a campaign`() {
        #expect(Refusal(isPermanent: true, action: .block).isBlock)
        #expect(Refusal(isPermanent: true, action: .rotateSource(seconds: 1)).isBlock)
        #expect(Refusal(isPermanent: true, action: .slowDown).isBlock)
        #expect(!Refusal(isPermanent: false, action: .slowDown).isBlock)
        #expect(!Refusal(isPermanent: true, action: nil).isBlock)
        #expect(!Refusal(isPermanent: true, action: .markMailbox).isBlock)
    }

    @Test func `what comes from behind a smarthost says nothing of the smarthost`() {
        #expect(Refusal(isPermanent: true, action: .block).ofRelay.action == nil)
        #expect(Refusal(isPermanent: true, action: .suspend(seconds: 9)).ofRelay.action == .suspend(seconds: 9))
    }
}

import Campaigns
import MailTypes
import SMTPProtocol
import TLSPolicies
import Testing
import TrafficShaping

@testable import Delivery

struct AttemptDecisionTests {
    @Test(
        arguments: [
            (DeliveryReport.Verdict.accepted, false, 0, AttemptDecision.final(.delivered)),
            (.accepted, false, 1, .final(.delivered)),
            (.accepted, true, 0, .final(.delivered)),
            (.accepted, true, 1, .final(.delivered)),
            (.permanent, false, 0, .final(.bounced)),
            (.permanent, false, 1, .final(.bounced)),
            (.permanent, true, 0, .final(.bounced)),
            (.permanent, true, 1, .final(.bounced)),
            (.temporary, false, 0, .retry(countsAsInDoubt: false)),
            (.temporary, false, 1, .retry(countsAsInDoubt: false)),
            (.temporary, true, 0, .final(.expired)),
            (.temporary, true, 1, .final(.expired)),
            (.inDoubt, false, 0, .final(.inDoubt)),
            (.inDoubt, false, 1, .retry(countsAsInDoubt: true)),
            (.inDoubt, true, 0, .final(.inDoubt)),
            (.inDoubt, true, 1, .final(.inDoubt)),
        ])
    func `a report, the expiry and the resends that are left decide`(
        _ report: DeliveryReport.Verdict, _ isExpired: Bool, _ resendsLeft: Int, _ decision: AttemptDecision
    ) {
        #expect(AttemptDecision(report, isExpired: isExpired, resendsLeft: resendsLeft) == decision)
    }

    @Test func `REQUIRETLS asks for more than all settings but DANE, and is no trouble of the site`() throws {
        for setting in TLSRequirement.allCases {
            #expect(DestinationResolver.leastTLS(setting, requiresTLS: false) == setting)
            #expect(
                DestinationResolver.leastTLS(setting, requiresTLS: true) == (setting == .dane ? .dane : .requireTLS))
        }
        let report = DeliveryReport(
            .permanent, .requireTLSNotOffered, in: .mail, blame: .message, enhanced: EnhancedStatusCode("5.7.30"))
        guard case .refused(nil, code: 0, nil) = report.answer(nil) else {
            Issue.record("the lane would slow down")
            return
        }
        #expect(RecipientReply(report).enhanced == EnhancedStatusCode("5.7.30"))
    }

    struct RefusedMail: Sendable, CustomTestStringConvertible {
        let report: DeliveryReport
        let finding: AddressFinding
        let testDescription: String

        init(
            _ finding: AddressFinding, _ verdict: DeliveryReport.Verdict, _ phase: SMTPPhase, _ code: Int?,
            _ enhanced: String?, _ text: String, blame: DeliveryReport.Blame = .recipient
        ) {
            let enhanced = enhanced.flatMap { EnhancedStatusCode($0) }
            report = DeliveryReport(
                verdict, code == nil ? .unreachable : .refused, in: phase, blame: blame,
                reply: code.map { SMTPReply($0, enhanced, text) }, enhanced: enhanced)
            self.finding = finding
            testDescription = "\(verdict) \(phase) \(code ?? 0) \(enhanced.map { "\($0)" } ?? "") \(text)"
        }
    }

    private static let noMX = "Requested action not taken: mailbox unavailable invalid DNS MX or A/AAAA resource record"

    @Test(arguments: [
        RefusedMail(.missing, .permanent, .rcpt, 550, "5.1.1", "No such user"),
        RefusedMail(.missing, .permanent, .rcpt, 550, nil, "No such user here"),
        RefusedMail(.missing, .permanent, .rcpt, 550, "5.1.1", ""),
        // A mail has one recipient: what is said of it after the final dot counts as well.
        RefusedMail(.missing, .permanent, .finalDot, 550, "5.1.1", "User unknown", blame: .message),
        RefusedMail(.missing, .permanent, .finalDot, 550, nil, "No such user here", blame: .message),
        RefusedMail(.missing, .permanent, .data, 550, "5.1.1", "User unknown", blame: .message),
        RefusedMail(.nothing, .permanent, .finalDot, 550, "5.7.1", "message rejected due to content", blame: .message),
        RefusedMail(.nothing, .permanent, .finalDot, 554, "5.6.0", "Not like this", blame: .message),
        RefusedMail(.dead, .permanent, .finalDot, 550, "5.2.1", "This account is disabled", blame: .message),
        // A disabled mailbox may come back; several campaigns decide.
        RefusedMail(.dead, .permanent, .rcpt, 550, "5.2.1", "The account is disabled"),
        RefusedMail(.dead, .permanent, .rcpt, 550, nil, "Account suspended"),
        RefusedMail(.dead, .permanent, .rcpt, 550, "5.1.2", "Bad destination system"),
        RefusedMail(.dead, .permanent, .connect, nil, "5.1.2", "", blame: .connection),
        RefusedMail(.dead, .permanent, .connect, nil, "5.1.10", "", blame: .connection),
        RefusedMail(.nothing, .temporary, .connect, nil, "4.4.3", "", blame: .connection),
        RefusedMail(.nothing, .permanent, .connect, nil, "5.4.6", "", blame: .connection),
        // The address is good; something else is not.
        RefusedMail(.nothing, .permanent, .rcpt, 550, "5.7.1", "Your IP is listed at Spamhaus"),
        RefusedMail(.nothing, .permanent, .rcpt, 552, "5.2.2", "The mailbox is full"),
        RefusedMail(.nothing, .permanent, .rcpt, 554, "5.7.1", "Relay access denied"),
        // About the sender, in whichever phase it is said.
        RefusedMail(.nothing, .permanent, .mail, 550, nil, noMX, blame: .connection),
        RefusedMail(.nothing, .permanent, .rcpt, 550, nil, noMX),
        RefusedMail(.nothing, .permanent, .finalDot, 550, nil, noMX, blame: .message),
        RefusedMail(.nothing, .permanent, .mail, 550, "5.1.1", "No such user", blame: .connection),
        // The connection's end, whatever it says.
        RefusedMail(.nothing, .permanent, .rcpt, 550, "5.1.1", "No such user", blame: .connection),
        // Not for good, or not known.
        RefusedMail(.nothing, .temporary, .rcpt, 450, "4.1.1", "No such user"),
        RefusedMail(.nothing, .temporary, .rcpt, 450, "4.2.1", "The account is disabled"),
        RefusedMail(.nothing, .inDoubt, .finalDot, nil, nil, ""),
        // A domain that cannot be reached says nothing about its mailboxes.
        RefusedMail(.nothing, .permanent, .connect, nil, "5.1.1", "", blame: .connection),
    ])
    func `only a permanent reply about the address finds something of it`(_ refusal: RefusedMail) {
        #expect(refusal.report.finding == refusal.finding)
    }

    @Test func `what is kept of a report is its reply, or what was missing`() {
        let reply = SMTPReply(550, EnhancedStatusCode("5.1.1"), ["No such user", "see our page"])
        let refused = RecipientReply(DeliveryReport(.permanent, .refused, in: .rcpt, blame: .recipient, reply: reply))
        #expect(refused.code == 550)
        #expect(refused.enhanced == EnhancedStatusCode("5.1.1"))
        #expect(refused.text == "No such user see our page")
        let silent = RecipientReply(DeliveryReport(.temporary, .timedOut, in: .mail, blame: .connection))
        #expect(silent.code == 0)
        #expect(silent.enhanced == nil)
        #expect(silent.text == "timed out")
    }
}

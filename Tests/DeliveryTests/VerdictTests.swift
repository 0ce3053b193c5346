import MailTypes
import SMTPProtocol
import TLSPolicies
import Testing
import TrafficShaping

@testable import Delivery

struct VerdictTests {
    @Test(
        arguments: [
            (DeliveryReport.Verdict.accepted, false, false, Verdict.final(.delivered)),
            (.accepted, false, true, .final(.delivered)),
            (.accepted, true, false, .final(.delivered)),
            (.accepted, true, true, .final(.delivered)),
            (.permanent, false, false, .final(.bounced)),
            (.permanent, false, true, .final(.bounced)),
            (.permanent, true, false, .final(.bounced)),
            (.permanent, true, true, .final(.bounced)),
            (.temporary, false, false, .later(countsAsInDoubt: false)),
            (.temporary, false, true, .later(countsAsInDoubt: false)),
            (.temporary, true, false, .final(.expired)),
            (.temporary, true, true, .final(.expired)),
            (.inDoubt, false, false, .final(.inDoubt)),
            (.inDoubt, false, true, .later(countsAsInDoubt: true)),
            (.inDoubt, true, false, .final(.inDoubt)),
            (.inDoubt, true, true, .final(.inDoubt)),
        ])
    func `a report, the expiry and the campaign's choice decide`(
        _ report: DeliveryReport.Verdict, _ isExpired: Bool, _ resendsInDoubt: Bool, _ verdict: Verdict
    ) {
        #expect(Verdict(report, isExpired: isExpired, resendsInDoubt: resendsInDoubt) == verdict)
    }

    @Test func `REQUIRETLS asks for more than all settings but DANE, and is no trouble of the site`() throws {
        for setting in TLSRequirement.allCases {
            #expect(Router.leastTLS(setting, requiresTLS: false) == setting)
            #expect(Router.leastTLS(setting, requiresTLS: true) == (setting == .dane ? .dane : .requireTLS))
        }
        let report = DeliveryReport(
            .permanent, .requireTLSNotOffered, in: .mail, blame: .message, enhanced: EnhancedStatusCode("5.7.30"))
        guard case .refused(nil, code: 0, nil) = report.answer(nil) else {
            Issue.record("the lane would slow down")
            return
        }
        #expect(Diagnosis(report).enhanced == EnhancedStatusCode("5.7.30"))
    }

    struct RefusedMail: Sendable, CustomTestStringConvertible {
        let report: DeliveryReport
        let suppresses: Bool
        let testDescription: String

        init(
            _ suppresses: Bool, _ verdict: DeliveryReport.Verdict, _ blame: DeliveryReport.Blame, _ code: Int?,
            _ enhanced: String?, _ text: String
        ) {
            let enhanced = enhanced.flatMap { EnhancedStatusCode($0) }
            report = DeliveryReport(
                verdict, .refused, in: .rcpt, blame: blame, reply: code.map { SMTPReply($0, enhanced, text) },
                enhanced: enhanced)
            self.suppresses = suppresses
            testDescription = "\(verdict) \(blame) \(code ?? 0) \(text)"
        }
    }

    @Test(arguments: [
        RefusedMail(true, .permanent, .recipient, 550, "5.1.1", "No such user"),
        RefusedMail(true, .permanent, .recipient, 550, nil, "No such user here"),
        RefusedMail(true, .permanent, .recipient, 550, "5.1.1", ""),
        // The address is good; something else is not.
        RefusedMail(false, .permanent, .recipient, 550, "5.7.1", "Your IP is listed at Spamhaus"),
        RefusedMail(false, .permanent, .recipient, 552, "5.2.2", "The mailbox is full"),
        RefusedMail(false, .permanent, .recipient, 554, "5.7.1", "Relay access denied"),
        // The reply was not about the address.
        RefusedMail(false, .permanent, .message, 550, "5.1.1", "No such user"),
        RefusedMail(false, .permanent, .connection, 550, "5.1.1", "No such user"),
        // Not for good, or not known.
        RefusedMail(false, .temporary, .recipient, 450, "4.1.1", "No such user"),
        RefusedMail(false, .inDoubt, .recipient, nil, nil, ""),
        // A domain that cannot be reached says nothing about its mailboxes.
        RefusedMail(false, .permanent, .recipient, nil, "5.1.1", ""),
    ])
    func `only a permanent reply about the mailbox suppresses`(_ refusal: RefusedMail) {
        #expect(Diagnosis(refusal.report).suppresses(refusal.report) == refusal.suppresses)
    }

    @Test func `a diagnosis keeps the reply, or says what was missing`() {
        let reply = SMTPReply(550, EnhancedStatusCode("5.1.1"), ["No such user", "see our page"])
        let refused = Diagnosis(DeliveryReport(.permanent, .refused, in: .rcpt, blame: .recipient, reply: reply))
        #expect(refused.code == 550)
        #expect(refused.enhanced == EnhancedStatusCode("5.1.1"))
        #expect(refused.text == "No such user see our page")
        let silent = Diagnosis(DeliveryReport(.temporary, .timedOut, in: .mail, blame: .connection))
        #expect(silent.code == 0)
        #expect(silent.enhanced == nil)
        #expect(silent.text == "timed out")
    }
}

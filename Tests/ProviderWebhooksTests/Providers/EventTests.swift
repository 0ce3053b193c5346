import Feedback
import Testing

@testable import ProviderWebhooks

/// What each provider's events mean, in the words of its documentation.
@Suite struct EventTests {
    struct Sample: Sendable, CustomTestStringConvertible {
        let kind: ProviderKind
        let json: String
        /// `hardBounce userunknown`; nil where nothing follows.
        let expected: String?

        init(_ kind: ProviderKind, _ json: String, _ expected: String?) {
            self.kind = kind
            self.json = json
            self.expected = expected
        }

        var testDescription: String { "\(kind.rawValue) \(json.prefix(100))" }
    }

    private static func ses(_ type: String, _ object: String, destination: String = #"["a@example.org"]"#) -> String {
        #"{"notificationType":"\#(type)",\#(object),"mail":{"destination":\#(destination)}}"#
    }

    private static func bounce(_ type: String, _ subtype: String, _ more: String = "") -> String {
        #""bounce":{"bounceType":"\#(type)","bounceSubType":"\#(subtype)","bouncedRecipients":[{"emailAddress":"a@example.org"\#(more)}]}"#
    }

    static let samples: [Sample] = [
        Sample(.ses, ses("Bounce", bounce("Permanent", "NoEmail")), "hardBounce userunknown"),
        Sample(.ses, ses("Bounce", bounce("Permanent", "General", #","status":"5.1.1""#)), "hardBounce userunknown"),
        Sample(.ses, ses("Bounce", bounce("Permanent", "OnAccountSuppressionList")), "hardBounce filtered"),
        // May be an answer of a machine.
        Sample(.ses, ses("Bounce", bounce("Transient", "General")), "softBounce undefined"),
        Sample(.ses, ses("Bounce", bounce("Transient", "MailboxFull")), "softBounce mailboxfull"),
        Sample(.ses, ses("Bounce", bounce("Undetermined", "Undetermined")), "softBounce undefined"),
        Sample(
            .ses, ses("Bounce", bounce("Permanent", "NoEmail"), destination: #"["a@example.org","b@example.org"]"#), nil
        ),
        Sample(.ses, ses("Complaint", #""complaint":{"complaintFeedbackType":"abuse"}"#), "complaint abuse"),
        Sample(.ses, ses("Complaint", #""complaint":{}"#), "complaint abuse"),
        Sample(.ses, ses("Complaint", #""complaint":{"complaintFeedbackType":"not-spam"}"#), nil),
        Sample(.ses, ses("Delivery", #""delivery":{"recipients":["a@example.org"]}"#), nil),
        Sample(.ses, ses("DeliveryDelay", #""deliveryDelay":{"delayType":"MailboxFull"}"#), "delay mailboxfull"),
        Sample(.ses, ses("Reject", #""reject":{"reason":"Bad content"}"#), "softBounce virusdetected"),
        Sample(.ses, ses("Open", #""open":{}"#), nil),
        Sample(
            .sendgrid, #"[{"event":"bounce","type":"bounce","status":"5.1.1","reason":"550 5.1.1 no such user"}]"#,
            "hardBounce userunknown"),
        Sample(
            .sendgrid, #"[{"event":"bounce","type":"bounce","status":"5.0.0","reason":"500 unknown recipient"}]"#,
            "hardBounce userunknown"),
        Sample(
            .sendgrid,
            #"[{"event":"bounce","type":"blocked","status":"5.7.1","reason":"550 5.7.1 listed at zen.spamhaus.org"}]"#,
            "softBounce blocked"),
        Sample(
            .sendgrid, #"[{"event":"bounce","type":"expired","reason":"unable to get mx info"}]"#, "softBounce expired"),
        Sample(.sendgrid, #"[{"event":"dropped","reason":"Bounced Address"}]"#, "hardBounce filtered"),
        Sample(.sendgrid, #"[{"event":"dropped","reason":"Spam Reporting Address"}]"#, "complaint abuse"),
        Sample(.sendgrid, #"[{"event":"dropped","reason":"Unsubscribed Address"}]"#, "unsubscribe "),
        Sample(.sendgrid, #"[{"event":"deferred","response":"451 later"}]"#, "delay "),
        Sample(.sendgrid, #"[{"event":"spamreport"}]"#, "complaint abuse"),
        Sample(.sendgrid, #"[{"event":"group_unsubscribe"}]"#, "unsubscribe "),
        Sample(.sendgrid, #"[{"event":"group_resubscribe"}]"#, nil),
        Sample(.sendgrid, #"[{"event":"delivered"}]"#, nil),
        Sample(
            .mailgun,
            #"{"event-data":{"event":"failed","severity":"permanent","reason":"bounce","delivery-status":{"code":550,"message":"5.1.1 user unknown"}}}"#,
            "hardBounce userunknown"),
        Sample(
            .mailgun,
            #"{"event-data":{"event":"failed","severity":"permanent","reason":"suppress-bounce","delivery-status":{"code":605,"message":"","description":"Not delivering to previously bounced address"}}}"#,
            "hardBounce filtered"),
        Sample(
            .mailgun,
            #"{"event-data":{"event":"failed","severity":"permanent","reason":"old","delivery-status":{"code":602}}}"#,
            "softBounce expired"),
        Sample(
            .mailgun, #"{"event-data":{"event":"failed","severity":"temporary","delivery-status":{"code":450}}}"#,
            "delay "),
        Sample(.mailgun, #"{"event-data":{"event":"complained"}}"#, "complaint abuse"),
        Sample(.mailgun, #"{"event-data":{"event":"unsubscribed"}}"#, "unsubscribe "),
        Sample(.mailgun, #"{"event-data":{"event":"clicked"}}"#, nil),
        Sample(
            .postmark, #"{"RecordType":"Bounce","Type":"HardBounce","Details":"smtp;550 5.1.1 user unknown"}"#,
            "hardBounce userunknown"),
        Sample(
            .postmark, #"{"RecordType":"Bounce","Type":"SoftBounce","Details":"smtp;452 4.2.2 mailbox full"}"#,
            "softBounce mailboxfull"),
        Sample(.postmark, #"{"RecordType":"Bounce","Type":"AutoResponder"}"#, nil),
        Sample(.postmark, #"{"RecordType":"Bounce","Type":"ManuallyDeactivated"}"#, nil),
        Sample(.postmark, #"{"RecordType":"Bounce","Type":"Transient"}"#, "delay "),
        Sample(.postmark, #"{"RecordType":"SpamComplaint","Type":"SpamComplaint"}"#, "complaint abuse"),
        Sample(
            .postmark,
            #"{"RecordType":"SubscriptionChange","SuppressSending":true,"SuppressionReason":"ManualSuppression","Origin":"Recipient"}"#,
            "unsubscribe "),
        Sample(
            .postmark,
            #"{"RecordType":"SubscriptionChange","SuppressSending":true,"SuppressionReason":"ManualSuppression","Origin":"Customer"}"#,
            nil),
        Sample(
            .postmark, #"{"RecordType":"SubscriptionChange","SuppressSending":false,"SuppressionReason":null}"#, nil),
        Sample(
            .sparkpost,
            #"[{"msys":{"message_event":{"type":"bounce","bounce_class":"10","raw_reason":"550 no such user"}}}]"#,
            "hardBounce userunknown"),
        Sample(
            .sparkpost, #"[{"msys":{"message_event":{"type":"out_of_band","bounce_class":"30","raw_reason":""}}}]"#,
            "hardBounce userunknown"),
        Sample(
            .sparkpost,
            #"[{"msys":{"message_event":{"type":"bounce","bounce_class":"22","raw_reason":"552 mailbox full"}}}]"#,
            "softBounce mailboxfull"),
        Sample(.sparkpost, #"[{"msys":{"message_event":{"type":"bounce","bounce_class":"60"}}}]"#, nil),
        Sample(
            .sparkpost, #"[{"msys":{"message_event":{"type":"spam_complaint","fbtype":"abuse"}}}]"#, "complaint abuse"),
        Sample(.sparkpost, #"[{"msys":{"unsubscribe_event":{"type":"list_unsubscribe"}}}]"#, "unsubscribe "),
        Sample(.sparkpost, #"[{"msys":{"message_event":{"type":"delay","bounce_class":"24"}}}]"#, "delay "),
        Sample(
            .mailjet, #"{"event":"bounce","hard_bounce":true,"error_related_to":"recipient","error":"user unknown"}"#,
            "hardBounce userunknown"),
        Sample(
            .mailjet,
            #"[{"event":"bounce","hard_bounce":false,"error_related_to":"recipient","error":"quota exceeded"}]"#,
            "softBounce mailboxfull"),
        Sample(
            .mailjet, #"[{"event":"bounce","hard_bounce":false,"error_related_to":"domain","error":"greylisted"}]"#,
            "delay "),
        Sample(
            .mailjet, #"[{"event":"blocked","error_related_to":"spam","error":"content blocked"}]"#,
            "softBounce blocked"),
        Sample(.mailjet, #"[{"event":"spam","source":"JMRPP"}]"#, "complaint abuse"),
        Sample(.mailjet, #"[{"event":"unsub"}]"#, "unsubscribe "),
        Sample(.mailjet, #"[{"event":"sent"}]"#, nil),
        Sample(.brevo, #"{"event":"hard_bounce","reason":"550 5.1.1 user unknown"}"#, "hardBounce userunknown"),
        Sample(.brevo, #"{"event":"soft_bounce","reason":"452 4.2.2 mailbox full"}"#, "softBounce mailboxfull"),
        Sample(.brevo, #"{"event":"invalid_email"}"#, "hardBounce userunknown"),
        Sample(.brevo, #"{"event":"blocked"}"#, "softBounce blocked"),
        Sample(.brevo, #"{"event":"spam"}"#, "complaint abuse"),
        Sample(.brevo, #"{"event":"unsubscribed"}"#, "unsubscribe "),
        Sample(.brevo, #"{"event":"deferred"}"#, "delay "),
        Sample(.brevo, #"{"event":"request"}"#, nil),
        Sample(
            .resend,
            #"{"type":"email.bounced","data":{"to":["a@example.org"],"bounce":{"type":"Permanent","subType":"General","message":"The recipient's email provider sent a hard bounce message"}}}"#,
            "hardBounce undefined"),
        Sample(
            .resend,
            #"{"type":"email.bounced","data":{"to":["a@example.org"],"bounce":{"type":"Transient","message":"mailbox full"}}}"#,
            "softBounce mailboxfull"),
        Sample(
            .resend,
            #"{"type":"email.bounced","data":{"to":["a@example.org","b@example.org"],"bounce":{"type":"Permanent"}}}"#,
            nil),
        Sample(.resend, #"{"type":"email.complained","data":{"to":["a@example.org"]}}"#, "complaint abuse"),
        Sample(.resend, #"{"type":"email.delivery_delayed","data":{"to":["a@example.org"]}}"#, "delay "),
        Sample(.standard, #"{"type":"email.delivered","data":{"to":["a@example.org"]}}"#, nil),
        Sample(.generic, #"{"events":[{"type":"hard_bounce","code":550,"status":"5.1.1"}]}"#, "hardBounce userunknown"),
        Sample(.generic, #"{"events":[{"type":"soft_bounce","text":"mailbox full"}]}"#, "softBounce mailboxfull"),
        Sample(.generic, #"{"events":[{"type":"complaint"}]}"#, "complaint abuse"),
        Sample(.generic, #"{"events":[{"type":"complaint","complaint_type":"opt-out"}]}"#, "complaint opt-out"),
        Sample(.generic, #"{"events":[{"type":"complaint","complaint_type":"not-spam"}]}"#, nil),
        Sample(.generic, #"{"events":[{"type":"complaint","complaint_type":""}]}"#, "complaint other"),
        Sample(.generic, #"{"events":[{"type":"complaint","complaint_type":"a\u0000"}]}"#, "complaint other"),
        Sample(
            .generic,
            #"{"events":[{"type":"complaint","complaint_type":"\#(String(repeating: "a", count: 41))"}]}"#,
            "complaint other"),
        Sample(
            .sparkpost, #"[{"msys":{"message_event":{"type":"spam_complaint","fbtype":"Zu viel"}}}]"#,
            "complaint other"),
        Sample(.generic, #"{"events":[{"type":"unsubscribe"}]}"#, "unsubscribe "),
        Sample(.generic, #"{"events":[{"type":"delay"}]}"#, "delay "),
        Sample(.generic, #"{"events":[{"type":"something new"}]}"#, nil),
    ]

    @Test(arguments: samples)
    func `an event means what its provider says`(_ sample: Sample) throws {
        let body =
            sample.kind == .ses
            ? try SpecimenBodies.text(["Type": "Notification", "Message": sample.json]) : Array(sample.json.utf8)
        let events = try sample.kind.provider(SigningCertificates()).events(body)
        #expect(events.count == 1)
        let event = try #require(events.first)
        #expect(event.fact.map { "\($0) \(event.reason)" } == sample.expected)
    }

    @Test func `pings, empty batches and the message of a topic that works report nothing`() throws {
        let certificates = SigningCertificates()
        #expect(try SparkPost().events(Array(#"[{"msys":{}}]"#.utf8)).isEmpty)
        #expect(try SendGrid().events(Array("[]\r\n".utf8)).isEmpty)
        let text = "Successfully validated SNS topic for Amazon SES event publishing."
        #expect(try AmazonSES(certificates: certificates).events(SpecimenBodies.text(["Message": text])).isEmpty)
    }
}

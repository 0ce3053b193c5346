import Foundation

/// Bodies such as providers send, with our token where each of them repeats something of ours.
enum SpecimenBodies {
    private static let refusal = "550 5.1.1 The email account that you tried to reach does not exist"
    private static let address = "nobody@example.org"

    static func body(_ kind: ProviderKind, _ tokens: [String], now: Int64) throws -> [UInt8] {
        let token = tokens.first ?? ""
        switch kind {
        case .ses: return try text(ses(token))
        case .sendgrid:
            // As SendGrid writes it: a line for each event, and one at the end.
            let lines = try tokens.map { String(decoding: try text(sendgrid($0, now)), as: UTF8.self) }
            return Array(("[" + lines.joined(separator: ",\r\n") + "]\r\n").utf8)
        case .mailgun: return try text(mailgun(token, now))
        case .postmark: return try text(postmark(token))
        case .sparkpost: return try text(tokens.map { sparkpost($0, now) })
        case .mailjet: return try text(tokens.map { mailjet($0, now) })
        case .brevo: return try text(brevo(token, now))
        case .resend, .standard: return try text(resend(token))
        case .generic:
            return try text([
                "events": tokens.map {
                    ["type": "hard_bounce", "token": $0, "code": 550, "status": "5.1.1", "text": refusal]
                }
            ])
        }
    }

    static func text(_ value: Any) throws -> [UInt8] {
        Array(try JSONSerialization.data(withJSONObject: value, options: [.sortedKeys, .withoutEscapingSlashes]))
    }

    private static func ses(_ token: String) -> Any {
        [
            "notificationType": "Bounce",
            "bounce": [
                "bounceType": "Permanent", "bounceSubType": "General", "timestamp": "2026-11-30T10:00:00.000Z",
                "bouncedRecipients": [
                    [
                        "emailAddress": address, "action": "failed", "status": "5.1.1",
                        "diagnosticCode": "smtp; " + refusal,
                    ]
                ],
            ],
            "mail": [
                "timestamp": "2026-11-30T09:59:58.000Z", "messageId": "0100018-test-000000",
                "source": "b-\(token)@bounce.example.com", "destination": [address],
                "headers": [["name": "List-Unsubscribe", "value": "<https://mail.example.com/u/\(token)>"]],
            ],
        ]
    }

    private static func sendgrid(_ token: String, _ now: Int64) -> Any {
        [
            "email": address, "event": "bounce", "type": "bounce", "status": "5.1.1", "reason": refusal,
            "timestamp": now, "sg_event_id": "ZXZlbnQ" + token.suffix(12), "sg_message_id": "14c5d75ce93.dfd.64b469.0",
            "smtp-id": "<\(token)@news.example.com>", "tls": 1,
        ]
    }

    private static func mailgun(_ token: String, _ now: Int64) -> Any {
        [
            "event-data": [
                "event": "failed", "severity": "permanent", "reason": "bounce", "timestamp": Double(now) + 0.25,
                "recipient": address, "id": "G9Bn5sl1TC6nu79C8C0bwg",
                "delivery-status": ["code": 550, "enhanced-code": "5.1.1", "message": refusal, "attempt-no": 1],
                "message": ["headers": ["message-id": "\(token)@news.example.com", "to": address]],
            ]
        ]
    }

    private static func postmark(_ token: String) -> Any {
        [
            "RecordType": "Bounce", "ID": 4_323_372_036_854_775_807, "Type": "HardBounce", "TypeCode": 1,
            "MessageID": "883953f4-6105-42a2-a16a-77a8eac79483", "Email": address, "Inactive": true, "Details": refusal,
            "BouncedAt": "2026-11-30T10:00:00.2735393-05:00", "Metadata": ["sluice": token],
        ]
    }

    private static func sparkpost(_ token: String, _ now: Int64) -> Any {
        [
            "msys": [
                "message_event": [
                    "type": "bounce", "bounce_class": "10", "error_code": "550", "raw_reason": refusal,
                    "event_id": "92356927693813856", "timestamp": "\(now)", "rcpt_to": address,
                    "msg_from": "b-\(token)@bounce.example.com", "rcpt_meta": ["sluice": token],
                ]
            ]
        ]
    }

    private static func mailjet(_ token: String, _ now: Int64) -> Any {
        [
            "event": "bounce", "time": now, "email": address, "hard_bounce": true, "blocked": false,
            "error_related_to": "recipient", "error": "user unknown", "CustomID": token, "Payload": "",
            "MessageID": 19_421_777_835_146_490,
        ]
    }

    private static func brevo(_ token: String, _ now: Int64) -> Any {
        [
            "event": "hard_bounce", "email": address, "id": 26_224, "message-id": "<\(token)@news.example.com>",
            "ts_epoch": now * 1_000, "reason": refusal, "tags": ["news"],
        ]
    }

    private static func resend(_ token: String) -> Any {
        [
            "type": "email.bounced", "created_at": "2026-11-30T10:00:00.126Z",
            "data": [
                "email_id": "56761188-7520-42d8-8898-ff6fc54ce618", "to": [address],
                "headers": [["name": "X-Sluice", "value": token]],
                "bounce": [
                    "type": "Permanent", "subType": "General", "message": "The address does not exist.",
                    "diagnosticCode": ["smtp; " + refusal],
                ],
            ],
        ]
    }
}

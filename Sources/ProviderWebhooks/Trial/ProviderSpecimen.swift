import Crypto
import CryptoExtras
import Foundation
import MailTypes
import SwiftASN1
import X509

/// Plays a provider: makes keys of its own and signs reports with them as the provider does. For `sluice feedback test`, the
/// benchmark and tests.
package struct ProviderSpecimen: Sendable {
    package let kind: ProviderKind
    /// What a source needs to believe it.
    package let material: SourceMaterial
    private let signer: Signer

    private enum Signer: Sendable {
        case sns(_RSA.Signing.PrivateKey, topic: String)
        case sendgrid(P256.Signing.PrivateKey)
        case mailgun(key: String)
        case header(name: String, value: String)
        case standard(key: String)
    }

    /// A request as the provider would make it.
    package struct Request: Sendable {
        package var headers: [(name: String, value: String)]
        package var body: [UInt8]

        package init(headers: [(name: String, value: String)], body: [UInt8]) {
            self.headers = headers
            self.body = body
        }
    }

    package init(_ kind: ProviderKind) throws {
        self.kind = kind
        switch kind {
        case .ses:
            let topic = "arn:aws:sns:us-east-1:123456789012:sluice-test"
            let key = try _RSA.Signing.PrivateKey(keySize: .bits2048)
            material = SourceMaterial(topic: topic, testCertificate: try Self.certificate(key))
            signer = .sns(key, topic: topic)
        case .sendgrid:
            let key = P256.Signing.PrivateKey()
            material = SourceMaterial(keys: [key.publicKey.derRepresentation.base64EncodedString()])
            signer = .sendgrid(key)
        case .mailgun:
            let key = "key-" + SourceSecret.random(octets: 16)
            material = SourceMaterial(keys: [key])
            signer = .mailgun(key: key)
        case .postmark, .sparkpost, .mailjet, .brevo:
            let value = SharedSecret.basic(user: "sluice", password: SourceSecret.random(octets: 20))
            material = SourceMaterial(header: "authorization", value: value)
            signer = .header(name: "Authorization", value: value)
        case .resend, .standard, .generic:
            let key = StandardWebhooks.newKey()
            material = SourceMaterial(keys: [key])
            signer = .standard(key: key)
        }
    }

    private static func certificate(_ key: _RSA.Signing.PrivateKey) throws -> String {
        let name = try DistinguishedName { CommonName("sns.amazonaws.com") }
        let certificate = try Certificate(
            version: .v3, serialNumber: .init(), publicKey: .init(key.publicKey), notValidBefore: .now - 3_600,
            notValidAfter: .now + 86_400, issuer: name, subject: name, signatureAlgorithm: .sha256WithRSAEncryption,
            extensions: .init(), issuerPrivateKey: .init(key))
        return try certificate.serializeAsPEM().pemString
    }

    /// Reports that the mails' addresses do not exist: all in one request where the provider puts several into one, else
    /// of the first mail alone.
    ///
    /// - Parameters:
    ///   - tokens: of our mails
    ///   - now: seconds since 1970
    package func hardBounces(_ tokens: [String], now: Int64) throws -> Request {
        try sign(SpecimenBodies.body(kind, tokens, now: now), now: now)
    }

    /// Signs a body, or for SES the event in it.
    package func sign(_ body: [UInt8], now: Int64) throws -> Request {
        var headers = [(name: "Content-Type", value: "application/json")]
        var body = body
        switch signer {
        case .sns(let key, let topic):
            headers = [("Content-Type", "text/plain; charset=UTF-8"), ("x-amz-sns-message-type", "Notification")]
            body = try Self.notification(String(decoding: body, as: UTF8.self), key, topic, now)
        case .sendgrid(let key):
            let signature = try key.signature(for: Array("\(now)".utf8) + body)
            headers.append(
                ("X-Twilio-Email-Event-Webhook-Signature", signature.derRepresentation.base64EncodedString()))
            headers.append(("X-Twilio-Email-Event-Webhook-Timestamp", "\(now)"))
        case .mailgun(let key):
            let token = SourceSecret.random(octets: 25)
            let code = HMAC<SHA256>.authenticationCode(
                for: Array("\(now)\(token)".utf8), using: SymmetricKey(data: Array(key.utf8)))
            let signature =
                #""signature":{"timestamp":"\#(now)","token":"\#(token)","signature":"\#(Array(code).hexadecimal)"},"#
            body = Array("{".utf8) + signature.utf8 + body.dropFirst()
        case .header(let name, let value): headers.append((name, value))
        case .standard(let key):
            let prefix = kind == .resend ? "svix-" : "webhook-"
            let id = "msg_" + SourceSecret.random(octets: 10)
            guard let secret = StandardWebhooks.key(key) else { throw ProviderSourceError.invalidKey }
            let code = HMAC<SHA256>.authenticationCode(for: Array("\(id).\(now).".utf8) + body, using: secret)
            headers.append((prefix + "id", id))
            headers.append((prefix + "timestamp", "\(now)"))
            headers.append((prefix + "signature", "v1," + Data(code).base64EncodedString()))
        }
        return Request(headers: headers, body: body)
    }

    private static func notification(
        _ message: String, _ key: _RSA.Signing.PrivateKey, _ topic: String, _ now: Int64
    ) throws -> [UInt8] {
        let id = UUID().uuidString.lowercased()
        let time = Date(timeIntervalSince1970: Double(now)).formatted(.iso8601)
        let signed =
            "Message\n\(message)\nMessageId\n\(id)\nTimestamp\n\(time)\nTopicArn\n\(topic)\nType\nNotification\n"
        let signature = try key.signature(
            for: SHA256.hash(data: Array(signed.utf8)), padding: .insecurePKCS1v1_5)
        return try SpecimenBodies.text([
            "Type": "Notification", "MessageId": id, "TopicArn": topic, "Message": message, "Timestamp": time,
            "SignatureVersion": "2", "Signature": signature.rawRepresentation.base64EncodedString(),
            "SigningCertURL": "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem",
        ])
    }
}

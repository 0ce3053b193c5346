import Foundation

/// An address of Amazon SNS itself. Nothing else is ever asked: who could name the certificate could sign.
struct SNSAddress: Sendable, Hashable {
    let host: String
    /// With the query.
    let path: String

    /// Where the certificate of a topic's region lies: `https://sns.eu-central-1.amazonaws.com/SimpleNotificationService-….pem`.
    /// Nil for any other host, scheme, port, user or path; `sns.s3-ap-southeast-2.amazonaws.com` is somebody's bucket.
    init?(certificate text: String, topic: SNSTopic) {
        self.init(text, topic: topic)
        let name = path.dropFirst("/SimpleNotificationService-".count)
        guard path.hasPrefix("/SimpleNotificationService-"), name.hasSuffix(".pem"), name.count <= 80,
            name.dropLast(4).utf8.allSatisfy(Self.isDigit), name.count > 4
        else { return nil }
    }

    /// Where a subscription to the topic is confirmed.
    init?(confirmation text: String, topic: SNSTopic) {
        self.init(text, topic: topic)
        guard text.utf8.count <= 2_048, path.hasPrefix("/?"), let parts = URLComponents(string: text) else {
            return nil
        }
        // Unescaped they may hold what is no ASCII.
        let items = Dictionary(
            (parts.queryItems ?? []).map { (ExactText($0.name), ExactText($0.value ?? "")) }
        ) { _, _ in "" }
        guard items["Action"] == "ConfirmSubscription", items["TopicArn"] == ExactText(topic.text),
            items["Token"]?.text.isEmpty == false
        else { return nil }
    }

    /// Only ASCII that needs no encoding is read, so that nobody else reads it otherwise.
    private init?(_ text: String, topic: SNSTopic) {
        guard
            text.utf8.allSatisfy({ (0x21...0x7E).contains($0) && $0 != UInt8(ascii: "\\") && $0 != UInt8(ascii: "#") })
        else { return nil }
        let start = "https://" + topic.host + "/"
        guard text.hasPrefix(start) else { return nil }
        host = topic.host
        path = "/" + text.dropFirst(start.count)
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
    }
}

/// `arn:aws:sns:eu-central-1:123456789012:ses-events`
package struct SNSTopic: Sendable, Hashable {
    package let text: String
    let region: String
    private let isChina: Bool

    /// Nil where it is no topic, or its region has a name that no region has.
    package init?(_ text: String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard text.utf8.count <= 400, parts.count == 6, parts[0] == "arn", parts[2] == "sns",
            ["aws", "aws-cn", "aws-us-gov"].contains(parts[1]), parts[4].utf8.count == 12,
            parts[4].utf8.allSatisfy({ (0x30...0x39).contains($0) }), !parts[5].isEmpty,
            parts[5].utf8.allSatisfy({ (0x21...0x7E).contains($0) }),
            parts[3].wholeMatch(of: /[a-z]{2}(?:-[a-z]+)+-[0-9]{1,2}/) != nil
        else { return nil }
        self.text = text
        region = String(parts[3])
        isChina = parts[1] == "aws-cn"
    }

    /// The only host that may speak for the topic.
    var host: String { "sns.\(region).amazonaws.com" + (isChina ? ".cn" : "") }
}

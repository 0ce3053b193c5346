/// What Amazon SNS posts: an envelope with a signature over some of its members.
struct SNSMessage: Sendable {
    enum Kind: String, Sendable, CaseIterable {
        case notification = "Notification"
        case subscription = "SubscriptionConfirmation"
        case unsubscription = "UnsubscribeConfirmation"
    }

    enum Version: String, Sendable, CaseIterable {
        case sha1 = "1"
        case sha256 = "2"
    }

    let kind: Kind
    let version: Version
    let topic: String
    let message: String
    let timestamp: String
    let signature: [UInt8]
    let certificateURL: String
    let subscribeURL: String?
    /// What is signed: each member's name and value with a line feed behind it, in the order of their octets. A Subject that is
    /// null counts as none.
    let signed: [UInt8]

    /// - Throws: ``ProviderRefusal``
    init(_ body: JSONValue) throws(ProviderRefusal) {
        guard body.isObject else { throw .unreadable }
        guard let kind = body["Type"].exact.flatMap(Kind.init(exactly:)), let text = body["Signature"].text,
            let signature = Signatures.base64(text),
            let version = body["SignatureVersion"].exact.flatMap(Version.init(exactly:)),
            let certificateURL = body["SigningCertURL"].text, let topic = body["TopicArn"].text,
            let message = body["Message"].text, let timestamp = body["Timestamp"].text
        else { throw .unauthentic("The delivery is not signed; raw message delivery must be off.") }
        let names =
            switch kind {
            case .notification: ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"]
            case .subscription, .unsubscription:
                ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
            }
        var signed: [UInt8] = []
        for name in names {
            guard let value = body[name].text else {
                guard name == "Subject", body[name] == .null else {
                    throw .unauthentic("The delivery is not signed as SNS signs.")
                }
                continue
            }
            signed += "\(name)\n\(value)\n".utf8
        }
        self.kind = kind
        self.version = version
        self.topic = topic
        self.message = message
        self.timestamp = timestamp
        self.signature = signature
        self.certificateURL = certificateURL
        subscribeURL = body["SubscribeURL"].text
        self.signed = signed
    }
}

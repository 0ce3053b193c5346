import Testing

@testable import ProviderWebhooks

@Suite struct SNSAddressTests {
    private static let topic = SNSTopic("arn:aws:sns:ap-southeast-2:123456789012:events")!
    private static let name = "SimpleNotificationService-0123456789abcdef0123456789abcdef.pem"

    @Test func `a certificate lies with the topic's own region`() throws {
        let address = try #require(
            SNSAddress(certificate: "https://sns.ap-southeast-2.amazonaws.com/" + Self.name, topic: Self.topic))
        #expect(address.host == "sns.ap-southeast-2.amazonaws.com")
        #expect(address.path == "/" + Self.name)
        let china = try #require(SNSTopic("arn:aws-cn:sns:cn-north-1:123456789012:events"))
        #expect(SNSAddress(certificate: "https://sns.cn-north-1.amazonaws.com.cn/" + Self.name, topic: china) != nil)
        #expect(SNSAddress(certificate: "https://sns.cn-north-1.amazonaws.com/" + Self.name, topic: china) == nil)
    }

    @Test(arguments: [
        // Somebody's bucket.
        "https://sns.s3-ap-southeast-2.amazonaws.com/NAME", "https://sns.s3.amazonaws.com/NAME",
        "https://s3.amazonaws.com/NAME", "https://sns.ap-southeast-2.amazonaws.com.evil.example/NAME",
        "https://sns.eu-west-1.amazonaws.com/NAME", "http://sns.ap-southeast-2.amazonaws.com/NAME",
        "https://sns.ap-southeast-2.amazonaws.com:443/NAME", "https://sns.ap-southeast-2.amazonaws.com:8443/NAME",
        "https://user@sns.ap-southeast-2.amazonaws.com/NAME",
        "https://evil.example\\@sns.ap-southeast-2.amazonaws.com/NAME",
        "https://sns.ap-southeast-2.amazonaws.com/other/NAME",
        "https://sns.ap-southeast-2.amazonaws.com/SimpleNotificationService-../x.pem",
        "https://sns.ap-southeast-2.amazonaws.com/SimpleNotificationService-.pem",
        "https://sns.ap-southeast-2.amazonaws.com/NAME?x=1",
        "https://sns.ap-southeast-2.amazonaws.com/NAME#x",
        "https://sns.ap-southeast-2.amazonaws.com/?Action=Publish&x=NAME",
        "https://SNS.ap-southeast-2.amazonaws.com/NAME", " https://sns.ap-southeast-2.amazonaws.com/NAME",
        "https://sns.ap-southeast-2.amazonaws.com/NAME\n", "",
    ])
    func `no other place has a certificate that is believed`(_ text: String) {
        #expect(SNSAddress(certificate: text.replacing("NAME", with: Self.name), topic: Self.topic) == nil)
    }

    @Test func `a subscription is confirmed at Amazon, for its own topic`() {
        let start = "https://sns.ap-southeast-2.amazonaws.com/?Action=ConfirmSubscription&TopicArn="
        #expect(SNSAddress(confirmation: start + Self.topic.text + "&Token=2336412f37", topic: Self.topic) != nil)
        for text in [
            start + "arn:aws:sns:ap-southeast-2:999999999999:events&Token=1", start + Self.topic.text,
            "https://sns.ap-southeast-2.amazonaws.com/?Action=Unsubscribe&TopicArn=\(Self.topic.text)&Token=1",
            "https://sns.ap-southeast-2.amazonaws.com/x?Action=ConfirmSubscription&TopicArn=\(Self.topic.text)&Token=1",
            "https://10.0.0.1/?Action=ConfirmSubscription&TopicArn=\(Self.topic.text)&Token=1",
        ] {
            #expect(SNSAddress(confirmation: text, topic: Self.topic) == nil, "\(text)")
        }
    }

    @Test func `a topic of other octets is another, whatever Unicode holds for the same`() throws {
        let topic = try #require(SNSTopic("arn:aws:sns:ap-southeast-2:123456789012:K"))
        let start =
            "https://sns.ap-southeast-2.amazonaws.com/?Action=ConfirmSubscription&Token=1&TopicArn="
            + topic.text.dropLast()
        #expect(SNSAddress(confirmation: start + "K", topic: topic) != nil)
        // The Kelvin sign.
        #expect(SNSAddress(confirmation: start + "%E2%84%AA", topic: topic) == nil)
    }

    @Test(arguments: [
        "", "arn:aws:sns:s3-ap-southeast-2:123456789012:events", "arn:aws:sqs:eu-west-1:123456789012:events",
        "arn:aws:sns:eu-west-1:1234:events", "arn:aws:sns:eu-west-1:123456789012:", "arn:aws:sns::123456789012:events",
        "arn:aws:sns:eu-west-1.evil.example/:123456789012:e", "arn:aws:sns:eu-west-1:123456789012:a:b",
    ])
    func `what is no topic of a region is refused`(_ text: String) {
        #expect(SNSTopic(text) == nil)
    }
}

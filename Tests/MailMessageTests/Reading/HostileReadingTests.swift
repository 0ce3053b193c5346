import Testing

@testable import MailMessage

/// Strings that Swift compares and hashes in quadratic time, in places where names stand.
@Suite(.timeLimit(.minutes(1))) struct HostileReadingTests {
    /// A million combining marks in the worst of orders.
    private static let marks: [UInt8] = (0..<1_000_000).flatMap { (place: Int) -> [UInt8] in
        place.isMultiple(of: 2) ? [0xCC, 0x81] : [0xCC, 0x96]
    }

    /// What stands between the pieces is hostile.
    private static func hostile(_ pieces: String...) -> [UInt8] {
        Array(pieces.map { Array($0.utf8) }.joined(separator: marks))
    }

    @Test func `names of a content type that are none become empty`() {
        let type = ReceivedContentType(Self.hostile("text/", "; charset=\"", "\"; report-type=", ""))
        #expect(type.mediaType.isEmpty && type.charset == "" && type.reportType == "")
        let long = ReceivedContentType(Array("text/\(String(repeating: "a", count: 300)); charset=UTF-8".utf8))
        #expect(long.mediaType.isEmpty && long.charset == "utf-8")
    }

    @Test func `a parameter whose name is none is passed over`() {
        let type = ReceivedContentType(Self.hostile("Text/Plain; ", "=x; boundary*", "=y; Charset=UTF-8; boundary=b"))
        #expect(type.mediaType == "text/plain" && type.charset == "utf-8")
        #expect(type.boundary == Array("b".utf8))
    }

    @Test func `a charset that is none is read like an unknown one`() {
        let label = String(repeating: "\u{301}", count: 1_000_000)
        #expect(ReceivedCharset.decode([0x66, 0xFC], label: label) == Array("f\u{FC}".utf8))
    }

    @Test func `values of reports that are no words tell nothing`() throws {
        let text = Self.hostile("Reporting-MTA: dns; ", "\nFinal-Recipient: rfc822; kim@example.org\nAction: ", "\n")
        let status = try #require(DeliveryStatus(text))
        #expect(status.recipients.map(\.final) == ["kim@example.org"] && status.recipients[0].action == nil)
        #expect(DeliveryStatus.address(Self.hostile("rfc822; {", "\\x{41}")) == nil)
        #expect(ComplaintReport(Self.hostile("Feedback-Type: ", ""))?.feedbackType == "other")
    }
}

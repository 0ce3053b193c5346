import MailMessage

/// An event that Amazon SES sends through SNS by mail: JSON, sometimes as a string inside JSON, cut by the mail's lines.
/// Read for its few telling members, wherever they stand.
struct ProviderNotification {
    enum Event: String {
        case bounce = "Bounce"
        case complaint = "Complaint"
        case delivery = "Delivery"
    }

    struct Recipient {
        let address: String
        let status: [UInt8]
        let diagnostic: [UInt8]
    }

    /// In octets; longer ones are none.
    private static let longestAddress = 512

    let event: Event
    private(set) var isPermanent = true
    private(set) var recipients: [Recipient] = []

    /// Nil where the text is no such event.
    init?(_ text: [UInt8]) {
        guard text.first(where: { !$0.isBlank }) == UInt8(ascii: "{") else { return nil }
        let plain = Self.unescaped(text)
        let kind =
            Self.value(of: "\"notificationtype\"", in: plain, 0..<plain.count)
            ?? Self.value(of: "\"eventtype\"", in: plain, 0..<plain.count)
        guard let kind, let event = Event(rawValue: String(decoding: kind.text.prefix(20), as: UTF8.self))
        else { return nil }
        self.event = event
        if let type = Self.value(of: "\"bouncetype\"", in: plain, 0..<plain.count) {
            isPermanent = !type.text.elementsEqual("Transient".utf8)
        }
        var start = 0
        while let address = Self.value(of: "\"emailaddress\"", in: plain, start..<plain.count), recipients.count < 100 {
            start = address.end
            guard address.text.count <= Self.longestAddress else { continue }
            let next = Self.value(of: "\"emailaddress\"", in: plain, start..<plain.count)?.start ?? plain.count
            // Members may stand before the address or behind it; behind the next brace begins another recipient.
            let object = Self.object(around: address.start, in: plain, to: next)
            recipients.append(
                Recipient(
                    address: String(decoding: address.text, as: UTF8.self),
                    status: Self.value(of: "\"status\"", in: plain, object)?.text ?? [],
                    diagnostic: Self.value(of: "\"diagnosticcode\"", in: plain, object)?.text ?? []))
        }
        if event == .delivery, let list = Self.value(of: "\"recipients\"", in: plain, 0..<plain.count) {
            recipients = AddressScanner.all(in: list.text, list.text.indices).map {
                Recipient(address: $0.text, status: [], diagnostic: [])
            }
        }
    }

    private static func object(around index: Int, in text: [UInt8], to end: Int) -> Range<Int> {
        var start = index
        while start > 0, text[start] != UInt8(ascii: "{") { start -= 1 }
        let close = text.firstIndex(of: UInt8(ascii: "}"), in: index..<end) ?? end
        return start..<close
    }

    /// Line ends and the backslashes of a string inside a string go.
    private static func unescaped(_ text: [UInt8]) -> [UInt8] {
        text.filter { $0 != UInt8(ascii: "\n") && $0 != UInt8(ascii: "\r") && $0 != UInt8(ascii: "\\") }
    }

    /// The string, or the first string of the array, behind the name.
    private static func value(
        of name: StaticString, in text: [UInt8], _ range: Range<Int>
    ) -> (text: [UInt8], start: Int, end: Int)? {
        var start = range.lowerBound
        while let quote = text.firstIndex(of: UInt8(ascii: "\""), in: start..<range.upperBound) {
            start = quote + 1
            guard text.holds(name, at: quote, before: range.upperBound) else { continue }
            let open = quote + name.utf8CodeUnitCount
            guard let from = text.firstIndex(of: UInt8(ascii: "\""), in: open..<range.upperBound),
                let to = text.firstIndex(of: UInt8(ascii: "\""), in: (from + 1)..<range.upperBound)
            else { return nil }
            return (Array(text[(from + 1)..<to]), quote, to + 1)
        }
        return nil
    }
}

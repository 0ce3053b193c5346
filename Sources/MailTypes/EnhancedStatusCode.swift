/// A mail system status code such as `5.1.1` (RFC 3463 §2).
package struct EnhancedStatusCode: Hashable, Sendable, CustomStringConvertible {
    /// 2 success, 4 persistent transient failure, 5 permanent failure.
    package let statusClass: UInt8
    /// 0…999
    package let subject: UInt16
    /// 0…999
    package let detail: UInt16

    package init?(statusClass: UInt8, subject: UInt16, detail: UInt16) {
        guard [2, 4, 5].contains(statusClass), subject <= 999, detail <= 999 else { return nil }
        self.statusClass = statusClass
        self.subject = subject
        self.detail = detail
    }

    /// Reads the code at the start of `text`. No digit may follow it, nor a dot and a digit, so that an address such as
    /// `5.1.1.1` is not taken for a code. The full stop that some servers put after it is passed over.
    package init?(leading text: some Collection<UInt8>) {
        var numbers: [UInt16] = []
        var rest = text[...]
        while numbers.count < 3 {
            let digits = rest.prefix { (0x30...0x39).contains($0) }
            guard (1...3).contains(digits.count) else { return nil }
            numbers.append(digits.reduce(0) { $0 * 10 + UInt16($1 - 0x30) })
            rest = rest.dropFirst(digits.count)
            guard numbers.count < 3 else { break }
            guard rest.first == UInt8(ascii: ".") else { return nil }
            rest = rest.dropFirst()
        }
        if rest.first == UInt8(ascii: ".") { rest = rest.dropFirst() }
        if let next = rest.first, (0x30...0x39).contains(next) { return nil }
        guard numbers[0] <= 9 else { return nil }
        self.init(statusClass: UInt8(numbers[0]), subject: numbers[1], detail: numbers[2])
    }

    package init?(_ text: String) {
        let bytes = Array(text.utf8)
        self.init(leading: bytes)
        guard description.utf8.count == bytes.count else { return nil }
    }

    package var description: String { "\(statusClass).\(subject).\(detail)" }
}

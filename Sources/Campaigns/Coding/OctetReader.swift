import MailTypes

/// Reads what ``OctetWriter`` wrote. The data was sealed, so a fault means that program and database do not match.
package struct OctetReader {
    private let bytes: [UInt8]
    private var position = 0

    package init(_ bytes: [UInt8]) { self.bytes = bytes }

    package var isAtEnd: Bool { position == bytes.count }

    package mutating func octet() throws(CampaignError) -> UInt8 {
        guard position < bytes.count else { throw Self.malformed }
        defer { position += 1 }
        return bytes[position]
    }

    package mutating func number<Value: FixedWidthInteger>(_ type: Value.Type = Value.self) throws(CampaignError)
        -> Value
    {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            let octet = try octet()
            guard shift < 63 || octet <= 1 else { throw Self.malformed }
            value |= UInt64(octet & 0x7F) << shift
            guard octet & 0x80 != 0 else { break }
            shift += 7
            guard shift <= 63 else { throw Self.malformed }
        }
        guard let result = Value(exactly: value) else { throw Self.malformed }
        return result
    }

    package mutating func index() throws(CampaignError) -> Int32 { Int32(bitPattern: try number(UInt32.self)) }

    mutating func text() throws(CampaignError) -> String {
        let count = try number(Int.self)
        guard count <= bytes.count - position else { throw Self.malformed }
        defer { position += count }
        return String(decoding: bytes[position..<(position + count)], as: UTF8.self)
    }

    package mutating func octets(_ count: Int) throws(CampaignError) -> [UInt8] {
        guard count <= bytes.count - position else { throw Self.malformed }
        defer { position += count }
        return Array(bytes[position..<(position + count)])
    }

    mutating func reply() throws(CampaignError) -> RecipientReply {
        let code = try number(UInt16.self)
        let statusClass = try octet()
        guard statusClass != 0 else { return RecipientReply(code: code, enhanced: nil, text: try text()) }
        let subject = try number(UInt16.self)
        let detail = try number(UInt16.self)
        guard let enhanced = EnhancedStatusCode(statusClass: statusClass, subject: subject, detail: detail) else {
            throw Self.malformed
        }
        return RecipientReply(code: code, enhanced: enhanced, text: try text())
    }

    static let malformed = CampaignError(.malformedRecord, "a stored record cannot be read by this version")
}

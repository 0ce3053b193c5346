import MailTypes

/// The stored form of a batch's results, before sealing: version, count, then index, outcome (0: deferred; the high bit says
/// that it was in doubt) and reply of each.
extension RecipientResult {
    private static let version: UInt8 = 1
    private static let inDoubtBit: UInt8 = 0x80

    static func encode(_ results: [RecipientResult]) -> [UInt8] {
        var writer = OctetWriter(reserving: 8 + results.count * 48)
        writer.octet(version)
        writer.number(UInt64(results.count))
        for result in results {
            writer.index(result.index)
            writer.octet(UInt8(result.outcome?.rawValue ?? 0) | (result.wasInDoubt ? inDoubtBit : 0))
            writer.reply(result.reply)
        }
        return writer.bytes
    }

    static func decode(_ bytes: [UInt8]) throws(CampaignError) -> [RecipientResult] {
        var reader = OctetReader(bytes)
        guard try reader.octet() == version else { throw OctetReader.malformed }
        let count = try reader.number(Int.self)
        var results: [RecipientResult] = []
        results.reserveCapacity(min(count, bytes.count))
        for _ in 0..<count {
            let index = try reader.index()
            let octet = try reader.octet()
            let number = Int16(octet & ~inDoubtBit)
            let outcome = Outcome(rawValue: number)
            guard number == 0 || outcome != nil else { throw OctetReader.malformed }
            var result = RecipientResult(index: index, outcome: outcome, reply: try reader.reply())
            result.wasInDoubt = octet & inDoubtBit != 0
            results.append(result)
        }
        guard reader.isAtEnd else { throw OctetReader.malformed }
        return results
    }
}

import MailTypes
import Testing

@Suite struct TLSARecordTests {
    @Test func `every usable form is read`() throws {
        for usage in [UInt8(2), 3] {
            for selector in [UInt8(0), 1] {
                for (matching, count) in [(UInt8(0), 1), (0, 900), (1, 32), (2, 64)] {
                    let wire = [usage, selector, matching] + [UInt8](repeating: 0xA5, count: count)
                    let record = try #require(TLSARecord(wire: wire))
                    #expect(
                        [record.usage.rawValue, record.selector.rawValue, record.matching.rawValue] == wire.prefix(3))
                    #expect(record.data.count == count)
                }
            }
        }
        let record = TLSARecord(wire: [3, 1, 1] + (0..<32))
        #expect(record?.description == "3 1 1 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f")
    }

    @Test(arguments: [
        [], [3], [3, 1, 1], [3, 1, 0], [0, 1, 1] + [UInt8](repeating: 1, count: 32),
        [1, 1, 1] + [UInt8](repeating: 1, count: 32), [4, 1, 1] + [UInt8](repeating: 1, count: 32),
        [255, 1, 1] + [UInt8](repeating: 1, count: 32), [3, 2, 1] + [UInt8](repeating: 1, count: 32),
        [3, 1, 3] + [UInt8](repeating: 1, count: 32), [3, 1, 1] + [UInt8](repeating: 1, count: 31),
        [3, 1, 1] + [UInt8](repeating: 1, count: 64), [3, 1, 2] + [UInt8](repeating: 1, count: 32),
    ])
    func `unusable ones are not`(wire: [UInt8]) {
        #expect(TLSARecord(wire: wire) == nil)
    }
}

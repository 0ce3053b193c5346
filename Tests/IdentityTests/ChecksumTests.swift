import Testing

@testable import Identity

@Suite struct ChecksumTests {
    /// The check value of the algorithm's catalogue, and two texts computed with zlib.
    @Test(arguments: [("123456789", 0xCBF4_3926), ("", 0), ("sl_live_", 0x5FFD_3009)] as [(String, UInt32)])
    func checksums_are_those_of_gzip(text: String, checksum: UInt32) {
        #expect(CRC32.checksum(text.utf8) == checksum)
    }

    @Test(arguments: [(0, "000"), (61, "00z"), (62, "010"), (62 * 62 * 62, "000")] as [(UInt64, String)])
    func numbers_have_leading_zeros(number: UInt64, text: String) {
        #expect(Base62.text(number, digits: 3) == text)
    }
}

/// A report as it lies in a mail: bare, in gzip (RFC 1952), or as the first file of a ZIP archive.
enum PackedFile {
    /// - Parameter limit: octets of what is inside.
    /// - Returns: nil where it is damaged, encrypted, packed in another way, or longer than `limit`.
    static func contents(_ octets: [UInt8], limit: Int) -> [UInt8]? {
        if octets.starts(with: [0x1F, 0x8B]) { return gzip(octets, limit) }
        if octets.starts(with: [0x50, 0x4B, 0x03, 0x04]) { return zip(octets, limit) }
        return octets.count <= limit ? octets : nil
    }

    private static func gzip(_ octets: [UInt8], _ limit: Int) -> [UInt8]? {
        guard octets.count >= 18, octets[2] == 8 else { return nil }
        let flags = octets[3]
        guard flags & 0xE0 == 0 else { return nil }
        var start = 10
        if flags & 0x04 != 0 {
            guard let length = octets.little(16, at: start) else { return nil }
            start += 2 + length
        }
        // A name, a comment.
        for flag in [UInt8(0x08), 0x10] where flags & flag != 0 {
            guard start < octets.count, let end = octets[start...].firstIndex(of: 0) else { return nil }
            start = end + 1
        }
        if flags & 0x02 != 0 { start += 2 }
        guard start < octets.count, let inflated = Inflater.inflate(octets, from: start, limit: limit),
            octets.little(32, at: inflated.end) == CRC32.of(inflated.octets),
            octets.little(32, at: inflated.end + 4) == inflated.octets.count
        else { return nil }
        return inflated.octets
    }

    private static func zip(_ octets: [UInt8], _ limit: Int) -> [UInt8]? {
        guard let flags = octets.little(16, at: 6), let method = octets.little(16, at: 8),
            let check = octets.little(32, at: 14), let packed = octets.little(32, at: 18),
            let nameLength = octets.little(16, at: 26), let extraLength = octets.little(16, at: 28), flags & 1 == 0
        else { return nil }
        let start = 30 + nameLength + extraLength
        // With this flag the sizes stand behind the data.
        let isOpen = flags & 8 != 0
        guard start <= octets.count else { return nil }
        switch method {
        case 0:
            guard !isOpen, packed <= limit, start + packed <= octets.count else { return nil }
            let found = Array(octets[start..<(start + packed)])
            return CRC32.of(found) == check ? found : nil
        case 8:
            guard let inflated = Inflater.inflate(octets, from: start, limit: limit) else { return nil }
            let sum = CRC32.of(inflated.octets)
            guard isOpen else { return sum == check ? inflated.octets : nil }
            // The data's description may have a signature before it.
            let end = inflated.end
            let told = octets.little(32, at: octets.little(32, at: end) == 0x0807_4B50 ? end + 4 : end)
            return told == sum ? inflated.octets : nil
        default: return nil
        }
    }
}

/// As gzip and ZIP count it (RFC 1952 §8).
enum CRC32 {
    static func of(_ octets: [UInt8]) -> Int {
        var sum: UInt32 = 0xFFFF_FFFF
        for octet in octets { sum = table[Int((sum ^ UInt32(octet)) & 0xFF)] ^ (sum >> 8) }
        return Int(sum ^ 0xFFFF_FFFF)
    }

    private static let table: [UInt32] = (0..<256).map { place in
        (0..<8).reduce(UInt32(place)) { value, _ in value & 1 == 1 ? 0xEDB8_8320 ^ (value >> 1) : value >> 1 }
    }
}

extension [UInt8] {
    /// An unsigned number with its least octet first; nil where it is cut off.
    fileprivate func little(_ bits: Int, at index: Int) -> Int? {
        guard index >= 0, index + bits / 8 <= count else { return nil }
        return (0..<(bits / 8)).reduce(0) { $0 | Int(self[index + $1]) << (8 * $1) }
    }
}

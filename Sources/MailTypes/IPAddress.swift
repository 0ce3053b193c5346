/// An IPv4 or IPv6 address.
///
///     IPAddress("192.0.2.1")?.isGlobal      // false: documentation
///     IPAddress("2A00:0:0::1")?.description // "2a00::1"
package enum IPAddress: Hashable, Sendable, CustomStringConvertible {
    /// The 32 bits, first octet highest.
    case v4(UInt32)
    /// The 128 bits in two halves, first octet highest.
    case v6(high: UInt64, low: UInt64)

    /// Reads the text form: four decimal numbers without leading zeros (the strict reading of RFC 6943 §3.1.1), or the
    /// forms of RFC 4291 §2.2. Zones (`%eth0`), brackets, prefixes and surrounding space are refused.
    package init?(_ text: some StringProtocol) {
        let bytes = Array(text.utf8)
        if bytes.contains(UInt8(ascii: ":")) {
            guard let groups = Self.parseVersion6(bytes[...]) else { return nil }
            self = .v6(high: Self.joined(groups[0..<4]), low: Self.joined(groups[4..<8]))
        } else {
            guard let bits = Self.parseVersion4(bytes[...]) else { return nil }
            self = .v4(bits)
        }
    }

    /// - Parameter bytes: four or sixteen octets in network order, as in the data of an A or AAAA record.
    package init?(bytes: some Collection<UInt8>) {
        switch bytes.count {
        case 4:
            self = .v4(bytes.reduce(0) { $0 << 8 | UInt32($1) })
        case 16:
            self = .v6(
                high: bytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) },
                low: bytes.dropFirst(8).reduce(0) { $0 << 8 | UInt64($1) })
        default:
            return nil
        }
    }

    /// Four or sixteen octets in network order.
    package var bytes: [UInt8] {
        switch self {
        case .v4(let bits):
            (0..<4).map { UInt8(truncatingIfNeeded: bits >> (24 - 8 * $0)) }
        case .v6(let high, let low):
            [high, low].flatMap { half in (0..<8).map { UInt8(truncatingIfNeeded: half >> (56 - 8 * $0)) } }
        }
    }

    package var isVersion6: Bool {
        if case .v6 = self { true } else { false }
    }

    /// 127.0.0.0/8 or ::1.
    package var isLoopback: Bool {
        switch self {
        case .v4(let bits): bits >> 24 == 127
        case .v6(let high, let low): high == 0 && low == 1
        }
    }

    /// The canonical text: RFC 5952 for IPv6.
    package var description: String {
        switch self {
        case .v4(let bits): Self.dotted(bits)
        case .v6(let high, let low): Self.canonical(high: high, low: low)
        }
    }
}

extension IPAddress {
    private static func parseVersion4(_ bytes: ArraySlice<UInt8>) -> UInt32? {
        let parts = bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var bits: UInt32 = 0
        for part in parts {
            guard (1...3).contains(part.count), part.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
            // Some parsers read a leading zero as octal, so a text with one means two addresses.
            guard part.count == 1 || part.first != UInt8(ascii: "0") else { return nil }
            let value = part.reduce(UInt32(0)) { $0 * 10 + UInt32($1 - 0x30) }
            guard value <= 255 else { return nil }
            bits = bits << 8 | value
        }
        return bits
    }

    /// Eight groups, or nil.
    private static func parseVersion6(_ bytes: ArraySlice<UInt8>) -> [UInt16]? {
        var gap: Int?
        for index in bytes.indices.dropLast()
        where bytes[index] == UInt8(ascii: ":") && bytes[index + 1] == bytes[index] {
            guard gap == nil else { return nil }
            gap = index
        }
        guard let gap else {
            guard let groups = parseGroups(bytes), groups.count == 8 else { return nil }
            return groups
        }
        let left = bytes[..<gap]
        let right = bytes[(gap + 2)...]
        // Dotted decimal may only stand at the very end.
        guard let front = left.isEmpty ? [] : parseGroups(left), !left.contains(UInt8(ascii: ".")) else { return nil }
        guard let back = right.isEmpty ? [] : parseGroups(right), front.count + back.count <= 7 else { return nil }
        return front + Array(repeating: 0, count: 8 - front.count - back.count) + back
    }

    private static func parseGroups(_ bytes: ArraySlice<UInt8>) -> [UInt16]? {
        let parts = bytes.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        guard parts.count <= 8 else { return nil }
        var groups: [UInt16] = []
        for (index, part) in parts.enumerated() {
            if index == parts.count - 1, part.contains(UInt8(ascii: ".")) {
                guard let bits = parseVersion4(part) else { return nil }
                groups.append(UInt16(bits >> 16))
                groups.append(UInt16(truncatingIfNeeded: bits))
                continue
            }
            guard (1...4).contains(part.count) else { return nil }
            var group: UInt16 = 0
            for byte in part {
                guard let digit = hexadecimalDigit(byte) else { return nil }
                group = group << 4 | digit
            }
            groups.append(group)
        }
        return groups
    }

    private static func hexadecimalDigit(_ byte: UInt8) -> UInt16? {
        switch byte {
        case 0x30...0x39: UInt16(byte - 0x30)
        case 0x41...0x46: UInt16(byte - 0x41 + 10)
        case 0x61...0x66: UInt16(byte - 0x61 + 10)
        default: nil
        }
    }

    private static func joined(_ groups: ArraySlice<UInt16>) -> UInt64 {
        groups.reduce(0) { $0 << 16 | UInt64($1) }
    }

    private static func dotted(_ bits: UInt32) -> String {
        "\(bits >> 24).\(bits >> 16 & 255).\(bits >> 8 & 255).\(bits & 255)"
    }

    private static func canonical(high: UInt64, low: UInt64) -> String {
        // An IPv4-mapped address is easier to recognise in mixed notation (RFC 5952 §5).
        if high == 0, low >> 32 == 0xFFFF { return "::ffff:" + dotted(UInt32(truncatingIfNeeded: low)) }
        let groups = [high, low].flatMap { half in (0..<4).map { UInt16(truncatingIfNeeded: half >> (48 - 16 * $0)) } }
        func text(_ part: Range<Int>) -> String {
            groups[part].map { String($0, radix: 16) }.joined(separator: ":")
        }
        guard let zeros = longestZeroRun(groups) else { return text(0..<8) }
        return text(0..<zeros.lowerBound) + "::" + text(zeros.upperBound..<8)
    }

    /// The first of the longest runs of two or more zero groups (RFC 5952 §4.2).
    private static func longestZeroRun(_ groups: [UInt16]) -> Range<Int>? {
        var best = 0..<0
        var start = 0
        for end in 1...groups.count {
            if groups[end - 1] != 0 {
                start = end
            } else if end - start > best.count {
                best = start..<end
            }
        }
        return best.count >= 2 ? best : nil
    }
}

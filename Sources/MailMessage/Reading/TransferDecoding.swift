/// Content-Transfer-Encodings (RFC 2045 §6) read tolerantly: what belongs to none is passed over or kept.
enum TransferDecoding {
    /// Characters outside the alphabet are passed over; the first padding ends it.
    static func base64(_ octets: [UInt8], in range: Range<Int>, limit: Int) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(min(limit, range.count * 3 / 4 + 3))
        var bits: UInt32 = 0
        var count = 0
        for index in range {
            let value = base64Values[Int(octets[index])]
            if value == 0xFF {
                if octets[index] == UInt8(ascii: "=") { break }
                continue
            }
            bits = bits << 6 | UInt32(value)
            count += 1
            guard count == 4 else { continue }
            result.append(UInt8(truncatingIfNeeded: bits >> 16))
            result.append(UInt8(truncatingIfNeeded: bits >> 8))
            result.append(UInt8(truncatingIfNeeded: bits))
            count = 0
            guard result.count < limit else { break }
        }
        if count >= 2 { result.append(UInt8(truncatingIfNeeded: bits >> (count == 2 ? 4 : 10))) }
        if count == 3 { result.append(UInt8(truncatingIfNeeded: bits >> 2)) }
        return result
    }

    /// `=` that begins no octet stays as it is; blanks before a soft line break vanish.
    static func quotedPrintable(_ octets: [UInt8], in range: Range<Int>, limit: Int) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(min(limit, range.count))
        var index = range.lowerBound
        while index < range.upperBound, result.count < limit {
            let octet = octets[index]
            index += 1
            guard octet == UInt8(ascii: "=") else {
                result.append(octet)
                continue
            }
            if index + 1 < range.upperBound, let high = hexadecimal(octets[index]),
                let low = hexadecimal(octets[index + 1])
            {
                result.append(high << 4 | low)
                index += 2
            } else if let next = softLineBreak(octets, index, range.upperBound) {
                index = next
            } else {
                result.append(octet)
            }
        }
        return result
    }

    /// Where the next line begins, if only blanks stand before it.
    private static func softLineBreak(_ octets: [UInt8], _ start: Int, _ end: Int) -> Int? {
        var index = start
        while index < end, octets[index].isBlank {
            if octets[index] == UInt8(ascii: "\n") { return index + 1 }
            index += 1
        }
        return index == end ? end : nil
    }

    static func hexadecimal(_ octet: UInt8) -> UInt8? {
        switch octet {
        case 0x30...0x39: octet - 0x30
        case 0x41...0x46: octet - 0x37
        case 0x61...0x66: octet - 0x57
        default: nil
        }
    }

    private static let base64Values: [UInt8] = {
        var values = [UInt8](repeating: 0xFF, count: 256)
        let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
        for (value, character) in alphabet.utf8.enumerated() { values[Int(character)] = UInt8(value) }
        return values
    }()
}

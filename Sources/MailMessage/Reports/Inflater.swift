/// Reads DEFLATE (RFC 1951) up to a bound. Reports come from anybody: what is longer than the bound is refused, so that a
/// small file cannot fill the memory.
struct Inflater {
    private let octets: [UInt8]
    private let limit: Int
    private var position: Int
    private var bits: UInt32 = 0
    private var bitCount: UInt32 = 0
    private var output: [UInt8] = []

    /// What was packed, and where the packed data ends.
    struct Result {
        let octets: [UInt8]
        let end: Int
    }

    /// - Parameters:
    ///   - start: of the packed data.
    ///   - limit: octets of what was packed.
    /// - Returns: nil where the data is none, is cut off, or holds more than `limit`.
    static func inflate(_ octets: [UInt8], from start: Int, limit: Int) -> Result? {
        var inflater = Inflater(octets, start, limit)
        guard inflater.run() else { return nil }
        return Result(octets: inflater.output, end: inflater.position)
    }

    private init(_ octets: [UInt8], _ start: Int, _ limit: Int) {
        self.octets = octets
        self.limit = limit
        position = start
    }

    private mutating func run() -> Bool {
        while true {
            guard let isLast = take(1), let kind = take(2) else { return false }
            let isRead =
                switch kind {
                case 0: stored()
                case 1: coded(Self.fixedLiterals, Self.fixedDistances)
                case 2: dynamic()
                default: false
                }
            guard isRead else { return false }
            if isLast == 1 { return true }
        }
    }

    private mutating func take(_ count: UInt32) -> Int? {
        while bitCount < count {
            guard position < octets.count else { return nil }
            bits |= UInt32(octets[position]) << bitCount
            bitCount += 8
            position += 1
        }
        let value = bits & ((1 << count) - 1)
        bits >>= count
        bitCount -= count
        return Int(value)
    }

    private mutating func stored() -> Bool {
        // Whole octets that were taken ahead go back; there are none, as bits are taken one octet at a time.
        (bits, bitCount) = (0, 0)
        guard position + 4 <= octets.count else { return false }
        let length = Int(octets[position]) | Int(octets[position + 1]) << 8
        let check = Int(octets[position + 2]) | Int(octets[position + 3]) << 8
        position += 4
        guard length ^ check == 0xFFFF, position + length <= octets.count, output.count + length <= limit else {
            return false
        }
        output += octets[position..<(position + length)]
        position += length
        return true
    }

    private mutating func dynamic() -> Bool {
        guard let literals = take(5), let distances = take(5), let codes = take(4), literals <= 29, distances <= 29
        else {
            return false
        }
        var lengths = [UInt8](repeating: 0, count: 19)
        for place in 0..<(codes + 4) {
            guard let length = take(3) else { return false }
            lengths[Self.codeOrder[place]] = UInt8(length)
        }
        guard let code = HuffmanCode(lengths) else { return false }
        let wanted = literals + 257 + distances + 1
        var all: [UInt8] = []
        while all.count < wanted {
            guard let symbol = decode(code) else { return false }
            switch symbol {
            case ..<16: all.append(UInt8(symbol))
            case 16:
                guard let last = all.last, let more = take(2) else { return false }
                all += repeatElement(last, count: more + 3)
            case 17:
                guard let more = take(3) else { return false }
                all += repeatElement(UInt8(0), count: more + 3)
            default:
                guard let more = take(7) else { return false }
                all += repeatElement(UInt8(0), count: more + 11)
            }
        }
        guard all.count == wanted, all[256] != 0, let first = HuffmanCode(Array(all[..<(literals + 257)])),
            let second = HuffmanCode(Array(all[(literals + 257)...]))
        else { return false }
        return coded(first, second)
    }

    private mutating func coded(_ literals: HuffmanCode, _ distances: HuffmanCode) -> Bool {
        while true {
            guard let symbol = decode(literals) else { return false }
            if symbol < 256 {
                guard output.count < limit else { return false }
                output.append(UInt8(symbol))
            } else if symbol == 256 {
                return true
            } else {
                guard symbol <= 285, let more = take(Self.lengthBits[symbol - 257]), let far = decode(distances),
                    far < 30,
                    let further = take(Self.distanceBits[far])
                else { return false }
                let length = Self.lengthBases[symbol - 257] + more
                let distance = Self.distanceBases[far] + further
                guard distance <= output.count, output.count + length <= limit else { return false }
                for _ in 0..<length { output.append(output[output.count - distance]) }
            }
        }
    }

    private mutating func decode(_ code: HuffmanCode) -> Int? {
        var (value, first, index) = (0, 0, 0)
        for length in 1...15 {
            guard let bit = take(1) else { return nil }
            value |= bit
            let count = code.counts[length]
            if value - count < first { return code.symbols[index + value - first] }
            index += count
            first = (first + count) << 1
            value <<= 1
        }
        return nil
    }

    private static let codeOrder = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15]
    private static let lengthBases = [
        3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227,
        258,
    ]
    private static let lengthBits: [UInt32] = [
        0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0,
    ]
    private static let distanceBases = [
        1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1_025, 1_537, 2_049, 3_073,
        4_097,
        6_145, 8_193, 12_289, 16_385, 24_577,
    ]
    private static let distanceBits: [UInt32] = [
        0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13,
    ]
    private static let fixedLiterals = HuffmanCode(
        (0..<288).map { $0 < 144 ? 8 : $0 < 256 ? 9 : $0 < 280 ? 7 : 8 })!
    private static let fixedDistances = HuffmanCode([UInt8](repeating: 5, count: 30))!
}

/// A canonical Huffman code (RFC 1951 §3.2.2).
private struct HuffmanCode {
    /// How many codes have each length.
    let counts: [Int]
    /// In the order of their codes.
    let symbols: [Int]

    /// - Returns: nil where there are more codes than fit.
    init?(_ lengths: [UInt8]) {
        var counts = [Int](repeating: 0, count: 16)
        for length in lengths { counts[Int(length)] += 1 }
        counts[0] = 0
        var left = 1
        for length in 1...15 {
            left = left << 1 - counts[length]
            guard left >= 0 else { return nil }
        }
        var offsets = [Int](repeating: 0, count: 17)
        for length in 1...15 { offsets[length + 1] = offsets[length] + counts[length] }
        var symbols = [Int](repeating: 0, count: lengths.count)
        for (symbol, length) in lengths.enumerated() where length != 0 {
            symbols[offsets[Int(length)]] = symbol
            offsets[Int(length)] += 1
        }
        self.counts = counts
        self.symbols = symbols
    }
}

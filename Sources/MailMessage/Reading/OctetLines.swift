import Glibc

/// The lines of octets, each without its line end: LF, or CR LF.
package struct OctetLines: Sequence, IteratorProtocol {
    private let octets: [UInt8]
    private let end: Int
    /// Where the next line begins.
    package private(set) var position: Int

    package init(_ octets: [UInt8], in range: Range<Int>) {
        self.octets = octets
        position = range.lowerBound
        end = range.upperBound
    }

    package mutating func next() -> Range<Int>? {
        guard position < end else { return nil }
        let start = position
        let feed = octets.lineFeed(in: start..<end)
        position = feed.map { $0 + 1 } ?? end
        var last = feed ?? end
        if last > start, octets[last - 1] == UInt8(ascii: "\r") { last -= 1 }
        return start..<last
    }
}

extension [UInt8] {
    /// The index of the first LF in `range`.
    func lineFeed(in range: Range<Int>) -> Int? { firstIndex(of: UInt8(ascii: "\n"), in: range) }

    /// The index of the first `octet` in `range`, found by the C library, which is many times faster than a loop.
    package func firstIndex(of octet: UInt8, in range: Range<Int>) -> Int? {
        guard !range.isEmpty else { return nil }
        return withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress,
                let found = memchr(base + range.lowerBound, Int32(octet), range.count)
            else { return nil }
            return UnsafeRawPointer(found) - base
        }
    }

    /// Whether `text`, in small letters, stands at `index`, in any case.
    package func holds(_ text: StaticString, at index: Int, before end: Int) -> Bool {
        let count = text.utf8CodeUnitCount
        guard index + count <= end else { return false }
        let wanted = UnsafeBufferPointer(start: text.utf8Start, count: count)
        for offset in 0..<count where self[index + offset].inLowerCase != wanted[offset] { return false }
        return true
    }

    /// `range` without spaces, tabs and line ends around it.
    package func trimmed(_ range: Range<Int>) -> Range<Int> {
        var start = range.lowerBound
        var end = range.upperBound
        while start < end, self[start].isBlank { start += 1 }
        while end > start, self[end - 1].isBlank { end -= 1 }
        return start..<end
    }
}

extension UInt8 {
    /// A letter of ASCII in small, anything else as it is.
    package var inLowerCase: UInt8 { (0x41...0x5A).contains(self) ? self | 0x20 : self }

    /// Space, tab or part of a line end.
    package var isBlank: Bool { self == 0x20 || (0x09...0x0D).contains(self) }
}

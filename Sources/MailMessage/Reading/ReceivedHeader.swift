/// A header as it came: fields by place, read when asked for.
package struct ReceivedHeader: Sendable {
    struct Field: Sendable {
        let name: Range<Int>
        /// Without the colon, with its folds.
        let value: Range<Int>
        let nameHash: UInt32
    }

    let octets: [UInt8]
    let fields: [Field]

    package var isEmpty: Bool { fields.isEmpty }

    /// The value of the first field of this name, unfolded; nil where there is none.
    ///
    /// - Parameter name: in small letters
    package func first(_ name: StaticString) -> [UInt8]? {
        index(of: name).map { unfolded(fields[$0].value) }
    }

    /// The values of all fields of this name, unfolded.
    package func all(_ name: StaticString) -> [[UInt8]] {
        let hash = Self.hash(of: name)
        return fields.filter { isNamed($0, name, hash) }.map { unfolded($0.value) }
    }

    package func has(_ name: StaticString) -> Bool { index(of: name) != nil }

    /// The value of the first field of this name with its encoded words (RFC 2047) decoded, in UTF-8.
    package func text(_ name: StaticString) -> [UInt8]? {
        first(name).map { EncodedWordReader.decode($0) }
    }

    private func index(of name: StaticString) -> Int? {
        let hash = Self.hash(of: name)
        return fields.firstIndex { isNamed($0, name, hash) }
    }

    private func isNamed(_ field: Field, _ name: StaticString, _ hash: UInt32) -> Bool {
        field.nameHash == hash && field.name.count == name.utf8CodeUnitCount
            && octets.holds(name, at: field.name.lowerBound, before: field.name.upperBound)
    }

    /// Line ends vanish; blanks at them become one space.
    private func unfolded(_ range: Range<Int>) -> [UInt8] {
        let range = octets.trimmed(
            range.lowerBound..<min(range.upperBound, range.lowerBound + ReadingLimits.fieldOctets))
        guard octets.lineFeed(in: range) != nil else { return Array(octets[range]) }
        var value: [UInt8] = []
        value.reserveCapacity(range.count)
        for line in OctetLines(octets, in: range) {
            let line = octets.trimmed(line)
            guard !line.isEmpty else { continue }
            if !value.isEmpty { value.append(0x20) }
            value += octets[line]
        }
        return value
    }

    private static func hash(of name: StaticString) -> UInt32 {
        var hash: UInt32 = 2_166_136_261
        for octet in UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount) {
            hash = mixed(hash, octet)
        }
        return hash
    }

    /// One step of FNV-1a, without regard to case.
    static func mixed(_ hash: UInt32, _ octet: UInt8) -> UInt32 { (hash ^ UInt32(octet.inLowerCase)) &* 16_777_619 }
}

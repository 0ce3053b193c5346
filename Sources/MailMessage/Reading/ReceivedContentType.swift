/// The Content-Type of a part (RFC 2045 §5), as far as reading needs it.
package struct ReceivedContentType: Sendable {
    /// `type/subtype` in small letters; `text/plain` where nothing is said, empty where what is said is no name.
    package private(set) var mediaType = "text/plain"
    package private(set) var boundary: [UInt8]?
    package private(set) var charset: String?
    /// RFC 6522 §3
    package private(set) var reportType: String?

    init() {}

    init(_ value: [UInt8]) {
        var index = 0
        let type = Self.token(value, &index)
        if type.contains(UInt8(ascii: "/")) { mediaType = Self.name(type) }
        while index < value.count {
            guard value[index] == UInt8(ascii: ";") || value[index].isBlank else {
                index += 1
                continue
            }
            index += 1
            let name = Self.name(Self.token(value, &index))
            guard index < value.count, value[index] == UInt8(ascii: "=") else { continue }
            index += 1
            set(name, Self.parameterValue(value, &index))
        }
    }

    /// The first of a name counts. `name*0` and `name*` (RFC 2231) are read as `name`; further pieces are appended.
    private mutating func set(_ name: String, _ value: [UInt8]) {
        switch name {
        case "boundary", "boundary*0", "boundary*": boundary = boundary ?? value
        case _ where name.hasPrefix("boundary*"): boundary? += value
        case "charset", "charset*0", "charset*": charset = charset ?? Self.name(value)
        case "report-type": reportType = reportType ?? Self.name(value)
        default: break
        }
    }

    private static func token(_ value: [UInt8], _ index: inout Int) -> [UInt8] {
        while index < value.count, value[index].isBlank { index += 1 }
        let start = index
        while index < value.count, !value[index].isBlank, value[index] != UInt8(ascii: ";"),
            value[index] != UInt8(ascii: "=")
        { index += 1 }
        let token = value[start..<index]
        while index < value.count, value[index].isBlank, index + 1 < value.count,
            value[index + 1] == UInt8(ascii: "=") || value[index + 1].isBlank
        { index += 1 }
        return Array(token)
    }

    private static func parameterValue(_ value: [UInt8], _ index: inout Int) -> [UInt8] {
        while index < value.count, value[index].isBlank { index += 1 }
        guard index < value.count, value[index] == UInt8(ascii: "\"") else {
            let start = index
            while index < value.count, !value[index].isBlank, value[index] != UInt8(ascii: ";") { index += 1 }
            return Array(value[start..<index])
        }
        index += 1
        var result: [UInt8] = []
        while index < value.count, value[index] != UInt8(ascii: "\"") {
            if value[index] == UInt8(ascii: "\\"), index + 1 < value.count { index += 1 }
            result.append(value[index])
            index += 1
        }
        index += 1
        return result
    }

    /// In small letters; empty where it is no name: Swift compares other Strings in time that grows with the square of
    /// their length.
    private static func name(_ octets: [UInt8]) -> String {
        guard octets.count <= ReadingLimits.nameOctets, octets.allSatisfy({ $0 < 0x80 }) else { return "" }
        return String(decoding: octets.map(\.inLowerCase), as: UTF8.self)
    }
}

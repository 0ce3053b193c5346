import FoundationEssentials

/// Turns the octets of an upload into UTF-8 as they come. What is no character in its charset comes out as an octet that
/// is none in UTF-8 either, so that the line it stands in is refused like any other bad text.
///
/// A mark at the start (RFC 3629 §6, RFC 2781 §3.2) decides, then what the client said, then, for UTF-16 without a mark,
/// the zero octets of its first two characters.
struct CharsetDecoder {
    private enum State {
        case opening([UInt8])
        case utf8
        case table([[UInt8]])
        case utf16(UTF16Decoder)
    }

    private var state = State.opening([])
    private let said: Charset?
    /// Which it is; what was said, or UTF-8, until the first octets are read.
    private(set) var charset: Charset
    /// What the first octets show the upload to be, where that is no text at all.
    private(set) var binary: BinaryFormat?

    static let notACharacter: UInt8 = 0xFF

    init(_ said: Charset?) {
        self.said = said
        charset = said ?? .utf8
    }

    /// - Parameter output: what UTF-8 is appended to, perhaps none yet.
    mutating func decode(_ chunk: some DataProtocol, into output: inout [UInt8]) {
        switch state {
        case .opening(let first):
            let first = first + Array(chunk)
            guard first.count >= 4 else {
                state = .opening(first)
                return
            }
            open(first)
            decode(withoutMark(first), into: &output)
        case .utf8:
            output.append(contentsOf: chunk)
        case .table(let table):
            for octet in chunk {
                let character = table[Int(octet)]
                if character.isEmpty { output.append(Self.notACharacter) } else { output.append(contentsOf: character) }
            }
        case .utf16(var decoder):
            decoder.decode(chunk, into: &output)
            state = .utf16(decoder)
        }
    }

    /// No more octets follow.
    mutating func end(into output: inout [UInt8]) {
        if case .opening(let first) = state {
            open(first)
            decode(withoutMark(first), into: &output)
        }
        if case .utf16(let decoder) = state, decoder.isIncomplete { output.append(Self.notACharacter) }
    }

    private mutating func open(_ first: [UInt8]) {
        binary = BinaryFormat(first)
        charset = Self.marked(first) ?? Self.unmarked(first, said) ?? .utf8
        if charset == .utf16LittleEndian || charset == .utf16BigEndian {
            state = .utf16(UTF16Decoder(isBigEndian: charset == .utf16BigEndian))
        } else if let table = charset.table() {
            state = .table(table)
        } else {
            state = .utf8
        }
    }

    private func withoutMark(_ first: [UInt8]) -> ArraySlice<UInt8> {
        guard Self.marked(first) != nil else { return first[...] }
        return first.dropFirst(charset == .utf8 ? 3 : 2)
    }

    private static func marked(_ first: [UInt8]) -> Charset? {
        if first.starts(with: [0xEF, 0xBB, 0xBF]) { return .utf8 }
        if first.starts(with: [0xFF, 0xFE]) { return .utf16LittleEndian }
        if first.starts(with: [0xFE, 0xFF]) { return .utf16BigEndian }
        return nil
    }

    /// - Parameter said: UTF-16 without its order is little-endian where nothing tells: what writes it is Windows.
    private static func unmarked(_ first: [UInt8], _ said: Charset?) -> Charset? {
        guard said == nil || said == .utf8 || said == .utf16 else { return said }
        let zeros = first.prefix(4).map { $0 == 0 }
        if zeros == [false, true, false, true] { return .utf16LittleEndian }
        if zeros == [true, false, true, false] { return .utf16BigEndian }
        return said == .utf16 ? .utf16LittleEndian : said
    }
}

/// UTF-16 (RFC 2781) cut anywhere.
private struct UTF16Decoder {
    let isBigEndian: Bool
    private var half: UInt8?
    private var high: UInt16?

    init(isBigEndian: Bool) {
        self.isBigEndian = isBigEndian
    }

    var isIncomplete: Bool { half != nil || high != nil }

    mutating func decode(_ chunk: some DataProtocol, into output: inout [UInt8]) {
        for octet in chunk {
            guard let first = half else {
                half = octet
                continue
            }
            half = nil
            let unit = isBigEndian ? UInt16(first) << 8 | UInt16(octet) : UInt16(octet) << 8 | UInt16(first)
            take(unit, &output)
        }
    }

    private mutating func take(_ unit: UInt16, _ output: inout [UInt8]) {
        if let high {
            self.high = nil
            if UTF16.isTrailSurrogate(unit) {
                let scalar = 0x10000 + (UInt32(high) - 0xD800) << 10 + (UInt32(unit) - 0xDC00)
                Self.append(scalar, &output)
                return
            }
            output.append(CharsetDecoder.notACharacter)
        }
        if UTF16.isLeadSurrogate(unit) { high = unit } else { Self.append(UInt32(unit), &output) }
    }

    private static func append(_ value: UInt32, _ output: inout [UInt8]) {
        guard let scalar = Unicode.Scalar(value), let encoded = UTF8.encode(scalar) else {
            output.append(CharsetDecoder.notACharacter)
            return
        }
        output.append(contentsOf: encoded)
    }
}

/// What people send in place of a list, told by its first octets.
enum BinaryFormat: String {
    case zip = "a ZIP archive or a spreadsheet (XLSX, ODS)"
    case oldSpreadsheet = "a spreadsheet (XLS)"
    case pdf = "a PDF document"
    case gzip = "compressed (gzip)"

    init?(_ first: [UInt8]) {
        let known: [([UInt8], BinaryFormat)] = [
            ([0x50, 0x4B, 0x03, 0x04], .zip), ([0xD0, 0xCF, 0x11, 0xE0], .oldSpreadsheet),
            ([0x25, 0x50, 0x44, 0x46], .pdf), ([0x1F, 0x8B], .gzip),
        ]
        guard let found = known.first(where: { first.starts(with: $0.0) }) else { return nil }
        self = found.1
    }
}

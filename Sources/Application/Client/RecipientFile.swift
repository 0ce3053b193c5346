import Campaigns
import Foundation
import NIOCore

/// A list of recipients in pieces that fit memory. Its first octets tell its format, for names of files do not: a list
/// ends in `.txt` as often as not.
struct RecipientFile: AsyncSequence, Sendable {
    private let file: InputFile
    private let first: Data
    private let path: String
    /// As the server will read it.
    let form: UploadForm
    /// The media type, with the charset where one was said.
    let contentType: String

    /// - Throws: `CommandFailure` where the file cannot be read or is empty, or `charset` is no name.
    init(_ path: String, charset: String?) throws {
        file = try InputFile(path)
        self.path = path
        guard let first = try file.read() else { throw CommandFailure("\(path) is empty") }
        self.first = first
        let isJSON = Self.isJSON(first)
        let type = isJSON ? "application/x-ndjson" : "text/csv"
        guard let charset else {
            contentType = type
            form = UploadForm(isJSON ? .ndjson : .csv)
            return
        }
        guard !charset.isEmpty,
            charset.utf8.allSatisfy({ $0 < 0x80 && (isalnum(Int32($0)) != 0 || "-_:.".utf8.contains($0)) })
        else { throw CommandFailure("--charset \(charset) is not the name of a charset, such as windows-1252") }
        guard let known = Charset(label: charset) else {
            throw CommandFailure("--charset \(charset) is not read; UTF-8, UTF-16, windows-1252 and the like are")
        }
        contentType = "\(type); charset=\(charset)"
        form = UploadForm(isJSON ? .ndjson : .csv, charset: known)
    }

    /// The list once more from its start; nil where it can be read only once, as from a pipe.
    func again() throws -> InputFile? {
        let type =
            try? FileManager.default.attributesOfItem(
                atPath: URL(fileURLWithPath: path).resolvingSymlinksInPath().path)[.type] as? FileAttributeType
        return type == .typeRegular && path != "-" ? try InputFile(path) : nil
    }

    /// Whether the first character is a brace or bracket, past marks, blanks and the zeros of UTF-16.
    static func isJSON(_ octets: Data) -> Bool {
        let passed: Set<UInt8> = [0xEF, 0xBB, 0xBF, 0xFE, 0xFF, 0x00, 0x20, 0x09, 0x0A, 0x0D]
        let first = octets.first { !passed.contains($0) }
        return first == UInt8(ascii: "{") || first == UInt8(ascii: "[")
    }

    struct Iterator: AsyncIteratorProtocol {
        let file: InputFile
        var first: Data?

        mutating func next() async throws -> ByteBuffer? {
            if let first {
                self.first = nil
                return ByteBuffer(bytes: first)
            }
            return try file.read().map { ByteBuffer(bytes: $0) }
        }
    }

    func makeAsyncIterator() -> Iterator { Iterator(file: file, first: first) }
}

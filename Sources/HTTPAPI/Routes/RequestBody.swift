import Crypto
import HTTPTypes
import Hummingbird
import NIOCore

extension Request {
    /// The body in one piece.
    ///
    /// - Throws: ``Problem``: too large, broken off, or compressed.
    func wholeBody(limit: Int) async throws -> [UInt8] {
        // Refused before it is read, where it says how long it is.
        if let length = headers[.contentLength].flatMap({ Int($0) }), length > limit {
            throw Problem.tooLarge(limit: limit)
        }
        var bytes: [UInt8] = []
        for try await buffer in try plainBody() {
            guard bytes.count + buffer.count <= limit else { throw Problem.tooLarge(limit: limit) }
            bytes.append(contentsOf: buffer)
        }
        return bytes
    }

    /// The body as it comes.
    ///
    /// - Throws: ``Problem`` where it is compressed: what it would grow to has no bound.
    func plainBody() throws -> PlainBody {
        guard (headers[.contentEncoding] ?? "identity").lowercased() == "identity" else {
            throw Problem(
                .unsupportedMediaType, "unsupported_content_encoding", "Bodies are taken without Content-Encoding.")
        }
        return PlainBody(body: body)
    }
}

/// A request's body, chunk by chunk. It ends only where the client ended it: a body that breaks off is an error.
struct PlainBody: AsyncSequence, Sendable {
    let body: RequestBody

    struct AsyncIterator: AsyncIteratorProtocol {
        var base: RequestBody.AsyncIterator

        @concurrent
        mutating func next() async throws -> ByteBufferView? {
            do {
                return try await base.next()?.readableBytesView
            } catch is CancellationError {
                throw CancellationError()
            } catch {
                // The connection ended, or what it carried stopped being HTTP. Nobody may be left to hear of it.
                throw Problem.bodyIncomplete
            }
        }
    }

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(base: body.makeAsyncIterator()) }

    /// The digest of a body that is read only to be compared with an earlier one.
    func sha256() async throws -> [UInt8] {
        var hash = SHA256()
        for try await chunk in self { hash.update(data: chunk) }
        return Array(hash.finalize())
    }
}

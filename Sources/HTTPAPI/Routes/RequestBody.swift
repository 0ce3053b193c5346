import HTTPTypes
import Hummingbird
import NIOCore

extension Request {
    /// The body in one piece. It counts among the open ones until the request is done.
    ///
    /// - Throws: ``Problem``: too large, also together with others, too slow, broken off, or compressed.
    func wholeBody(limit: Int, _ context: APIContext) async throws -> [UInt8] {
        // Refused before it is read, where it says how long it is.
        if let length = headers[.contentLength].flatMap({ Int($0) }), length > limit {
            throw Problem.tooLarge(limit: limit)
        }
        var bytes: [UInt8] = []
        for try await buffer in PacedBody(body: try plainBody(), pace: .whole) {
            guard bytes.count + buffer.count <= limit else { throw Problem.tooLarge(limit: limit) }
            try context.bodyRoom?.grow(to: bytes.count + buffer.count)
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
}

import Crypto
import Hummingbird
import NIOCore

extension Request {
    /// The body in one piece.
    func wholeBody(limit: Int) async throws -> [UInt8] {
        var bytes: [UInt8] = []
        for try await buffer in body {
            guard bytes.count + buffer.readableBytes <= limit else { throw Problem.tooLarge(limit: limit) }
            bytes.append(contentsOf: buffer.readableBytesView)
        }
        return bytes
    }
}

extension RequestBody {
    /// The digest of a body that is read only to be compared with an earlier one.
    func sha256() async throws -> [UInt8] {
        var hash = SHA256()
        for try await buffer in self { hash.update(data: buffer.readableBytesView) }
        return Array(hash.finalize())
    }
}

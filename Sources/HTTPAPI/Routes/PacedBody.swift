import Campaigns
import Crypto
import NIOCore

/// How slowly a client may send a body.
struct BodyPace: Sendable {
    /// On average, once ``APILimits/patienceSeconds`` are over. Only time in which the server waits for the client counts.
    let bytesPerSecond: Int
    /// From the first octet to the last, in seconds; nil without a bound of its own.
    var seconds: Int?

    static let whole = BodyPace(bytesPerSecond: APILimits.bodyBytesPerSecond)
    static let upload = BodyPace(bytesPerSecond: APILimits.uploadBytesPerSecond, seconds: ImportLimits.uploadSeconds)

    /// - Parameters:
    ///   - waited: for the client
    ///   - elapsed: since the beginning
    func check(bytes: Int, waited: Duration, elapsed: Duration) throws(Problem) {
        if let seconds, elapsed > .seconds(seconds) { throw Problem.bodyTooLate(seconds: seconds) }
        guard waited <= .seconds(APILimits.patienceSeconds) + .seconds(bytes) / bytesPerSecond else {
            throw Problem.bodyTooSlow(bytesPerSecond: bytesPerSecond)
        }
    }
}

/// A body that ends with a problem where it comes too slowly. A client that sends nothing at all is left to the listener,
/// which closes connections on which nothing comes.
struct PacedBody: AsyncSequence, Sendable {
    let body: PlainBody
    let pace: BodyPace
    var now: @Sendable () -> ContinuousClock.Instant = { .now }

    struct AsyncIterator: AsyncIteratorProtocol {
        var base: PlainBody.AsyncIterator
        let pace: BodyPace
        let now: @Sendable () -> ContinuousClock.Instant
        let begin: ContinuousClock.Instant
        var bytes = 0
        var waited = Duration.zero

        @concurrent
        mutating func next() async throws -> ByteBufferView? {
            let asked = now()
            let chunk = try await base.next()
            let come = now()
            waited += come - asked
            bytes += chunk?.count ?? 0
            try pace.check(bytes: bytes, waited: waited, elapsed: come - begin)
            return chunk
        }
    }

    /// The digest of a body that is read only to be compared with an earlier one.
    func sha256() async throws -> [UInt8] {
        var hash = SHA256()
        for try await chunk in self { hash.update(data: chunk) }
        return Array(hash.finalize())
    }

    func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(base: body.makeAsyncIterator(), pace: pace, now: now, begin: now())
    }
}

import Synchronization

/// One RSA signature that is to be made.
final class PendingSignature: Sendable {
    typealias Result = Swift.Result<[UInt8], DKIMError>

    private enum State {
        case open
        case awaited(CheckedContinuation<Result, Never>)
        case made(Result)
    }

    let signer: DKIMSigner
    /// Of the signer's keys.
    let identity: Int
    let key: LaneKey
    let digest: [UInt8]
    private let state = Mutex(State.open)

    init(_ digest: [UInt8], by identity: Int, of signer: DKIMSigner, _ key: LaneKey) {
        self.digest = digest
        self.identity = identity
        self.signer = signer
        self.key = key
    }

    /// Called once.
    func finish(_ result: Result) {
        let waiter = state.withLock { state -> CheckedContinuation<Result, Never>? in
            defer { state = .made(result) }
            guard case .awaited(let waiter) = state else { return nil }
            return waiter
        }
        waiter?.resume(returning: result)
    }

    /// Waits until somebody has made it. Asked by one task.
    func value() async throws(DKIMError) -> [UInt8] {
        let result = await withCheckedContinuation { continuation in
            let made = state.withLock { state -> Result? in
                if case .made(let result) = state { return result }
                state = .awaited(continuation)
                return nil
            }
            if let made { continuation.resume(returning: made) }
        }
        return try result.get()
    }
}

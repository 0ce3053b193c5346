import Foundation
import Synchronization

/// A customer who asks the same over and over, and counts what is answered.
final class RequestProbe: Sendable {
    private let counts = Mutex<[Int: Int]>([:])
    private let isEnding = Atomic(false)
    private let hasEnded = Atomic(false)

    init(_ paths: [String], of installation: Installation) {
        let (port, key) = (installation.apiPort, installation.key)
        Thread.detachNewThread { [self] in
            var number = 0
            while !isEnding.load(ordering: .relaxed) {
                let path = paths[number % paths.count]
                let answer = try? OpenRequest(port: port, "GET", path, key: key).finish()
                counts.withLock { $0[answer?.status ?? 0, default: 0] += 1 }
                number += 1
                usleep(30_000)
            }
            hasEnded.store(true, ordering: .releasing)
        }
    }

    /// Answers so far.
    var answered: Int { counts.withLock { $0.values.reduce(0, +) } }

    /// Ends it.
    ///
    /// - Returns: how often each status was answered; 0 where no answer came.
    func finish() async throws -> [Int: Int] {
        isEnding.store(true, ordering: .relaxed)
        while !hasEnded.load(ordering: .acquiring) { try await Task.sleep(for: .milliseconds(20)) }
        return counts.withLock(\.self)
    }
}

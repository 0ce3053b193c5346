import Foundation
import Synchronization

/// A customer whose upload of recipients trickles in, a few lines a tenth of a second, until it is told to end.
final class SlowUpload: Sendable {
    let campaign: String
    private let isEnding = Atomic(false)
    private let lines = Atomic(0)
    private let result = Mutex<Result<OpenRequest.Answer, any Error>?>(nil)

    /// - Parameter campaign: a draft.
    init(to campaign: String, of installation: Installation) throws {
        self.campaign = campaign
        let request = try OpenRequest(
            port: installation.apiPort, "POST", "/v1/campaigns/\(campaign)/recipients", key: installation.key,
            type: "application/x-ndjson")
        // A request is one thread's at a time: this hands it over.
        nonisolated(unsafe) let handed = request
        Thread.detachNewThread { [self] in
            let answer = Result { try trickle(handed) }
            result.withLock { $0 = answer }
        }
    }

    static func address(_ number: Int) -> String { "slow-upload\(number)@example.net" }

    /// Recipients that are on their way, or there.
    var written: Int { lines.load(ordering: .relaxed) }

    /// The values are long, so that the server commits a portion every few hundred lines.
    private func trickle(_ request: OpenRequest) throws -> OpenRequest.Answer {
        let note = String(repeating: "x", count: 8_000)
        while !isEnding.load(ordering: .relaxed) {
            let first = written
            try request.write(
                (first..<first + 20).map { #"{"email":"\#(Self.address($0))","vars":{"note":"\#(note)"}}"# + "\n" }
                    .joined())
            lines.add(20, ordering: .relaxed)
            usleep(100_000)
        }
        return try request.finish()
    }

    /// Ends it.
    ///
    /// - Returns: the server's answer.
    func finish() async throws -> OpenRequest.Answer {
        isEnding.store(true, ordering: .relaxed)
        while true {
            if let result = result.withLock(\.self) { return try result.get() }
            try await Task.sleep(for: .milliseconds(20))
        }
    }
}

import Logging
import ProviderWebhooks
import ServiceLifecycle

/// Works off what providers have reported, until the server ends.
struct ProviderFeedback: Service {
    let worker: PayloadWorker
    let logger: Logger

    /// Between two looks where nothing waits, and after a failure.
    private static let pause = Duration.milliseconds(500)
    private static let pauseAfterFailure = Duration.seconds(5)
    private static let sweepEvery = Duration.seconds(600)

    func run() async throws {
        do {
            try await cancelWhenGracefulShutdown {
                var sweptAt: ContinuousClock.Instant?
                while true {
                    if sweptAt.map({ .now - $0 > Self.sweepEvery }) ?? true {
                        sweptAt = .now
                        try await attempt { while try await worker.sweep() > 0 {} }
                    }
                    try await attempt { while try await worker.round() > 0 {} }
                    try await Task.sleep(for: Self.pause)
                }
            }
        } catch is CancellationError {
            // The end that every service has.
        }
    }

    /// What fails is made up for later: nothing of it was done.
    private func attempt(_ work: () async throws -> Void) async throws {
        do {
            try await work()
        } catch {
            try Task.checkCancellation()
            logger.warning("reports of providers not worked off", metadata: ["error": "\(error)"])
            try await Task.sleep(for: Self.pauseAfterFailure)
        }
    }
}

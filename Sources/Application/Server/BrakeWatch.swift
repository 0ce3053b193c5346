import Campaigns
import Feedback
import Logging
import Postgres
import ServiceLifecycle

/// Brakes campaigns that are complained of, or that go to many addresses that do not exist, until the server ends.
struct BrakeWatch: Service {
    static let interval = Duration.seconds(15)
    /// Looks from one sweep of old counts to the next.
    private static let looksBetweenSweeps = 240

    let keeper: BrakeKeeper
    let records: PostgresPool
    let logger: Logger

    func run() async throws {
        do {
            try await cancelWhenGracefulShutdown {
                var looks = 0
                while true {
                    await look(sweeps: looks % Self.looksBetweenSweeps == 0)
                    looks += 1
                    try await Task.sleep(for: Self.interval)
                }
            }
        } catch is CancellationError {
            // The end that every service has.
        }
    }

    private func look(sweeps: Bool) async {
        do {
            try await keeper.look()
            if sweeps {
                _ = try await FeedbackHours.sweep(on: records)
                _ = try await ProviderHours.sweep(on: records)
            }
        } catch {
            guard !Task.isCancelled else { return }
            logger.warning("complaints and bounces not looked after", metadata: ["error": "\(error)"])
        }
    }
}

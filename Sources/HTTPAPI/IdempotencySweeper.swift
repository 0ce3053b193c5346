package import Identity
package import Logging
package import Postgres
import ServiceLifecycle

/// Deletes answers whose time is over (``IdentityLimits/idempotencyHours``), at the start and every hour, until it is
/// cancelled or the service group shuts down. Several nodes may sweep at once: each skips the rows of the others.
package struct IdempotencySweeper: Service {
    package static let interval = Duration.seconds(3_600)

    private let store: IdempotencyStore
    private let records: PostgresPool
    private let logger: Logger
    private let interval: Duration

    package init(
        store: IdempotencyStore, records: PostgresPool, logger: Logger, interval: Duration = IdempotencySweeper.interval
    ) {
        self.store = store
        self.records = records
        self.logger = logger
        self.interval = interval
    }

    package func run() async throws {
        do {
            try await cancelWhenGracefulShutdown {
                while true {
                    await sweep()
                    try await Task.sleep(for: interval)
                }
            }
        } catch is CancellationError {
            // The end that every service has.
        }
    }

    /// A sweep that fails is made up for by the next.
    private func sweep() async {
        do {
            let count = try await store.sweep(on: records)
            if count > 0 { logger.debug("idempotency keys swept", metadata: ["count": "\(count)"]) }
        } catch {
            guard !Task.isCancelled else { return }
            logger.warning("idempotency keys not swept", metadata: ["error": "\(error)"])
        }
    }
}

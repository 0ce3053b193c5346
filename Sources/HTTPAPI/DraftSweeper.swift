package import Campaigns
package import Logging
import ServiceLifecycle

/// Gives up drafts that nobody has sent within so many days, at the start and every hour, until it is cancelled or the
/// service group shuts down. Several nodes may sweep at once: a draft is given up once.
package struct DraftSweeper: Service {
    package static let interval = Duration.seconds(3_600)

    private let campaigns: CampaignService
    private let days: Int
    private let logger: Logger
    private let interval: Duration

    package init(
        campaigns: CampaignService, days: Int, logger: Logger, interval: Duration = DraftSweeper.interval
    ) {
        self.campaigns = campaigns
        self.days = days
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
            let count = try await campaigns.deleteDrafts(olderThanDays: days)
            if count > 0 { logger.info("old drafts given up", metadata: ["count": "\(count)"]) }
        } catch {
            guard !Task.isCancelled else { return }
            logger.warning("old drafts not given up", metadata: ["error": "\(error)"])
        }
    }
}

package import Campaigns
package import Feedback
package import Identity
package import Logging
package import Postgres
package import SendingDomains
import ServiceLifecycle

/// Does away with what is old, at the start and every hour if nothing else is said, until it is cancelled or the service
/// group shuts down. Several nodes may sweep at once: what one does away with the others do not find.
package struct HourlySweep: Service {
    package static let interval = Duration.seconds(3_600)

    /// Returns how much it did away with.
    private let sweep: @Sendable () async throws -> Int
    private let done: Logger.Message
    private let failed: Logger.Message
    private let interval: Duration
    private let logger: Logger

    private init(
        _ interval: Duration, _ logger: Logger, done: Logger.Message, failed: Logger.Message,
        _ sweep: @escaping @Sendable () async throws -> Int
    ) {
        self.interval = interval
        self.logger = logger
        self.done = done
        self.failed = failed
        self.sweep = sweep
    }

    /// Deletes answers whose time is over (``IdentityLimits/idempotencyHours``).
    package static func answers(
        _ store: IdempotencyStore, _ records: PostgresPool, every interval: Duration = interval, logger: Logger
    ) -> HourlySweep {
        HourlySweep(interval, logger, done: "idempotency keys swept", failed: "idempotency keys not swept") {
            try await store.sweep(on: records)
        }
    }

    /// Forgets sessions and invitations that are over, and attempts to sign in that no longer count.
    package static func sessions(
        _ sessions: Sessions, _ signIn: SignIn, _ invitations: Invitations, _ records: PostgresPool,
        every interval: Duration = interval, logger: Logger
    ) -> HourlySweep {
        HourlySweep(interval, logger, done: "old sessions forgotten", failed: "old sessions not forgotten") {
            let over = try await sessions.sweep(on: records)
            let attempts = try await signIn.sweep(on: records)
            return over + attempts + (try await invitations.sweep(on: records))
        }
    }

    /// Forgets strangers whose code is over. Their passwords are to be kept no longer than that, so it sweeps each minute.
    package static func signUps(_ records: PostgresPool, logger: Logger) -> HourlySweep {
        HourlySweep(.seconds(60), logger, done: "old sign-ups forgotten", failed: "old sign-ups not forgotten") {
            try await SignUp.sweep(on: records)
        }
    }

    /// Gives up drafts that nobody has sent within so many days.
    package static func drafts(
        _ campaigns: CampaignService, olderThanDays days: Int, every interval: Duration = interval, logger: Logger
    ) -> HourlySweep {
        HourlySweep(interval, logger, done: "old drafts given up", failed: "old drafts not given up") {
            try await campaigns.deleteDrafts(olderThanDays: days)
        }
    }

    /// Does away with what uploads have left whose node stopped.
    package static func uploads(
        _ campaigns: CampaignService, every interval: Duration = interval, logger: Logger
    ) -> HourlySweep {
        HourlySweep(interval, logger, done: "broken uploads swept", failed: "broken uploads not swept") {
            try await campaigns.sweepUploads()
        }
    }

    /// Forgets what was said of mails so long ago that nobody asks for it.
    package static func feedback(
        _ intake: FeedbackIntake, _ refunds: Refunds, every interval: Duration = interval, logger: Logger
    ) -> HourlySweep {
        HourlySweep(interval, logger, done: "old feedback forgotten", failed: "old feedback not forgotten") {
            let facts = try await intake.sweep()
            return facts + (try await refunds.sweepUncharged())
        }
    }

    /// Forgets receivers' reports on domains that are older than ``DomainReportLimits/days``.
    package static func reports(
        _ domains: SendingDomains, every interval: Duration = interval, logger: Logger
    ) -> HourlySweep {
        HourlySweep(interval, logger, done: "old reports forgotten", failed: "old reports not forgotten") {
            try await domains.sweepReports()
        }
    }

    package func run() async throws {
        do {
            try await cancelWhenGracefulShutdown {
                while true {
                    await sweepOnce()
                    try await Task.sleep(for: interval)
                }
            }
        } catch is CancellationError {
            // The end that every service has.
        }
    }

    /// A sweep that fails is made up for by the next.
    private func sweepOnce() async {
        do {
            let count = try await sweep()
            if count > 0 { logger.info(done, metadata: ["count": "\(count)"]) }
        } catch {
            guard !Task.isCancelled else { return }
            logger.warning(failed, metadata: ["error": "\(error)"])
        }
    }
}

import Fleet
import Logging
import MailTypes
import Postgres
import ServiceLifecycle

/// Takes on what operators set for accounts, within a second, until the server ends.
struct AccountLimitsWatch: Service {
    let limits: AccountLimits
    /// For a small question a second that must not wait for others.
    let records: PostgresPool
    let logger: Logger

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                do {
                    limits.replace(by: try await FleetStore.limits(on: records))
                } catch {
                    // What was known goes on to hold.
                    if !Task.isCancelled {
                        logger.warning("limits of accounts not read", metadata: ["error": "\(error)"])
                    }
                }
                try? await Task.sleep(for: .milliseconds(800))
            }
        }
    }
}

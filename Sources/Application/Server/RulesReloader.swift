import Delivery
import Logging
import ServiceLifecycle
import UnixSignals

/// Reads the provider rules anew at each SIGHUP. They are checked as a whole first: a mistake changes nothing.
struct RulesReloader: Service {
    /// Trapped before any part of the server runs.
    let hangups: UnixSignalsSequence
    /// The operator's file; nil for the built-in rules alone.
    let file: String?
    /// Nil on a node that does not deliver. It takes the signal all the same, which would end it otherwise.
    let engine: DeliveryEngine?
    let logger: Logger

    func run() async throws {
        for await _ in hangups.cancelOnGracefulShutdown() { reload() }
    }

    private func reload() {
        do {
            let rules = try ServerConfiguration.providers(file)
            let changed = engine?.reload(providers: rules) ?? []
            logger.notice(
                "provider rules reloaded", metadata: ["file": "\(file ?? "none")", "changed_lanes": "\(changed.count)"])
        } catch {
            logger.error("provider rules not reloaded: the old ones stay", metadata: ["error": "\(error)"])
        }
    }
}

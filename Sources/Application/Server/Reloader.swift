import Delivery
import Logging
import NIOCertificateReloading
import NIOPosix
import ServiceLifecycle
import UnixSignals

/// Reads the operator's files of provider rules, of smarthosts and of the certificate anew at each SIGHUP, and opens the
/// accounting log anew. Each is checked as a whole first: a mistake changes nothing of what the file says.
struct Reloader: Service {
    /// Trapped before any part of the server runs.
    let hangups: UnixSignalsSequence
    /// The operator's file; nil for the built-in rules alone.
    let providersFile: String?
    /// Nil where there is none: smarthosts of other settings need a restart.
    let routesFile: RoutesFile?
    /// Nil where the certificate does not come from files.
    let certificates: CertificateFiles?
    /// Nil on a node that does not deliver. It takes the signal all the same, which would end it otherwise.
    let engine: DeliveryEngine?
    /// What those who report are named by.
    let mailboxProviders: MailboxProviders
    let logger: Logger

    func run() async throws {
        for await _ in hangups.cancelOnGracefulShutdown() {
            engine?.reopenAccountingLog()
            reloadProviders()
            // It logs for itself what came of it.
            try? certificates?.reloader.reload()
            if let routesFile { await reload(routesFile) }
        }
    }

    private func reloadProviders() {
        do {
            let rules = try ServerConfiguration.providers(providersFile)
            mailboxProviders.replace(by: rules)
            let changed = engine?.reload(providers: rules) ?? []
            logger.notice(
                "provider rules reloaded",
                metadata: ["file": "\(providersFile ?? "none")", "changed_lanes": "\(changed.count)"])
        } catch {
            logger.error("provider rules not reloaded: the old ones stay", metadata: ["error": "\(error)"])
        }
    }

    private func reload(_ file: RoutesFile) async {
        do {
            // Off the threads that send mail: looking hosts up may take many seconds.
            let routes = try await NIOThreadPool.singleton.runIfActive {
                try file.read().resolved()
            }
            let changed = try await engine?.reload(smarthosts: routes.smarthosts, domains: routes.domains) ?? []
            logger.notice(
                "smarthosts reloaded",
                metadata: ["file": "\(file.path)", "changed": "\(changed.joined(separator: " "))"])
        } catch {
            logger.error(
                "smarthosts not reloaded: all stays as it was", metadata: ["file": "\(file.path)", "error": "\(error)"])
        }
    }
}

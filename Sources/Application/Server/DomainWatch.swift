import Campaigns
import Logging
import SendingDomains
import ServiceLifecycle

/// Looks after the sending domains until the server ends: proves those that wait, warns of those that lose their proof, and
/// pauses the campaigns of those that have stopped.
struct DomainWatch: Service {
    let verifier: DomainVerifier
    let campaigns: CampaignService
    let logger: Logger

    func run() async throws {
        do {
            try await cancelWhenGracefulShutdown {
                while true {
                    await look()
                    try await Task.sleep(for: .seconds(60))
                }
            }
        } catch is CancellationError {
            // The end that every service has.
        }
    }

    private func look() async {
        do {
            _ = try await verifier.recheck()
            let paused = try await campaigns.pauseUnproven()
            guard paused > 0 else { return }
            logger.warning(
                "campaigns paused: their sending domains are no longer proven", metadata: ["count": "\(paused)"])
        } catch {
            guard !Task.isCancelled else { return }
            logger.warning("sending domains not looked after", metadata: ["error": "\(error)"])
        }
    }
}

import Campaigns
import Logging
import MailTypes
import TrafficShaping

/// Works on test batches, one at a time, from a queue of their own: live mail is claimed as if there were none (decision 0127).
struct TestClaims: Sendable {
    /// Whose worker opens batches to ``TestMail``.
    let claims: ClaimLoop

    private var batches: ActiveBatches { claims.batches }

    /// How often the queue is looked at.
    private static let pause = Duration.seconds(1)

    /// Returns once nothing more is to be claimed and the node is done with its batch.
    func run() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                while !Task.isCancelled {
                    batches.testWakeUp.raise()
                    try? await Task.sleep(for: Self.pause)
                }
            }
            await batches.testWakeUp.onEach {
                while batches.now.stopReason == nil, let next = await claim() {
                    await work(on: next.batch, leaseEnd: next.leaseEnd)
                }
                return batches.now.stopReason == nil ? .goOn : .finish
            }
            group.cancelAll()
        }
    }

    private func claim() async -> (batch: ClaimedBatch, leaseEnd: SteadySeconds)? {
        let configuration = claims.configuration
        let leaseEnd = configuration.leaseEnd(from: claims.clock.steady())
        do {
            return try await claims.store.claimTest(
                node: configuration.node, leaseSeconds: configuration.leaseSeconds
            ).map { ($0, leaseEnd) }
        } catch {
            // Live claims say it aloud, in the same moment.
            claims.logger.debug("no test batch claimed", metadata: ["error": "\(error)"])
            return nil
        }
    }

    private func work(on batch: ClaimedBatch, leaseEnd: SteadySeconds) async {
        await claims.store.onBehalf(of: batch.id.account) {
            await claims.work(on: batch, leaseEnd: leaseEnd)
        }
        batches.ended(batch)
    }
}

extension ClaimLoop {
    /// The same whose batches go no way but that of test mail, and count apart.
    func forTests(_ mail: TestMail, _ fates: FateRecorder) -> ClaimLoop {
        var loop = self
        loop.worker.opener.way = .test(mail)
        loop.worker.opener.fates = fates
        loop.worker.metrics = fates.metrics
        loop.metrics = fates.metrics
        return loop
    }
}

import Campaigns
import Fleet
import Logging
import MailTypes
import TLSPolicies

/// What is looked after from time to time, whatever the batches in work are at.
struct Sweeps: Sendable {
    let configuration: DeliveryConfiguration
    let store: DeliveryStore
    let fleetStore: FleetStore
    let batches: ActiveBatches
    let lanes: LaneRegistry
    let gates: ProviderGates
    let fleet: FleetState
    let completion: CampaignCompletion
    /// Nil where nothing is asked of receivers' policies.
    let mtaSTSPolicies: MTASTSPolicies?
    let clock: DeliveryClock
    let logger: Logger

    /// Until cancelled.
    func run() async {
        let repeating = Repeating(logger: logger)
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await listenForWork() }
            group.addTask { await repeating.every(.milliseconds(250), orSay: "queues not looked through", tick) }
            group.addTask {
                await repeating.every(.seconds(2), orSay: "no news of the other nodes") {
                    // What is unused can be closed without news.
                    await lanes.closeIdle()
                    try await exchangeNews()
                }
            }
            group.addTask {
                await repeating.every(.seconds(15), .atOnce, orSay: "completions not swept", completeCampaigns)
            }
            group.addTask {
                await repeating.every(.seconds(15), .atOnce, orSay: "retry batches not joined", joinRetries)
            }
            group.addTask {
                await repeating.every(.seconds(15), .atOnce, orSay: "refunds not given", giveRefunds)
            }
            group.addTask {
                await repeating.every(.seconds(15), .atOnce, orSay: "MTA-STS policies not shared", sharePolicies)
            }
        }
    }

    private func listenForWork() async {
        for await _ in store.workSignals() { batches.wakeUp.raise() }
    }

    /// Gives back what waits in vain, settles parts, and looks for work that came due or could not be claimed before.
    private func tick() {
        lanes.tick()
        batches.tick()
        batches.wakeUp.raise()
    }

    /// Finishes campaigns whose last batch was settled by a node that died before the purge. An account that somebody has
    /// locked is passed over: the next sweep has it.
    func completeCampaigns() async throws {
        var held: Set<AccountID> = []
        for (account, campaign) in try await store.unfinishedCompletions() where !held.contains(account) {
            do {
                guard try await store.canComplete(account, campaign) else {
                    logger.debug(
                        "completions put off: somebody has locked the account", metadata: ["account": "\(account)"])
                    held.insert(account)
                    continue
                }
            } catch let error where !(error is CancellationError || DeliveryStore.isPassing(error)) {
                // Its own trouble: those behind it end all the same.
                logger.warning(
                    "campaign not completed", metadata: ["campaign": "\(campaign)", "error": "\(error)"])
                continue
            }
            if await !completion.complete(account, campaign) { held.insert(account) }
        }
    }

    private func joinRetries() async throws {
        let joined = try await store.coalesceRetries()
        if joined > 0 { logger.debug("retry batches joined", metadata: ["count": "\(joined)"]) }
    }

    private func giveRefunds() async throws {
        let credits = try await store.giveRefunds()
        if credits > 0 { logger.info("credits of bounced mail given back", metadata: ["count": "\(credits)"]) }
    }

    /// Takes up the MTA-STS policies that other nodes have fetched. What this one fetches is shared at once; what failed
    /// then, here.
    private func sharePolicies() async throws { try await mtaSTSPolicies?.exchange() }

    // MARK: The other nodes

    /// What is known of the others before the first claim.
    func hearOfOtherNodes() async {
        do {
            try await exchangeNews()
        } catch {
            guard !Task.isCancelled else { return }
            logger.warning("no news of the other nodes", metadata: ["error": "\(error)"])
        }
    }

    private func exchangeNews() async throws {
        try await fleet.refresh(
            from: fleetStore, node: configuration.node, aliveSeconds: Double(configuration.leaseSeconds),
            pools: configuration.sources.keys.sorted(), clock: clock)
        gates.hear(try await fleetStore.exchange(gates.ownRests))
    }
}

package import Logging
package import MailTypes

/// Proves domains by the DNS: when their accounts ask for it, and in the background as long as they are registered.
package struct DomainVerifier: Sendable {
    private let domains: SendingDomains
    private let examiner: DomainExaminer
    private let logger: Logger

    package init(domains: SendingDomains, examiner: DomainExaminer, logger: Logger) {
        self.domains = domains
        self.examiner = examiner
        self.logger = logger
    }

    /// Looks into the DNS now; not for a test account, whose domains need no proof and must not take one.
    ///
    /// - Returns: the domain as it is then.
    /// - Throws: ``SendingDomainError`` `.domainNotFound`, `.domainTaken` where another account has proven the domain
    package func verify(_ account: AccountID, _ domain: DomainName) async throws -> SendingDomain {
        guard try await examine(account, domain) != .taken else {
            throw SendingDomainError(
                .domainTaken, "the records are there, but another account has proven \(domain) before")
        }
        return try await domains.get(account, domain)
    }

    /// Looks after the domains whose time has come. Each is one node's; a node takes so many at a time, so that a round
    /// ends and the name servers are not flooded.
    ///
    /// - Returns: how many were looked after.
    package func recheck(limit: Int = Self.domainsPerRound) async throws -> Int {
        let due = try await domains.claimDue(limit)
        await withTaskGroup(of: Void.self) { group in
            for (index, (account, domain)) in due.enumerated() {
                if index >= Self.atOnce { await group.next() }
                group.addTask { await recheck(account, domain) }
            }
        }
        return due.count
    }

    package static let domainsPerRound = 100
    private static let atOnce = 8

    private func recheck(_ account: AccountID, _ domain: DomainName) async {
        do {
            _ = try await examine(account, domain)
        } catch {
            // The claim runs out, and it is due again.
            guard !Task.isCancelled else { return }
            logger.warning(
                "sending domain not checked",
                metadata: ["account": "\(account)", "domain": "\(domain)", "error": "\(error)"])
        }
    }

    private func examine(_ account: AccountID, _ domain: DomainName) async throws -> SendingDomains.Change {
        guard !account.isTest else { return .none }
        let examined = await examiner.examine(try await domains.get(account, domain))
        // An answer that was given up says nothing of the domain.
        try Task.checkCancellation()
        let change = try await domains.record(examined, account, domain)
        tell(change, account, domain)
        return change
    }

    private func tell(_ change: SendingDomains.Change, _ account: AccountID, _ domain: DomainName) {
        guard case .state(_, let state) = change else { return }
        let metadata: Logger.Metadata = ["account": "\(account)", "domain": "\(domain)"]
        switch state {
        case .failing:
            logger.warning(
                "a sending domain is no longer proven and stops in \(DomainStanding.graceSeconds / 3_600) hours",
                metadata: metadata)
        case .stopped:
            logger.warning("a sending domain has stopped: its campaigns are paused", metadata: metadata)
        case .pending, .verified: logger.notice("a sending domain is proven", metadata: metadata)
        }
    }
}

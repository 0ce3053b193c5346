import Foundation
package import Logging
import MailTypes

/// Has a node show the certificate of its names, and has it ordered in time: by one node, for all.
package struct CertificateKeeper: Sendable {
    package struct Timing: Sendable {
        /// Between two looks at the records.
        package var lookSeconds = 5.0
        package var schedule = RenewalSchedule()

        package init() {}
    }

    private let authority: Authority
    private let names: CertificateNames
    private let store: ACMEStore
    private let served: ServedCertificate
    private let kinds: [ChallengeKind]
    private let timing: Timing
    private let logger: Logger

    /// - Parameters:
    ///   - hasPlainListener: whether port 80 leads here
    ///   - hasTLSListener: whether port 443 leads here; a node with neither places no orders
    package init(
        _ authority: Authority, _ names: CertificateNames, store: ACMEStore, served: ServedCertificate,
        hasPlainListener: Bool, hasTLSListener: Bool, timing: Timing = Timing(), logger: Logger
    ) {
        self.authority = authority
        self.names = names
        self.store = store
        self.served = served
        kinds = (hasPlainListener ? [.http] : []) + (hasTLSListener ? [.tlsALPN] : [])
        self.timing = timing
        self.logger = logger
    }

    /// Until it is cancelled.
    package func run() async {
        while !Task.isCancelled {
            await look()
            try? await Task.sleep(for: .seconds(timing.lookSeconds))
        }
    }

    /// Shows what is new and orders what is due. Failures are logged and come again.
    package func look() async {
        do {
            let glance = try await store.glance(authority.directory, names)
            if glance.version != served.version { try await load() }
            guard glance.isDue, !kinds.isEmpty else { return }
            guard let claim = try await store.claim(authority.directory, names) else { return }
            try await order(claim)
        } catch {
            guard !Task.isCancelled else { return }
            logger.warning("certificates not looked after", metadata: ["error": "\(error)"])
        }
    }

    /// Shows the newest certificate; nothing where there is none.
    ///
    /// - Throws: `PostgresError`, `VaultError`
    package func load() async throws {
        guard let (version, chain, key) = try await store.certificate(authority.directory, names) else { return }
        try served.show(chain: chain, key: key, version: version)
        logger.notice("certificate loaded", metadata: ["names": "\(names)", "version": "\(version)"])
    }

    private func order(_ claim: ACMEStore.Claim) async throws {
        // What has failed one way may go the other way.
        let first = claim.failures % kinds.count
        let order = CertificateOrder(
            authority: authority, store: store, kinds: Array(kinds[first...] + kinds[..<first]),
            announceSeconds: ACMELimits.challengeCacheSeconds * 1.5)
        logger.notice("ordering a certificate", metadata: ["names": "\(names)", "directory": "\(authority.directory)"])
        do {
            let issued = try await within(.seconds(ACMELimits.orderSeconds)) { [names] in try await order.run(names) }
            let due = timing.schedule.due(
                notBefore: issued.notBefore, notAfter: issued.notAfter, chance: .random(in: 0..<1))
            guard try await store.finish(claim, authority.directory, names, issued, due: due) else { return }
            try await load()
        } catch {
            guard !Task.isCancelled else { return }
            let seconds = timing.schedule.retry(
                failures: claim.failures + 1, retryAfter: (error as? ACMEError)?.retryAfter, chance: .random(in: 0..<1))
            logger.warning(
                "no certificate: the old one stays",
                metadata: ["names": "\(names)", "error": "\(error)", "next_try_in_seconds": "\(Int(seconds))"])
            try await store.fail(claim, authority.directory, names, problem: "\(error)", seconds: seconds)
        }
    }
}

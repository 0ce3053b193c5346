import Foundation
package import Logging
package import Postgres
package import Vault

/// Takes what providers send: believes it or not, stores it sealed, answers. What it reports is worked off later by
/// ``PayloadWorker``.
package struct ProviderIntake: Sendable {
    private let book: SourceBook
    private let store: PayloadStore
    private let certificates: SigningCertificates
    private let open = OpenDeliveries()
    private let now: @Sendable () -> Int64
    private let logger: Logger

    /// - Parameter now: seconds since 1970
    package init(
        records: PostgresPool, vault: Vault, certificates: SigningCertificates = SigningCertificates(), logger: Logger,
        now: @escaping @Sendable () -> Int64 = { Int64(Date().timeIntervalSince1970) }
    ) {
        book = SourceBook(store: ProviderSources(records: records, vault: vault))
        store = PayloadStore(records: records, vault: vault)
        self.certificates = certificates
        self.logger = logger
        self.now = now
    }

    /// A delivery that has begun: its address is right, and there is room for it until this value is gone.
    package struct Admission: Sendable {
        package let source: ProviderSource
        fileprivate let place: OpenDeliveries.Place
    }

    /// Before the body is read.
    ///
    /// - Returns: nil where there is no such source
    /// - Throws: ``ProviderAnswer``
    package func admit(provider: String, secret: String) async throws(ProviderAnswer) -> Admission? {
        guard let kind = ProviderKind(rawValue: provider), secret.utf8.count <= 100 else { return nil }
        let source: ProviderSource?
        do {
            source = try await book.source(kind, secret: secret)
        } catch {
            throw .busy(kind)
        }
        guard let source else { return nil }
        guard let place = open.place(for: source.id) else { throw .busy(kind) }
        return Admission(source: source, place: place)
    }

    /// Never throws, because a provider takes some answers for an order to give up.
    package func take(_ delivery: ProviderDelivery, for admission: Admission) async -> ProviderAnswer {
        let source = admission.source
        let provider = source.kind.provider(certificates)
        do {
            guard try await store.hasRoom() else { return .busy(source.kind) }
            switch try await provider.verify(delivery, source.material, now: now()) {
            case .done:
                logger.notice("subscription of a provider", metadata: metadata(source))
                return .taken
            case .keep(let receipt):
                guard let events = try? provider.events(delivery.body).count, events <= ProviderLimits.eventsPerBody
                else { throw ProviderRefusal.unreadable }
                guard try await store.keep(delivery, receipt: receipt, of: source.id) else {
                    throw ProviderRefusal.replayed
                }
                return .taken
            }
        } catch let refusal as ProviderRefusal {
            logger.warning("report of a provider refused", metadata: metadata(source, cause: refusal.cause.rawValue))
            return .refused(refusal, useless: provider.uselessStatus)
        } catch {
            logger.warning("report of a provider not taken", metadata: metadata(source, cause: "\(error)"))
            return .busy(source.kind)
        }
    }

    private func metadata(_ source: ProviderSource, cause: String? = nil) -> Logger.Metadata {
        var metadata: Logger.Metadata = ["provider": "\(source.kind.rawValue)", "source": "\(source.id)"]
        if let cause { metadata["cause"] = "\(cause)" }
        return metadata
    }
}

import Synchronization

/// The sources as this node knows them, read anew every few seconds: a secret that nobody has costs no query.
final class SourceBook: Sendable {
    private struct State {
        var sources: [[UInt8]: ProviderSource]?
        var readAt = ContinuousClock.Instant.now
        var isReading = false
    }

    private let state = Mutex(State())
    private let store: ProviderSources

    init(store: ProviderSources) { self.store = store }

    /// - Throws: `PostgresError` where the sources were never read, or not for a long time
    func source(_ kind: ProviderKind, secret: String) async throws -> ProviderSource? {
        // By hash: how long a look takes tells nothing of a secret.
        guard let source = try await sources()[SourceSecret.hash(secret)], source.kind == kind else { return nil }
        return source
    }

    private func sources() async throws -> [[UInt8]: ProviderSource] {
        let known = state.withLock { state -> [[UInt8]: ProviderSource]? in
            guard let sources = state.sources else { return nil }
            if state.isReading || .now - state.readAt < .seconds(ProviderLimits.bookSeconds) { return sources }
            state.isReading = true
            return nil
        }
        if let known { return known }
        // What is written while it is read may be missing: its age counts from here.
        let begun = ContinuousClock.now
        do {
            let sources = try await store.all()
            state.withLock { $0 = State(sources: sources, readAt: begun) }
            return sources
        } catch {
            let old = state.withLock { state in
                state.isReading = false
                return .now - state.readAt < .seconds(60) ? state.sources : nil
            }
            guard let old else { throw error }
            return old
        }
    }
}

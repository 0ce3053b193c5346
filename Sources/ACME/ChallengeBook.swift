package import NIOSSL

/// Answers the authority that asks this node about an order, whichever node has placed it. Strangers can ask too, so the
/// records are asked once a second at most, however many come.
package actor ChallengeBook {
    private let store: ACMEStore
    private var known: [ACMEStore.Challenge] = []
    private var readAt: ContinuousClock.Instant?
    private var reading: Task<[ACMEStore.Challenge], Never>?

    package init(store: ACMEStore) { self.store = store }

    /// The body of an http-01 answer (RFC 8555 §8.3); nil for a token that is not open.
    package func keyAuthorization(token: String) async -> String? {
        guard token.utf8.count <= 128, Base64URL.isText(token) else { return nil }
        return await challenges().first { $0.token == token }?.keyAuthorization
    }

    /// How a tls-alpn-01 handshake is answered (RFC 8737); nil for a name that nobody is proving.
    package func context(name: String) async -> NIOSSLContext? {
        let name = name.lowercased()
        guard let challenge = await challenges().first(where: { $0.name == name }) else { return nil }
        return try? SelfMadeCertificate.challenge(name, keyAuthorization: challenge.keyAuthorization)
    }

    private func challenges() async -> [ACMEStore.Challenge] {
        if let reading { return await reading.value }
        let now = ContinuousClock.now
        if let readAt, now - readAt < .seconds(ACMELimits.challengeCacheSeconds) { return known }
        // From before the question: what is written after it is not in its answer. Where it fails, what was known goes on.
        readAt = now
        let task = Task { [store, known] in (try? await store.challenges()) ?? known }
        reading = task
        known = await task.value
        reading = nil
        return known
    }
}

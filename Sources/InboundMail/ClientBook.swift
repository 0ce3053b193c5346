import MailTypes
import NIOCore
import Synchronization

/// Who connects: an IPv4 address, or the 64 bits of an IPv6 network, of which one client may have all addresses.
struct ClientKey: Hashable, Sendable {
    private let network: UInt64
    private let isIPv6: Bool

    init(_ address: SocketAddress?) {
        // A zone may stand behind an address of the link.
        let text = address?.ipAddress?.prefix { $0 != "%" } ?? ""
        switch IPAddress(text) {
        case .v4(let bits): (network, isIPv6) = (UInt64(bits), false)
        // An IPv4 client at a socket for both (RFC 4291 §2.5.5.2).
        case .v6(high: 0, let low) where low >> 32 == 0xFFFF: (network, isIPv6) = (low & 0xFFFF_FFFF, false)
        case .v6(let high, _): (network, isIPv6) = (high, true)
        case nil: (network, isIPv6) = (0, false)
        }
    }

    /// The /48 of an IPv6 network, which one site gets (RFC 6177); nil for IPv4.
    var site: UInt64? { isIPv6 ? network >> 16 : nil }
}

/// What each client has open and how much it has sent, so that none takes what others need.
final class ClientBook: Sendable {
    private struct Client {
        var connections = 0
        var mails: Double
        var misses: Double
        var counted: ContinuousClock.Instant
    }

    private struct Book {
        var clients: [ClientKey: Client] = [:]
        /// Open ones, by ``ClientKey/site``.
        var connectionsOfSite: [UInt64: Int] = [:]
        var prunedAt: ContinuousClock.Instant?
    }

    private let limits: InboundMailLimits
    private let book = Mutex(Book())
    private let now: @Sendable () -> ContinuousClock.Instant

    init(_ limits: InboundMailLimits, now: @escaping @Sendable () -> ContinuousClock.Instant = { .now }) {
        self.limits = limits
        self.now = now
    }

    /// Counts a connection in, to be counted out by ``leave(_:)`` where this is true.
    func admit(_ key: ClientKey) -> Bool {
        book.withLock { book in
            guard mayConnect(key.site, book) else { return false }
            if book.clients[key] == nil, book.clients.count >= limits.clients { makeRoom(&book) }
            let isAdmitted = change(key, &book.clients) { client in
                guard client.connections < limits.connectionsOfClient else { return false }
                client.connections += 1
                return true
            }
            if isAdmitted, let site = key.site { book.connectionsOfSite[site, default: 0] += 1 }
            return isAdmitted
        }
    }

    func leave(_ key: ClientKey) {
        book.withLock { book in
            book.clients[key]?.connections -= 1
            guard let site = key.site, let count = book.connectionsOfSite[site] else { return }
            book.connectionsOfSite[site] = count > 1 ? count - 1 : nil
        }
    }

    /// Whether the client may send one mail more now.
    func mayMail(_ key: ClientKey) -> Bool {
        change(key) { Self.take(&$0.mails) }
    }

    /// Whether the client may name one more recipient that does not exist.
    func mayMiss(_ key: ClientKey) -> Bool {
        change(key) { Self.take(&$0.misses) }
    }

    var count: Int { book.withLock { $0.clients.count } }

    private static func take(_ stock: inout Double) -> Bool {
        guard stock >= 1 else { return false }
        stock -= 1
        return true
    }

    private func change(_ key: ClientKey, _ body: (inout Client) -> Bool) -> Bool {
        book.withLock { change(key, &$0.clients, body) }
    }

    private func change(
        _ key: ClientKey, _ clients: inout [ClientKey: Client], _ body: (inout Client) -> Bool
    ) -> Bool {
        var client = refilled(
            clients[key]
                ?? Client(mails: limits.mailsOfClient.burst, misses: limits.missesOfClient.burst, counted: now()))
        defer { clients[key] = client }
        return body(&client)
    }

    private func refilled(_ client: Client) -> Client {
        var client = client
        let now = now()
        let passed = client.counted.duration(to: now)
        let seconds = Double(passed.components.seconds) + Double(passed.components.attoseconds) / 1e18
        func filled(_ stock: Double, _ rate: InboundMailLimits.Rate) -> Double {
            min(rate.burst, stock + seconds * rate.perSecond)
        }
        client.mails = filled(client.mails, limits.mailsOfClient)
        client.misses = filled(client.misses, limits.missesOfClient)
        client.counted = now
        return client
    }

    private func mayConnect(_ site: UInt64?, _ book: Book) -> Bool {
        guard let site else { return true }
        return (book.connectionsOfSite[site] ?? 0) < limits.connectionsOfSite
    }

    /// Nobody is refused because the book is full. First goes who is not worth knowing: that takes a look at all, so
    /// it is done once a second at most. Then goes whoever is not connected.
    private func makeRoom(_ book: inout Book) {
        let now = now()
        if book.prunedAt.map({ now - $0 >= .seconds(1) }) ?? true {
            book.prunedAt = now
            forget(&book.clients)
        }
        guard book.clients.count >= limits.clients else { return }
        book.clients = book.clients.filter { $0.value.connections > 0 }
    }

    /// Drops those of whom nothing is worth knowing.
    private func forget(_ clients: inout [ClientKey: Client]) {
        clients = clients.filter { _, client in
            let client = refilled(client)
            return client.connections > 0 || client.mails < limits.mailsOfClient.burst
                || client.misses < limits.missesOfClient.burst
        }
    }
}

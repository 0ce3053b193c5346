import Fleet
import MailTypes
import Postgres
import TestDatabases
import TestStores
import Testing

/// What nodes tell of the addresses that they send from.
struct NodeSourceTests {
    private static let known = NodeSource(address: "192.0.2.1", pool: "default")
    private static let cold = NodeSource(address: "192.0.2.2", pool: "news", warmUpFrom: 20_000, allowances: [10, 20])

    private func sources(_ pool: String, _ stores: Stores) async throws -> Set<NodeSource> {
        Set(try await stores.records.pool.withConnection { try await FleetStore.sources(ofPool: pool, on: $0) })
    }

    @Test func `a pool has the sources of all nodes, until one begins again with others`() async throws {
        let stores = try await Stores.open()
        try await stores.begin("a", sources: [Self.known, Self.cold])
        let other = NodeSource(address: "192.0.2.3", pool: "news")
        try await stores.begin("b", sources: [other])
        #expect(try await sources("default", stores) == [Self.known])
        #expect(try await sources("news", stores) == [Self.cold, other])
        #expect(try await sources("elsewhere", stores) == [])
        // The system picks the address: of whatever pool the mail is, nothing limits it.
        try await stores.begin("b")
        for pool in ["default", "news"] {
            #expect(try await sources(pool, stores).contains(NodeSource(address: "", pool: pool)))
        }
        #expect(try await sources("news", stores).count == 2)
        // One not heard of for a minute counts no more.
        try await stores.records.owner.query("UPDATE nodes SET seen_at = clock_timestamp() - interval '61 seconds'")
        #expect(try await sources("news", stores) == [])
    }

    @Test func `what receivers see is told beside what the operator has given`() async throws {
        let stores = try await Stores.open()
        func addresses() async throws -> [String] {
            try await stores.records.pool.withConnection { try await FleetStore.addresses(on: $0).map(\.description) }
        }
        // Behind a smarthost receivers see none of its sources.
        try await stores.begin("a", sources: [Self.cold])
        #expect(try await addresses() == [])
        let seen = ["2001:db8::2", "192.0.2.20", "192.0.2.3"].compactMap { IPAddress($0) }
        try await stores.begin("b", addresses: seen)
        #expect(try await addresses() == ["192.0.2.3", "192.0.2.20", "2001:db8::2"])
        #expect(try await sources("news", stores) == [Self.cold, NodeSource(address: "", pool: "news")])
    }

    /// Decision 0106.
    @Test func `an address that the system picks has a row of its own, which is no source of a pool`() async throws {
        let stores = try await Stores.open()
        try await stores.begin(
            "a", sources: [Self.known, Self.cold], addresses: [try #require(IPAddress("192.0.2.1"))])
        try await stores.begin("b", addresses: [try #require(IPAddress("192.0.2.9"))])
        let rows = try await stores.records.owner.query(
            "SELECT source, pool, is_seen FROM node_sources ORDER BY source"
        ).map { row in
            let (source, pool, isSeen) = try row.decode(String.self, String?.self, Bool.self)
            return "\(source) \(pool ?? "-") \(isSeen)"
        }
        #expect(rows == ["192.0.2.1 default true", "192.0.2.2 news false", "192.0.2.9 - true"])
        #expect(try await sources("default", stores) == [Self.known, NodeSource(address: "", pool: "default")])
        #expect(try await sources("news", stores) == [Self.cold, NodeSource(address: "", pool: "news")])
    }

    @Test func `rows alone tell what receivers see, but of a node of the version before that has none`() async throws {
        let stores = try await Stores.open()
        func addresses() async throws -> [String] {
            try await stores.records.pool.withConnection { try await FleetStore.addresses(on: $0).map(\.description) }
        }
        try await stores.begin("a", sources: [Self.known], addresses: [try #require(IPAddress("192.0.2.1"))])
        try await stores.begin("b", addresses: [try #require(IPAddress("192.0.2.9"))])
        // As nodes of the version before read them.
        let column = try await stores.records.owner.query("SELECT unnest(sources) FROM nodes ORDER BY 1")
        #expect(try column.map { try $0.decode(String.self) } == ["192.0.2.1", "192.0.2.9"])
        try await stores.records.owner.query("UPDATE nodes SET sources = '{198.51.100.1}'")
        #expect(try await addresses() == ["192.0.2.1", "192.0.2.9"])
        try await stores.records.owner.query("DELETE FROM node_sources WHERE node = 'b'")
        #expect(try await addresses() == ["192.0.2.1", "198.51.100.1"])
    }

    @Test func `whether a node has a pool is not known before one has told`() async throws {
        let stores = try await Stores.open()
        func has(_ pool: String) async throws -> Bool? {
            try await stores.records.pool.withConnection { try await FleetStore.hasPool(pool, on: $0) }
        }
        try await stores.begin("a")
        #expect(try await has("news") == nil)
        _ = try await stores.fleet.heartbeat(node: "a", aliveSeconds: 30, pools: ["news"])
        #expect(try await has("news") == true)
        #expect(try await has("default") == false)
    }
}

import Fleet
import Logging
import Postgres
import TestDatabases
import TestStores
import Testing

/// One process runs under a node's name.
struct NodeNameTests {
    @Test func `a name that comes free in a moment is waited for`() async throws {
        let stores = try await Stores.open()
        try await stores.fleet.register(node: "n")
        let next = FleetStore(records: stores.records.pool, logger: Logger(label: "test"))
        let start = ContinuousClock.now
        async let registered: Void = next.register(node: "n")
        try await Task.sleep(for: .milliseconds(300))
        await stores.fleet.unregister(node: "n")
        try await registered
        #expect(ContinuousClock.now - start >= .milliseconds(300))
        await next.unregister(node: "n")
    }

    @Test func `nodes are listed by name, those that are gone as well`() async throws {
        let stores = try await Stores.open()
        let fleet = stores.fleet
        #expect(try await fleet.nodes() == [])
        for node in ["b", "a"] {
            try await fleet.register(node: node)
            try await stores.begin(node)
        }
        await fleet.unregister(node: "a")
        let nodes = try await fleet.nodes()
        #expect(nodes.map(\.name) == ["a", "b"])
        #expect(nodes.map(\.isAlive) == [false, true])
        #expect(nodes.allSatisfy { $0.startedSecondsAgo < 60 && $0.seenSecondsAgo < 60 })
        await fleet.unregister(node: "b")
    }

    @Test func `an incarnation has a name of its own, which the next one can ask for`() async throws {
        let stores = try await Stores.open()
        #expect(try await stores.fleet.lastIncarnation(of: "n") == nil)
        let first = try await stores.begin("n")
        #expect(try await stores.fleet.lastIncarnation(of: "n") == first)
        let second = try await stores.begin("n")
        #expect(second != first)
        #expect(try await stores.fleet.lastIncarnation(of: "n") == second)
    }

    @Test func `a heartbeat counts the nodes heard of within its time`() async throws {
        let stores = try await Stores.open()
        for node in ["a", "b"] { try await stores.begin(node) }
        #expect(try await stores.fleet.heartbeat(node: "a", aliveSeconds: 30).nodes == 2)
        try await stores.records.owner.query(
            "UPDATE nodes SET seen_at = clock_timestamp() - interval '31 seconds' WHERE node = 'b'")
        #expect(try await stores.fleet.heartbeat(node: "a", aliveSeconds: 30).nodes == 1)
        #expect(try await stores.fleet.heartbeat(node: "b", aliveSeconds: 30).nodes == 2)
    }
}

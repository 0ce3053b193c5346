import Fleet
import MailTypes
import Postgres
import TestDatabases
import TestStores

extension Stores {
    /// Begins an incarnation of a node that has no leases.
    @discardableResult
    func begin(_ node: String, sources: [NodeSource] = [], addresses: [IPAddress] = []) async throws -> String {
        try await records.pool.withTransaction { connection in
            try await FleetStore.beginIncarnation(of: node, sources: sources, addresses: addresses, on: connection)
        }
    }
}

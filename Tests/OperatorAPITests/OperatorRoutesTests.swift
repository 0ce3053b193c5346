import Hummingbird
import HummingbirdTesting
import NIOCore
import SendingDomains
import TestStores
import Testing

@testable import OperatorAPI

/// The routes of a node that does not deliver.
struct OperatorRoutesTests {
    private struct Unknown: Error {}

    private func metrics(_ domains: @escaping @Sendable () async throws -> DomainCensus?) async throws -> String {
        let stores = try await Stores.open()
        let routes = OperatorRoutes(
            engine: nil, campaigns: stores.campaigns, delivery: stores.delivery, domains: domains)
        return try await Application(router: routes.router(readOnly: true)).test(.router) { client in
            try await client.execute(uri: "/metrics", method: .get) { response in
                #expect(response.status == .ok)
                return String(buffer: response.body)
            }
        }
    }

    @Test func `metrics are worth having while nobody can count the domains`() async throws {
        let page = try await metrics { throw Unknown() }
        #expect(page.contains("process_cpu_seconds_total") && !page.contains("sluice_domains"))
    }

    @Test func `they tell how domains stand`() async throws {
        let page = try await metrics {
            var census = DomainCensus()
            census.pending = 3
            return census
        }
        #expect(page.contains("sluice_domains"))
    }
}

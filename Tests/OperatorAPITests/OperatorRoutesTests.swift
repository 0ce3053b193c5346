import Campaigns
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

    @Test func `an account's time for refunds is set within its bounds`() async throws {
        let stores = try await Stores.open()
        let account = try await stores.account("first", credits: 0)
        let routes = OperatorRoutes(engine: nil, campaigns: stores.campaigns, delivery: stores.delivery) { nil }
        try await Application(router: routes.router(readOnly: false)).test(.router) { client async throws -> Void in
            func post(_ path: String) async throws -> Int {
                try await client.execute(uri: path, method: .post) { $0.status.code }
            }
            #expect(try await post("/accounts/\(account)/refunds?for=86400") == 200)
            #expect(try await stores.campaigns.refundTimes() == [account: 86_400])
            for wrong in ["?for=-1", "?for=2592001", "?for=soon", ""] {
                #expect(try await post("/accounts/\(account)/refunds\(wrong)") == 400, "\(wrong)")
            }
            #expect(try await post("/accounts/99/refunds?for=60") == 409)
            #expect(try await stores.campaigns.refundTimes() == [account: 86_400])
            #expect(try await post("/accounts/\(account)/refunds?for=default") == 200)
            #expect(try await stores.campaigns.refundTimes() == [:])
        }
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

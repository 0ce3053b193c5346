import Postgres

extension FleetStore {
    /// Takes tokens out of the bucket of a site, which all nodes share.
    ///
    /// - Parameter rate: tokens a second; one second's worth, at least one, may be saved up.
    /// - Returns: how many were granted, at most `wanted`.
    package func leaseSiteTokens(_ site: String, rate: Double, wanted: Int) async throws -> Int {
        let granted = try await urgent.query(
            "SELECT lease_site_tokens(\(site), \(rate), \(max(1, rate)), \(Int32(clamping: wanted)))"
        ).only.decode(Int32.self)
        return Int(granted)
    }
}

/// Whether a domain is proven, and since when it is not.
package struct DomainStanding: Sendable, Hashable {
    /// The raw values are stored and part of the API; never rename them.
    package enum State: String, CaseIterable, Sendable, Hashable {
        /// Nothing has proven it yet. It does not send.
        case pending
        case verified
        /// The DNS proves it no more. It sends until the grace time is over.
        case failing
        /// The grace time is over. It does not send.
        case stopped
    }

    /// What one look into the DNS says.
    package enum Proof: String, CaseIterable, Sendable, Hashable {
        case proven, disproven
        /// The DNS did not answer: nothing changes.
        case unknown
    }

    package var state: State
    /// Since when the proof is missing, in seconds since 1970; nil unless ``State/failing`` or ``State/stopped``.
    package var failingSince: Int64?

    package init(_ state: State, failingSince: Int64? = nil) {
        self.state = state
        self.failingSince = failingSince
    }

    /// Whether mail may leave as this domain.
    package var sends: Bool { state == .verified || state == .failing }

    /// When a failing domain stops, if nothing proves it before.
    package var stopsAt: Int64? { state == .failing ? failingSince.map { $0 + Self.graceSeconds } : nil }

    /// How long a domain sends without its proof: long enough for a weekend and a slow change of name servers.
    package static let graceSeconds: Int64 = 72 * 3_600

    package func after(_ proof: Proof, at now: Int64) -> DomainStanding {
        switch (state, proof) {
        case (_, .unknown), (.pending, .disproven), (.stopped, .disproven): self
        case (_, .proven): DomainStanding(.verified)
        case (.verified, .disproven): DomainStanding(.failing, failingSince: now)
        case (.failing, .disproven):
            now >= stopsAt ?? now ? DomainStanding(.stopped, failingSince: failingSince) : self
        }
    }
}

package import Postgres

/// A provider that reports to this installation.
package struct ProviderSource: Sendable {
    package let id: Int64
    package let kind: ProviderKind
    package let name: String
    let material: SourceMaterial
    /// Until when a source of `sluice feedback test` is good; nil for others.
    let testUntil: PostgresTimestamp?
}

/// What has come from a source.
package struct SourceSummary: Sendable {
    package let id: Int64
    package let provider: String
    package let name: String
    package let createdAt: PostgresTimestamp
    package let lastAt: PostgresTimestamp?
    package let payloads: Int64
    package let events: Int64
    /// Events that name one of our mails.
    package let recognised: Int64
    /// Facts that were new.
    package let noted: Int64
    package let waiting: Int64
}

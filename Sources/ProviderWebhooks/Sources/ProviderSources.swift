import Foundation
import MailTypes
package import Postgres
package import Vault

/// The providers that report to this installation: made and removed by its operator.
package struct ProviderSources: Sendable {
    private let records: PostgresPool
    private let key: SealingKey

    package init(records: PostgresPool, vault: Vault) {
        self.records = records
        key = vault.providerKey
    }

    /// Makes a source, and the secret of its address, which cannot be read again.
    ///
    /// - Parameters:
    ///   - name: for people, 1…100 octets without control characters
    ///   - isTest: what it reports is undone, and it goes by itself.
    /// - Throws: ``ProviderSourceError``
    package func add(
        _ kind: ProviderKind, name: String, material: SourceMaterial, isTest: Bool = false
    ) async throws -> (id: Int64, secret: SourceSecret) {
        guard (1...100).contains(name.utf8.count), !name.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F }) else {
            throw ProviderSourceError.invalidName
        }
        try Self.check(kind, material)
        let secret = SourceSecret()
        let hash = SourceSecret.hash(secret.text.exposed)
        let sealed = try key.seal(Array(JSONEncoder().encode(material)), as: Self.context(hash))
        let id: Int64 = try await records.withTransaction { connection in
            try await connection.query("DELETE FROM provider_sources WHERE test_until < now()")
            let count = try await connection.query("SELECT count(*) FROM provider_sources").only.decode(Int.self)
            guard count < ProviderLimits.sources else { throw ProviderSourceError.tooMany }
            return try await connection.query(
                """
                INSERT INTO provider_sources (provider, name, secret_hash, sealed, test_until)
                VALUES (\(kind.rawValue), \(name), \(hash), \(sealed),
                    CASE WHEN \(isTest) THEN now() + make_interval(mins => \(Int32(ProviderLimits.testMinutes))) END)
                RETURNING source_id
                """
            ).only.decode(Int64.self)
        }
        return (id, secret)
    }

    /// Gives a source other keys; its address stays. Providers that make the key show it only once they have the address.
    ///
    /// - Returns: false where there is no such source
    /// - Throws: ``ProviderSourceError``, `VaultError` where the source was sealed under another master key
    package func setKeys(_ keys: [String], parentKeys: [String], of id: Int64) async throws -> Bool {
        try await records.withTransaction { connection in
            let row = try await connection.query(
                "SELECT provider, secret_hash, sealed FROM provider_sources WHERE source_id = \(id) FOR UPDATE"
            ).first
            guard let (provider, hash, sealed) = try row?.decode(String.self, [UInt8].self, [UInt8].self),
                let kind = ProviderKind(rawValue: provider)
            else { return false }
            let opened = try key.open(sealed, as: Self.context(hash))
            var material = try JSONDecoder().decode(SourceMaterial.self, from: Data(opened))
            guard kind.signsWithKeys, !(keys + parentKeys).isEmpty else { throw ProviderSourceError.invalidKey }
            (material.keys, material.parentKeys) = (keys, parentKeys)
            try Self.check(kind, material)
            let resealed = try key.seal(Array(JSONEncoder().encode(material)), as: Self.context(hash))
            return try await connection.query(
                "UPDATE provider_sources SET sealed = \(resealed) WHERE source_id = \(id)"
            ).affected == 1
        }
    }

    /// - Returns: false where there is none.
    package func remove(_ id: Int64) async throws -> Bool {
        try await records.query("DELETE FROM provider_sources WHERE source_id = \(id)").affected == 1
    }

    /// All but those of tests, oldest first.
    package func list() async throws -> [SourceSummary] {
        try await records.query(
            """
            SELECT source_id, provider, name, created_at, last_at, payloads, events, recognised, noted,
                (SELECT count(*) FROM provider_payloads p WHERE p.source_id = s.source_id AND p.sealed IS NOT NULL)
            FROM provider_sources s WHERE test_until IS NULL ORDER BY source_id
            """
        ).map { row in
            SourceSummary(
                id: try row.decode(column: 0, as: Int64.self), provider: try row.decode(column: 1, as: String.self),
                name: try row.decode(column: 2, as: String.self),
                createdAt: try row.decode(column: 3, as: PostgresTimestamp.self),
                lastAt: try row.decode(column: 4, as: PostgresTimestamp?.self),
                payloads: try row.decode(column: 5, as: Int64.self), events: try row.decode(column: 6, as: Int64.self),
                recognised: try row.decode(column: 7, as: Int64.self), noted: try row.decode(column: 8, as: Int64.self),
                waiting: try row.decode(column: 9, as: Int64.self))
        }
    }

    /// What became of all that a source of a test has sent; nil while it waits, or where nothing came.
    package func testResult(_ id: Int64) async throws -> TestResult? {
        try await records.query(
            """
            SELECT events, recognised, noted, problem FROM provider_payloads
            WHERE source_id = \(id) AND sealed IS NULL ORDER BY received_at LIMIT 1
            """
        ).first.map { row in
            let (events, recognised, noted, problem) = try row.decode(Int.self, Int.self, Int.self, String?.self)
            return TestResult(events: events, recognised: recognised, noted: noted, problem: problem)
        }
    }

    package struct TestResult: Sendable, Hashable {
        package let events, recognised, noted: Int
        package let problem: String?
    }

    /// All that are good now, by the hash of their secret. One that does not open is left out: its master key is another.
    func all() async throws -> [[UInt8]: ProviderSource] {
        let rows = try await records.query(
            """
            SELECT source_id, provider, name, secret_hash, sealed, test_until FROM provider_sources
            WHERE test_until IS NULL OR test_until > now()
            """)
        var found: [[UInt8]: ProviderSource] = [:]
        for row in rows {
            let hash = try row.decode(column: 3, as: [UInt8].self)
            // A provider that only a newer version knows.
            guard let kind = ProviderKind(rawValue: try row.decode(column: 1, as: String.self)),
                let octets = try? key.open(row.decode(column: 4, as: [UInt8].self), as: Self.context(hash)),
                let material = try? JSONDecoder().decode(SourceMaterial.self, from: Data(octets))
            else { continue }
            found[hash] = ProviderSource(
                id: try row.decode(column: 0, as: Int64.self), kind: kind,
                name: try row.decode(column: 2, as: String.self), material: material,
                testUntil: try row.decode(column: 5, as: PostgresTimestamp?.self))
        }
        return found
    }

    /// A row's material opens only under that row's secret.
    private static func context(_ hash: [UInt8]) -> SealContext {
        SealContext(account: AccountID(rawValue: 0), purpose: .providerSource, label: hash.hexadecimal)
    }

    private static func check(_ kind: ProviderKind, _ material: SourceMaterial) throws(ProviderSourceError) {
        let keys = material.keys + material.parentKeys
        guard keys.count <= ProviderLimits.keys else { throw .tooManyKeys }
        switch kind {
        case .ses:
            guard material.topic.flatMap(SNSTopic.init) != nil else { throw .invalidTopic }
        case .sendgrid:
            // Shown only once SendGrid has the address; until then nothing is believed.
            guard keys.allSatisfy({ SendGrid.publicKey($0) != nil }) else { throw .invalidKey }
        case .mailgun:
            guard !keys.isEmpty, keys.allSatisfy({ (16...200).contains($0.utf8.count) }) else { throw .invalidKey }
        case .resend, .standard:
            guard keys.allSatisfy({ StandardWebhooks.key($0) != nil }) else { throw .invalidKey }
        case .generic:
            guard !keys.isEmpty, keys.allSatisfy({ StandardWebhooks.key($0) != nil }) else { throw .invalidKey }
        case .postmark, .sparkpost, .mailjet, .brevo:
            guard material.header != nil, material.headerHash?.count == 32 else { throw .invalidKey }
        }
    }
}

package enum ProviderSourceError: Error, Sendable, Hashable, CustomStringConvertible {
    case invalidName, tooMany, tooManyKeys, invalidTopic, invalidKey

    package var description: String {
        switch self {
        case .invalidName: "the name of a source has 1 to 100 octets and no control characters"
        case .tooMany: "there are \(ProviderLimits.sources) sources already"
        case .tooManyKeys: "a source has at most \(ProviderLimits.keys) keys"
        case .invalidTopic: "the topic is no SNS topic, such as arn:aws:sns:eu-central-1:123456789012:ses-events"
        case .invalidKey: "the key is not one of this provider's"
        }
    }
}

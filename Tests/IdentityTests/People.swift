import Identity
import MailTypes
import Passwords
import Postgres
import TestDatabases
import Vault

/// People over the database of a ``Directory``, and nodes that share it.
struct People {
    static let password = "violet tram 19 eats soup"

    let directory: Directory
    let users: Users
    private let masterKey = MasterKey()
    private let hasher: PasswordHasher

    init(places: Int = 32) async throws {
        directory = try await Directory()
        var configuration = PasswordHasher.Configuration()
        configuration.cost = 4
        configuration.share = 1
        configuration.places = places
        hasher = PasswordHasher(configuration)
        users = Users(pool: directory.database.pool, hasher: hasher)
    }

    /// As another process has it.
    var vault: Vault {
        Vault(pool: directory.database.pool, records: directory.database.pool, masterKey: masterKey)
    }

    /// Sessions of a node of its own.
    ///
    /// - Parameter later: how much later that node has it.
    func sessions(cacheSeconds: Int64 = PeopleLimits.cacheSeconds, later: Int64 = 0) -> Sessions {
        Sessions(
            pool: directory.database.pool, vault: vault, cacheSeconds: cacheSeconds,
            clock: { [clock = directory.clock] in clock.seconds },
            now: { [clock = directory.clock] in Self.start + clock.seconds + later })
    }

    func signIn(_ sessions: Sessions) -> SignIn {
        SignIn(
            pool: directory.database.pool, sessions: sessions, hasher: hasher, factors: factors, vault: vault,
            now: { [clock = directory.clock] in Self.start + clock.seconds })
    }

    /// Second factors of a node of its own.
    var factors: SecondFactors {
        SecondFactors(
            pool: directory.database.pool, vault: vault,
            now: { [clock = directory.clock] in Self.start + clock.seconds })
    }

    /// Seconds since 1970 when the directory's clock shows nothing.
    static let start: Int64 = 1_800_000_000

    func user(_ address: String = "ada@example.org", _ role: Role = .owner) async throws -> User {
        try await users.create(.member(directory.account, role), address: address, password: Self.password)
    }

    /// What tells one network from another.
    static let home: [UInt8] = [192, 0, 2, 1]
}

extension SignIn {
    struct NeedsSecondFactor: Error {}

    /// Signs in a user who has no second factor.
    func enter(
        address: String, password: String, network: [UInt8]
    ) async throws -> (user: AuthenticatedUser, secrets: SessionSecrets) {
        guard
            case .session(let user, let secrets) = try await begin(
                address: address, password: password, network: network)
        else { throw NeedsSecondFactor() }
        return (user, secrets)
    }
}

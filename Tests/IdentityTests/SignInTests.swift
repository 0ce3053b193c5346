import Crypto
import MailTypes
import Passwords
import Postgres
import TestDatabases
import Testing
import Vault

@testable import Identity

@Suite struct SignInTests {
    private static let wrong = "rope lantern 42 goose"

    private static func network(_ number: Int) -> [UInt8] { [198, 51, UInt8(number / 256), UInt8(number % 256)] }

    @Test func `a wrong password, an unknown address and a stranger's text are refused alike`() async throws {
        let people = try await People()
        _ = try await people.user()
        let signIn = people.signIn(people.sessions())
        for (number, (address, password)) in [
            ("ada@example.org", Self.wrong), ("bo@example.org", People.password), ("", ""), ("ada", People.password),
            ("ada@example.org", ""), ("ada@example.org' --", People.password),
            ("ada@example.org", People.password + "\u{0}"),
            ("ada@example.org", String(repeating: "x", count: 5_000)),
            ("ada@example.org", People.password.uppercased()),
        ].enumerated() {
            await #expect(throws: SignInError.refused) {
                _ = try await signIn.begin(address: address, password: password, network: Self.network(number))
            }
        }
        #expect(try await people.sessions().list(of: people.directory.account).isEmpty)
    }

    @Test func `a password of 73 octets whose first 72 are right is refused`() async throws {
        let people = try await People()
        let right = String(repeating: "xK9#vq2LmZ0p", count: 5) + "tram 19 soup"
        _ = try await people.users.create(
            .member(people.directory.account, .owner), address: "ada@example.org", password: right)
        let signIn = people.signIn(people.sessions())
        #expect(right.utf8.count == 72)
        await #expect(throws: SignInError.refused) {
            _ = try await signIn.begin(address: "ada@example.org", password: right + "x", network: People.home)
        }
        _ = try await signIn.begin(address: "ada@example.org", password: right, network: People.home)
    }

    @Test func `a user who has another password by now does not sign in with the old one`() async throws {
        let people = try await People()
        let ada = try await people.user()
        let signIn = people.signIn(people.sessions())
        try await people.users.setPassword(Self.wrong, of: ada.id, in: people.directory.account)
        await #expect(throws: SignInError.refused) {
            _ = try await signIn.begin(address: "ada@example.org", password: People.password, network: People.home)
        }
        _ = try await signIn.begin(address: "ada@example.org", password: Self.wrong, network: People.home)
    }

    // MARK: Attempts

    @Test func `an attempt knows how many there were before it, of its network or at its address`() async throws {
        let people = try await People()
        let attempts = SignInAttempts(
            .signIn, pool: people.directory.database.pool, key: SymmetricKey(data: people.vault.peopleKey))
        func earlier(_ address: String, _ network: Int) async throws -> Int {
            try await attempts.take(address: address, network: Self.network(network)).earlier
        }
        for expected in 0..<4 { #expect(try await earlier("ada@example.org", 1) == expected) }
        #expect(try await earlier("bo@example.org", 1) == 4)
        #expect(try await earlier("ada@example.org", 2) == 4)
        #expect(try await earlier("bo@example.org", 3) == 1)
        #expect(try await earlier("cy@example.org", 4) == 0)
        try await people.directory.database.owner.query(
            "UPDATE sign_in_attempts SET started_at = now() - interval '900 seconds'")
        #expect(try await earlier("ada@example.org", 1) == 0)
    }

    @Test func `five attempts fail from a network for an address, and then it waits; nobody else does`() async throws {
        let people = try await People()
        _ = try await people.user()
        let signIn = people.signIn(people.sessions())
        for _ in 0..<5 {
            await #expect(throws: SignInError.refused) {
                _ = try await signIn.begin(address: "Ada@example.org", password: Self.wrong, network: People.home)
            }
        }
        // Whatever it knows, and however the address is written.
        for (address, password) in [("ada@example.org", People.password), ("ADA@example.org", Self.wrong)] {
            let error = await #expect(throws: SignInError.self) {
                _ = try await signIn.begin(address: address, password: password, network: People.home)
            }
            guard case .tooMany(let seconds)? = error else {
                Issue.record("\(String(describing: error))")
                continue
            }
            #expect((880...900).contains(seconds))
        }
        _ = try await signIn.begin(address: "ada@example.org", password: People.password, network: Self.network(1))
        await #expect(throws: SignInError.refused) {
            _ = try await signIn.begin(address: "bo@example.org", password: Self.wrong, network: People.home)
        }
        // The window ends by the database's clock.
        try await people.directory.database.owner.query(
            "UPDATE sign_in_attempts SET started_at = started_at - interval '15 minutes 1 second'")
        _ = try await signIn.begin(address: "ada@example.org", password: People.password, network: People.home)
    }

    /// Else the windows that began in the hour that comes again would last an hour longer.
    @Test func `where the database's clock goes back an hour windows begin anew`() async throws {
        let people = try await People()
        _ = try await people.user()
        let signIn = people.signIn(people.sessions())
        for _ in 0..<6 {
            await #expect(throws: SignInError.self) {
                _ = try await signIn.begin(address: "ada@example.org", password: Self.wrong, network: People.home)
            }
        }
        await #expect(throws: SignInError.self) {
            _ = try await signIn.begin(address: "ada@example.org", password: People.password, network: People.home)
        }
        try await people.directory.database.owner.query(
            "UPDATE sign_in_attempts SET started_at = started_at + interval '1 hour'")
        _ = try await signIn.begin(address: "ada@example.org", password: People.password, network: People.home)
    }

    @Test func `what succeeds is no failure`() async throws {
        let people = try await People()
        _ = try await people.user()
        let signIn = people.signIn(people.sessions())
        for _ in 0..<6 {
            for _ in 0..<3 {
                await #expect(throws: SignInError.refused) {
                    _ = try await signIn.begin(address: "ada@example.org", password: Self.wrong, network: People.home)
                }
            }
            _ = try await signIn.begin(address: "ada@example.org", password: People.password, network: People.home)
        }
        // Of each round three have failed, and the one that succeeded was given back.
        let attempts = try await people.directory.database.owner.query(
            "SELECT attempts FROM sign_in_attempts ORDER BY attempts"
        ).map { try $0.decode(Int.self) }
        #expect(attempts == [0, 18, 18])
    }

    /// One attempt follows the other by nothing but chance, over nodes that share nothing but the database.
    @Test func `attempts at the same time on three nodes do not pass together`() async throws {
        let people = try await People(places: 200)
        _ = try await people.user()
        let nodes = (0..<3).map { _ in people.signIn(people.sessions()) }
        let (refused, waiting) = await withTaskGroup(of: SignInError?.self) { group in
            for number in 0..<60 {
                group.addTask {
                    do {
                        _ = try await nodes[number % 3].begin(
                            address: "ada@example.org", password: Self.wrong, network: People.home)
                        return nil
                    } catch {
                        return error as? SignInError
                    }
                }
            }
            return await group.reduce(into: (0, 0)) { counts, error in
                if error == .refused { counts.0 += 1 }
                if case .tooMany? = error { counts.1 += 1 }
            }
        }
        #expect(refused == 5 && waiting == 55)
    }

    @Test func `a network tries fifty times, at however many addresses`() async throws {
        let people = try await People()
        let signIn = people.signIn(people.sessions())
        var refused = 0
        for number in 0..<55 {
            do {
                _ = try await signIn.begin(
                    address: "a\(number)@example.org", password: Self.wrong, network: People.home)
            } catch SignInError.refused {
                refused += 1
            } catch SignInError.tooMany {}
        }
        #expect(refused == 50)
        // What it was refused has left nothing behind: the network, and two rows of each address.
        let rows = try await people.directory.database.owner.query("SELECT count(*) FROM sign_in_attempts").only.decode(
            Int.self)
        #expect(rows == 101)
    }

    @Test func `a whole botnet locks nobody out`() async throws {
        let people = try await People()
        _ = try await people.user()
        let signIn = people.signIn(people.sessions())
        var refused = 0
        for number in 0..<30 {
            for _ in 0..<5 {
                do {
                    _ = try await signIn.begin(
                        address: "ada@example.org", password: Self.wrong, network: Self.network(number))
                } catch SignInError.refused {
                    refused += 1
                } catch SignInError.tooMany {}
            }
        }
        // Four networks spend twenty attempts; each further one has two.
        #expect(refused == 4 * 5 + 26 * 2)
        // She mistypes once, from a network that nobody has seen.
        await #expect(throws: SignInError.refused) {
            _ = try await signIn.begin(address: "ada@example.org", password: Self.wrong, network: People.home)
        }
        _ = try await signIn.begin(address: "ada@example.org", password: People.password, network: People.home)
    }

    @Test func `strangers fill no table, and what is old goes`() async throws {
        let people = try await People()
        let signIn = people.signIn(people.sessions())
        await #expect(throws: SignInError.refused) {
            _ = try await signIn.begin(address: "secret typed here", password: "x", network: People.home)
        }
        let rows = try await people.directory.database.owner.query("SELECT a::text FROM sign_in_attempts a").map {
            try $0.decode(String.self)
        }
        #expect(rows.count == 3 && !rows.contains { $0.contains("secret") })
        let pool = people.directory.database.pool
        #expect(try await signIn.sweep(on: pool) == 0)
        try await people.directory.database.owner.query(
            "UPDATE sign_in_attempts SET started_at = now() - interval '16 minutes'")
        #expect(try await signIn.sweep(on: pool) == 3)
    }

    @Test func `where all places are taken nothing is counted`() async throws {
        let people = try await People(places: 0)
        let signIn = people.signIn(people.sessions())
        await #expect(throws: SignInError.busy) {
            _ = try await signIn.begin(address: "ada@example.org", password: Self.wrong, network: People.home)
        }
        let rows = try await people.directory.database.owner.query("SELECT count(*) FROM sign_in_attempts").only.decode(
            Int.self)
        #expect(rows == 0)
    }
}

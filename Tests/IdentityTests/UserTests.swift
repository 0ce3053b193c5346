import CreditLedger
import Identity
import MailTypes
import Passwords
import Postgres
import TestDatabases
import Testing
import Vault

@Suite struct UserTests {
    @Test func `users belong to an account, operators to the installation`() async throws {
        let people = try await People()
        let ada = try await people.user(" Ada@Example.ORG ")
        let bo = try await people.user("bo@example.org", .viewer)
        let cy = try await people.users.create(
            .installationOperator, address: "cy@example.org", password: People.password)
        #expect(ada.address.text == "ada@example.org" && ada.lastSignInAt == nil)
        #expect(try await people.users.list(of: people.directory.account) == [ada, bo])
        #expect(try await people.users.list(of: Vault.installation) == [cy])
        #expect(try await people.users.list(of: people.directory.account("other")).isEmpty)
        #expect((ada.kind.name, bo.kind.name, cy.kind.name) == ("owner", "viewer", "operator"))
        #expect(!"\(ada)".contains("ada@") && !String(reflecting: ada).contains("ada@"))
    }

    @Test func `an address signs in one person, in whatever case it is written`() async throws {
        let people = try await People()
        _ = try await people.user()
        let other = try await people.directory.account("other")
        for kind in [UserKind.member(people.directory.account, .admin), .member(other, .owner), .installationOperator] {
            await #expect(throws: UserError.addressTaken) {
                _ = try await people.users.create(kind, address: "ADA@example.org", password: People.password)
            }
        }
        for address in ["", "ada", "ada@localhost", "a@b@example.org", "ada@example.org\nbcc: x@example.org"] {
            await #expect(throws: UserError.invalidAddress) { _ = try await people.user(address) }
        }
        await #expect(throws: UserError.accountNotFound) {
            _ = try await people.users.create(
                .member(AccountID(rawValue: 99), .owner), address: "bo@example.org", password: People.password)
        }
        await #expect(throws: PasswordError.tooCommon) {
            _ = try await people.users.create(
                .installationOperator, address: "bo@example.org", password: "password1234")
        }
    }

    @Test func `the database holds no password`() async throws {
        let people = try await People()
        _ = try await people.user()
        let row = try await people.directory.database.owner.query("SELECT u::text FROM users u").only.decode(
            String.self)
        #expect(!row.contains("violet") && row.contains("$2b$04$"))
    }

    @Test func `the last owner stays`() async throws {
        let people = try await People()
        await #expect(throws: UserError.firstIsOwner) { _ = try await people.user("bo@example.org", .admin) }
        let ada = try await people.user()
        let bo = try await people.user("bo@example.org", .admin)
        let account = people.directory.account
        await #expect(throws: UserError.lastOwner) { try await people.users.setRole(.admin, of: ada.id, in: account) }
        await #expect(throws: UserError.lastOwner) { try await people.users.remove(ada.id, from: account) }
        try await people.users.setRole(.owner, of: bo.id, in: account)
        try await people.users.setRole(.viewer, of: ada.id, in: account)
        await #expect(throws: UserError.lastOwner) { try await people.users.remove(bo.id, from: account) }
        try await people.users.remove(ada.id, from: account)
        #expect(try await people.users.list(of: account).map(\.id) == [bo.id])
        // The address is free again.
        _ = try await people.user("ada@example.org", .member)
    }

    /// Each of many owners leaves at the same time, by another way; whatever the order, one stays.
    @Test func `of owners who leave at once one stays`() async throws {
        let people = try await People()
        let account = people.directory.account
        for round in 0..<10 {
            var owners: [User] = []
            for number in 0..<4 {
                owners.append(try await people.user("owner-\(round)-\(number)@example.org", .owner))
            }
            let all = try await people.users.list(of: account).filter { $0.kind.role == .owner }
            let left = await withTaskGroup(of: Bool.self) { group in
                for (place, owner) in all.enumerated() {
                    group.addTask {
                        do {
                            if place % 2 == 0 {
                                try await people.users.remove(owner.id, from: account)
                            } else {
                                try await people.users.setRole(.member, of: owner.id, in: account)
                            }
                            return true
                        } catch {
                            return false
                        }
                    }
                }
                return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(left == all.count - 1)
            #expect(try await people.users.list(of: account).count { $0.kind.role == .owner } == 1)
        }
    }

    @Test func `another account's users do not exist`() async throws {
        let people = try await People()
        let ada = try await people.user()
        let other = try await people.directory.account("other")
        for account in [other, Vault.installation] {
            await #expect(throws: UserError.userNotFound) { try await people.users.remove(ada.id, from: account) }
            await #expect(throws: UserError.userNotFound) {
                try await people.users.setRole(.owner, of: ada.id, in: account)
            }
            await #expect(throws: UserError.userNotFound) {
                try await people.users.setPassword("rope lantern 42 goose", of: ada.id, in: account)
            }
            #expect(try await !people.sessions().endAll(of: ada.id, in: account))
        }
        #expect(try await people.users.list(of: people.directory.account) == [ada])
    }

    @Test func `nobody becomes an operator by a change of role`() async throws {
        let people = try await People()
        let ada = try await people.user()
        for change in ["role = 'operator'", "account_id = 0"] {
            await #expect(throws: PostgresError.self) {
                try await people.directory.database.pool.withConnection { connection in
                    try await connection.execute(script: "UPDATE users SET \(change)")
                }
            }
        }
        #expect(try await people.users.list(of: people.directory.account) == [ada])
    }

    @Test(arguments: ["usr_0", "usr_-1", "usr_+7", "usr_07", "usr_", "7", "key_7", "usr_9223372036854775808"])
    func `what is no user's name is not read as one`(_ text: String) {
        #expect(UserID(text) == nil)
        #expect(SessionID(text.replacing("usr", with: "ses")) == nil)
    }
}

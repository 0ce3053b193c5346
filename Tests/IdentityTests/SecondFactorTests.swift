import Crypto
import MailTypes
import Postgres
import TestDatabases
import TestSupport
import Testing
import Vault

@testable import Identity

/// A second factor from its making to its end, over nodes that share nothing but the database.
@Suite struct SecondFactorTests {
    /// A user with a second factor, and the app that makes their codes.
    private struct Enrolled {
        let people: People
        let user: User
        let app: TOTP
        let recoveryCodes: [String]
        /// That has made it.
        let session: AuthenticatedUser

        /// - Parameter people: with other users, where there are any
        init(_ people: People? = nil, _ address: String = "ada@example.org") async throws {
            var given = people
            if given == nil { given = try await People() }
            let people = try #require(given)
            self.people = people
            user = try await people.user(address)
            let signIn = people.signIn(people.sessions(cacheSeconds: 0))
            session = try await signIn.enter(address: address, password: People.password, network: People.home).user
            let secret = try await signIn.beginSecondFactor(of: session, by: Self.password, network: People.home)
            app = TOTP(secret: try Self.octets(secret.secret.exposed))
            recoveryCodes = try await signIn.confirmSecondFactor(of: session, code: app.code(at: Self.step(people)))
                .map(\.exposed)
            // The step of the first code is over.
            people.directory.clock.advance(bySeconds: 30)
        }

        static let password = Proof.password(Redacted(People.password))

        private static func step(_ people: People) -> Int64 {
            TOTP.step(at: People.start + people.directory.clock.seconds)
        }

        /// A node.
        func signIn() -> SignIn { people.signIn(people.sessions(cacheSeconds: 0)) }

        /// What the app shows.
        func code(_ shift: Int64 = 0) -> String { app.code(at: Self.step(people) + shift) }

        /// Of a code that it does not show, nor has shown.
        var wrong: String {
            let shown = (-3...3).map { code($0) }
            return (0...).lazy.map { String($0 + 100_000) }.first { !shown.contains($0) } ?? ""
        }

        /// The first step.
        func step(_ network: [UInt8] = People.home, address: String = "ada@example.org") async throws -> String {
            guard
                case .step(let step) = try await signIn().begin(
                    address: address, password: People.password, network: network)
            else { throw NoStep() }
            return step.text.exposed
        }

        /// Both steps, on nodes of their own.
        func enter(by proof: Proof, network: [UInt8] = People.home) async throws -> AuthenticatedUser {
            let step = try await step(network)
            guard case .session(let user, _) = try await signIn().finish(step, by: proof, network: network) else {
                throw NoStep()
            }
            return user
        }

        func enter(_ code: String, network: [UInt8] = People.home) async throws -> AuthenticatedUser {
            try await enter(by: .code(Redacted(code)), network: network)
        }

        private static func octets(_ base32: String) throws -> [UInt8] {
            var (octets, rest, bits): ([UInt8], Int, Int) = ([], 0, 0)
            for digit in base32.utf8 {
                let value = try #require(Base32.rfc4648.firstIndex(of: digit))
                (rest, bits) = ((rest << 5 | value) & 0xFFFF, bits + 5)
                if bits >= 8 {
                    bits -= 8
                    octets.append(UInt8(truncatingIfNeeded: rest >> bits))
                }
            }
            return octets
        }

        var database: PostgresPool { people.directory.database.owner }
    }

    private struct NoStep: Error {}

    private static func network(_ number: Int) -> [UInt8] { [198, 51, UInt8(number / 256), UInt8(number % 256)] }

    private static func recovery(_ code: String) -> Proof { .recoveryCode(Redacted(code)) }

    /// How many of those who do it at the same time are let in; all others must be refused.
    private static func passed(
        _ count: Int, _ work: @escaping @Sendable (Int) async throws -> Void
    ) async -> (passed: Int, refused: Int) {
        await withTaskGroup(of: Bool?.self) { group in
            for number in 0..<count {
                group.addTask {
                    do {
                        try await work(number)
                        return true
                    } catch SignInError.codeRefused, SecondFactorError.proofRefused, SecondFactorError.exists {
                        return false
                    } catch {
                        Issue.record("\(error)")
                        return nil
                    }
                }
            }
            return await group.reduce(into: (0, 0)) { counts, isIn in
                if isIn == true { counts.0 += 1 }
                if isIn == false { counts.1 += 1 }
            }
        }
    }

    // MARK: Enrolling

    @Test func `it counts once a code has confirmed it, and then the password alone signs nobody in`() async throws {
        let people = try await People()
        _ = try await people.user()
        let signIn = people.signIn(people.sessions())
        let user = try await signIn.enter(
            address: "ada@example.org", password: People.password, network: People.home
        ).user
        await #expect(throws: SecondFactorError.missing) {
            _ = try await signIn.confirmSecondFactor(of: user, code: "000000")
        }
        let secret = try await signIn.beginSecondFactor(of: user, by: Enrolled.password, network: People.home)
        #expect(secret.uri.exposed.contains("secret=\(secret.secret.exposed)&"))
        await #expect(throws: SecondFactorError.proofRefused) {
            _ = try await signIn.confirmSecondFactor(of: user, code: "00000")
        }
        // Nothing counts yet.
        #expect(try await people.factors.state(of: user.user, in: people.directory.account).enabledAt == nil)
        _ = try await signIn.enter(address: "ada@example.org", password: People.password, network: People.home)
        let enrolled = try await Enrolled(people, "bo@example.org")
        #expect(enrolled.recoveryCodes.count == 10 && Set(enrolled.recoveryCodes).count == 10)
        let state = try await people.factors.state(of: enrolled.user.id, in: people.directory.account)
        #expect(state.enabledAt != nil && state.recoveryCodes == 10)
        await #expect(throws: SignIn.NeedsSecondFactor.self) {
            _ = try await signIn.enter(address: "bo@example.org", password: People.password, network: People.home)
        }
        #expect(try await people.sessions().list(of: people.directory.account).count == 3)
    }

    @Test func `the password is asked for, and a factor that counts is not replaced`() async throws {
        let enrolled = try await Enrolled()
        for proof in [Enrolled.password, .code(Redacted(enrolled.code()))] {
            await #expect(throws: SecondFactorError.exists) {
                _ = try await enrolled.signIn().beginSecondFactor(
                    of: enrolled.session, by: proof, network: People.home)
            }
        }
        await #expect(throws: SecondFactorError.proofRefused) {
            _ = try await enrolled.signIn().beginSecondFactor(
                of: enrolled.session, by: .password(Redacted("rope lantern 42 goose")), network: People.home)
        }
        await #expect(throws: SecondFactorError.exists) {
            _ = try await enrolled.signIn().confirmSecondFactor(of: enrolled.session, code: enrolled.code())
        }
        _ = try await enrolled.enter(enrolled.code())
    }

    @Test func `of secrets that were begun the last one counts, for an hour`() async throws {
        let people = try await People()
        _ = try await people.user()
        let signIn = people.signIn(people.sessions())
        let user = try await signIn.enter(
            address: "ada@example.org", password: People.password, network: People.home
        ).user
        let first = try await signIn.beginSecondFactor(of: user, by: Enrolled.password, network: People.home)
        let second = try await signIn.beginSecondFactor(of: user, by: Enrolled.password, network: People.home)
        #expect(first.secret.exposed != second.secret.exposed)
        try await people.directory.database.owner.query(
            "UPDATE second_factors SET begun_at = now() - interval '1 hour 1 second'")
        await #expect(throws: SecondFactorError.missing) {
            _ = try await signIn.confirmSecondFactor(of: user, code: "000000")
        }
    }

    @Test func `whoever was signed in with the password alone is out, and the one who confirms stays`() async throws {
        let people = try await People()
        _ = try await people.user()
        let sessions = people.sessions(cacheSeconds: 0)
        let other = try await people.signIn(sessions).enter(
            address: "ada@example.org", password: People.password, network: People.home)
        let here = try await people.signIn(sessions).enter(
            address: "ada@example.org", password: People.password, network: People.home)
        let secret = try await people.signIn(sessions).beginSecondFactor(
            of: here.user, by: Enrolled.password, network: People.home)
        #expect(secret.secret.exposed.count == 32)
        let sealed = try await people.directory.database.owner.query("SELECT sealed FROM second_factors").only
            .decode([UInt8].self)
        let octets = try people.vault.secondFactorKey.open(
            sealed,
            as: SealContext(
                account: people.directory.account, purpose: .secondFactor, label: here.user.user.description))
        let step = TOTP.step(at: People.start + people.directory.clock.seconds)
        _ = try await people.signIn(sessions).confirmSecondFactor(
            of: here.user, code: TOTP(secret: octets).code(at: step))
        #expect(try await sessions.isStillValid(here.user))
        #expect(try await !sessions.isStillValid(other.user))
        #expect(try await sessions.authenticate(token: nil, refresh: other.secrets.refresh?.exposed) == nil)
    }

    /// The row is locked by a confirmation that has not ended; the sign-in has read by then that there is no factor.
    @Test(.timeLimit(.minutes(2))) func `a sign-in that meets a confirmation needs the factor`() async throws {
        let enrolled = try await Enrolled()
        try await enrolled.database.query("UPDATE second_factors SET confirmed_at = NULL")
        let database = enrolled.people.directory.database
        let signedIn = try await withThrowingTaskGroup(of: SignedIn?.self) { group in
            try await database.owner.withTransaction { connection in
                try await connection.query("SELECT FROM users FOR NO KEY UPDATE")
                try await connection.query("UPDATE second_factors SET confirmed_at = now()")
                group.addTask {
                    try await enrolled.signIn().begin(
                        address: "ada@example.org", password: People.password, network: People.home)
                }
                try await eventually("the sign-in waits for the row") {
                    try await !database.pool.query(
                        "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
                    ).isEmpty
                }
            }
            return try await group.next() ?? nil
        }
        guard case .step? = signedIn else {
            Issue.record("signed in without the factor: \(String(describing: signedIn))")
            return
        }
    }

    // MARK: Codes

    @Test func `a code signs in once, and so does no earlier one`() async throws {
        let enrolled = try await Enrolled()
        let user = try await enrolled.enter(enrolled.code())
        #expect(user.user == enrolled.user.id)
        for code in [enrolled.code(), enrolled.code(-1)] {
            await #expect(throws: SignInError.codeRefused) { _ = try await enrolled.enter(code) }
        }
        // A code of the step to come is one that its clock shows, and then the present one is over.
        _ = try await enrolled.enter(enrolled.code(1))
        await #expect(throws: SignInError.codeRefused) { _ = try await enrolled.enter(enrolled.code()) }
        enrolled.people.directory.clock.advance(bySeconds: 60)
        _ = try await enrolled.enter(enrolled.code())
    }

    @Test func `a code that is shown to many nodes at once is taken by one`() async throws {
        let enrolled = try await Enrolled()
        for _ in 0..<5 {
            var steps: [String] = []
            for number in 0..<12 { steps.append(try await enrolled.step(Self.network(number))) }
            let (all, code) = (steps, enrolled.code())
            let (passed, refused) = await Self.passed(12) { number in
                _ = try await enrolled.signIn().finish(
                    all[number], by: .code(Redacted(code)), network: Self.network(number))
            }
            #expect(passed == 1 && refused == 11)
            enrolled.people.directory.clock.advance(bySeconds: 30)
            // Eleven of them have failed, and two rounds of that are what a day has.
            try await enrolled.database.query("UPDATE second_factors SET attempts = 0")
            try await enrolled.database.query("DELETE FROM sign_in_attempts")
        }
        #expect(try await enrolled.people.sessions().list(of: enrolled.people.directory.account).count == 6)
    }

    /// A node whose clock was set back takes no code that another has taken, and one that is late is refused.
    @Test func `where the clock goes back an hour no code is taken twice`() async throws {
        let enrolled = try await Enrolled()
        _ = try await enrolled.enter(enrolled.code())
        enrolled.people.directory.clock.advance(bySeconds: -3_600)
        await #expect(throws: SignInError.codeRefused) { _ = try await enrolled.enter(enrolled.code()) }
        // A recovery code does not ask the time.
        _ = try await enrolled.enter(by: Self.recovery(enrolled.recoveryCodes[0]))
    }

    @Test func `codes of another user, of another secret and of no form are refused`() async throws {
        let enrolled = try await Enrolled()
        let other = try await Enrolled(enrolled.people, "bo@example.org")
        let foreign = [other.code(), TOTP.random().code(at: 1), "", "12345", "abcdef", "' OR 1=1 --", "\u{0}"]
        for (number, code) in foreign.enumerated() where code != enrolled.code() {
            await #expect(throws: SignInError.codeRefused) {
                _ = try await enrolled.enter(code, network: Self.network(number))
            }
        }
        await #expect(throws: SignInError.codeRefused) {
            _ = try await enrolled.enter(by: Self.recovery(other.recoveryCodes[0]), network: Self.network(50))
        }
        await #expect(throws: SignInError.codeRefused) {
            _ = try await enrolled.enter(by: Enrolled.password, network: Self.network(51))
        }
        _ = try await enrolled.enter(enrolled.code())
    }

    @Test func `a secret that was moved to another user's row opens nothing`() async throws {
        let enrolled = try await Enrolled()
        let other = try await Enrolled(enrolled.people, "bo@example.org")
        try await enrolled.database.query(
            """
            UPDATE second_factors SET sealed = (SELECT sealed FROM second_factors WHERE user_id = \(other.user.id.rawValue))
            WHERE user_id = \(enrolled.user.id.rawValue)
            """)
        await #expect(throws: VaultError.self) { _ = try await enrolled.enter(other.code()) }
    }

    // MARK: Attempts

    @Test func `five wrong codes of a network are the end, and the password does not make them forgotten`() async throws
    {
        let enrolled = try await Enrolled()
        for _ in 0..<5 {
            await #expect(throws: SignInError.codeRefused) { _ = try await enrolled.enter(enrolled.wrong) }
        }
        let error = await #expect(throws: SignInError.self) { _ = try await enrolled.enter(enrolled.code()) }
        guard case .tooMany(let seconds)? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect((880...900).contains(seconds))
        // Elsewhere the right one is taken.
        _ = try await enrolled.enter(enrolled.code(), network: Self.network(1))
    }

    @Test func `whoever has the password tries twenty codes a day, from wherever; a recovery code lets the user in`()
        async throws
    {
        let enrolled = try await Enrolled()
        let (passed, refused) = await Self.passed(20) { number in
            _ = try await enrolled.enter(enrolled.wrong, network: Self.network(number))
        }
        #expect(passed == 0 && refused == 20)
        for code in [enrolled.wrong, enrolled.code()] {
            let error = await #expect(throws: SignInError.self) {
                _ = try await enrolled.enter(code, network: Self.network(100))
            }
            guard case .tooManyCodes(let seconds)? = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            #expect((86_300...86_400).contains(seconds))
        }
        _ = try await enrolled.enter(by: Self.recovery(enrolled.recoveryCodes[0]), network: Self.network(101))
        try await enrolled.database.query(
            "UPDATE second_factors SET attempts_since = now() - interval '24 hours 1 second'")
        _ = try await enrolled.enter(enrolled.code(), network: Self.network(102))
    }

    @Test func `many wrong codes at once do not pass together`() async throws {
        let enrolled = try await Enrolled()
        var steps: [String] = []
        for number in 0..<40 { steps.append(try await enrolled.step(Self.network(number))) }
        let (all, wrong) = (steps, enrolled.wrong)
        let judged = await withTaskGroup(of: Bool.self) { group in
            for number in 0..<40 {
                group.addTask {
                    do {
                        _ = try await enrolled.signIn().finish(
                            all[number], by: .code(Redacted(wrong)), network: Self.network(number))
                        return true
                    } catch {
                        return error as? SignInError == .codeRefused
                    }
                }
            }
            return await group.reduce(into: 0) { if $1 { $0 += 1 } }
        }
        #expect(judged == 20)
    }

    @Test func `what succeeds is no failure`() async throws {
        let enrolled = try await Enrolled()
        for _ in 0..<25 {
            _ = try await enrolled.enter(enrolled.code())
            enrolled.people.directory.clock.advance(bySeconds: 30)
        }
        let attempts = try await enrolled.database.query("SELECT attempts FROM sign_in_attempts").map {
            try $0.decode(Int.self)
        }
        #expect(attempts == [0, 0, 0])
        #expect(try await enrolled.database.query("SELECT attempts FROM second_factors").only.decode(Int.self) == 0)
    }

    // MARK: The step between

    @Test func `the second step is good for five minutes, for its user, as long as nothing has changed`() async throws {
        let enrolled = try await Enrolled()
        let clock = enrolled.people.directory.clock
        func finish(_ step: String) async throws {
            _ = try await enrolled.signIn().finish(
                step, by: .code(Redacted(enrolled.code())), network: People.home)
        }
        func expectOver(_ step: String, _ what: Comment) async {
            await #expect(throws: SignInError.stepOver, what) { try await finish(step) }
        }
        let step = try await enrolled.step()
        let parts = step.split(separator: ".").map(String.init)
        #expect(parts.count == 6)
        for damaged in [
            "", ".", step + ".", step + "x", String(step.dropLast()), step.uppercased(), ".....",
            ([parts[0], "99"] + parts[2...]).joined(separator: "."),
            (parts[..<4] + ["\((Int64(parts[4]) ?? 0) + 60)", parts[5]]).joined(separator: "."),
            String(repeating: "1.", count: 2_000),
        ] { await expectOver(damaged, "damaged") }
        // Another installation's key.
        await expectOver(try await Enrolled().step(), "of another installation")
        clock.advance(bySeconds: 301)
        await expectOver(step, "after five minutes")
        let later = try await enrolled.step()
        clock.advance(bySeconds: -3_600)
        await expectOver(later, "before it was made, by a clock that was set back")
        clock.advance(bySeconds: 3_600)
        try await finish(later)

        clock.advance(bySeconds: 30)
        let account = enrolled.people.directory.account
        let first = try await enrolled.step()
        #expect(try await enrolled.people.sessions().endAll(of: enrolled.user.id, in: account))
        await expectOver(first, "after all sessions of the user were ended")
        let second = try await enrolled.step()
        try await enrolled.people.sessions().endAll(of: account)
        await expectOver(second, "after all sessions of the account were ended")
        let third = try await enrolled.step()
        try await enrolled.people.users.setPassword(People.password + "2", of: enrolled.user.id, in: account)
        await expectOver(third, "after another password was set")
        let unused = SignInStep(
            enrolled.user, SessionGeneration(user: 0, account: 0), end: 1, key: SymmetricKey(size: .bits256))
        #expect("\(unused.text)" == "<redacted>")
    }

    @Test func `a step whose factor was taken away begins no session`() async throws {
        let enrolled = try await Enrolled()
        let step = try await enrolled.step()
        try await enrolled.signIn().disableSecondFactor(
            of: enrolled.session, by: Enrolled.password, network: People.home)
        await #expect(throws: SignInError.codeRefused) {
            _ = try await enrolled.signIn().finish(step, by: .code(Redacted(enrolled.code())), network: People.home)
        }
        _ = try await enrolled.signIn().enter(
            address: "ada@example.org", password: People.password, network: People.home)
    }

    // MARK: Recovery codes

    @Test func `a recovery code signs in once, however many show it at once`() async throws {
        let enrolled = try await Enrolled()
        for (round, code) in enrolled.recoveryCodes.prefix(3).enumerated() {
            var steps: [String] = []
            for number in 0..<12 { steps.append(try await enrolled.step(Self.network(round * 12 + number))) }
            let all = steps
            let (passed, refused) = await Self.passed(12) { number in
                _ = try await enrolled.signIn().finish(
                    all[number], by: Self.recovery(code), network: Self.network(round * 12 + number))
            }
            #expect(passed == 1 && refused == 11)
            try await enrolled.database.query("DELETE FROM sign_in_attempts")
        }
        let state = try await enrolled.people.factors.state(
            of: enrolled.user.id, in: enrolled.people.directory.account)
        #expect(state.recoveryCodes == 7)
        #expect(
            try await enrolled.people.factors.changes(of: enrolled.user.id, in: enrolled.people.directory.account)
                .map(\.name) == ["recovery_code_used", "recovery_code_used", "recovery_code_used", "enabled"])
    }

    @Test func `new recovery codes replace the old ones, used or not`() async throws {
        let enrolled = try await Enrolled()
        let old = enrolled.recoveryCodes
        await #expect(throws: SecondFactorError.proofRefused) {
            _ = try await enrolled.signIn().replaceRecoveryCodes(
                of: enrolled.session, by: .code(Redacted(enrolled.wrong)), network: People.home)
        }
        // By one of the old ones, which is used with it.
        let new = try await enrolled.signIn().replaceRecoveryCodes(
            of: enrolled.session, by: Self.recovery(old[0]), network: People.home
        ).map(\.exposed)
        #expect(new.count == 10 && Set(new).isDisjoint(with: old))
        for (number, code) in [old[0], old[1], old[9]].enumerated() {
            await #expect(throws: SignInError.codeRefused) {
                _ = try await enrolled.enter(by: Self.recovery(code), network: Self.network(number))
            }
        }
        _ = try await enrolled.enter(by: Self.recovery(new[9].lowercased()))
        // Sets that are asked for at the same time leave one.
        try await withThrowingTaskGroup { group in
            for _ in 0..<4 {
                group.addTask {
                    _ = try await enrolled.signIn().replaceRecoveryCodes(
                        of: enrolled.session, by: Enrolled.password, network: People.home)
                }
            }
            try await group.waitForAll()
        }
        #expect(try await enrolled.database.query("SELECT count(*) FROM recovery_codes").only.decode(Int.self) == 10)
    }

    // MARK: Ending

    @Test func `it is disabled with a password or a code, and by nothing else`() async throws {
        for proof in ["password", "code", "recovery code"] {
            let enrolled = try await Enrolled()
            let refused: [Proof] = [
                .password(Redacted("rope lantern 42 goose")), .code(Redacted(enrolled.wrong)),
                Self.recovery("0000-0000-0000-0000"),
            ]
            for each in refused {
                await #expect(throws: SecondFactorError.proofRefused) {
                    try await enrolled.signIn().disableSecondFactor(
                        of: enrolled.session, by: each, network: People.home)
                }
            }
            let right: Proof =
                switch proof {
                case "password": Enrolled.password
                case "code": .code(Redacted(enrolled.code()))
                default: Self.recovery(enrolled.recoveryCodes[3])
                }
            try await enrolled.signIn().disableSecondFactor(of: enrolled.session, by: right, network: People.home)
            _ = try await enrolled.signIn().enter(
                address: "ada@example.org", password: People.password, network: People.home)
            await #expect(throws: SecondFactorError.missing) {
                try await enrolled.signIn().disableSecondFactor(
                    of: enrolled.session, by: Enrolled.password, network: People.home)
            }
            #expect(
                try await enrolled.database.query("SELECT count(*) FROM recovery_codes").only.decode(Int.self) == 0)
        }
    }

    @Test func `guesses at the password of who has signed in are attempts too`() async throws {
        let enrolled = try await Enrolled()
        for _ in 0..<5 {
            await #expect(throws: SecondFactorError.proofRefused) {
                try await enrolled.signIn().disableSecondFactor(
                    of: enrolled.session, by: .password(Redacted("rope lantern 42 goose")), network: People.home)
            }
        }
        await #expect(throws: SignInError.self) {
            try await enrolled.signIn().disableSecondFactor(
                of: enrolled.session, by: Enrolled.password, network: People.home)
        }
        #expect(
            try await enrolled.people.factors.state(of: enrolled.user.id, in: enrolled.people.directory.account)
                .enabledAt != nil)
    }

    @Test func `a session that was ended changes nothing`() async throws {
        let enrolled = try await Enrolled()
        #expect(
            try await enrolled.people.sessions().end(enrolled.session.session, of: enrolled.people.directory.account))
        await #expect(throws: SessionError.isOver) {
            try await enrolled.signIn().disableSecondFactor(
                of: enrolled.session, by: Enrolled.password, network: People.home)
        }
        await #expect(throws: SessionError.isOver) {
            _ = try await enrolled.signIn().replaceRecoveryCodes(
                of: enrolled.session, by: .code(Redacted(enrolled.code())), network: People.home)
        }
        // What it showed was not taken.
        _ = try await enrolled.enter(enrolled.code())
    }

    @Test func `an operator takes it away, which ends the sessions and leaves a trace`() async throws {
        let enrolled = try await Enrolled()
        let account = enrolled.people.directory.account
        let factors = enrolled.people.factors
        for reason in ["", String(repeating: "x", count: 201), "a\nb", "a\u{0}"] {
            await #expect(throws: UserError.invalidReason) {
                try await factors.remove(enrolled.user.id, from: account, reason: reason)
            }
        }
        let stranger = try await enrolled.people.directory.account("other")
        await #expect(throws: SecondFactorError.missing) {
            try await factors.remove(enrolled.user.id, from: stranger, reason: "r")
        }
        #expect(try await enrolled.people.sessions(cacheSeconds: 0).isStillValid(enrolled.session))
        try await factors.remove(enrolled.user.id, from: account, reason: "lost phone, ticket 4711")
        #expect(try await !enrolled.people.sessions(cacheSeconds: 0).isStillValid(enrolled.session))
        _ = try await enrolled.signIn().enter(
            address: "ada@example.org", password: People.password, network: People.home)
        await #expect(throws: SecondFactorError.missing) {
            try await factors.remove(enrolled.user.id, from: account, reason: "r")
        }
        let changes = try await factors.changes(of: enrolled.user.id, in: account)
        #expect(changes.map(\.name) == ["removed_by_operator", "enabled"])
        #expect(changes.map(\.reason) == ["lost phone, ticket 4711", nil])
        // The trace outlives the user, and the application cannot change it.
        _ = try await enrolled.people.user("bo@example.org")
        try await enrolled.people.users.remove(enrolled.user.id, from: account)
        #expect(try await factors.changes(of: enrolled.user.id, in: account).count == 2)
        let pool = enrolled.people.directory.database.pool
        await #expect(throws: PostgresError.self) {
            try await pool.query("UPDATE second_factor_changes SET reason = 'x'")
        }
        // None of them is old enough.
        #expect(try await pool.query("DELETE FROM second_factor_changes").affected == 0)
        #expect(try await factors.changes(of: enrolled.user.id, in: account).count == 2)
    }

    @Test func `neither secrets nor recovery codes lie in the database`() async throws {
        let enrolled = try await Enrolled()
        let rows = try await enrolled.database.query(
            "SELECT to_jsonb(f)::text FROM second_factors f UNION ALL SELECT to_jsonb(c)::text FROM recovery_codes c"
        ).map { try $0.decode(String.self) }
        #expect(rows.count == 11)
        let plain = enrolled.recoveryCodes.flatMap { [$0, $0.filter { $0 != "-" }] }.flatMap {
            [$0, Array($0.utf8).hexadecimal]
        }
        for word in plain + [Base32.text(enrolled.app.secret), enrolled.app.secret.hexadecimal] {
            #expect(!rows.contains { $0.contains(word) })
        }
        let hashes = try await enrolled.database.query("SELECT code_hash FROM recovery_codes").map {
            try $0.decode([UInt8].self)
        }
        #expect(
            Set(hashes)
                == Set(
                    enrolled.recoveryCodes.map { code in
                        Array(SHA256.hash(data: Array(code.filter { $0 != "-" }.utf8)))
                    }))
    }

    @Test func `operators have second factors too`() async throws {
        let people = try await People()
        let root = try await people.users.create(
            .installationOperator, address: "root@example.net", password: People.password)
        let signIn = people.signIn(people.sessions())
        let user = try await signIn.enter(
            address: "root@example.net", password: People.password, network: People.home
        ).user
        _ = try await signIn.beginSecondFactor(of: user, by: Enrolled.password, network: People.home)
        try await people.directory.database.owner.query("UPDATE second_factors SET confirmed_at = now()")
        #expect(try await people.factors.state(of: root.id, in: Vault.installation).enabledAt != nil)
        await #expect(throws: SignIn.NeedsSecondFactor.self) {
            _ = try await signIn.enter(address: "root@example.net", password: People.password, network: People.home)
        }
    }

    // MARK: Demanded of everybody

    @Test func `where one is demanded, whoever has none is held to it within a second on every node`() async throws {
        let people = try await People()
        _ = try await people.user()
        let (here, elsewhere) = (people.sessions(), people.sessions())
        let begun = try await people.signIn(here).enter(
            address: "ada@example.org", password: People.password, network: People.home)
        let token = begun.secrets.token.exposed
        func lack() async throws -> [Bool?] {
            [
                try await here.authenticate(token: token, refresh: nil)?.user.lacksDemandedFactor,
                try await elsewhere.authenticate(token: token, refresh: nil)?.user.lacksDemandedFactor,
            ]
        }
        #expect(try await lack() == [false, false])
        let account = people.directory.account
        try await people.users.demandSecondFactor(true, in: account)
        people.directory.clock.advance(bySeconds: 1)
        #expect(try await lack() == [true, true])
        // What goes on for long began with more rights.
        #expect(try await !elsewhere.isStillValid(begun.user))
        let again = try await people.signIn(here).enter(
            address: "ada@example.org", password: People.password, network: People.home)
        #expect(again.user.lacksDemandedFactor)
        #expect(
            try await elsewhere.authenticate(token: nil, refresh: again.secrets.refresh?.exposed)?.user == again.user)

        // A secret that nobody has confirmed is no factor.
        _ = try await people.signIn(here).beginSecondFactor(of: again.user, by: Enrolled.password, network: People.home)
        people.directory.clock.advance(bySeconds: 1)
        #expect(try await lack() == [true, true])
        try await people.directory.database.owner.query("UPDATE second_factors SET confirmed_at = now()")
        people.directory.clock.advance(bySeconds: 1)
        #expect(try await lack() == [false, false])
        try await people.users.demandSecondFactor(false, in: account)
        #expect(try await people.factors.state(of: again.user.user, in: account).isDemanded == false)
    }

    @Test func `what one account demands is nothing to another, and nothing to operators`() async throws {
        let people = try await People()
        _ = try await people.user()
        _ = try await people.users.create(
            .installationOperator, address: "root@example.net", password: People.password)
        let other = try await people.directory.account("other")
        let signIn = people.signIn(people.sessions(cacheSeconds: 0))
        func lacks(_ address: String) async throws -> Bool {
            try await signIn.enter(address: address, password: People.password, network: People.home).user
                .lacksDemandedFactor
        }
        // Of an account without users too: whoever comes is held to it.
        try await people.users.demandSecondFactor(true, in: other)
        #expect(try await !lacks("ada@example.org"))
        _ = try await people.users.create(.member(other, .owner), address: "bo@example.org", password: People.password)
        #expect(try await lacks("bo@example.org"))
        try await people.users.demandSecondFactor(true, in: Vault.installation)
        #expect(try await lacks("root@example.net"))
        #expect(try await !lacks("ada@example.org"))
        await #expect(throws: UserError.accountNotFound) {
            try await people.users.demandSecondFactor(true, in: AccountID(rawValue: 99))
        }
    }

    @Test func `one that is demanded is not disabled, and recovery codes count as one`() async throws {
        let enrolled = try await Enrolled()
        let account = enrolled.people.directory.account
        try await enrolled.people.users.demandSecondFactor(true, in: account)
        let entered = try await enrolled.enter(by: Self.recovery(enrolled.recoveryCodes[0]))
        #expect(!entered.lacksDemandedFactor)
        for proof in [Enrolled.password, .code(Redacted(enrolled.code())), Self.recovery(enrolled.recoveryCodes[1])] {
            await #expect(throws: SecondFactorError.demanded) {
                try await enrolled.signIn().disableSecondFactor(of: entered, by: proof, network: People.home)
            }
        }
        let state = try await enrolled.people.factors.state(of: enrolled.user.id, in: account)
        #expect(state.enabledAt != nil && state.isDemanded && state.recoveryCodes == 9)
        // An operator still may: then the next sign-in is for a new one.
        try await enrolled.people.factors.remove(enrolled.user.id, from: account, reason: "lost phone")
        let again = try await enrolled.signIn().enter(
            address: "ada@example.org", password: People.password, network: People.home)
        #expect(again.user.lacksDemandedFactor)
    }

    // MARK: What is kept

    @Test func `what became of second factors is forgotten after 400 days and not before`() async throws {
        let enrolled = try await Enrolled()
        let account = enrolled.people.directory.account
        let days = IdentityLimits.factorChangeDays
        #expect(days == 400)
        for age in [days + 1, days - 1, 2 * days] {
            try await enrolled.database.query(
                """
                INSERT INTO second_factor_changes (account_id, user_id, change, changed_at)
                VALUES (\(account.rawValue), \(enrolled.user.id.rawValue), 'disabled', now() - \(age) * interval '1 day')
                """)
        }
        let pool = enrolled.people.directory.database.pool
        #expect(try await enrolled.signIn().sweep(on: pool) >= 2)
        func left() async throws -> [String] {
            try await enrolled.people.factors.changes(of: enrolled.user.id, in: account).map(\.name).sorted()
        }
        #expect(try await left() == ["disabled", "enabled"])
        // The database keeps what is younger, whatever the program wants.
        #expect(try await pool.query("DELETE FROM second_factor_changes").affected == 0)
        #expect(try await left() == ["disabled", "enabled"])
        await #expect(throws: PostgresError.self) {
            try await pool.query("UPDATE second_factor_changes SET changed_at = '2000-01-01'")
        }
    }
}

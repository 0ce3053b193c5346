import Crypto
package import MailTypes
package import Passwords
package import Postgres
package import Vault

/// Why nobody was signed in.
package enum SignInError: Error, Sendable, Hashable {
    /// No such user, or another password. Which of the two is not told.
    case refused
    /// A second step without the first, or too long after it.
    case stepOver
    /// A second step whose code is wrong or was used before.
    case codeRefused
    /// Too many attempts without success. After so many seconds there is another.
    case tooMany(seconds: Int)
    /// Too many codes of the user were wrong, from wherever. A recovery code is still taken.
    case tooManyCodes(seconds: Int)
    /// As many passwords are being checked as may.
    case busy
}

/// What became of an address and a password that are right.
package enum SignedIn: Sendable {
    case session(AuthenticatedUser, SessionSecrets)
    /// The user has a second factor, which is to be shown next.
    case step(SignInStep)
    /// The user has none, and the browser is new: a code is mailed, which ``SignIn/confirmDevice(code:browser:network:)`` takes
    /// together with this secret of the browser's.
    case codeMailed(browser: Redacted<String>)
}

/// Signs people in by address and password, and by a second factor where they have one; and asks them for either again before
/// their second factor is changed.
///
/// Attempts are counted before they are judged, over all nodes, so that many at once do not pass together; one that succeeds is
/// given back. No number of failures from elsewhere locks a user out: see ``PeopleLimits``. An address that nobody has takes as
/// long as one that somebody has.
///
/// Where the installation sends mail, a browser that is new to a user without a second factor needs a code beside the password.
/// Attempts that end there are not given back, so that whoever has the password alone cannot flood the mailbox.
package struct SignIn: Sendable {
    private let pool: PostgresPool
    private let sessions: Sessions
    private let hasher: PasswordHasher
    private let factors: SecondFactors
    private let attempts: SignInAttempts
    private let codes: MailCodes
    private let asksForCodes: Bool
    private let stepKey: SymmetricKey
    private let now: @Sendable () -> Int64

    /// - Parameters:
    ///   - asksForCodes: of browsers that are new to their user
    ///   - now: seconds since 1970
    package init(
        pool: PostgresPool, sessions: Sessions, hasher: PasswordHasher, factors: SecondFactors, vault: Vault,
        asksForCodes: Bool = false, now: @escaping @Sendable () -> Int64 = secondsSince1970
    ) {
        self.pool = pool
        self.sessions = sessions
        self.hasher = hasher
        self.factors = factors
        self.now = now
        stepKey = SymmetricKey(data: vault.peopleKey)
        self.asksForCodes = asksForCodes
        codes = MailCodes(vault: vault)
        attempts = SignInAttempts(.signIn, pool: pool, key: stepKey)
    }

    // MARK: The password

    /// - Parameters:
    ///   - network: of the client, in octets; those of one network count together
    ///   - device: the secret of a browser that is known; nil where it shows none
    ///   - origin: is kept with the session
    /// - Throws: ``SignInError``, `PostgresError`
    package func begin(
        address: String, password: String, network: [UInt8], device: String? = nil,
        from origin: SessionOrigin = .unknown
    ) async throws -> SignedIn {
        try await withPlace { place in
            try await signIn(try? Users.address(address), typed: address, password, network, device, origin, place)
        }
    }

    /// - Parameter address: nil where what was typed is none.
    private func signIn(
        _ address: EmailAddress?, typed: String, _ password: String, _ network: [UInt8], _ device: String?,
        _ origin: SessionOrigin, _ place: PasswordHasher.Place
    ) async throws -> SignedIn {
        let subjects = try await attempts.take(address: address?.text ?? typed, network: network)
        let (user, hash) = try await find(address)
        guard await place.matches(PasswordRules.normalised(password), hash, after: subjects.earlier), let user, let hash
        else {
            throw SignInError.refused
        }
        let begun = try await pool.withTransaction { connection -> Begun? in
            // A factor that begins to count at this moment has the row, and is seen then.
            guard let generation = try await lock(user, hash, on: connection) else { return nil }
            guard try await !factors.isEnabled(user, on: connection) else {
                try await attempts.giveBack(subjects, isWhole: false, on: connection)
                return .step(SignInStep(user, generation, end: now() + PeopleLimits.stepSeconds, key: stepKey))
            }
            if asksForCodes, try await !Devices.isKnown(device, of: user, on: connection) { return .newDevice }
            guard let begun = try await sessions.begin(user, passwordHash: hash.text, from: origin, on: connection)
            else { return nil }
            try await attempts.giveBack(subjects, isWhole: true, on: connection)
            return .session(begun.user, refresh: begun.refresh)
        }
        switch begun {
        case nil: throw SignInError.refused
        case .step(let step): return .step(step)
        case .newDevice:
            return .codeMailed(browser: try await codes.request(.device, address: user.address, on: pool))
        case .session(let user, let refresh): return try await signedIn(user, refresh)
        }
    }

    private enum Begun: Sendable {
        case session(AuthenticatedUser, refresh: Redacted<String>)
        case step(SignInStep)
        case newDevice
    }

    private func signedIn(_ user: AuthenticatedUser, _ refresh: Redacted<String>) async throws -> SignedIn {
        .session(user, SessionSecrets(token: try await sessions.token(user), refresh: refresh))
    }

    /// Goes on where a code was mailed, and makes the browser known.
    ///
    /// - Parameters:
    ///   - browser: its secret, of ``SignedIn/codeMailed(browser:)``
    ///   - network: as for the first step
    ///   - origin: is kept with the session
    /// - Returns: besides, the secret of the known browser
    /// - Throws: ``MailCodeError``, `PostgresError`
    package func confirmDevice(
        code: String, browser: String?, network: [UInt8], from origin: SessionOrigin = .unknown
    ) async throws -> (user: AuthenticatedUser, secrets: SessionSecrets, device: Redacted<String>) {
        let owner = try await codes.check(code, browser: browser, for: .device, on: pool)
        guard let (user, hash) = try await find(owner.user, of: owner.account), let hash else {
            throw MailCodeError.over
        }
        let (begun, device) = try await pool.withTransaction { connection in
            try await codes.use(owner, on: connection)
            // One that was confirmed since is not got round.
            guard try await !factors.isEnabled(user, on: connection),
                let begun = try await sessions.begin(user, passwordHash: hash.text, from: origin, on: connection)
            else { throw MailCodeError.over }
            let device = try await Devices.add(to: user, on: connection)
            let subjects = attempts.subjects(address: user.address.text, network: network)
            try await attempts.giveBack(subjects, isWhole: true, on: connection)
            return (begun, device)
        }
        return (
            begun.user, SessionSecrets(token: try await sessions.token(begun.user), refresh: begun.refresh), device
        )
    }

    // MARK: The second factor

    /// The second step, by a code of the app or a recovery code.
    ///
    /// - Parameters:
    ///   - text: what the browser was given after the first
    ///   - network: as in the first
    ///   - origin: is kept with the session
    /// - Throws: ``SignInError``, `PostgresError`
    package func finish(
        _ text: String, by proof: Proof, network: [UInt8], from origin: SessionOrigin = .unknown
    ) async throws -> SignedIn {
        guard let step = SignInStep(text, at: now(), key: stepKey),
            let (user, hash) = try await find(step.user, of: step.account), let hash
        else { throw SignInError.stepOver }
        // It has been shown already, and may be what somebody else knows.
        if case .password = proof { throw SignInError.codeRefused }
        let begun = try await proven(proof, of: user, hash, network: network) { connection in
            guard try await lock(user, hash, on: connection) == step.generation else { throw SignInError.stepOver }
        } work: { connection, subjects in
            guard let begun = try await sessions.begin(user, passwordHash: hash.text, from: origin, on: connection)
            else { throw SignInError.stepOver }
            try await attempts.giveBack(subjects, isWhole: true, on: connection)
            return begun
        }
        guard let begun else { throw SignInError.codeRefused }
        return try await signedIn(begun.user, begun.refresh)
    }

    /// Does something in the name of a user who shows their password or a code again, in the transaction that takes the code.
    ///
    /// - Throws: ``SecondFactorError/proofRefused``, ``SignInError``, ``SessionError``, `PostgresError`, and what `work` throws
    private func asking<Value: Sendable>(
        _ user: AuthenticatedUser, for proof: Proof, network: [UInt8],
        _ work: (User, PostgresConnection) async throws -> Value
    ) async throws -> Value {
        guard let (found, hash) = try await find(user.user, of: user.kind.account) else { throw SessionError.isOver }
        let value = try await proven(proof, of: found, hash, network: network) { connection in
            try await hold(user, found, hash, on: connection)
        } work: { connection, subjects in
            let value = try await work(found, connection)
            try await attempts.giveBack(subjects, isWhole: true, on: connection)
            return value
        }
        guard let value else { throw SecondFactorError.proofRefused }
        return value
    }

    /// Makes a second factor, which counts once it is confirmed.
    ///
    /// - Throws: as ``asking(_:for:network:_:)``, and ``SecondFactorError/exists``
    package func beginSecondFactor(
        of user: AuthenticatedUser, by proof: Proof, network: [UInt8]
    ) async throws -> SecondFactorSecret {
        try await asking(user, for: proof, network: network) { try await factors.begin($0, on: $1) }
    }

    /// From here on the second factor counts. All other sessions of the user end: they may have begun with no more than the
    /// password.
    ///
    /// - Returns: the recovery codes
    /// - Throws: ``SecondFactorError``, ``SessionError``, `PostgresError`
    package func confirmSecondFactor(of user: AuthenticatedUser, code: String) async throws -> [Redacted<String>] {
        guard let (found, hash) = try await find(user.user, of: user.kind.account) else { throw SessionError.isOver }
        let codes = try await pool.withTransaction { connection in
            try await hold(user, found, hash, on: connection)
            let codes = try await factors.confirm(code, of: found, on: connection)
            try await sessions.endOthers(than: user, on: connection)
            return codes
        }
        // This one too: it may do more now, where the account demands a second factor.
        sessions.forget(user.user)
        return codes
    }

    /// - Throws: as ``asking(_:for:network:_:)``, and ``SecondFactorError/missing``, ``SecondFactorError/demanded``
    package func disableSecondFactor(
        of user: AuthenticatedUser, by proof: Proof, network: [UInt8]
    ) async throws {
        try await asking(user, for: proof, network: network) { try await factors.disable($0, on: $1) }
    }

    /// - Throws: as ``asking(_:for:network:_:)``, and ``SecondFactorError/missing``
    package func replaceRecoveryCodes(
        of user: AuthenticatedUser, by proof: Proof, network: [UInt8]
    ) async throws -> [Redacted<String>] {
        try await asking(user, for: proof, network: network) { try await factors.replaceCodes(of: $0, on: $1) }
    }

    /// Nobody else changes the user's factor, password or sessions to the end of the transaction.
    private func hold(
        _ user: AuthenticatedUser, _ found: User, _ hash: PasswordHash?, on connection: PostgresConnection
    ) async throws {
        guard try await lock(found, hash, on: connection) != nil else { throw SessionError.isOver }
        try await sessions.hold(user, on: connection)
    }

    // MARK: Proofs

    /// Counts an attempt, judges the proof, and does the work in the transaction that takes it.
    ///
    /// - Parameter lock: the user's row, which everybody locks before the factor's
    /// - Returns: nil where the proof is none
    private func proven<Value: Sendable>(
        _ proof: Proof, of user: User, _ hash: PasswordHash?, network: [UInt8],
        lock: (PostgresConnection) async throws -> Void,
        work: (PostgresConnection, SignInAttempts.Subjects) async throws -> Value
    ) async throws -> Value? {
        func taking(
            _ subjects: SignInAttempts.Subjects, _ take: (PostgresConnection) async throws -> Bool
        ) async throws -> Value? {
            try await pool.withTransaction { connection in
                try await lock(connection)
                guard try await take(connection) else { return nil }
                return try await work(connection, subjects)
            }
        }
        switch proof {
        case .password(let password):
            return try await withPlace { place in
                let subjects = try await attempts.take(address: user.address.text, network: network)
                guard await place.matches(PasswordRules.normalised(password.exposed), hash, after: subjects.earlier)
                else {
                    return nil
                }
                return try await taking(subjects) { _ in true }
            }
        case .code(let text):
            let subjects = try await attempts.take(address: user.address.text, network: network)
            guard let code = try await factors.judge(text.exposed, of: user) else { return nil }
            return try await taking(subjects) { try await factors.take(code, of: user, on: $0) }
        case .recoveryCode(let text):
            let subjects = try await attempts.take(address: user.address.text, network: network)
            guard let code = RecoveryCode(text.exposed) else { return nil }
            return try await taking(subjects) { try await factors.take(code, of: user, on: $0) }
        }
    }

    // MARK: Users

    private func withPlace<Value>(_ work: (PasswordHasher.Place) async throws -> Value) async throws -> Value {
        do {
            return try await hasher.withPlace(work)
        } catch PasswordError.busy {
            throw SignInError.busy
        }
    }

    /// Nobody has what is no address, and the database, which takes no text with a NUL, is not asked for it.
    private func find(_ address: EmailAddress?) async throws -> (user: User?, hash: PasswordHash?) {
        guard let address else { return (nil, nil) }
        let row = try await pool.query("SELECT \(unescaped: Self.columns) WHERE a.address = \(address.text)").first
        guard let row else { return (nil, nil) }
        return try Self.found(row)
    }

    private func find(_ user: UserID, of account: AccountID) async throws -> (user: User, hash: PasswordHash?)? {
        try await pool.query(
            """
            SELECT \(unescaped: Self.columns)
            WHERE u.account_id = \(account.rawValue) AND u.user_id = \(user.rawValue)
            """
        ).first.map(Self.found)
    }

    private static let columns = """
        \(User.columns(of: "u")), u.password_hash
        FROM user_addresses a JOIN users u USING (account_id, user_id)
        """

    private static func found(_ row: PostgresRow) throws -> (user: User, hash: PasswordHash?) {
        (try User(row: row), try row.decode(column: 8, as: String?.self).flatMap { PasswordHash($0) })
    }

    /// Locks the user's row to the end of the transaction.
    ///
    /// - Returns: nil where the user is gone, or has another password by now
    private func lock(
        _ user: User, _ hash: PasswordHash?, on connection: PostgresConnection
    ) async throws -> SessionGeneration? {
        let row = try await connection.query(
            """
            SELECT u.generation, p.session_generation FROM users u JOIN account_people p USING (account_id)
            WHERE u.account_id = \(user.kind.account.rawValue) AND u.user_id = \(user.id.rawValue)
                AND u.password_hash IS NOT DISTINCT FROM \(hash?.text as String?)
            FOR NO KEY UPDATE OF u
            """
        ).first
        guard let (ofUser, ofAccount) = try row?.decode(Int64.self, Int64.self) else { return nil }
        return SessionGeneration(user: ofUser, account: ofAccount)
    }

    /// Forgets attempts whose window is over, codes, browsers that were known long ago, and what became of second factors.
    ///
    /// - Returns: how many
    package func sweep(on pool: PostgresPool) async throws -> Int {
        try await SignInAttempts.sweep(on: pool) + codes.sweep(on: pool) + Devices.sweep(on: pool)
            + SecondFactors.sweep(on: pool)
    }
}

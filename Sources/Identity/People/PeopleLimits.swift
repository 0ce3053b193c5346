/// Every bound of users, sign-in and sessions in one place.
package enum PeopleLimits {
    /// Of an account, and operators of the installation.
    package static let users = 1_000
    package static let nameCharacters = 100
    /// How long an invitation is good.
    package static let invitationSeconds: Int64 = 7 * 24 * 3_600
    /// Of an account, at a time, and written within a day where an operator has set nothing else for it.
    package static let openInvitations = 100
    package static let invitationsPerDay = 200
    /// The least role that may invite, and whose invitations are good.
    package static let invitingRole = Role.admin
    /// How long a code by mail is good, and how often it may be guessed.
    package static let codeSeconds: Int64 = 600
    package static let codeAttempts = 5
    /// Of a user, for one purpose, within an hour: further ones are not mailed.
    package static let codesOfUser = 10
    /// Of strangers who ask for an account, within a day: from a network, and with an address. The operator bounds all together.
    package static let signUpsOfNetwork: Int32 = 20
    package static let signUpsOfAddress: Int32 = 5
    /// Of an account that a stranger names; a mark is put behind it.
    package static let accountNameCharacters = 80
    /// More of them may be a telephone number.
    package static let accountNameDigits = 6
    /// How long a browser is known, and how many of a user are.
    package static let deviceSeconds: Int64 = 90 * 24 * 3_600
    package static let devicesOfUser = 20
    /// Mails of the installation that a node takes at a time, and after how long another may take what is not made by then.
    package static let mailsTaken = 16
    package static let mailRetrySeconds: Int64 = 60
    /// Of a user. The next sign-in ends the one that was seen longest ago.
    package static let sessionsOfUser = 50
    package static let listedSessions = 1_000
    /// How long a token is good, and the longest that it takes until a browser shows its refresh secret again.
    package static let tokenSeconds: Int64 = 3_600
    /// A session that no request has come for so long is over.
    package static let idleSeconds: Int64 = 8 * 3_600
    /// A session is over so long after its sign-in, whatever comes.
    package static let sessionSeconds: Int64 = 30 * 24 * 3_600
    /// How long a session is believed without asking the database: the longest time that a revoked one lives on other nodes.
    package static let cacheSeconds: Int64 = 1
    package static let cachedSessions = 10_000
    /// A key signs tokens for so long.
    package static let keySeconds: Int64 = 24 * 3_600
    /// A key that tokens may still name is kept for so long.
    package static let keptKeySeconds: Int64 = keySeconds + 2 * tokenSeconds
    /// Between two questions for keys that this node does not know: anybody can make such a token.
    package static let unknownKeySeconds: Int64 = 1
    /// A token, and a refresh secret, as it comes in a cookie.
    package static let tokenOctets = 1_024
    /// Attempts to sign in without success, in a window of 15 minutes that begins with the first: from a network for an
    /// address, and from a network.
    package static let attemptsOfPair: Int32 = 5
    package static let attemptsOfNetwork: Int32 = 50
    /// An address for which so many have failed, from wherever, is under attack: each network has only so many attempts at it
    /// then. Nobody is locked out by it who knows the password.
    package static let attemptsOfAddress: Int32 = 20
    package static let attemptsOfPairUnderAttack: Int32 = 2
    /// How long a password that was right waits for the second factor, and how far the clocks of nodes may be apart.
    package static let stepSeconds: Int64 = 300
    package static let stepLeewaySeconds: Int64 = 60
    /// How long a secret waits for its first code.
    package static let enrolmentSeconds: Int64 = 3_600
    /// Codes of an app that fail for a user, from wherever, in a window that begins with the first. Whoever tries them knows the
    /// password; three of a million codes are right at a time, so this is a chance of one in 16,000 a day. A recovery code lets
    /// the user in meanwhile.
    package static let attemptsOfCodes = 20
    package static let attemptSecondsOfCodes: Int64 = 24 * 3_600
    package static let recoveryCodes = 10
    package static let listedChanges = 100
    /// Why an operator took a second factor away.
    package static let reasonCharacters = 200
}

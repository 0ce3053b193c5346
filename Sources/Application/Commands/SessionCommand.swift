import ArgumentParser
import HTTPAPI
import Identity
import MailTypes
import Vault

struct SessionCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "session", abstract: "List and end the sessions of people who have signed in.",
        subcommands: [List.self, Revoke.self])

    /// Whose sessions.
    struct Place: ParsableArguments {
        @Option(name: .customLong("account"), help: "The account's number.") var number: Int64?
        @Flag(help: "Those of the installation's operators.") var operators = false

        func validate() throws {
            guard (number != nil) != operators, number ?? 1 > 0 else {
                throw ValidationError("Give either --account with its number or --operators.")
            }
        }

        var account: AccountID { number.map { AccountID(rawValue: $0) } ?? Vault.installation }
    }

    struct List: RecordsCommand {
        static let configuration = CommandConfiguration(abstract: "List sessions that go on, the latest seen first.")

        @OptionGroup var data: DataOptions
        @OptionGroup var place: Place
        @Flag(help: "Print JSON.") var json = false

        func run(_ records: Records) async throws {
            let sessions = try await records.sessions.list(of: place.account)
            guard !json else {
                StandardOutput.print("[" + sessions.map { $0.json() }.joined(separator: ",\n") + "]")
                return
            }
            var table = TextTable(header: ["id", "user", "began", "seen", "ends", "client", "network"])
            for session in sessions {
                table.add(
                    "\(session.id)", "\(session.user)", session.createdAt.text, session.lastSeenAt.text,
                    session.expiresAt.text, session.client ?? "", session.network ?? "")
            }
            StandardOutput.print(table.text)
        }
    }

    struct Revoke: RecordsCommand {
        static let configuration = CommandConfiguration(
            abstract: "End a session, or all of a user or an account; every node knows within a second.")

        @OptionGroup var data: DataOptions
        @OptionGroup var place: Place
        @Argument(help: "The session's id, from the list, such as ses_7.", transform: Self.session)
        var session: SessionID?
        @Option(help: "All of this user, such as usr_7.", transform: UserOption.parse) var user: UserID?
        @Flag(help: "All of the account, or of all operators.") var all = false

        func validate() throws {
            guard [session != nil, user != nil, all].count(where: { $0 }) == 1 else {
                throw ValidationError("Give one session, --user or --all.")
            }
        }

        func run(_ records: Records) async throws {
            if let session, try await !records.sessions.end(session, of: place.account) {
                throw CommandFailure("there is no such session, or it was ended before")
            }
            if let user, try await !records.sessions.endAll(of: user, in: place.account) {
                throw CommandFailure("there is no such user")
            }
            if all { try await records.sessions.endAll(of: place.account) }
            StandardOutput.print("ended")
        }

        private static func session(_ text: String) throws -> SessionID {
            guard let id = SessionID(text) else {
                throw ValidationError("A session is named by its id, such as ses_7.")
            }
            return id
        }
    }
}

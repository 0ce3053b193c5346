import ArgumentParser
import HTTPAPI
import Identity

struct SecondFactorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "second-factor",
        abstract: "See the second factor of a user, take it away, and demand one of everybody.",
        subcommands: [Show.self, Remove.self, Require.self])

    struct Show: RecordsCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show whether a user has a second factor, and what became of it.")

        @OptionGroup var data: DataOptions
        @OptionGroup var place: SessionCommand.Place
        @OptionGroup var user: UserOption
        @Flag(help: "Print JSON.") var json = false

        func run(_ records: Records) async throws {
            let state = try await records.factors.state(of: user.id, in: place.account)
            let changes = try await records.factors.changes(of: user.id, in: place.account)
            guard !json else {
                StandardOutput.print(state.json(changes))
                return
            }
            StandardOutput.print(
                (state.enabledAt.map { "since \($0.text), \(state.recoveryCodes) recovery codes left" } ?? "none")
                    + (state.isDemanded ? "; one is required" : ""))
            guard !changes.isEmpty else { return }
            var table = TextTable(header: ["at", "change", "reason"])
            for change in changes { table.add(change.at.text, change.name, change.reason ?? "") }
            StandardOutput.print(table.text)
        }
    }

    struct Remove: RecordsCommand {
        static let configuration = CommandConfiguration(
            abstract: "Take a user's second factor away, and end their sessions.",
            discussion:
                "For who has lost the app and the recovery codes. Make sure by another way that it is the user who asks."
        )

        @OptionGroup var data: DataOptions
        @OptionGroup var place: SessionCommand.Place
        @OptionGroup var user: UserOption
        @Option(help: "Why, such as the number of a ticket; it is kept, and the user sees it.") var reason: String

        func run(_ records: Records) async throws {
            try await records.factors.remove(user.id, from: place.account, reason: reason)
            StandardOutput.print("removed")
        }
    }

    struct Require: RecordsCommand {
        static let configuration = CommandConfiguration(
            abstract: "Require a second factor of all users of an account, or of all operators.",
            discussion: """
                Who has none can sign in and do nothing but add one, within a second on every node, whoever is signed in already. \
                API keys go on.
                """)

        @OptionGroup var data: DataOptions
        @OptionGroup var place: SessionCommand.Place
        @Flag(help: "Require none any more.") var off = false

        func run(_ records: Records) async throws {
            try await records.users.demandSecondFactor(!off, in: place.account)
            StandardOutput.print(off ? "not required" : "required")
        }
    }
}

import ArgumentParser
import HTTPAPI
import Identity
import MailTypes
import Vault

struct UserCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "user",
        abstract: "Create, invite, list and remove the people of an account; set roles and passwords.",
        subcommands: [
            Create.self, Invite.self, Invitations.self, Uninvite.self, List.self, SetRole.self, Password.self,
            Remove.self, SecondFactorCommand.self,
        ])

    struct Create: RecordsCommand {
        static let configuration = CommandConfiguration(
            abstract: "Create a user; the password is asked for, or read from standard input.",
            discussion: "The first user of an account is its owner.")

        @OptionGroup var data: DataOptions
        @OptionGroup var account: AccountOption
        @Argument(help: "The email address that they sign in with.") var email: String
        @Option(help: .roles) var role: Role
        @Flag(help: "Print JSON.") var json = false

        func run(_ records: Records) async throws {
            let user = try await records.users.create(
                .member(account.id, role), address: email, password: try PasswordInput.read())
            StandardOutput.print(json ? user.json() : "\(user.id)")
        }
    }

    struct Invite: RecordsCommand {
        static let configuration = CommandConfiguration(
            abstract: "Invite somebody, who chooses their own password, by mail or by a link that is printed.",
            discussion: """
                A server mails the link where installation_mail_from names a sender; else it is printed, once, for you to \
                hand on. It is good for seven days.
                """)

        @OptionGroup var data: DataOptions
        @OptionGroup var account: AccountOption
        @Argument(help: "The email address that they will sign in with.") var email: String
        @Option(help: .roles) var role: Role
        @Flag(help: "Print JSON.") var json = false

        func run(_ records: Records) async throws {
            let (invitation, secret) = try await records.invitations.create(
                email, as: role, into: account.id, isMailed: records.installationMail != nil)
            if json {
                StandardOutput.print(invitation.json())
            } else {
                StandardOutput.print("\(invitation.id)")
            }
            if let secret { StandardOutput.print(records.link(secret)) }
        }
    }

    struct Invitations: RecordsCommand {
        static let configuration = CommandConfiguration(abstract: "List an account's open invitations.")

        @OptionGroup var data: DataOptions
        @OptionGroup var account: AccountOption
        @Flag(help: "Print JSON.") var json = false

        func run(_ records: Records) async throws {
            try await records.requireAccount(account.id)
            let invitations = try await records.invitations.list(of: account.id)
            guard !json else {
                StandardOutput.print("[" + invitations.map { $0.json() }.joined(separator: ",\n") + "]")
                return
            }
            var table = TextTable(header: ["id", "email", "role", "mailed", "ends"])
            for invitation in invitations {
                table.add(
                    "\(invitation.id)", invitation.address.text, invitation.role.rawValue,
                    invitation.mailedAt?.text ?? "no", invitation.expiresAt.text)
            }
            StandardOutput.print(table.text)
        }
    }

    struct Uninvite: RecordsCommand {
        static let configuration = CommandConfiguration(abstract: "Take an open invitation back.")

        @OptionGroup var data: DataOptions
        @OptionGroup var account: AccountOption
        @Argument(help: "The invitation's id, from the list, such as inv_7.", transform: Self.parse)
        var id: InvitationID

        func run(_ records: Records) async throws {
            try await records.invitations.revoke(id, of: account.id)
            StandardOutput.print("taken back")
        }

        private static func parse(_ text: String) throws -> InvitationID {
            guard let id = InvitationID(text) else {
                throw ValidationError("An invitation is named by its id, such as inv_7.")
            }
            return id
        }
    }

    struct List: RecordsCommand {
        static let configuration = CommandConfiguration(abstract: "List an account's users.")

        @OptionGroup var data: DataOptions
        @OptionGroup var account: AccountOption
        @Flag(help: "Print JSON.") var json = false

        func run(_ records: Records) async throws {
            try await records.requireAccount(account.id)
            printUsers(try await records.users.list(of: account.id), asJSON: json)
        }
    }

    struct SetRole: RecordsCommand {
        static let configuration = CommandConfiguration(
            commandName: "role", abstract: "Give a user another role; their sessions have it within a second.")

        @OptionGroup var data: DataOptions
        @OptionGroup var account: AccountOption
        @OptionGroup var user: UserOption
        @Argument(help: .roles) var role: Role

        func run(_ records: Records) async throws {
            try await records.users.setRole(role, of: user.id, in: account.id)
            StandardOutput.print(role.rawValue)
        }
    }

    struct Password: RecordsCommand {
        static let configuration = CommandConfiguration(
            abstract: "Set a user's password, asked for or read from standard input, and end their sessions.")

        @OptionGroup var data: DataOptions
        @OptionGroup var account: AccountOption
        @OptionGroup var user: UserOption

        func run(_ records: Records) async throws {
            try await records.users.setPassword(try PasswordInput.read(), of: user.id, in: account.id)
            StandardOutput.print("set")
        }
    }

    struct Remove: RecordsCommand {
        static let configuration = CommandConfiguration(
            abstract: "Remove a user with their sessions; API keys that they made stay.")

        @OptionGroup var data: DataOptions
        @OptionGroup var account: AccountOption
        @OptionGroup var user: UserOption

        func run(_ records: Records) async throws {
            try await records.users.remove(user.id, from: account.id)
            StandardOutput.print("removed")
        }
    }
}

struct OperatorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "operator", abstract: "Create, list and remove the people who run this installation.",
        subcommands: [Create.self, List.self, Password.self, Remove.self])

    struct Create: RecordsCommand {
        static let configuration = CommandConfiguration(
            abstract: "Create an operator; the password is asked for, or read from standard input.")

        @OptionGroup var data: DataOptions
        @Argument(help: "The email address that they sign in with.") var email: String
        @Flag(help: "Print JSON.") var json = false

        func run(_ records: Records) async throws {
            let user = try await records.users.create(
                .installationOperator, address: email, password: try PasswordInput.read())
            StandardOutput.print(json ? user.json() : "\(user.id)")
        }
    }

    struct List: RecordsCommand {
        static let configuration = CommandConfiguration(abstract: "List the operators.")

        @OptionGroup var data: DataOptions
        @Flag(help: "Print JSON.") var json = false

        func run(_ records: Records) async throws {
            printUsers(try await records.users.list(of: Vault.installation), asJSON: json)
        }
    }

    struct Password: RecordsCommand {
        static let configuration = CommandConfiguration(
            abstract: "Set an operator's password, asked for or read from standard input, and end their sessions.")

        @OptionGroup var data: DataOptions
        @OptionGroup var user: UserOption

        func run(_ records: Records) async throws {
            try await records.users.setPassword(try PasswordInput.read(), of: user.id, in: Vault.installation)
            StandardOutput.print("set")
        }
    }

    struct Remove: RecordsCommand {
        static let configuration = CommandConfiguration(abstract: "Remove an operator with their sessions.")

        @OptionGroup var data: DataOptions
        @OptionGroup var user: UserOption

        func run(_ records: Records) async throws {
            try await records.users.remove(user.id, from: Vault.installation)
            StandardOutput.print("removed")
        }
    }
}

extension Records {
    /// For an operator to hand on, in full.
    fileprivate func link(_ secret: InvitationSecret) -> String {
        InstallationMail.link(Redacted(secret.exposed), publicURL: peopleURL ?? "https://YOUR-SERVER").exposed
    }
}

private func printUsers(_ users: [User], asJSON: Bool) {
    guard !asJSON else {
        StandardOutput.print("[" + users.map { $0.json() }.joined(separator: ",\n") + "]")
        return
    }
    var table = TextTable(header: ["id", "email", "role", "last sign-in", "second factor"])
    for user in users {
        table.add(
            "\(user.id)", user.address.text, user.kind.name, user.lastSignInAt?.text ?? "never",
            user.hasSecondFactor ? "yes" : "no")
    }
    StandardOutput.print(table.text)
}

/// Which user.
struct UserOption: ParsableArguments {
    @Argument(help: "The user's id, from the list, such as usr_7.", transform: Self.parse) var id: UserID

    static func parse(_ text: String) throws -> UserID {
        guard let id = UserID(text) else { throw ValidationError("A user is named by their id, such as usr_7.") }
        return id
    }
}

extension Role: ExpressibleByArgument {}

extension ArgumentHelp {
    fileprivate static let roles = ArgumentHelp(
        "What they may do; each may do what those before it may: "
            + Role.allCases.map(\.rawValue).joined(separator: ", ") + ".")
}

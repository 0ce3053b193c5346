import ArgumentParser
import Campaigns
import Feedback
import Foundation
import HTTPAPI
import MailTypes
import Postgres
import Vault

struct SuppressionCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "suppression", abstract: "Add, list and remove addresses that must not be mailed.",
        subcommands: [Add.self, Import.self, List.self, Export.self, Remove.self])

    struct Add: RecordsCommand {
        static let configuration = CommandConfiguration(
            abstract: "Suppress addresses, given or from lists.",
            discussion: """
                An argument with an @ is an address, another one the name of a list, - or none standard input. A list has \
                one address a line; or it is CSV, where its first line names its columns, one of them email. The good \
                lines are taken, the others named on standard error, and then the exit status is 1.
                """)

        @OptionGroup var data: DataOptions
        @OptionGroup var owner: SuppressionOwner
        @Argument(help: "Addresses and lists; none reads standard input.") var addresses: [String] = []
        @Option(help: "Why: \(SuppressionReason.allCases.map(\.rawValue).joined(separator: ", ")).") var reason =
            "manual"

        func validate() throws {
            guard SuppressionReason(rawValue: reason) != nil else {
                throw ValidationError("There is no reason \(reason).")
            }
        }

        func run(_ records: Records) async throws {
            var upload = SuppressionUpload(
                list: records.suppressions, account: owner.id, reason: SuppressionReason(rawValue: reason) ?? .manual)
            for source in addresses.isEmpty ? ["-"] : addresses {
                if source.contains("@") {
                    try await upload.add(source)
                } else {
                    try await upload.add(try InputFile(source), named: source == "-" ? "standard input" : source)
                }
            }
            try await upload.finish()
            StandardOutput.print(
                "\(grouped(upload.added)) added, \(grouped(upload.alreadyListed)) listed already, "
                    + "\(grouped(upload.invalid)) not taken")
            if upload.invalid > 0 { throw ExitCode(1) }
        }
    }

    struct Import: RecordsCommand {
        static let configuration = CommandConfiguration(
            abstract: "Take over a list with reasons and times, all of it or nothing.",
            discussion: """
                Reads what suppression export writes, and the exports of Amazon SES and Postmark (JSON), and of SendGrid, \
                Mailgun, Postmark and Mailchimp (CSV): the names of the columns tell which. Nothing that is listed is \
                taken off or weakened.
                """)

        @OptionGroup var data: DataOptions
        @OptionGroup var owner: SuppressionOwner
        @Argument(help: "The list; - reads standard input.") var file = "-"
        @Option(help: "Why, where the list does not say.") var reason: String?
        @Flag(help: "Take what can be taken, and name the other lines.") var skipInvalid = false
        @Flag(help: "Print JSON.") var json = false

        func validate() throws {
            guard reason == nil || reason.flatMap(SuppressionReason.init(rawValue:)) != nil else {
                throw ValidationError("There is no such reason.")
            }
        }

        private struct Result: Encodable {
            let form: String
            let added, alreadyListed, invalid: Int
        }

        func run(_ records: Records) async throws {
            let octets = try InputFile(file).readAll(atMost: Self.octets)
            let list: SuppressionFile
            do {
                list = try SuppressionListReader.read(octets, reason: reason.flatMap(SuppressionReason.init(rawValue:)))
            } catch {
                throw CommandFailure("\(file): \(error); nothing was added")
            }
            for line in list.report.errors { StandardOutput.note("line \(line.line): \(line.reason)") }
            guard skipInvalid || list.report.invalid == 0 else {
                throw CommandFailure(
                    "\(grouped(list.report.invalid)) lines cannot be taken, so nothing was added; --skip-invalid takes the others"
                )
            }
            let added = try await records.suppressions.add(list.entries, account: owner.id, origin: .operator)
            let result = Result(
                form: list.form.rawValue, added: added, alreadyListed: list.entries.count - added,
                invalid: list.report.invalid)
            try printResult(result, asJSON: json) {
                "\(grouped(result.added)) added, \(grouped(result.alreadyListed)) listed already, "
                    + "\(grouped(result.invalid)) not taken; read as a list of \(result.form)"
            }
            if result.invalid > 0 { throw ExitCode(1) }
        }

        /// A million addresses with all that lists say of them.
        private static let octets = 512 * 1_024 * 1_024
    }

    struct List: RecordsCommand {
        static let configuration = CommandConfiguration(
            abstract: "List suppressions, newest first.",
            discussion: """
                An address is shown where the account itself has named it; others have only a fingerprint. Ask for one with \
                --address: the exit status is 1 where it is not suppressed. Where more follow, standard error says with \
                which --after.
                """)

        @OptionGroup var data: DataOptions
        @OptionGroup var owner: SuppressionOwner
        @Option(help: "Tell whether this address is suppressed.") var address: String?
        @Option(help: "Those only that are listed for this reason.") var reason: String?
        @Option(help: "How many, 1 to 1,000,000.") var limit = 100
        @Option(help: "Where the page before ended, as it said.") var after: String?
        @Flag(help: "Print JSON.") var json = false

        func validate() throws {
            guard (1...1_000_000).contains(limit) else { throw ValidationError("--limit is from 1 to 1,000,000.") }
            guard after == nil || cursor != nil else {
                throw ValidationError("--after is what a page before has said.")
            }
            guard reason == nil || wanted != nil else { throw ValidationError("There is no such reason.") }
        }

        private var cursor: SuppressionCursor? { after.flatMap { SuppressionCursor($0) } }
        private var wanted: SuppressionReason? { reason.flatMap(SuppressionReason.init(rawValue:)) }

        func run(_ records: Records) async throws {
            try await owner.require(in: records)
            if let address {
                let address = try EmailAddress(address)
                let own = try await records.suppressions.find(address, account: owner.id)
                let ofAll = owner.forAll ? nil : try await records.suppressions.findForAll(address)
                let found = [own, ofAll].compactMap(\.self)
                try show(found)
                if found.isEmpty { throw ExitCode(1) }
                return
            }
            var found: [Suppression] = []
            var page: [Suppression]
            repeat {
                // One more than asked for tells whether more follow.
                let size = min(SuppressionLimits.pageRows, limit + 1 - found.count)
                page = try await records.suppressions.list(
                    owner.id, reason: wanted, after: found.last?.cursor ?? cursor, limit: size)
                found += page
                if page.count < size { break }
            } while found.count <= limit
            try show(Array(found.prefix(limit)))
            if found.count > limit {
                StandardOutput.note("more follow: --after \(found[limit - 1].cursor)")
            }
        }

        private struct Row: Encodable {
            let fingerprint: String
            let address: String?
            let reason, origin, createdAt: String
        }

        private func show(_ found: [Suppression]) throws {
            let rows = found.map {
                Row(
                    fingerprint: $0.fingerprint.bytes.hexadecimal, address: $0.address?.text,
                    reason: $0.reason.rawValue, origin: $0.origin.rawValue,
                    createdAt: Date(timeIntervalSince1970: Double($0.createdAt.seconds)).formatted(.iso8601))
            }
            try printResult(rows, asJSON: json) {
                var table = TextTable(header: ["fingerprint", "address", "reason", "origin", "since"])
                for row in rows { table.add(row.fingerprint, row.address ?? "", row.reason, row.origin, row.createdAt) }
                return table.text
            }
        }
    }

    struct Export: RecordsCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write the whole list as CSV, for suppression import.")

        @OptionGroup var data: DataOptions
        @OptionGroup var owner: SuppressionOwner

        func run(_ records: Records) async throws {
            try await owner.require(in: records)
            StandardOutput.write(SuppressionExport.header)
            var cursor: SuppressionCursor?
            while true {
                let page = try await records.suppressions.list(
                    owner.id, after: cursor, limit: SuppressionLimits.pageRows)
                StandardOutput.write(page.map(SuppressionExport.row).joined())
                guard let last = page.last, page.count == SuppressionLimits.pageRows, StandardOutput.isOpen else {
                    return
                }
                cursor = last.cursor
            }
        }
    }

    struct Remove: RecordsCommand {
        static let configuration = CommandConfiguration(
            abstract: "Let an address be mailed again, also where its recipient has unsubscribed or complained.")

        @OptionGroup var data: DataOptions
        @OptionGroup var owner: SuppressionOwner
        @Argument(help: "The address.") var address: String

        func run(_ records: Records) async throws {
            guard
                try await records.suppressions.remove(
                    try EmailAddress(address), account: owner.id, isOperator: true)
            else { throw CommandFailure("the address is not on the list") }
            StandardOutput.print("removed")
        }
    }
}

/// Whose list: an account's, or the operator's own, which holds for all.
struct SuppressionOwner: ParsableArguments {
    @Option(name: .customLong("account"), help: "The account's number.") var number: String?
    @Flag(name: .customLong("all-accounts"), help: "The operator's own list, which holds for all accounts.")
    var forAll = false

    func validate() throws {
        guard (number == nil) == forAll else {
            throw ValidationError("Say --account with its number, or --all-accounts.")
        }
        guard number == nil || number.flatMap({ AccountID($0) }) != nil else {
            throw ValidationError("An account is named by its number.")
        }
    }

    var id: AccountID { number.flatMap { AccountID($0) } ?? Vault.installation }

    func require(in records: Records) async throws {
        if !forAll { try await records.requireAccount(id) }
    }
}

/// Brings addresses from several sources onto a list, and names the lines that it cannot take.
private struct SuppressionUpload {
    let list: SuppressionList
    let account: AccountID
    let reason: SuppressionReason
    private(set) var added = 0
    private(set) var invalid = 0
    private var taken = 0
    private var waiting: [EmailAddress] = []

    init(list: SuppressionList, account: AccountID, reason: SuppressionReason) {
        self.list = list
        self.account = account
        self.reason = reason
    }

    var alreadyListed: Int { taken - added }

    mutating func add(_ text: String) async throws {
        do throws(AddressError) {
            waiting.append(try EmailAddress(text))
        } catch {
            refuse("an address given: \(error)")
        }
    }

    mutating func add(_ file: InputFile, named name: String) async throws {
        var parser = AddressListParser()
        do {
            while let chunk = try file.read() {
                parser.feed(chunk)
                try await take(&parser, name)
            }
            parser.end()
            try await take(&parser, name)
        } catch let error as ImportError {
            try await finish()
            throw CommandFailure("\(name): \(error); \(grouped(added)) addresses before it were added")
        }
    }

    mutating func finish() async throws {
        guard !waiting.isEmpty else { return }
        added += try await list.add(waiting, account: account, reason: reason, origin: .operator, note: nil)
        taken += waiting.count
        waiting = []
    }

    private mutating func take(_ parser: inout AddressListParser, _ name: String) async throws {
        while true {
            switch try parser.next() {
            case .needsMore: return
            case .address(let address): waiting.append(address)
            case .invalidLine(let line, let error): refuse("\(name): line \(line): \(error.reason)")
            }
            if waiting.count >= SuppressionLimits.statementRows { try await finish() }
        }
    }

    private mutating func refuse(_ text: String) {
        invalid += 1
        if invalid <= ImportLimits.reportedLines { StandardOutput.note(text) }
        if invalid == ImportLimits.reportedLines { StandardOutput.note("further lines are only counted") }
    }
}

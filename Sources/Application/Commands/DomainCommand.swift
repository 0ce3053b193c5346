import ArgumentParser
import Campaigns
import Foundation
import MailSigning
import MailTypes

struct DomainCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "domain", abstract: "Add, list and remove sending domains.",
        subcommands: [Add.self, List.self, Remove.self])

    struct Add: RecordsCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make DKIM keys for a domain and print the DNS records to publish.")

        @OptionGroup var data: DataOptions
        @OptionGroup var account: AccountOption
        @Argument(help: "The domain of the From address.") var domain: String
        @Option(help: "DKIM selector.") var selector: String?
        @Flag(help: "Sign with Ed25519 as well as RSA.") var ed25519 = false
        @Flag(help: "Print JSON.") var json = false

        func run(_ records: Records) async throws {
            let added = try await records.domains.add(
                account.id, try DomainName(domain), selector: selector,
                algorithms: ed25519 ? [.rsaSHA256, .ed25519SHA256] : [.rsaSHA256])
            try printResult(DomainRow(added), asJSON: json) {
                "Publish these records, then send:\n\n" + added.zoneText
            }
        }
    }

    struct List: RecordsCommand {
        static let configuration = CommandConfiguration(abstract: "List an account's domains with their DNS records.")

        @OptionGroup var data: DataOptions
        @OptionGroup var account: AccountOption
        @Flag(help: "Print JSON.") var json = false

        func run(_ records: Records) async throws {
            let domains = try await records.domains.list(account.id)
            try printResult(domains.map(DomainRow.init), asJSON: json) {
                domains.map { "\($0.domain)\n\n\($0.zoneText)" }.joined(separator: "\n\n")
            }
        }
    }

    struct Remove: RecordsCommand {
        static let configuration = CommandConfiguration(abstract: "Remove a domain and its keys.")

        @OptionGroup var data: DataOptions
        @OptionGroup var account: AccountOption
        @Argument(help: "The domain.") var domain: String

        func run(_ records: Records) async throws {
            try await records.domains.remove(account.id, try DomainName(domain))
            StandardOutput.print("removed")
        }
    }
}

/// A sending domain as commands print it.
struct DomainRow: Encodable {
    let domain: String
    let selector: String
    let records: [Record]

    struct Record: Encodable {
        let name, type, value: String
    }

    init(_ domain: SendingDomain) {
        self.domain = domain.domain.text
        selector = domain.selector
        records = domain.records.map { Record(name: $0.name, type: $0.type, value: $0.value) }
    }
}

extension SendingDomain {
    /// The records as lines of a zone file.
    var zoneText: String { records.map(\.zoneFileLine).joined(separator: "\n") }

    /// DNS name and TXT value of each DKIM key, as a verifier looks them up.
    var verificationKeys: [String: String] {
        Dictionary(uniqueKeysWithValues: keys.map { ("\($0.selector)._domainkey.\(domain)", $0.record) })
    }
}

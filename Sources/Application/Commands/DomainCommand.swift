import ArgumentParser
import Campaigns
import Foundation
import HTTPAPI
import MailMessage
import MailSigning
import MailTypes
import SendingDomains

struct DomainCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "domain", abstract: "Add, verify, list and remove sending domains, and replace their keys.",
        subcommands: [Add.self, List.self, Verify.self, Reports.self, AddKey.self, RemoveKey.self, Remove.self])

    struct Add: RecordsCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make DKIM keys for a domain and print the DNS records to publish.")

        @OptionGroup var data: DataOptions
        @OptionGroup var account: AccountOption
        @Argument(help: "The domain of the From address.") var domain: String
        @Option(help: "DKIM selector.") var selector: String?
        @Flag(help: "Sign with Ed25519 as well as RSA.") var ed25519 = false
        @Option(help: "PEM file of a private key to use instead of a new one.") var key: String?
        @Flag(help: "Print JSON.") var json = false

        func run(_ records: Records) async throws {
            let added = try await records.domains.add(
                account.id, try DomainName(domain), selector: selector,
                algorithms: ed25519 ? [.rsaSHA256, .ed25519SHA256] : [.rsaSHA256],
                imported: try DomainCommand.readKey(key))
            try printResult(DomainRow(added), asJSON: json) {
                "Publish these records, then `sluice domain verify`:\n\n" + added.zoneText
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
                domains.map { "\($0.headline)\n\n\($0.zoneText)" }.joined(separator: "\n\n")
            }
        }
    }

    struct Verify: RecordsCommand {
        static let configuration = CommandConfiguration(
            abstract: "Ask the DNS whether a domain is proven, and say what it has of each record.",
            discussion: "Ends with status 1 where mail cannot leave as the domain.")

        @OptionGroup var data: DataOptions
        @OptionGroup var account: AccountOption
        @Argument(help: "The domain.") var domain: String
        @Option(.dns) var dns: String?
        @Option(
            name: Setting.helo.name, help: "The server's name in EHLO, which takes bounces. [\(Setting.helo.variable)]")
        var helo: String?
        @Flag(help: "Print JSON.") var json = false

        var settings: [Setting: String] { .init(given: [.dns: dns, .helo: helo]) }

        func run(_ records: Records) async throws {
            let found = try await records.domainVerifier().verify(account.id, try DomainName(domain))
            try printResult(DomainRow(found), asJSON: json) { found.report }
            if !found.sends { throw ExitCode(1) }
        }
    }

    struct Reports: RecordsCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show what receivers have reported of a domain: DMARC and TLS, the newest first.",
            discussion: "Anybody can send such reports. Only a domain that is proven gets any.")

        @OptionGroup var data: DataOptions
        @OptionGroup var account: AccountOption
        @Argument(help: "The domain.") var domain: String
        @Option(help: "Only dmarc or tls.", transform: Self.kind) var kind: AggregateReport.Kind?
        @Option(help: "How many.") var limit = 20
        @Flag(help: "Print JSON, one report a line.") var json = false

        private static func kind(_ name: String) throws -> AggregateReport.Kind {
            guard let kind = AggregateReport.Kind(rawValue: name) else {
                throw ValidationError("A kind is dmarc or tls.")
            }
            return kind
        }

        func validate() throws {
            guard (1...DomainReportLimits.pageSize).contains(limit) else {
                throw ValidationError("--limit is from 1 to \(DomainReportLimits.pageSize).")
            }
        }

        func run(_ records: Records) async throws {
            let found = try await records.domains.reports(account.id, try DomainName(domain), kind, limit: limit)
            if json {
                for report in found { StandardOutput.print(report.json) }
                return
            }
            var table = TextTable(header: ["day", "kind", "from", "count", "", "source", "detail"], rightAligned: [3])
            for report in found {
                let day = Date(timeIntervalSince1970: Double(report.begin)).formatted(.iso8601.year().month().day())
                for row in report.rows {
                    table.add(
                        day, report.kind.rawValue, report.organization, grouped(Int(row.count)),
                        row.isGood ? "good" : "BAD",
                        row.source, row.detail)
                }
            }
            StandardOutput.print(found.isEmpty ? "no reports" : table.text)
        }
    }

    struct AddKey: RecordsCommand {
        static let configuration = CommandConfiguration(
            commandName: "add-key",
            abstract: "Add a DKIM key that signs in place of the present one once it is published.")

        @OptionGroup var data: DataOptions
        @OptionGroup var account: AccountOption
        @Argument(help: "The domain.") var domain: String
        @Option(help: "DKIM selector; by default the first free one of s1, s2 and so on.") var selector: String?
        @Flag(help: "An Ed25519 key.") var ed25519 = false
        @Option(help: "PEM file of a private key to use instead of a new one.") var key: String?
        @Flag(help: "Print JSON.") var json = false

        func run(_ records: Records) async throws {
            let changed = try await records.domains.addKey(
                account.id, try DomainName(domain), selector: selector,
                algorithm: ed25519 ? .ed25519SHA256 : .rsaSHA256, imported: try DomainCommand.readKey(key))
            try printResult(DomainRow(changed), asJSON: json) {
                "Publish the new record beside the old one; the key signs once it is found:\n\n" + changed.zoneText
            }
        }
    }

    struct RemoveKey: RecordsCommand {
        static let configuration = CommandConfiguration(
            commandName: "remove-key", abstract: "Remove a DKIM key that does not sign.")

        @OptionGroup var data: DataOptions
        @OptionGroup var account: AccountOption
        @Argument(help: "The domain.") var domain: String
        @Argument(help: "The key's selector.") var selector: String

        func run(_ records: Records) async throws {
            try await records.domains.removeKey(account.id, try DomainName(domain), selector: selector)
            StandardOutput.print("removed")
        }
    }

    struct Remove: RecordsCommand {
        static let configuration = CommandConfiguration(abstract: "Remove a domain and its keys.")

        @OptionGroup var data: DataOptions
        @OptionGroup var account: AccountOption
        @Argument(help: "The domain.") var domain: String

        func run(_ records: Records) async throws {
            try await records.campaigns.removeDomain(account.id, try DomainName(domain))
            StandardOutput.print("removed")
        }
    }

    /// - Throws: `CommandFailure` that names the file and nothing of what is in it.
    fileprivate static func readKey(_ path: String?) throws -> DKIMKey? {
        guard let path else { return nil }
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
            throw CommandFailure("\(path) cannot be read")
        }
        do throws(DKIMError) {
            return try DKIMKey(privateKeyPEM: text)
        } catch {
            throw CommandFailure("\(path): \(error.detail)")
        }
    }
}

/// A sending domain as commands print it.
struct DomainRow: Encodable {
    let domain: String
    let state: String
    let sends: Bool
    let selector: String
    let challenge: Record
    let records: [Record]

    struct Record: Encodable {
        let purpose, name, type, value, state: String
        let seen, note: String?
    }

    init(_ domain: SendingDomain) {
        self.domain = domain.domain.text
        state = domain.standing.state.rawValue
        sends = domain.sends
        selector = domain.selector
        func record(_ purpose: String, _ name: String, _ type: String, _ value: String) -> Record {
            let finding = domain.finding(purpose, at: name)
            return Record(
                purpose: purpose, name: name, type: type, value: value, state: finding?.state.rawValue ?? "unchecked",
                seen: finding?.seen, note: finding?.note)
        }
        challenge = record(DomainFinding.challenge, domain.challenge.name, "TXT", domain.challenge.value)
        records = domain.records.map { record($0.purpose.rawValue, $0.name, $0.type, $0.value) }
    }
}

extension SendingDomain {
    /// The records as lines of a zone file.
    var zoneText: String {
        records.map(\.zoneFileLine).joined(separator: "\n")
            + "\n; or, as the proof alone, in place of key and return path:\n"
            + "; \(challenge.name). 3600 IN TXT \"\(challenge.value)\""
    }

    var headline: String {
        let by = coveredBy.map { ", sends by the proof of \($0)" } ?? (sends ? "" : ", does not send")
        return "\(domain): \(standing.state.rawValue)\(by)"
    }

    /// What the DNS has of each record.
    var report: String {
        let row = DomainRow(self)
        let lines = (row.records + [row.challenge]).map { record in
            "\(record.state.padding(toLength: 9, withPad: " ", startingAt: 0)) \(record.purpose) \(record.name)"
                + [record.seen, record.note].compactMap(\.self).map { "\n          \($0)" }.joined()
        }
        return headline + "\n\n" + lines.joined(separator: "\n")
    }

    /// DNS name and TXT value of each DKIM key, as a verifier looks them up.
    var verificationKeys: [String: String] {
        Dictionary(uniqueKeysWithValues: keys.map { ("\($0.selector)._domainkey.\(domain)", $0.record) })
    }
}

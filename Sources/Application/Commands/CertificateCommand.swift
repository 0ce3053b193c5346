import ACME
import ArgumentParser
import Foundation
import MailTypes

struct CertificateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "certificate", abstract: "Look after the certificates that are ordered by ACME.",
        subcommands: [List.self, Renew.self])

    struct List: RecordsCommand {
        static let configuration = CommandConfiguration(
            abstract: "List them: how long they last, when the next order is due, and why the last one failed.")

        @OptionGroup var data: DataOptions
        @Flag(help: "Print JSON.") var json = false

        func run(_ records: Records) async throws {
            let certificates = try await records.certificates.list()
            try printResult(certificates.map(Row.init), asJSON: json) {
                var table = TextTable(
                    header: ["names", "ends", "next order", "failures", "problem"], rightAligned: [3])
                for one in certificates {
                    table.add(
                        one.names, one.notAfter.map(Self.day) ?? "none yet", Self.day(one.dueAt), "\(one.failures)",
                        one.problem ?? "")
                }
                return certificates.isEmpty ? "no certificate was ordered: sluice serve --acme" : table.text
            }
        }

        private static func day(_ seconds: Int64) -> String {
            Date(timeIntervalSince1970: Double(seconds)).formatted(.iso8601)
        }
    }

    struct Renew: RecordsCommand {
        static let configuration = CommandConfiguration(
            abstract: "Order the certificates with a name now, as after a failure whose reason is gone.",
            discussion: "A running server does it within seconds. Authorities count orders: do not repeat it.")

        @OptionGroup var data: DataOptions
        @Argument(help: "One of its names.") var name: String

        func run(_ records: Records) async throws {
            guard let name = try? DomainName(name) else { throw ValidationError("\(name) is not a host name.") }
            guard try await records.certificates.renew(name) > 0 else {
                throw CommandFailure("there is no certificate with the name \(name)")
            }
            StandardOutput.print("The next order is due now.")
        }
    }
}

private struct Row: Encodable {
    let names: [String]
    let directory: String
    let notBefore, notAfter: Int64?
    let dueAt: Int64
    let failures: Int
    let problem: String?
    let isWanted: Bool

    init(_ status: ACMEStore.Status) {
        names = status.names.split(separator: ",").map(String.init)
        directory = status.directory
        notBefore = status.notBefore
        notAfter = status.notAfter
        dueAt = status.dueAt
        failures = status.failures
        problem = status.problem
        isWanted = status.isWanted
    }
}

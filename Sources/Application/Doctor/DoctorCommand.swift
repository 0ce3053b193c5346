import ArgumentParser
import DNSResolution
import Foundation
import MailTypes
import NIOCore
import TrafficShaping

/// Looks for what keeps mail from arriving.
struct DoctorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Check this host's names, the databases and their keys, and what applies to a recipient domain.",
        discussion: """
            Asks the DNS, and the databases where there are any; no mail server is spoken to. Ends with status 1 where \
            something is wrong.
            """)

    @OptionGroup var data: DataOptions
    @Argument(help: "A recipient domain to explain.") var domain: String?
    @Option(help: "A sending domain whose SPF and DMARC to explain.") var sendingDomain: String?
    @Option(.helo) var helo: String?
    @Option(.dns) var dns: String?
    @Option(.providers) var providers: String?
    @Option(.routes) var routes: String?
    @Option(help: "An address that mail leaves from; by default those of this host's interfaces. Repeatable.")
    var source: [String] = []
    @Flag(help: "Print JSON.") var json = false

    func run() async throws {
        let settings = try await data.settings(
            .init(given: [.helo: helo, .dns: dns, .providers: providers, .routes: routes]))
        let sources = try source.map { text in
            guard let address = IPAddress(text) else { throw ValidationError("\(text) is not an IP address.") }
            return address
        }
        let examination = Examination(
            resolver: try Resolver(ServerConfiguration.resolver(settings)),
            rules: try ServerConfiguration.providers(settings.text(.providers)),
            routes: try ServerConfiguration.routes(settings))
        var findings = await examination.names(
            helo: settings.text(.helo) ?? ProcessInfo.processInfo.hostName,
            sources: sources.isEmpty ? Self.globalAddresses() : sources)
        let database = try await DatabaseExamination.findings(settings, logger: try settings.logger("sluice"))
        findings += database
        findings += Examination.suffixes()
        findings += await CertificateExamination.names(try ACMESettings(settings), examination.resolver)
        findings.append(await Examination.signing(try BatchSignerSettings(settings)))
        if let sendingDomain { findings += await examination.policies(of: try DomainName(sendingDomain)) }
        if let domain { findings += await examination.domain(try DomainName(domain)) }
        // What a server refuses to open is not opened here either.
        if !database.contains(where: { $0.level == .problem }) {
            findings += await KeyExamination(settings: settings).findings()
        }
        try printResult(findings, asJSON: json) {
            findings.map(\.text).joined(separator: "\n")
        }
        if findings.contains(where: { $0.level == .problem }) { throw ExitCode(1) }
    }

    /// Those from which the Internet could be reached.
    private static func globalAddresses() -> [IPAddress] {
        let devices = (try? System.enumerateDevices()) ?? []
        return devices.compactMap { $0.address?.ipAddress.flatMap { IPAddress($0) } }.filter(\.isGlobal)
    }
}

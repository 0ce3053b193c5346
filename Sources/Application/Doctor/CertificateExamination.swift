import ACME
import DNSResolution
import Foundation
import MailTypes

/// Looks whether the certificates that are ordered by ACME came and will last.
enum CertificateExamination {
    /// - Parameter now: seconds since 1970.
    static func findings(
        _ certificates: [ACMEStore.Status], now: Int64 = Int64(Date().timeIntervalSince1970)
    ) -> [Finding] {
        certificates.filter(\.isWanted).map { one in
            let problem = one.problem.map { ": the last order failed \(one.failures) times: \($0)" } ?? ""
            guard let end = one.notAfter else {
                return Finding(
                    one.problem == nil ? .note : .problem, "no certificate for \(one.names) yet\(problem)",
                    advice: one.problem == nil ? "" : Self.advice)
            }
            guard end > now else {
                return Finding(.problem, "the certificate for \(one.names) has ended\(problem)", advice: Self.advice)
            }
            let days = (end - now) / 86_400
            return Finding(
                one.failures > 0 ? .problem : .good,
                "the certificate for \(one.names) lasts \(days) more days\(problem)",
                advice: one.failures > 0 ? Self.advice : "")
        }
    }

    /// Whether an authority finds a way to the names.
    static func names(_ acme: ACMESettings?, _ resolver: Resolver) async -> [Finding] {
        var findings: [Finding] = []
        for name in acme?.names.all ?? [] {
            let addresses = (try? await resolver.addresses(of: name.text)) ?? []
            findings.append(
                addresses.isEmpty
                    ? Finding(
                        .problem, "acme: \(name) has no address", advice: "publish A or AAAA records that lead here")
                    : Finding(
                        .good, "acme: \(name) has the address \(addresses.map(\.description).joined(separator: ", "))"))
        }
        return findings
    }

    private static let advice = "put it right, then sluice certificate renew"
}

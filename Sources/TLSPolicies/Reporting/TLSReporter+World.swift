package import Foundation
package import MailSigning
package import MailTypes
package import NIOCore
package import SMTPTransport

extension TLSReporter {
    /// Why mail to a domain goes nowhere.
    package struct NoRoute: Error, Sendable, Hashable {
        let isPermanent: Bool
        let reason: String

        package init(isPermanent: Bool, reason: String) {
            self.isPermanent = isPermanent
            self.reason = reason
        }
    }

    /// What the reporter needs of the world.
    package struct World: Sendable {
        /// Where mail to a domain goes.
        package typealias Targets = @Sendable (_ domain: DomainName) async throws(NoRoute) -> [SMTPTarget]
        /// For the sender's domain; nil if no account sends from it.
        package typealias Signer = @Sendable (_ domain: DomainName) async throws -> DKIMSigner?

        let texts: MTASTSPolicies.TextLookup
        let targets: Targets
        let signer: Signer
        let client: SMTPClientConfiguration
        let upload: TLSReportUpload
        let group: any EventLoopGroup
        let now: @Sendable () -> Date
        let delay: @Sendable () -> Int64

        /// - Parameter delay: seconds between a day's end and its report: long enough for the last counts to come in, and
        ///   spread so that receivers are not asked all at once (§4.1).
        package init(
            texts: @escaping MTASTSPolicies.TextLookup, targets: @escaping Targets, signer: @escaping Signer,
            client: SMTPClientConfiguration, upload: TLSReportUpload, group: any EventLoopGroup,
            now: @escaping @Sendable () -> Date, delay: @escaping @Sendable () -> Int64
        ) {
            self.texts = texts
            self.targets = targets
            self.signer = signer
            self.client = client
            self.upload = upload
            self.group = group
            self.now = now
            self.delay = delay
        }

        /// Since 1970.
        var seconds: Int64 { Int64(now().timeIntervalSince1970.rounded(.down)) }
    }
}

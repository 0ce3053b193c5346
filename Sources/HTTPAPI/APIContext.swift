import Foundation
package import Hummingbird
import Logging
package import MailTypes
import NIOCore

/// What a request carries through the routes.
package struct APIContext: RequestContext {
    package var coreContext: CoreRequestContextStorage
    /// Set by the authentication: the account whose key was shown.
    package var account: AccountID?
    /// Set by the authentication: what the request's body may take of the node's memory.
    var bodyRoom: OpenBodies.Room?
    /// What a problem tells its reader and the log repeats.
    let reference: String
    /// The address of the connection's other end; nil where it has none.
    let peer: String?

    package init(source: ApplicationRequestContextSource) {
        coreContext = CoreRequestContextStorage(source: source)
        peer = source.channel.remoteAddress?.ipAddress
        // The identifier that all log lines of the request carry; a log handler may keep no metadata.
        reference = source.logger[metadataKey: "hb.request.id"].map { "\($0)" } ?? "\(RequestID())"
    }

    /// Bodies read whole; campaigns with attachments are the largest. Recipients are streamed and have no such bound.
    package var maxUploadSize: Int { APILimits.bodyBytes }

    func authenticated() throws -> AccountID {
        guard let account else { throw Problem.unauthorized }
        return account
    }

    func campaignID() throws -> CampaignID {
        guard let id = CampaignID(try pathParameter("id")) else { throw Problem.notFound }
        return id
    }

    /// A segment of the path without its percent-encoding (RFC 3986 §2.1).
    ///
    /// - Throws: ``Problem/notFound`` where the encoding is not one of UTF-8.
    func pathParameter(_ name: String) throws -> String {
        guard let text = parameters.get(name)?.removingPercentEncoding else { throw Problem.notFound }
        return text
    }
}

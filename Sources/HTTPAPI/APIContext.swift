import Foundation
package import Hummingbird
package import Identity
import Logging
import MailTypes
import NIOCore

/// What a request carries through the routes.
package struct APIContext: RequestContext {
    package var coreContext: CoreRequestContextStorage
    /// Set by the authentication: the key that was shown.
    package var key: AuthenticatedKey?
    /// Set by the authentication, for what goes on for long.
    var keyWatch: KeyWatch?
    /// Set by ``ProblemMiddleware``: takes what the answer tells of the key's limit.
    var requestNote: RequestNote?
    /// Set by the authentication: what the request's body may take of the node's memory.
    var bodyRoom: OpenBodies.Room?
    /// What a problem tells its reader and the log repeats.
    let reference: String
    /// The address of the connection's other end, maybe a proxy; nil where it has none.
    let peer: IPAddress?
    /// Set by ``ProblemMiddleware``: who asks.
    var client = APIClientOrigin.unknown

    package init(source: ApplicationRequestContextSource) {
        coreContext = CoreRequestContextStorage(source: source)
        peer = source.channel.remoteAddress?.ipAddress.flatMap { IPAddress($0)?.unmapped }
        // The identifier that all log lines of the request carry; a log handler may keep no metadata.
        reference = source.logger[metadataKey: "hb.request.id"].map { "\($0)" } ?? "\(RequestID())"
    }

    /// Bodies read whole; campaigns with attachments are the largest. Recipients are streamed and have no such bound.
    package var maxUploadSize: Int { APILimits.bodyBytes }

    /// The account whose key was shown.
    func authenticated() throws -> AccountID { try authenticatedKey().account }

    func authenticatedKey() throws -> AuthenticatedKey {
        guard let key else { throw Problem.unauthorized }
        return key
    }

    /// - Throws: ``Problem`` where the key is not for that.
    func require(_ scope: Scope) throws {
        guard try authenticatedKey().terms.scopes.allows(scope) else { throw Problem.scopeMissing(scope) }
    }

    /// Whether the key that began a long answer may go on reading it.
    func isStillAuthenticated() async throws -> Bool { try await keyWatch?.isValid() ?? false }

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

import Foundation
package import Hummingbird
import Identity
import Logging
import MailTypes
import NIOCore

/// What a request carries through the routes.
package struct APIContext: RequestContext {
    package var coreContext: CoreRequestContextStorage
    /// Set by the authentication: who asks.
    package var caller: APICaller?
    /// Set by the authentication, for what goes on for long.
    var callerWatch: CallerWatch?
    /// Set by ``ProblemMiddleware``: takes what the answer tells of the key's limit, and cookies.
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

    /// The account in whose name is asked.
    func authenticated() throws -> AccountID {
        switch try authenticatedCaller() {
        case .key(let key): return key.account
        case .person(let user):
            // Operators have none; the check of the operation has refused them before.
            guard let account = user.account else { throw Problem.roleMissing(.viewer) }
            return account
        }
    }

    func authenticatedCaller() throws -> APICaller {
        guard let caller else { throw Problem.unauthorized }
        return caller
    }

    /// Whoever has signed in.
    func authenticatedUser() throws -> AuthenticatedUser {
        guard case .person(let user) = try authenticatedCaller() else { throw Problem.sessionRequired }
        return user
    }

    /// The one place where it is decided whether a caller may ask for an operation.
    ///
    /// - Throws: ``Problem``
    func require(_ operation: APIOperation) throws {
        switch (operation.access, caller) {
        case (.open, _): return
        case (_, nil): throw Problem.unauthorized
        case (.key(let scope), .key(let key)?):
            guard key.terms.scopes.allows(scope) else { throw Problem.scopeMissing(scope) }
        case (.person, .key?): throw Problem.sessionRequired
        case (_, .person(let user)?):
            guard !user.lacksDemandedFactor || operation.isForEnrolment else { throw Problem.secondFactorRequired }
            guard let least = operation.leastRole else { return }
            guard let role = user.kind.role, role >= least else { throw Problem.roleMissing(least) }
        }
    }

    /// Whether the caller who began a long answer may go on reading it.
    func isStillAuthenticated() async throws -> Bool { try await callerWatch?.isValid() ?? false }

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

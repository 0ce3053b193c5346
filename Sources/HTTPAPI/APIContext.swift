package import Hummingbird
package import MailTypes

/// What a request carries through the routes.
package struct APIContext: RequestContext {
    package var coreContext: CoreRequestContextStorage
    /// Set by the authentication: the account whose key was shown.
    package var account: AccountID?

    package init(source: ApplicationRequestContextSource) {
        coreContext = CoreRequestContextStorage(source: source)
    }

    /// Bodies read whole; campaigns with attachments are the largest. Recipients are streamed and have no such bound.
    package var maxUploadSize: Int { APILimits.bodyBytes }

    func authenticated() throws -> AccountID {
        guard let account else { throw Problem.unauthorized }
        return account
    }

    func campaignID() throws -> CampaignID {
        guard let text = parameters.get("id"), let id = CampaignID(text) else { throw Problem.notFound }
        return id
    }
}

/// The bounds of the API in one place.
package enum APILimits {
    /// A campaign's JSON: 25 MiB of encoded message is some 19 MiB of attachments, in base64 with room for the text.
    package static let bodyBytes = 40 * 1024 * 1024
    /// JSON bodies that hold no attachments.
    package static let smallBodyBytes = 1024 * 1024
    package static let pageSize = 100
    package static let maximumPageSize = 1_000
    /// Addresses in one call that adds or removes suppressions.
    package static let suppressionsPerCall = 10_000
    /// An event stream ends after so long; clients come back by themselves.
    package static let eventStreamSeconds = 3_600
}

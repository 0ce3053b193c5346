import HTTPTypes
import Hummingbird

/// Whether a request of a browser comes from a page of ours. Pages of others cannot choose what stands in these fields
/// (Fetch §3.2, W3C Fetch Metadata).
enum RequestOrigin {
    /// For what a browser's cookies stand for: the page must be named, and be ours.
    ///
    /// - Throws: ``Problem/originRefused``
    static func require(_ request: Request, _ exposure: APIExposure) throws {
        guard request.headers[.origin] != nil else { throw Problem.originRefused }
        try refuseForeign(request, exposure)
    }

    /// For what needs no cookie: programs name no page.
    ///
    /// - Throws: ``Problem/originRefused``
    static func refuseForeign(_ request: Request, _ exposure: APIExposure) throws {
        if let site = request.headers[.secFetchSite], site != "same-origin" { throw Problem.originRefused }
        guard let origin = request.headers[.origin] else { return }
        guard allowed(request, exposure).contains(origin.lowercased()) else { throw Problem.originRefused }
    }

    /// A page elsewhere cannot make a browser write our host into `Host`, so where no address is configured that field tells
    /// which page is ours.
    private static func allowed(_ request: Request, _ exposure: APIExposure) -> [String] {
        if let origin = exposure.origin { return [origin] }
        guard let host = request.head.authority?.lowercased(), !host.isEmpty else { return [] }
        return exposure.hasTLS ? ["https://\(host)"] : ["https://\(host)", "http://\(host)"]
    }
}

extension HTTPField.Name {
    static let secFetchSite = HTTPField.Name("Sec-Fetch-Site")!
}

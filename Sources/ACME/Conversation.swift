import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import NIOSSL

/// Signed requests to one authority (RFC 8555 §6), one after the other. Each answer brings the nonce of the next request; a
/// nonce that is not taken costs another try.
actor Conversation {
    struct Answer: Sendable {
        let status: Int
        let body: Data
        let location: String?
        /// Seconds to wait, as the authority says.
        let retryAfter: Double?

        func decode<Value: Decodable>(_ type: Value.Type = Value.self) throws(ACMEError) -> Value {
            do {
                return try JSONDecoder().decode(type, from: body)
            } catch {
                throw ACMEError(.malformed, "not the JSON of ACME (status \(status))")
            }
        }
    }

    struct Directory: Decodable, Sendable {
        let newNonce, newAccount, newOrder: String
    }

    private let http: HTTPClient
    private let authority: Authority
    private let key: AccountKey
    private var signer = AccountKey.Signer.key
    private var nonce: String?
    private var known: Directory?

    /// - Parameter http: left to its maker to shut down.
    init(_ authority: Authority, key: AccountKey, http: HTTPClient) {
        self.authority = authority
        self.key = key
        self.http = http
    }

    /// Without redirects and proxies: the operator has named the place.
    static func client(_ authority: Authority) -> HTTPClient {
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.minimumTLSVersion = .tlsv12
        if let file = authority.trustRootsFile { tls.trustRoots = .file(file) }
        var configuration = HTTPClient.Configuration(
            tlsConfiguration: tls, redirectConfiguration: .disallow,
            timeout: .init(connect: .seconds(10), read: .seconds(ACMELimits.requestSeconds)), decompression: .disabled)
        configuration.httpVersion = .http1Only
        configuration.connectionPool.retryConnectionEstablishment = false
        return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }

    /// From here on requests name the account.
    func signIn(_ account: String) { signer = .account(url: account) }

    func directory() async throws -> Directory {
        if let known { return known }
        let answer = try await execute(HTTPClientRequest(url: authority.directory))
        let directory: Directory = try checked(answer).decode()
        for url in [directory.newNonce, directory.newAccount, directory.newOrder] { try Self.check(url) }
        known = directory
        return directory
    }

    /// - Parameter payload: nil to fetch.
    func post(_ url: String, _ payload: [String: any Sendable]? = nil) async throws -> Answer {
        try Self.check(url)
        let body = try payload.map { try AccountKey.json($0) }
        var answer = try await signed(url, body)
        var tries = 0
        while answer.status >= 400, tries < ACMELimits.nonceRetries, Self.problem(answer).shortType == "badNonce" {
            tries += 1
            answer = try await signed(url, body)
        }
        return try checked(answer)
    }

    private func signed(_ url: String, _ payload: Data?) async throws -> Answer {
        let nonce = try await takeNonce()
        var request = HTTPClientRequest(url: url)
        request.method = .POST
        request.headers.add(name: "Content-Type", value: "application/jose+json")
        request.body = .bytes(try key.sign(payload, url: url, nonce: nonce, as: signer))
        return try await execute(request)
    }

    private func takeNonce() async throws -> String {
        if let nonce {
            self.nonce = nil
            return nonce
        }
        var request = HTTPClientRequest(url: try await directory().newNonce)
        request.method = .HEAD
        _ = try checked(try await execute(request))
        guard let nonce else { throw ACMEError(.malformed, "no Replay-Nonce") }
        self.nonce = nil
        return nonce
    }

    private func execute(_ request: HTTPClientRequest) async throws -> Answer {
        var request = request
        request.headers.add(name: "User-Agent", value: "sluice")
        do {
            let response = try await http.execute(request, deadline: .now() + .seconds(ACMELimits.requestSeconds))
            let body = try await response.body.collect(upTo: ACMELimits.answerBytes)
            if let nonce = response.headers.first(name: "Replay-Nonce"), Base64URL.isText(nonce) { self.nonce = nonce }
            return Answer(
                status: Int(response.status.code), body: Data(body.readableBytesView),
                location: response.headers.first(name: "Location"),
                retryAfter: response.headers.first(name: "Retry-After").flatMap { RetryAfter.seconds($0) })
        } catch is NIOTooManyBytesError {
            throw ACMEError(.malformed, "longer than \(ACMELimits.answerBytes) octets")
        } catch {
            try Task.checkCancellation()
            throw ACMEError(.unreachable, Self.words(error))
        }
    }

    private static func words(_ error: any Error) -> String {
        switch error {
        case let error as HTTPClientError: error.shortDescription
        case is NIOSSLError, is NIOSSLExtraError: "TLS with it failed"
        default: "no connection"
        }
    }

    private func checked(_ answer: Answer) throws(ACMEError) -> Answer {
        guard answer.status >= 300 else { return answer }
        let problem = Self.problem(answer)
        throw ACMEError(
            .refused(type: problem.type == nil ? "status \(answer.status)" : problem.shortType), problem.summary,
            retryAfter: answer.retryAfter)
    }

    private static func problem(_ answer: Answer) -> ACMEProblem {
        (try? JSONDecoder().decode(ACMEProblem.self, from: answer.body))
            ?? ACMEProblem(type: nil, detail: nil, subproblems: nil)
    }

    private static func check(_ url: String) throws(ACMEError) {
        guard url.hasPrefix("https://"), url.utf8.count <= 1_000 else {
            throw ACMEError(.malformed, "an address that is not https")
        }
    }
}

/// Seconds, or a date (RFC 9110 §10.2.3).
enum RetryAfter {
    /// - Returns: nil for anything else; never negative.
    static func seconds(_ text: String, now: Date = Date()) -> Double? {
        if let seconds = Int(text) { return Double(max(0, seconds)) }
        let formatter = DateFormatter()
        formatter.locale = Locale(identifier: "en_US_POSIX")
        formatter.timeZone = TimeZone(secondsFromGMT: 0)
        formatter.dateFormat = "EEE, dd MMM yyyy HH:mm:ss 'GMT'"
        return formatter.date(from: text).map { max(0, $0.timeIntervalSince(now)) }
    }
}

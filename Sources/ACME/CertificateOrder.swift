import AsyncHTTPClient
import Crypto
import Foundation
import MailTypes

/// One order at an authority, from the account to the chain (RFC 8555 §7.4).
struct CertificateOrder: Sendable {
    private struct Order: Decodable {
        let status: String
        let authorizations: [String]
        let finalize: String
        let certificate: String?
        let error: ACMEProblem?
    }

    private struct Authorization: Decodable {
        let identifier: ACMEProblem.Identifier
        let status: String
        let challenges: [Challenge]
    }

    private struct Challenge: Decodable {
        let type: String
        let url: String
        let token: String?
        let error: ACMEProblem?
    }

    let authority: Authority
    let store: ACMEStore
    /// Ways to prove a name, the preferred one first.
    let kinds: [ChallengeKind]
    /// Until all nodes know a new challenge.
    let announceSeconds: Double

    /// - Throws: ``ACMEError``, `PostgresError`, `CancellationError`
    func run(_ names: CertificateNames) async throws -> IssuedCertificate {
        let (key, url) = try await store.account(authority.directory)
        let http = Conversation.client(authority)
        do {
            let issued = try await run(names, key, url, Conversation(authority, key: key, http: http))
            try? await http.shutdown()
            return issued
        } catch {
            try? await http.shutdown()
            throw error
        }
    }

    private func run(
        _ names: CertificateNames, _ key: AccountKey, _ known: String?, _ conversation: Conversation
    ) async throws -> IssuedCertificate {
        let account: String
        if let known { account = known } else { account = try await register(conversation) }
        await conversation.signIn(account)
        let placed: Conversation.Answer
        do {
            placed = try await conversation.post(
                conversation.directory().newOrder,
                ["identifiers": names.all.map { ["type": "dns", "value": $0.text] }])
        } catch let error as ACMEError where error.code == .refused(type: "accountDoesNotExist") {
            // It has forgotten the account; the next try registers again.
            try await store.setAccount(authority.directory, url: nil)
            throw error
        }
        guard let place = placed.location else { throw ACMEError(.malformed, "an order without a place") }
        let order: Order = try placed.decode()
        guard order.authorizations.count <= ACMELimits.names else {
            throw ACMEError(.malformed, "\(order.authorizations.count) authorizations")
        }
        try await prove(order.authorizations, key, conversation)
        _ = try await settled(place, conversation, while: ["pending"])
        let certificateKey = P256.Signing.PrivateKey()
        let request = Base64URL.text(try IssuedCertificate.request(names, key: certificateKey))
        _ = try await conversation.post(order.finalize, ["csr": request])
        let done = try await settled(place, conversation, while: ["ready", "processing"])
        guard done.status == "valid", let certificate = done.certificate else {
            throw ACMEError(.malformed, "an order that is \(done.status)")
        }
        let chain = try await conversation.post(certificate)
        return try IssuedCertificate(
            pem: String(decoding: chain.body, as: UTF8.self), key: certificateKey, names: names)
    }

    /// Finds the account of the key or makes one; the operator has agreed to the terms by naming the authority.
    private func register(_ conversation: Conversation) async throws -> String {
        var payload: [String: any Sendable] = ["termsOfServiceAgreed": true]
        if !authority.contacts.isEmpty { payload["contact"] = authority.contacts.map { "mailto:\($0.text)" } }
        let answer = try await conversation.post(conversation.directory().newAccount, payload)
        guard let url = answer.location else { throw ACMEError(.malformed, "an account without a place") }
        try await store.setAccount(authority.directory, url: url)
        return url
    }

    // MARK: Proof

    /// Announces all challenges before the authority is told of the first, so that one wait is enough.
    private func prove(_ places: [String], _ key: AccountKey, _ conversation: Conversation) async throws {
        var open: [(place: String, challenge: String)] = []
        var tokens: [String] = []
        do {
            for place in places {
                let authorization: Authorization = try await conversation.post(place).decode()
                guard authorization.status == "pending" else { continue }
                let challenge = try choose(authorization)
                let token = challenge.token ?? ""
                guard (1...128).contains(token.utf8.count), Base64URL.isText(token) else {
                    throw ACMEError(.malformed, "a challenge without a token")
                }
                tokens.append(token)
                try await store.publish(
                    .init(
                        token: token, name: authorization.identifier.value.lowercased(),
                        keyAuthorization: key.authorization(of: token)))
                open.append((place, challenge.url))
            }
            if !open.isEmpty { try await Task.sleep(for: .seconds(announceSeconds)) }
            for one in open { _ = try await conversation.post(one.challenge, [:]) }
            for one in open { try await proven(one.place, conversation) }
            try await store.withdraw(tokens)
        } catch {
            try? await store.withdraw(tokens)
            throw error
        }
    }

    private func choose(_ authorization: Authorization) throws(ACMEError) -> Challenge {
        for kind in kinds {
            if let challenge = authorization.challenges.first(where: { $0.type == kind.rawValue }) { return challenge }
        }
        let offered = authorization.challenges.map(\.type).joined(separator: ", ")
        throw ACMEError(.noChallenge, "\(authorization.identifier.value) could be proven by \(offered) alone")
    }

    private func proven(_ place: String, _ conversation: Conversation) async throws {
        var pause = ACMELimits.pollSeconds.lowerBound
        while true {
            let answer = try await conversation.post(place)
            let authorization: Authorization = try answer.decode()
            switch authorization.status {
            case "valid": return
            case "pending": try await Self.wait(&pause, answer.retryAfter)
            default:
                let problem = authorization.challenges.lazy.compactMap(\.error).first
                throw ACMEError(
                    .unproven, "\(authorization.identifier.value): \(problem?.summary ?? authorization.status)")
            }
        }
    }

    /// The order once it has left these states.
    private func settled(
        _ place: String, _ conversation: Conversation, while states: Set<String>
    ) async throws -> Order {
        var pause = ACMELimits.pollSeconds.lowerBound
        while true {
            let answer = try await conversation.post(place)
            let order: Order = try answer.decode()
            if order.status == "invalid" {
                throw ACMEError(
                    .refused(type: order.error?.shortType ?? "invalid"), order.error?.summary ?? "the order failed")
            }
            guard states.contains(order.status) else { return order }
            try await Self.wait(&pause, answer.retryAfter)
        }
    }

    private static func wait(_ pause: inout Double, _ retryAfter: Double?) async throws {
        try await Task.sleep(for: .seconds(min(retryAfter ?? pause, Double(ACMELimits.orderSeconds))))
        pause = min(pause * 2, ACMELimits.pollSeconds.upperBound)
    }
}

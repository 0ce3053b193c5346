package import Campaigns
package import Delivery
import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdCore
package import InboundMail
import MailTypes
import NIOCore
import SMTPTransport
package import SendingDomains
import ServiceLifecycle
package import Webhooks

/// What operators ask of a node.
///
///     GET  /metrics                        Prometheus text
///     GET  /status                         EngineStatus as JSON
///     POST /lanes/{lane}/suspend?seconds=&reason=, /drain, /resume, /fail, /empty
///     POST /accounts/{id}/suspend?seconds=&reason=, /drain, /resume, /fail
///     POST /accounts/{id}/refunds?for={seconds, or default}
///     POST /campaigns/{id}/suspend?seconds=&reason=, /drain, /resume, /fail, /pause, /cancel
///     GET  /trace?site={lane}              server-sent lines
///
/// There is no password: whoever reaches the routes that change things owns the data directory. Lanes stand in the path
/// percent-encoded.
package struct OperatorRoutes: Sendable {
    private let engine: DeliveryEngine?
    private let campaigns: CampaignService
    private let delivery: DeliveryStore
    private let domains: @Sendable () async throws -> DomainCensus?
    private let webhooks: @Sendable () async throws -> (WebhookCensus, WebhookTally.Counts)?
    private let brakeHours: Int
    private let inbound: InboundMailServer?

    /// - Parameters:
    ///   - engine: nil on a node that does not deliver.
    ///   - domains: nil where domains are not looked after.
    ///   - webhooks: how they stand, and what this node has told.
    ///   - brakeHours: of the window in which complaints and bounces count.
    ///   - inbound: nil on a node that takes in no mail.
    package init(
        engine: DeliveryEngine?, campaigns: CampaignService, delivery: DeliveryStore,
        domains: @escaping @Sendable () async throws -> DomainCensus?,
        webhooks: @escaping @Sendable () async throws -> (WebhookCensus, WebhookTally.Counts)? = { nil },
        brakeHours: Int = 24, inbound: InboundMailServer? = nil
    ) {
        self.engine = engine
        self.campaigns = campaigns
        self.delivery = delivery
        self.domains = domains
        self.webhooks = webhooks
        self.brakeHours = brakeHours
        self.inbound = inbound
    }

    /// - Parameter readOnly: only what a monitor needs.
    func router(readOnly: Bool) -> Hummingbird.Router<BasicRequestContext> {
        let router = Hummingbird.Router(context: BasicRequestContext.self)
        router.get("metrics") { _, _ in try await metrics() }
        router.get("status") { _, _ in try Self.json(try Self.running(engine).status) }
        guard !readOnly else { return router }
        router.post("lanes/:lane/:action", use: actOnLanes)
        router.post("accounts/:id/:action", use: actOnAccount)
        router.post("campaigns/:id/:action", use: actOnCampaign)
        router.get("trace", use: trace)
        return router
    }

    /// Answers of all actions.
    package struct Done: Codable {
        package var lanes: [String] = []
        /// Mails ended, by lane.
        package var failed: [String: Int] = [:]
        package var state = ""
    }

    private func metrics() async throws -> Response {
        let stopped = try await delivery.orders().count {
            if case .account = $0.target { true } else { false }
        }
        let page = MetricsPage(
            // Without them the page is worth having all the same.
            status: engine?.status, stoppedAccounts: stopped, domains: try? await domains(),
            webhooks: try? await webhooks(), brakes: try? await delivery.brakes(),
            mailboxProviders: try? await delivery.mailboxProviders(hours: brakeHours), inbound: inbound?.counts)
        return Response(
            status: .ok, headers: [.contentType: PrometheusText.contentType],
            body: ResponseBody(byteBuffer: ByteBuffer(string: page.text)))
    }

    // MARK: Actions

    private var steering: Steering { Steering(campaigns: campaigns, delivery: delivery) }

    private func actOnLanes(_ request: Request, _ context: BasicRequestContext) async throws -> Response {
        let engine = try Self.running(engine)
        let lane = try Self.parameter("lane", context)
        let action = try Self.parameter("action", context)
        var done = Done()
        switch action {
        case "resume": done.lanes = try await engine.resume(lanes: lane)
        case "empty": done.lanes = engine.empty(lanes: lane)
        default:
            guard let action = OperatorOrder.Action(rawValue: action) else { throw HTTPError(.notFound) }
            let seconds = try Self.seconds(request) ?? (action == .fail ? Self.failSeconds : nil)
            let ended = try await engine.order(action, lanes: lane, seconds: seconds, reason: Self.reason(request))
            done.lanes = ended.keys.sorted()
            if action == .fail { done.failed = ended }
        }
        guard !done.lanes.isEmpty else { throw HTTPError(.notFound, message: "there is no lane \(lane) on this node") }
        return try Self.json(done)
    }

    /// A lane that fails for ever would eat the mail of campaigns to come.
    private static let failSeconds = 300.0

    private func actOnAccount(_ request: Request, _ context: BasicRequestContext) async throws -> Response {
        guard let account = AccountID(try Self.parameter("id", context)) else {
            throw HTTPError(.badRequest, message: "an account is named by its number")
        }
        return try await steer {
            switch try Self.parameter("action", context) {
            case "suspend": return try await give(.suspend, .account(account), request)
            case "drain": return try await give(.drain, .account(account), request)
            case "resume":
                try await steering.resume(account)
                return Done(state: "active")
            case "fail": return Done(state: "\(try await steering.fail(account).count) campaigns failed")
            case "refunds":
                let seconds = try Self.refundSeconds(request)
                try await steering.refund(within: seconds, of: account)
                return Done(state: seconds.map { "refunds for \($0) seconds" } ?? "refunds as by default")
            default: throw HTTPError(.notFound)
            }
        }
    }

    private func actOnCampaign(_ request: Request, _ context: BasicRequestContext) async throws -> Response {
        let text = try Self.parameter("id", context)
        guard let campaign = CampaignID(text), let account = try await delivery.accounts(of: campaign).first else {
            throw HTTPError(.notFound, message: "there is no campaign \(text)")
        }
        return try await steer {
            let status: CampaignStatus
            switch try Self.parameter("action", context) {
            case "suspend": return try await give(.suspend, .campaign(account, campaign), request)
            case "drain": return try await give(.drain, .campaign(account, campaign), request)
            case "resume": status = try await steering.resume(account, campaign)
            case "fail": status = try await campaigns.fail(account, campaign)
            case "pause": status = try await campaigns.pause(account, campaign)
            case "cancel": status = try await campaigns.cancel(account, campaign)
            default: throw HTTPError(.notFound)
            }
            return Done(state: status.campaign.state.rawValue)
        }
    }

    private func give(
        _ action: OperatorOrder.Action, _ target: OperatorOrder.Target, _ request: Request
    ) async throws -> Done {
        try await steering.order(action, target, seconds: Self.seconds(request), reason: Self.reason(request))
        return Done(state: action.state)
    }

    /// Runs `body`, has this node obey at once, and tells refusals.
    private func steer(_ body: () async throws -> Done) async throws -> Response {
        do {
            let done = try await body()
            await engine?.refreshOrders()
            return try Self.json(done)
        } catch let error as CampaignError {
            throw HTTPError(.conflict, message: "\(error)")
        } catch let error as OperatorFailure {
            throw HTTPError(.conflict, message: error.description)
        }
    }

    private static func seconds(_ request: Request) throws -> Double? {
        try request.uri.queryParameters["seconds"].map { text in
            guard let seconds = Double(text), Steering.seconds.contains(seconds) else {
                throw HTTPError(.badRequest, message: "seconds is a number from 1 to 31536000")
            }
            return seconds
        }
    }

    /// - Returns: nil for the installation's.
    private static func refundSeconds(_ request: Request) throws -> Int? {
        let text = request.uri.queryParameters["for"] ?? ""
        if text == "default" { return nil }
        guard let seconds = Int(text), CampaignLimits.refundSeconds.contains(seconds) else {
            throw HTTPError(
                .badRequest, message: "for is 0 to \(CampaignLimits.refundSeconds.upperBound) seconds, or default")
        }
        return seconds
    }

    private static func reason(_ request: Request) -> String {
        let given = request.uri.queryParameters["reason"].map(String.init) ?? Steering.defaultReason
        return String(given.prefix(Steering.reasonLetters))
    }

    // MARK: Trace

    private func trace(_ request: Request, _ context: BasicRequestContext) async throws -> Response {
        let engine = try Self.running(engine)
        guard let site = request.uri.queryParameters["site"].map(String.init), !site.isEmpty else {
            throw HTTPError(.badRequest, message: "site names a lane, a mail host or a provider")
        }
        let body = ResponseBody { writer in
            do {
                try await request.body.consumeWithCancellationOnInboundClose { _ in
                    try await follow(engine.trace(lanes: site), to: &writer)
                }
            } catch is CancellationError {
                // The client went away.
            }
            try await writer.finish(nil)
        }
        return Response(status: .ok, headers: [.contentType: "text/event-stream"], body: body)
    }

    @concurrent
    private func follow(_ lines: SMTPTraceHub.Lines, to writer: inout any ResponseBodyWriter) async throws {
        // Sent at once, so that the reader knows that listening has begun.
        try await writer.write(ByteBuffer(string: ":\n\n"))
        let encoder = JSONEncoder()
        for await line in lines.cancelOnGracefulShutdown() {
            let data = try encoder.encode(TraceLine(line))
            try await writer.write(ByteBuffer(string: "data: \(String(decoding: data, as: UTF8.self))\n\n"))
        }
    }

    // MARK: Answers

    private static func running(_ engine: DeliveryEngine?) throws -> DeliveryEngine {
        guard let engine else { throw HTTPError(.serviceUnavailable, message: "this node does not deliver") }
        return engine
    }

    private static func parameter(_ name: String, _ context: BasicRequestContext) throws -> String {
        guard let text = try context.parameters.require(name).removingPercentEncoding, !text.isEmpty else {
            throw HTTPError(.badRequest, message: "the path is not UTF-8")
        }
        return text
    }

    private static func json(_ value: some Encodable) throws -> Response {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.keyEncodingStrategy = .convertToSnakeCase
        return Response(
            status: .ok, headers: [.contentType: "application/json"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: try encoder.encode(value))))
    }
}

import Campaigns
import HTTPTypes
import Hummingbird
import HummingbirdCore
import MailTypes
import NIOCore
import Postgres
import ServiceLifecycle

/// `/v1/campaigns/{id}/events`: a campaign's progress as server-sent events (HTML Living Standard §9.2).
///
/// One `progress` event with the campaign's status at once and at each change, looked at twice a second, until the
/// campaign is purged, the client goes away, its key is revoked, or the server shuts down.
struct CampaignEventRoutes: Sendable {
    let campaigns: CampaignService
    private let streams = OpenPlaces(perAccount: APILimits.eventStreamsPerAccount)

    init(campaigns: CampaignService) {
        self.campaigns = campaigns
    }

    func add(to routes: OperationRoutes) {
        routes.on(.watchCampaign, use: events)
    }

    private func events(_ request: Request, _ context: APIContext) async throws -> Response {
        let account = try context.authenticated()
        let id = try context.campaignID()
        let first = try await campaigns.get(account, id)
        guard let place = streams.place(for: account) else {
            var problem = Problem(
                .tooManyRequests, "too_many_event_streams",
                "An account has at most \(APILimits.eventStreamsPerAccount) event streams open.")
            problem.retryAfter = 5
            throw problem
        }
        let body = ResponseBody { writer in
            do {
                // Written after the request has passed the authentication, so the account's share is named again.
                try await request.body.consumeWithCancellationOnInboundClose { _ in
                    try await ConnectionOwner.$current.withValue(.account(account.rawValue)) {
                        try await follow(first, context, to: &writer)
                    }
                }
            } catch is CancellationError {
                // The client went away. Where it only closed its half, it gets a proper end.
            }
            withExtendedLifetime(place) {}
            try await writer.finish(nil)
        }
        return Response(status: .ok, headers: [.contentType: "text/event-stream"], body: body)
    }

    @concurrent
    private func follow(
        _ first: CampaignStatus, _ context: APIContext, to writer: inout any ResponseBodyWriter
    ) async throws {
        var status = first
        var sent = ""
        let end = ContinuousClock.now + .seconds(APILimits.eventStreamSeconds)
        var lastWrite = ContinuousClock.now
        while true {
            if status.json != sent {
                sent = status.json
                try await writer.write(ByteBuffer(string: "event: progress\ndata: \(sent)\n\n"))
                lastWrite = .now
            } else if ContinuousClock.now - lastWrite > Self.quietTime {
                // A comment line keeps proxies from closing a quiet stream.
                try await writer.write(ByteBuffer(string: ":\n\n"))
                lastWrite = .now
            }
            if status.campaign.hasEnded || ContinuousClock.now > end || Task.isShuttingDownGracefully { return }
            try await Task.sleep(for: Self.interval)
            guard try await context.isStillAuthenticated() else { return }
            status = try await newStatus(after: status)
        }
    }

    /// The one before where the account's connections are all in use: a stream that has begun goes on.
    private func newStatus(after status: CampaignStatus) async throws -> CampaignStatus {
        do {
            return try await campaigns.get(status.campaign.account, status.campaign.id)
        } catch let error as PostgresError where error.kind == .shareExhausted || error.isTimeout {
            return status
        }
    }

    private static let interval = Duration.milliseconds(500)
    private static let quietTime = Duration.seconds(15)
}

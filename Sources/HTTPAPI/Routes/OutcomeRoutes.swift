import Campaigns
import HTTPTypes
import Hummingbird
import HummingbirdCore
import MailTypes
import NIOCore
import Postgres
import ServiceLifecycle

/// `/v1/campaigns/{id}/outcomes`: who got the mail and who did not, and why, one JSON object a line.
///
/// Each line has a cursor; `after` it the next request goes on, also after the client or the server broke off. The last
/// line has nothing but a cursor and says why the stream has ended, so that a client can tell an end from a break.
/// A page is read, its connection given back, and only then written: a slow reader holds its place and some kilobytes.
struct OutcomeRoutes: Sendable {
    let campaigns: CampaignService
    private let streams = OpenPlaces(perAccount: APILimits.outcomeStreamsPerAccount, onNode: APILimits.outcomeStreams)

    init(campaigns: CampaignService) {
        self.campaigns = campaigns
    }

    func add(to routes: OperationRoutes) {
        routes.on(.streamOutcomes, use: outcomes)
    }

    /// What a request asks for.
    private struct Question: Sendable {
        let account: AccountID
        let campaign: CampaignID
        let wanted: Set<Outcome>?
        /// Whether to wait for what comes as long as the campaign runs.
        let follows: Bool
    }

    private func outcomes(_ request: Request, _ context: APIContext) async throws -> Response {
        let parameters = request.uri.queryParameters
        let question = Question(
            account: try context.authenticated(), campaign: try context.campaignID(),
            wanted: try Self.wanted(parameters.getAll("outcome")), follows: try Self.flag(parameters.get("follow")))
        let start = try parameters.get("after").map { text in
            guard let cursor = OutcomeCursor(text) else {
                throw Problem(
                    .badRequest, "invalid_cursor", "`after` is not a cursor of this stream.", fields: ["after"])
            }
            return cursor
        }
        guard let place = streams.place(for: question.account) else { throw Problem.tooManyRequests }
        // Read before the answer begins: what is wrong gets a status of its own.
        let status = try await campaigns.get(question.account, question.campaign)
        let first = try await page(of: question, after: start ?? .start)
        let body = ResponseBody { writer in
            do {
                try await request.body.consumeWithCancellationOnInboundClose { _ in
                    // Written after the request has passed the authentication, so the account's share is named again.
                    try await ConnectionOwner.$current.withValue(.account(question.account.rawValue)) {
                        try await tell(question, first, status, context, to: &writer)
                    }
                }
            } catch is CancellationError {
                // The client went away. Where it only closed its half, it gets a proper end.
            }
            withExtendedLifetime(place) {}
            try await writer.finish(nil)
        }
        return Response(
            status: .ok, headers: [.contentType: "application/x-ndjson", .cacheControl: "no-store"], body: body)
    }

    private static func wanted(_ names: [String]) throws -> Set<Outcome>? {
        guard !names.isEmpty else { return nil }
        return Set(
            try names.flatMap { $0.split(separator: ",", omittingEmptySubsequences: false) }.map { name in
                guard let outcome = Outcome(name: String(name)) else {
                    throw Problem.invalid("invalid_field", "There is no such outcome.", fields: ["outcome"])
                }
                return outcome
            })
    }

    private static func flag(_ text: String?) throws -> Bool {
        guard let text else { return false }
        guard let flag = Bool(text) else {
            throw Problem.invalid("invalid_field", "follow is true or false.", fields: ["follow"])
        }
        return flag
    }

    private func page(of question: Question, after cursor: OutcomeCursor) async throws -> OutcomePage {
        try await campaigns.outcomes(question.account, question.campaign, question.wanted, after: cursor)
    }

    // MARK: Telling

    private enum End: String {
        /// All outcomes have been told, and no more will come.
        case complete
        /// All that is known by now has been told.
        case upToDate = "up_to_date"
        /// Nothing is wrong, unless the key was revoked meanwhile: ask again behind the cursor.
        case interrupted
        /// The campaign's data was destroyed meanwhile.
        case purged
    }

    @concurrent
    private func tell(
        _ question: Question, _ first: OutcomePage, _ status: CampaignStatus, _ context: APIContext,
        to writer: inout any ResponseBodyWriter
    ) async throws {
        var (page, status) = (first, status)
        var cursor = page.next
        let end = ContinuousClock.now + .seconds(APILimits.eventStreamSeconds)
        var lastWrite = ContinuousClock.now
        do {
            while true {
                if !page.outcomes.isEmpty {
                    try await writer.write(Self.lines(page.outcomes))
                    lastWrite = .now
                }
                cursor = page.next
                let isOver = ContinuousClock.now > end || Task.isShuttingDownGracefully
                guard !isOver, try await context.isStillAuthenticated() else {
                    return try await writer.write(Self.last(cursor, .interrupted))
                }
                if page.isAtEnd {
                    // The status is older than the page: what had its outcome then has been told.
                    if status.isOver { return try await writer.write(Self.last(cursor, .complete)) }
                    guard question.follows else { return try await writer.write(Self.last(cursor, .upToDate)) }
                    if ContinuousClock.now - lastWrite > Self.quietTime {
                        // An empty line keeps proxies from closing a quiet stream.
                        try await writer.write(ByteBuffer(string: "\n"))
                        lastWrite = .now
                    }
                    status = try await change(after: status, until: end, context)
                }
                page = try await nextPage(of: question, after: cursor)
            }
        } catch let error as CampaignError where error.code == .purged {
            try await writer.write(Self.last(cursor, .purged))
        }
    }

    /// The campaign's status once it has more outcomes than before, has ended, or some seconds have passed; the same where
    /// the key is revoked.
    private func change(
        after status: CampaignStatus, until end: ContinuousClock.Instant, _ context: APIContext
    ) async throws -> CampaignStatus {
        let patience = min(end, .now + Self.quietTime)
        while ContinuousClock.now < patience, !Task.isShuttingDownGracefully {
            try await Task.sleep(for: Self.interval)
            guard try await context.isStillAuthenticated() else { return status }
            do {
                let next = try await campaigns.get(status.campaign.account, status.campaign.id)
                if next.counters.finished != status.counters.finished || next.isOver { return next }
            } catch let error as PostgresError where error.kind == .shareExhausted || error.isTimeout {
                // The account's connections are all in use: a stream that has begun goes on.
            }
        }
        return status
    }

    /// Waits where the account's connections are all in use: a stream that has begun goes on.
    private func nextPage(of question: Question, after cursor: OutcomeCursor) async throws -> OutcomePage {
        while true {
            do {
                return try await page(of: question, after: cursor)
            } catch let error as PostgresError where error.kind == .shareExhausted || error.isTimeout {
                try await Task.sleep(for: Self.interval)
            }
        }
    }

    private static let interval = Duration.milliseconds(500)
    private static let quietTime = Duration.seconds(15)

    private static func lines(_ outcomes: [CampaignOutcome]) -> ByteBuffer {
        var text = ""
        for outcome in outcomes { text += outcome.json + "\n" }
        return ByteBuffer(string: text)
    }

    private static func last(_ cursor: OutcomeCursor, _ end: End) -> ByteBuffer {
        var json = JSONText()
        json.beginObject()
        json.member("cursor", cursor.description)
        json.member("end", end.rawValue)
        json.endObject()
        return ByteBuffer(string: json.text + "\n")
    }
}

extension CampaignStatus {
    /// Whether every recipient has its outcome, or never will.
    fileprivate var isOver: Bool { campaign.hasEnded || campaign.isDone }
}

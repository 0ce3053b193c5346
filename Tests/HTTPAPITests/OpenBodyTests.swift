import HTTPTypes
import MailTypes
import TestSupport
import Testing

@testable import HTTPAPI

/// What bodies may take of a node, together and in time.
@Suite struct OpenBodyTests {
    private let first = AccountID(rawValue: 1)
    private let second = AccountID(rawValue: 2)
    private let free = APILimits.freeBodyBytes

    @Test func `bodies of an account are bounded together, and small ones are not counted`() throws {
        let bodies = OpenBodies(perAccount: 1_000, onNode: 1_500)
        let large = bodies.room(for: first)
        try large.grow(to: free + 600)
        let next = bodies.room(for: first)
        try next.grow(to: free + 400)
        #expect(throws: Problem.self) { try next.grow(to: free + 401) }
        // Small ones pass, whatever the large ones take.
        try bodies.room(for: first).grow(to: free)
        try bodies.room(for: second).grow(to: free + 500)
        #expect(bodies.total == 1_000)
    }

    @Test func `bodies of all accounts are bounded together`() throws {
        let bodies = OpenBodies(perAccount: 1_000, onNode: 1_500)
        let rooms = [bodies.room(for: first), bodies.room(for: second)]
        try rooms[0].grow(to: free + 1_000)
        try rooms[1].grow(to: free + 500)
        do throws(Problem) {
            try rooms[1].grow(to: free + 501)
            Issue.record("it was taken")
        } catch {
            #expect(error.status == .serviceUnavailable && error.code == "bodies_full" && error.retryAfter == 5)
        }
        do throws(Problem) {
            try rooms[0].grow(to: free + 1_001)
            Issue.record("it was taken")
        } catch {
            #expect(error.status == .tooManyRequests && error.code == "too_many_body_bytes" && error.retryAfter == 5)
        }
        withExtendedLifetime(rooms) {}
    }

    @Test func `what a request has taken is free when it is gone`() throws {
        let bodies = OpenBodies(perAccount: 1_000, onNode: 1_000)
        for _ in 0..<3 {
            let room = bodies.room(for: first)
            for size in stride(from: 0, through: free + 1_000, by: 8) { try room.grow(to: size) }
            #expect(bodies.total == 1_000)
            withExtendedLifetime(room) {}
        }
        #expect(bodies.total == 0)
    }

    @Test func `unfinished bodies of an account are refused beyond their bound, and small requests go on`() async throws
    {
        try await APIFixture.withOwnDatabase { fixture, customer, api in
            try await fixture.withServer { port in
                let block = String(repeating: "x", count: 1 << 20)
                var open: [RawConnection] = []
                // The first takes most of the account's room and is not finished.
                for _ in 0..<2 {
                    let connection = try RawConnection(port: port)
                    open.append(connection)
                    try await connection.write(Self.head(customer.key, length: 39 << 20))
                    for _ in 0..<30 { try await connection.write(block) }
                }
                let answers = try await open[1].read { $0.rawStatus != nil && $0.contains("}") }
                #expect(answers.rawStatus == 429)
                #expect(answers.contains("too_many_body_bytes"))
                #expect(try await api.draft() != "")
                // Others have their own.
                let other = try await fixture.customer()
                let theirs = try RawConnection(port: port)
                try await theirs.write(Self.head(other.key, length: 20 << 20))
                for _ in 0..<20 { try await theirs.write(block) }
                let refused = try await theirs.read { $0.rawStatus != nil && $0.contains("}") }
                #expect(refused.contains("invalid_json"), "\(refused.prefix(300))")
                for connection in open + [theirs] { connection.end() }
            }
        }
    }

    private static func head(_ key: String, length: Int) -> String {
        """
        POST /v1/campaigns HTTP/1.1\r
        Host: localhost\r
        Authorization: Bearer \(key)\r
        Content-Type: application/json\r
        Content-Length: \(length)\r
        \r

        """
    }

    // MARK: Pace

    @Test(arguments: [
        (bytes: 0, waited: 60, elapsed: 60, isTaken: true), (0, 61, 61, false), (10_240, 70, 70, true),
        (10_239, 70, 70, false), (1 << 30, 10, 3_600, true), (1 << 30, 10, 3_601, false),
    ])
    func `an upload has a least rate and an end`(_ bytes: Int, _ waited: Int, _ elapsed: Int, _ isTaken: Bool) {
        #expect(Self.takes(BodyPace(bytesPerSecond: 1_024, seconds: 3_600), bytes, waited, elapsed) == isTaken)
    }

    @Test func `the time that the server takes for itself does not count`() {
        #expect(Self.takes(BodyPace(bytesPerSecond: 1_024), 100, 1, 3_000))
    }

    private static func takes(_ pace: BodyPace, _ bytes: Int, _ waited: Int, _ elapsed: Int) -> Bool {
        do throws(Problem) {
            try pace.check(bytes: bytes, waited: .seconds(waited), elapsed: .seconds(elapsed))
            return true
        } catch {
            #expect(error.status == .requestTimeout && error.code == "body_too_slow")
            return false
        }
    }

    // MARK: Places

    @Test func `a few accounts cannot take all places`() {
        let places = OpenPlaces(perAccount: 8, onNode: 24)
        var taken: [OpenPlaces.Place] = []
        for account in 1...3 {
            for _ in 0..<8 { taken += [places.place(for: AccountID(rawValue: Int64(account)))].compactMap { $0 } }
        }
        #expect(taken.count == 12 + 1)
        for account in 4...14 {
            let place = places.place(for: AccountID(rawValue: Int64(account)))
            #expect(place != nil)
            #expect(places.place(for: AccountID(rawValue: Int64(account))) == nil)
            taken += [place].compactMap { $0 }
        }
        #expect(taken.count == 24)
        #expect(places.place(for: AccountID(rawValue: 99)) == nil)
    }
}

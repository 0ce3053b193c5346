import TestSupport
import Testing

@testable import Passwords

@Suite struct PasswordHashTests {
    /// Of other implementations: bcrypt by Solar Designer, and Python's `crypt`.
    @Test(arguments: [
        ("U*U", "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),
        ("U*U*U", "$2b$05$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a"),
        ("", "$2b$05$CCCCCCCCCCCCCCCCCCCCC.7uG0VCzI2bS7j6ymqJi9CdcdxiRTWNy"),
    ]) func `known hashes match`(_ password: String, _ text: String) throws {
        let hash = try #require(PasswordHash(text))
        #expect(hash.matches(password))
        #expect(!hash.matches(password + "x"))
    }

    @Test func `each hash has its own salt and the cost that was asked for`() throws {
        let first = try PasswordHash.make(of: "violet tram", cost: 4),
            second = try PasswordHash.make(of: "violet tram", cost: 4)
        #expect(first != second && first.text.hasPrefix("$2b$04$"))
        #expect(first.matches("violet tram") && second.matches("violet tram") && !first.matches("violet trams"))
        #expect(!"\(first)".contains("$2b$") && !String(reflecting: first).contains("$2b$"))
        for text in ["", "$2b$", String(first.text.dropLast()), first.text.replacing("$2b$", with: "$2a$")] {
            #expect(PasswordHash(text) == nil)
        }
    }

    @Test func `the default is a cost of 12`() async throws {
        let hash = try await PasswordHasher().withPlace { try await $0.hash("violet tram 19 eats soup") }
        #expect(hash.text.hasPrefix("$2b$12$"))
    }

    /// bcrypt itself would take both for the same.
    @Test func `a password of 73 octets whose first 72 are right is nobody's`() async throws {
        let right = String(repeating: "xK9#vq2LmZ0p", count: 6)
        let hasher = PasswordHasher(.quick())
        try await hasher.withPlace { place in
            let hash = try await place.hash(right)
            #expect(hash.matches(right + "x"), "bcrypt has changed")
            #expect(await place.matches(PasswordRules.normalised(right), hash))
            #expect(await !place.matches(PasswordRules.normalised(right + "x"), hash))
        }
    }

    @Test func `nobody's hash takes as long as a user's, and never matches`() async throws {
        let hasher = PasswordHasher()
        try await hasher.withPlace { place in
            let hash = try await place.hash("violet tram 19 eats soup")
            let clock = ContinuousClock()
            var known = Duration.zero, unknown = Duration.zero, unreadable = Duration.zero
            for _ in 0..<3 {
                known += await clock.measure { #expect(await !place.matches("rope lantern 42 goose", hash)) }
                unknown += await clock.measure { #expect(await !place.matches("rope lantern 42 goose", nil)) }
                unreadable += await clock.measure { #expect(await !place.matches(nil, hash)) }
            }
            for other in [unknown, unreadable] {
                #expect(other > known / 3 && other < known * 3, "\(known) \(unknown) \(unreadable)")
            }
        }
    }

    @Test func `there are so many places and no more`() async throws {
        let hasher = PasswordHasher(.quick(places: 2))
        try await hasher.withPlace { _ in
            try await hasher.withPlace { place in
                await #expect(throws: PasswordError.busy) { try await hasher.withPlace { _ in } }
                #expect(await !place.matches("x", nil))
            }
            // One that failed gives its place back too.
            await #expect(throws: PasswordError.failed) {
                try await hasher.withPlace { _ in throw PasswordError.failed }
            }
            try await hasher.withPlace { _ in }
        }
    }

    @Test func `strangers have some of the places, and leave the others to people who are known`() async throws {
        #expect(PasswordHasher.Configuration().strangersPlaces == 8)
        var configuration = PasswordHasher.Configuration.quick(places: 3)
        configuration.strangersPlaces = 1
        let hasher = PasswordHasher(configuration)
        try await hasher.withPlace(isStrangers: true) { _ in
            await #expect(throws: PasswordError.busy) { try await hasher.withPlace(isStrangers: true) { _ in } }
            try await hasher.withPlace { _ in try await hasher.withPlace { _ in } }
        }
        // Known people take none of theirs, and all are given back.
        try await hasher.withPlace { _ in
            try await hasher.withPlace { _ in try await hasher.withPlace(isStrangers: true) { _ in } }
        }
    }

    /// Bounded by order, not by time: the one thread begins with whatever came first, and both others wait behind it.
    @Test func `a stranger's hash waits for that of somebody who came later`() async throws {
        var configuration = PasswordHasher.Configuration.quick()
        configuration.cost = 12
        let hasher = PasswordHasher(configuration)
        let order = try await withThrowingTaskGroup(of: String.self) { group in
            // Enough of them that some wait when the last one comes.
            for _ in 0..<8 {
                group.addTask {
                    _ = try await hasher.withPlace(isStrangers: true) { try await $0.hash("rope lantern 42 goose") }
                    return "stranger"
                }
            }
            group.addTask {
                _ = try await hasher.withPlace { try await $0.hash("violet tram 19 eats soup") }
                return "known"
            }
            return try await group.reduce(into: [String]()) { $0.append($1) }
        }
        #expect(order.count == 9 && order.last == "stranger" && (order.firstIndex(of: "known") ?? 8) < 4, "\(order)")
    }

    @Test func `many at once get their own answers`() async throws {
        let hasher = PasswordHasher(.quick(threads: 2, places: 40))
        try await withThrowingTaskGroup { group in
            for number in 0..<40 {
                group.addTask {
                    try await hasher.withPlace { place in
                        let hash = try await place.hash("password of \(number)")
                        #expect(await place.matches("password of \(number)", hash))
                        #expect(await !place.matches("password of \(number + 1)", hash))
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    // MARK: What hashes leave to others

    @Test(arguments: [
        // Alone on its processor.
        (0.2, 0.2, 31, 0), (0.2, 0.21, 31, 0),
        // With others: a twentieth of the time, however long it took.
        (0.2, 0.4, 31, 3.6), (0.2, 2, 31, 2), (0.2, 4, 31, 0), (0.2, 8, 31, 0),
        // Others want little of it.
        (0.2, 0.25, 31, 1.5),
        // Few wait.
        (0.2, 2, 4, 0), (0.2, 2, 5, 2), (0.2, 2, 0, 0),
    ]) func `where others want the processor and many wait, a thread rests`(
        _ used: Double, _ elapsed: Double, _ waiting: Int, _ expected: Double
    ) {
        let rest = HashPace(share: 0.05).rest(after: .seconds(used), in: .seconds(elapsed), waiting: waiting)
        #expect(abs(rest / .seconds(1) - expected) < 1e-6)
    }

    @Test func `who has failed less comes first, and of those who came first`() {
        var line = HashLine<String>()
        for (job, failures) in [("a", 3), ("b", 0), ("c", 1), ("d", 0), ("e", 3)] { line.add(job, after: failures) }
        var order = ""
        while let job = line.next() {
            order += job
            if job == "b" { line.add("f", after: 0) }
        }
        #expect(order == "bdcfae")
        #expect(line.count == 0)
    }

    @Test(arguments: [20, 500, Int.max])
    func `who was set back by strangers' failures has their turn while others keep coming`(failures: Int) {
        var line = HashLine<Int>()
        line.add(-1, after: failures)
        for job in 0..<4 { line.add(job, after: 0) }
        var turns = 1
        while let job = line.next(), job >= 0 {
            turns += 1
            line.add(turns + 4, after: 0)
            if turns > 100 { break }
        }
        // Those before, eight that overtake, and the turn itself.
        #expect(turns <= 14)
    }
}

extension PasswordHasher.Configuration {
    /// Cheap enough for tests, and no safer than that.
    static func quick(threads: Int = 1, places: Int = 32) -> Self {
        var configuration = Self()
        configuration.threads = threads
        configuration.places = places
        configuration.cost = 4
        configuration.share = 1
        return configuration
    }
}

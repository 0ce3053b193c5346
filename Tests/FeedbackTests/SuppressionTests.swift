import Feedback
import MailTypes
import Postgres
import Testing
import Vault

@Suite struct SuppressionTests {
    @Test func an_address_is_found_however_its_letters_are_written_and_by_its_own_account_only() async throws {
        let lists = try await Lists()
        let added = try await lists.list.add(
            Lists.addresses("Jane@Example.org"), account: lists.first, reason: .manual, origin: .customer, note: "asked"
        )
        #expect(added == 1)
        let address = try EmailAddress("jane@EXAMPLE.org")
        let found = try #require(try await lists.list.find(address, account: lists.first))
        #expect((found.reason, found.origin, found.note) == (.manual, .customer, "asked"))
        #expect(try await lists.list.contains(address, account: lists.first))
        #expect(try await lists.list.contains(address, account: lists.second) == false)
        #expect(try await lists.list.contains(EmailAddress("john@example.org"), account: lists.first) == false)
    }

    @Test func repeated_addresses_count_once() async throws {
        let lists = try await Lists()
        let addresses = try Lists.addresses("a@example.org", "A@example.org", "b@example.org")
        #expect(try await lists.list.add(addresses, account: lists.first, reason: .manual, origin: .customer) == 2)
        #expect(try await lists.list.add(addresses, account: lists.first, reason: .manual, origin: .customer) == 0)
        #expect(try await lists.list.count(lists.first) == 2)
        #expect(try await lists.list.add([], account: lists.first, reason: .manual, origin: .customer) == 0)
    }

    @Test func the_stronger_reason_stays() async throws {
        let lists = try await Lists()
        let address = try EmailAddress("a@example.org")
        func add(_ reason: SuppressionReason, _ origin: SuppressionOrigin) async throws -> Suppression? {
            try await lists.list.add([address], account: lists.first, reason: reason, origin: origin)
            return try await lists.list.find(address, account: lists.first)
        }
        let first = try #require(try await add(.hardBounce, .reply))
        let complaint = try #require(try await add(.complaint, .feedback))
        #expect((complaint.reason, complaint.origin) == (.complaint, .feedback))
        #expect(complaint.createdAt == first.createdAt)
        for reason in SuppressionReason.allCases {
            #expect(try await add(reason, .customer) == complaint)
        }
        let both = try await lists.fingerprint("both@example.org", lists.first)
        try await lists.run { list, connection in
            try await list.add(
                [
                    NewSuppression(both, .invalid), NewSuppression(both, .unsubscribe),
                    NewSuppression(both, .hardBounce),
                ], account: lists.first, origin: .reply, on: connection)
        }
        let found = try await lists.list.find(EmailAddress("both@example.org"), account: lists.first)
        #expect(found?.reason == .unsubscribe)
    }

    @Test func which_answers_for_a_set() async throws {
        let lists = try await Lists()
        let listed = Self.fingerprints(1...15_000)
        try await lists.run { list, connection in
            let added = try await list.add(
                listed.map { NewSuppression($0, .hardBounce) }, account: lists.first, origin: .reply, on: connection)
            #expect(added == 15_000)
            let address = try EmailAddress("somebody@example.org")
            let asked = Self.fingerprints(14_001...26_000).map { Addressee($0, address) }
            #expect(
                try await list.which(of: asked, account: lists.first, on: connection)
                    == Set(asked.prefix(1_000).map(\.fingerprint)))
            #expect(try await list.which(of: asked, account: lists.second, on: connection).isEmpty)
            #expect(try await list.which(of: [], account: lists.first, on: connection).isEmpty)
        }
        #expect(try await lists.list.count(lists.first) == 15_000)
    }

    @Test func removal_lets_an_address_be_mailed_again() async throws {
        let lists = try await Lists()
        let addresses = try Lists.addresses("a@example.org", "b@example.org", "c@example.org")
        try await lists.list.add(addresses, account: lists.first, reason: .manual, origin: .customer)
        try await lists.list.add(addresses, account: lists.second, reason: .manual, origin: .customer)
        #expect(try await lists.list.remove(addresses[0], account: lists.first))
        #expect(try await lists.list.remove(addresses[0], account: lists.first) == false)
        let rest = try await [
            lists.fingerprint("b@example.org", lists.first), lists.fingerprint("c@example.org", lists.first),
            lists.fingerprint("d@example.org", lists.first),
        ]
        let removed = try await lists.run { try await $0.remove(rest, account: lists.first, on: $1) }
        #expect(removed == 2)
        #expect(try await lists.list.count(lists.first) == 0)
        #expect(try await lists.list.count(lists.second) == 3)
    }

    @Test func pages_hold_each_row_once_newest_first() async throws {
        let lists = try await Lists()
        // Each call is a moment of its own; rows of one call share it and are told apart by fingerprint.
        for start in stride(from: 1, to: 50, by: 10) {
            try await lists.run { list, connection in
                try await list.add(
                    Self.fingerprints(start...start + 9).map { NewSuppression($0, .manual) }, account: lists.first,
                    origin: .customer, on: connection)
            }
        }
        var seen: [Suppression] = []
        var cursor: SuppressionCursor?
        while true {
            let page = try await lists.list.list(lists.first, after: cursor, limit: 7)
            seen += page
            guard let last = page.last else { break }
            cursor = SuppressionCursor(last.cursor.description)
            #expect(cursor == last.cursor)
        }
        #expect(Set(seen.map(\.fingerprint)) == Set(Self.fingerprints(1...50)))
        #expect(seen.count == 50)
        #expect(zip(seen, seen.dropFirst()).allSatisfy { $0.createdAt >= $1.createdAt })
        #expect(try await lists.list.list(lists.second).isEmpty)
    }

    @Test(arguments: [
        "", "0", String(repeating: "0", count: 47), String(repeating: "0", count: 49),
        String(repeating: "g", count: 48), String(repeating: "f", count: 48), String(repeating: "é", count: 24),
    ])
    func a_cursor_that_is_no_cursor_is_refused(text: String) {
        #expect(SuppressionCursor(text) == nil)
    }

    @Test func a_bad_note_or_account_is_refused() async throws {
        let lists = try await Lists()
        for note in ["two\nlines", "nul\0", String(repeating: "é", count: 251)] {
            await #expect(throws: SuppressionError.invalidNote) {
                try await lists.list.add(
                    Lists.addresses("a@example.org"), account: lists.first, reason: .manual, origin: .customer,
                    note: note)
            }
        }
        await #expect(throws: SuppressionError.accountNotFound) {
            try await lists.run { list, connection in
                try await list.add(
                    [NewSuppression(Fingerprint(high: 1, low: 1), .manual)], account: AccountID(rawValue: 999),
                    origin: .customer, on: connection)
            }
        }
        #expect(try await lists.list.count(lists.first) == 0)
    }

    @Test func parallel_additions_of_the_same_addresses_end_well() async throws {
        let lists = try await Lists()
        let fingerprints = Self.fingerprints(1...500)
        let added = try await withThrowingTaskGroup(of: Int.self) { group in
            for turn in 0..<8 {
                group.addTask {
                    let order = turn.isMultiple(of: 2) ? fingerprints : fingerprints.reversed()
                    let reasons = SuppressionReason.allCases
                    return try await lists.run { list, connection in
                        try await list.add(
                            order.map { NewSuppression($0, reasons[turn % reasons.count]) }, account: lists.first,
                            origin: .feedback, on: connection)
                    }
                }
            }
            return try await group.reduce(0, +)
        }
        #expect(added == 500)
        #expect(Set(try await lists.list.list(lists.first, limit: 1_000).map(\.reason)) == [.complaint])
    }

    private static func fingerprints(_ numbers: ClosedRange<Int>) -> [Fingerprint] {
        numbers.map { Fingerprint(high: UInt64($0) &* 0x9E37_79B9_7F4A_7C15, low: UInt64($0)) }
    }
}

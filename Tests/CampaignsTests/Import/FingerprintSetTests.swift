import TestSupport
import Testing
import Vault

@testable import Campaigns

@Suite("Fingerprint set")
struct FingerprintSetTests {
    /// Octets allowed: 24 an entry, and 32 KiB for tables that hold few yet.
    private func bound(_ count: Int) -> Int { 24 * count + 32_768 }

    @Test(arguments: Seed.range(4))
    func `it holds what Swift's set holds`(seed: Seed) {
        var random = ImportRandom(seed)
        var set = FingerprintSet()
        var reference: Set<Fingerprint> = []
        var differences = 0
        // Few distinct values, so that repeats are frequent; some differ in one half only.
        let range: UInt64 = seed.value.isMultiple(of: 2) ? 3_000 : .max
        for _ in 0..<20_000 {
            let high = random.once(in: 3) ? 0 : UInt64.random(in: 0..<range, using: &random) &* 0x9E37_79B9_7F4A_7C15
            let low = UInt64.random(in: 0..<range, using: &random)
            let fingerprint = Fingerprint(high: high, low: low)
            let wasKnown = set.contains(fingerprint)
            let isNew = set.insert(fingerprint)
            let expected = reference.insert(fingerprint).inserted
            if wasKnown == expected || isNew != expected || set.count != reference.count { differences += 1 }
        }
        #expect(differences == 0)
        #expect(reference.allSatisfy(set.contains))
    }

    @Test(arguments: Seed.one(77)) func `it stays within its memory`(seed: Seed) {
        var random = ImportRandom(seed)
        var set = FingerprintSet()
        var broken = 0
        for count in 1...200_000 {
            _ = set.insert(Fingerprint(high: random.next(), low: random.next()))
            if set.octets > bound(count) || set.peakOctets > bound(count) { broken += 1 }
        }
        #expect(broken == 0)
        #expect(set.count == 200_000)
        #expect(set.octets >= 16 * set.count)
    }

    @Test func `the fingerprint of zeroes is an entry like others`() {
        var set = FingerprintSet()
        let zero = Fingerprint(high: 0, low: 0)
        #expect(!set.contains(zero))
        let inserted = [set.insert(zero), set.insert(zero)]
        #expect(inserted == [true, false])
        #expect(set.contains(zero))
        #expect(set.count == 1)
    }

    @Test func `fingerprints of one table and one slot are kept apart`() {
        var set = FingerprintSet()
        let fingerprints = (0..<500).map { Fingerprint(high: 1, low: $0) }
        let first = fingerprints.map { set.insert($0) }
        let second = fingerprints.map { set.insert($0) }
        #expect(first.allSatisfy { $0 })
        #expect(!second.contains(true))
        #expect(!set.contains(Fingerprint(high: 2, low: 1)))
        #expect(set.count == 500)
    }
}

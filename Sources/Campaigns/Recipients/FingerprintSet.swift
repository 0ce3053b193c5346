package import Vault

/// An exact set of fingerprints that never takes more than 24 octets an entry (and 32 KiB for the first few), also
/// while it grows: what lets an import of millions of recipients find every duplicate in a small memory.
///
/// 256 open-addressed tables, chosen by the first octet of the fingerprint, each a list of 16-octet slots at most 7/8
/// full that grows by a quarter. Only one table is ever doubled up in memory while it moves. Fingerprints are keyed
/// hashes, so their own bits serve as the hash, and nobody outside can choose them to collide.
package struct FingerprintSet: Sendable {
    private var tables = [Table](repeating: Table(), count: 256)
    /// All octets zero marks a free slot, so that one fingerprint is kept beside the tables.
    private var hasZero = false

    package private(set) var count = 0
    /// Slots of all tables, in octets.
    package private(set) var octets = 0
    /// The most octets ever held at once, with those of a table on the move counted twice.
    package private(set) var peakOctets = 0

    package init() {}

    package func contains(_ fingerprint: Fingerprint) -> Bool {
        guard fingerprint != Table.free else { return hasZero }
        return tables[Self.table(of: fingerprint)].contains(fingerprint)
    }

    /// - Returns: whether it was not there before.
    package mutating func insert(_ fingerprint: Fingerprint) -> Bool {
        guard fingerprint != Table.free else {
            defer { hasZero = true }
            count += hasZero ? 0 : 1
            return !hasZero
        }
        let table = Self.table(of: fingerprint)
        let before = tables[table].capacity
        let inserted = tables[table].insert(fingerprint)
        if inserted { count += 1 }
        let after = tables[table].capacity
        if after != before {
            peakOctets = max(peakOctets, octets + after * Fingerprint.byteCount)
            octets += (after - before) * Fingerprint.byteCount
        }
        return inserted
    }

    private static func table(of fingerprint: Fingerprint) -> Int { Int(fingerprint.high >> 56) }

    private struct Table: Sendable {
        static let free = Fingerprint(high: 0, low: 0)
        private static let firstCapacity = 8

        private var slots: [Fingerprint] = []
        private var count = 0

        var capacity: Int { slots.count }

        func contains(_ fingerprint: Fingerprint) -> Bool {
            guard !slots.isEmpty else { return false }
            return slots[slot(for: fingerprint)] == fingerprint
        }

        mutating func insert(_ fingerprint: Fingerprint) -> Bool {
            if slots.isEmpty { slots = Self.empty(Self.firstCapacity) }
            var slot = slot(for: fingerprint)
            guard slots[slot] != fingerprint else { return false }
            if (count + 1) * 8 > slots.count * 7 {
                grow()
                slot = self.slot(for: fingerprint)
            }
            slots[slot] = fingerprint
            count += 1
            return true
        }

        /// Where `fingerprint` is, or the free slot where it belongs. There is always a free one.
        private func slot(for fingerprint: Fingerprint) -> Int {
            var slot = Int(fingerprint.low.multipliedFullWidth(by: UInt64(slots.count)).high)
            while slots[slot] != Self.free, slots[slot] != fingerprint {
                slot += 1
                if slot == slots.count { slot = 0 }
            }
            return slot
        }

        private mutating func grow() {
            let old = slots
            slots = Self.empty(old.count + old.count / 4)
            for fingerprint in old where fingerprint != Self.free {
                slots[slot(for: fingerprint)] = fingerprint
            }
        }

        /// Exactly `capacity` slots.
        private static func empty(_ capacity: Int) -> [Fingerprint] {
            [Fingerprint](repeating: free, count: capacity)
        }
    }
}

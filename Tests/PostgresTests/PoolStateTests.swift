import TestSupport
import Testing

@testable import Postgres

/// The decisions of the pool, played at random against a plain account of who holds and who waits.
struct PoolStateTests {
    @Test(arguments: Seed.range(200))
    func `random play keeps the bound and the order`(seed: Seed) {
        var random = SeededGenerator(seed)
        let maximum = Int.random(in: 1...4, using: &random)
        var state = PoolState<Int>(maximum: maximum)
        var held: [Int] = []
        var opening = 0
        var waiting: [UInt64] = []
        var idle: Set<Int> = []
        var next: UInt64 = 0
        var serial = 0

        func check(_ handover: PoolState<Int>.Handover, given: Int?) {
            switch handover {
            case .none:
                #expect(waiting.isEmpty)
                if let given { idle.insert(given) }
            case .give(let resource, let waiter):
                #expect(resource == given)
                #expect(waiter == waiting.first)
                waiting.removeFirst()
                held.append(resource)
            case .open(let waiter):
                #expect(given == nil)
                #expect(waiter == waiting.first)
                waiting.removeFirst()
                opening += 1
            case .discard:
                Issue.record("nothing is discarded while the pool is open")
            }
        }

        for _ in 0..<400 {
            switch Int.random(in: 0..<7, using: &random) {
            case 0, 1:
                next += 1
                switch state.acquire(as: next) {
                case .use(let resource):
                    #expect(idle.remove(resource) != nil)
                    held.append(resource)
                case .open:
                    #expect(idle.isEmpty)
                    opening += 1
                case .wait:
                    #expect(held.count + opening == maximum)
                    waiting.append(next)
                case .closed, .refused:
                    Issue.record("the pool is open, and nobody has a share")
                }
            case 2 where !held.isEmpty:
                let resource = held.remove(at: Int.random(in: held.indices, using: &random))
                check(state.release(resource), given: resource)
            case 3 where opening > 0:
                opening -= 1
                if Bool.random(using: &random) {
                    serial += 1
                    held.append(serial)
                } else {
                    check(state.releaseSlot(), given: nil)
                }
            case 4 where !held.isEmpty:
                held.remove(at: Int.random(in: held.indices, using: &random))
                check(state.releaseSlot(), given: nil)
            case 5 where !waiting.isEmpty:
                let waiter = waiting.remove(at: Int.random(in: waiting.indices, using: &random))
                let isAbandoned = state.abandon(waiter)
                let isAbandonedTwice = state.abandon(waiter)
                #expect(isAbandoned)
                #expect(!isAbandonedTwice)
            case 6:
                let isFree = held.count + opening + idle.count < maximum
                let isTaken = state.takeSlot()
                #expect(isTaken == isFree)
                if isFree { opening += 1 }
            default: break
            }
            #expect(state.taken == held.count + opening + idle.count)
            #expect(state.taken <= maximum)
            #expect(state.waitingCount == waiting.count)
        }

        let (closedIdle, closedWaiting) = state.close()
        #expect(Set(closedIdle) == idle)
        #expect(closedWaiting == waiting)
        for resource in held {
            guard case .discard(resource) = state.release(resource) else {
                Issue.record("a closed pool keeps nothing")
                continue
            }
        }
        for _ in 0..<opening { _ = state.releaseSlot() }
        #expect(state.taken == 0)
        let isTaken = state.takeSlot()
        #expect(!isTaken)
        guard case .closed = state.acquire(as: 0) else {
            Issue.record("a closed pool lends nothing")
            return
        }
    }

    @Test(arguments: Seed.range(200))
    func `no owner has more than its share, and nobody waits behind one that has`(seed: Seed) {
        var random = SeededGenerator(seed)
        let maximum = Int.random(in: 1...5, using: &random)
        let share = PoolShare(connections: Int.random(in: 1...3, using: &random), waiting: 3)
        var state = PoolState<Int>(maximum: maximum, share: share)
        let owners: [ConnectionOwner?] = [
            nil, ConnectionOwner("a"), ConnectionOwner("b"), ConnectionOwner("c", connections: 2),
        ]
        var waiting: [(number: UInt64, owner: ConnectionOwner?)] = []
        // Opened at once, so a slot is a connection.
        var held: [(resource: Int, owner: ConnectionOwner?)] = []
        var serial = 0

        func mayHave(_ owner: ConnectionOwner?) -> Bool {
            owner == nil || held.count { $0.owner == owner } < owner?.connections ?? share.connections
        }
        func take(_ resource: Int?, by number: UInt64) {
            let place = waiting.firstIndex { mayHave($0.owner) }
            #expect(place.map { waiting[$0].number } == number)
            guard let place else { return }
            serial += 1
            held.append((resource ?? serial, waiting.remove(at: place).owner))
        }

        for number in UInt64(1)...400 {
            if Bool.random(using: &random) {
                let owner = owners.randomElement(using: &random) ?? nil
                let isFree = mayHave(owner) && held.count < maximum
                switch state.acquire(as: number, for: owner) {
                case .use(let resource): held.append((resource, owner))
                case .open:
                    serial += 1
                    held.append((serial, owner))
                case .wait:
                    #expect(!isFree)
                    waiting.append((number, owner))
                case .refused:
                    #expect(!isFree && waiting.count { $0.owner == owner } == share.waiting)
                case .closed: Issue.record("the pool is open")
                }
            } else if !held.isEmpty {
                let (resource, owner) = held.remove(at: Int.random(in: held.indices, using: &random))
                let isLost = Bool.random(using: &random)
                switch isLost ? state.releaseSlot(of: owner) : state.release(resource, of: owner) {
                case .give(let given, let waiter): take(given, by: waiter)
                case .open(let waiter): take(nil, by: waiter)
                case .none: #expect(!waiting.contains { mayHave($0.owner) })
                case .discard: Issue.record("the pool is open")
                }
            }
            #expect(held.count <= maximum)
            for owner in owners where owner != nil {
                #expect(held.count { $0.owner == owner } <= owner?.connections ?? share.connections)
            }
            #expect(state.waitingCount == waiting.count)
        }
    }

    @Test(arguments: 0..<20)
    func `pauses grow, are bounded, and differ`(attempt: Int) {
        var random = SeededGenerator(seed: UInt64(attempt))
        let backoff = RetryBackoff(base: .milliseconds(10), limit: .seconds(1))
        let ceiling = min(Duration.seconds(1), .milliseconds(10) * (1 << attempt))
        let delays = (0..<100).map { _ in backoff.delay(attempt: attempt, using: &random) }
        #expect(delays.allSatisfy { $0 <= ceiling && $0 >= ceiling / 2 })
        #expect(Set(delays).count > 50)
    }
}

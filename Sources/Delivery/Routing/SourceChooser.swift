import Fleet
import MailTypes
import SMTPTransport
import TrafficShaping
import Vault

/// Whose mail it is, and the pool of sources that its campaign asks for.
struct MailOrigin: Hashable {
    let account: AccountID
    /// Nil for the pool of the account.
    let pool: String?
}

/// Chooses the source that each mail leaves from, by the pool of its campaign or account.
struct SourceChooser: Sendable {
    /// By name; empty where the system picks the address.
    let pools: [String: SourcePool]
    let fleet: FleetState
    let clock: DeliveryClock

    /// How the lane from a source states.
    typealias Readiness = (MailSource) -> LaneReadiness

    /// What becomes of some mails.
    struct Plan {
        var bySource: [(source: MailSource, mails: [QueuedMail])] = []
        /// Mails that no source may send yet, with the seconds until one may.
        var later: [(mail: QueuedMail, inSeconds: Double, because: RequeueReason)] = []
    }

    /// Whether the system picks the address. A campaign that asks for a pool waits for a node that has it.
    func leavesToSystem(_ origin: MailOrigin) -> Bool { pools.isEmpty && origin.pool == nil }

    /// The sources that reach the destination; all, where none has an address of the right family. Nil where the pool is
    /// not on this node, or the system picks the address.
    func pool(of origin: MailOrigin, to destination: Destination) -> SourcePool? {
        let name = origin.pool ?? fleet.shaping(of: origin.account)?.pool ?? DeliveryConfiguration.defaultPool
        return pools[name]?.reaching(destination)
    }

    /// Each mail has the same source in every attempt, as long as that may send.
    func plan(
        _ mails: [QueuedMail], of pool: SourcePool, to destination: Destination, at now: SteadySeconds,
        readiness: Readiness
    ) -> Plan {
        var states = SourceStates(pool.sources, readiness)
        var plan = Plan()
        var places: [String: Int] = [:]
        let time = clock.seconds
        for mail in mails {
            switch choose(pool, for: mail, to: destination, day: Int(time / 86_400), &states, at: now) {
            case .source(let source):
                let usage = SourceUsage(source: source.address, provider: destination.provider.name)
                var mail = mail
                mail.warmUp = source.warmUp == nil ? nil : WarmUpPlace(usage, of: fleet)
                let place = places[source.address] ?? plan.bySource.count
                if place == plan.bySource.count { plan.bySource.append((source, [])) }
                places[source.address] = place
                plan.bySource[place].mails.append(mail)
            case .laterAt(let time): plan.later.append((mail, max(0, time - now), .site))
            case .laterThanToday: plan.later.append((mail, Double(86_400 - time % 86_400), .allowance))
            }
        }
        return plan
    }

    /// A source that is only tried by a probe gets one mail, as long as others are open.
    private func choose(
        _ pool: SourcePool, for mail: QueuedMail, to destination: Destination, day: Int, _ states: inout SourceStates,
        at now: SteadySeconds
    ) -> SourcePool.Choice {
        if states.endMail { return .source(pool.sources[0]) }
        let key = Self.key(mail)
        func choose(_ restsUntil: (MailSource) -> SteadySeconds?) -> SourcePool.Choice {
            pool.choose(
                for: key, onDay: day,
                sentToday: {
                    fleet.sentToday(SourceUsage(source: $0.address, provider: destination.provider.name))
                }, restsUntil: restsUntil)
        }
        if let probe = states.takeProbe(), case .source = choose({ $0 == probe ? nil : .infinity }) {
            return .source(probe)
        }
        let choice = choose { states.restsUntil($0, withProbes: true) }
        if case .source = choice { return choice }
        let second = choose { states.restsUntil($0, withProbes: false, now) }
        // Those that may send today end their mail; others may tomorrow.
        if case .laterAt(.infinity) = second { return .laterThanToday }
        return second
    }

    /// Sender and recipient, which greylists remember with the address that mail comes from.
    static func key(_ mail: QueuedMail) -> UInt64 {
        let fingerprint = mail.run.fingerprints[mail.position]
        return SourcePool.key(mail.run.runtime.fromDomain.text.utf8) ^ fingerprint.low
    }
}

extension SourcePool {
    /// The sources that reach the destination; all, where none does.
    func reaching(_ destination: Destination) -> SourcePool { reaching(destination.targets.lazy.map(\.address)) }
}

import Campaigns
import MailTypes
import TrafficShaping

/// Puts mails into lanes: by a smarthost or to the recipients' own servers, from a source of their pool. What a lane
/// cannot send at present it offers to others of the same mail: other sources, other smarthosts.
final class Dispatcher: Sendable {
    private let resolver: DestinationResolver
    let smarthosts: Smarthosts
    private let sources: SourceChooser
    let lanes: LaneRegistry
    private let sender: any MailSender
    private let dice: Dice

    init(
        resolver: DestinationResolver, smarthosts: Smarthosts, sources: SourceChooser, lanes: LaneRegistry,
        sender: any MailSender, dice: Dice
    ) {
        self.resolver = resolver
        self.smarthosts = smarthosts
        self.sources = sources
        self.lanes = lanes
        self.sender = sender
        self.dice = dice
    }

    /// Mail to the domain may take any of these; several are smarthosts.
    ///
    /// - Parameter requiresTLS: the mail asks for REQUIRETLS.
    func destinations(of domain: DomainName, requiresTLS: Bool) async throws(RoutingFailure) -> [Destination] {
        let (smarthosts, rule) = smarthosts.way(of: domain)
        guard smarthosts.isEmpty else { return smarthosts }
        return [try await resolver.destination(of: domain, requiresTLS: requiresTLS, rule: rule)]
    }

    /// Puts mails of one campaign into lanes, or back into the store where no source may send them yet.
    ///
    /// - Parameter destinations: that they may take.
    func enqueue(_ mails: [QueuedMail], to destinations: [Destination]) {
        guard let origin = mails.first?.origin else { return }
        guard destinations.count > 1 else { return enqueue(mails, to: destinations[0], origin) }
        let (left, choice) = spread(mails, over: destinations, origin)
        // All rest: it waits for the one that is back first.
        guard !left.isEmpty, let first = choice.firstBack(lanes.now()) else { return }
        enqueue(left, to: destinations[first], origin)
    }

    // MARK: Smarthosts

    /// Spreads mails by weight over the smarthosts that are open, and gives one to each that is to be probed.
    ///
    /// - Returns: those for which there is none now.
    private func spread(
        _ mails: [QueuedMail], over destinations: [Destination], _ origin: MailOrigin
    ) -> (left: [QueuedMail], choice: SmarthostChoice) {
        let now = lanes.now()
        var choice = SmarthostChoice(
            destinations.map {
                SmarthostChoice.Candidate(
                    weight: $0.smarthost?.weight ?? 1, readiness: readiness($0, origin, at: now))
            })
        var dice = dice
        var chosen = destinations.map { _ in [QueuedMail]() }
        var left: [QueuedMail] = []
        for var mail in mails {
            let index = choice.choose(
                declined: { mail.declinedBy.contains(destinations[$0].id) }, using: &dice)
            guard let index else {
                left.append(mail)
                continue
            }
            if !mail.declinedBy.isEmpty { mail.queuedAt = now }
            chosen[index].append(mail)
        }
        for (destination, mails) in zip(destinations, chosen) where !mails.isEmpty {
            enqueue(mails, to: destination, origin)
        }
        return (left, choice)
    }

    /// How the best of the lanes stands that lead such mail there.
    private func readiness(
        _ destination: Destination, _ origin: MailOrigin, at now: SteadySeconds
    ) -> LaneReadiness {
        best(of: sources.pool(of: origin, to: destination)?.sources ?? [nil], to: destination, at: now)
    }

    private func best(
        of sources: [MailSource?], to destination: Destination, at now: SteadySeconds
    ) -> LaneReadiness {
        .best(of: sources.map { lanes.readiness(destination, from: $0, at: now) }, at: now)
    }

    // MARK: Sources

    /// Spreads mails to one site over the source addresses of their pool.
    private func enqueue(_ mails: [QueuedMail], to destination: Destination, _ origin: MailOrigin) {
        let account = origin.account
        guard !sources.leavesToSystem(origin) else {
            return lane(to: destination, from: nil).enqueue(mails, of: account)
        }
        guard let pool = sources.pool(of: origin, to: destination) else {
            // The pool is not on this node; another node may have it.
            for mail in mails { sender.requeue(mail, inSeconds: Self.missingPoolSeconds, awaitsResume: false) }
            return
        }
        let now = lanes.now()
        let plan = sources.plan(mails, of: pool, to: destination, at: now) {
            lanes.readiness(destination, from: $0, at: now)
        }
        for (mail, seconds, reason) in plan.later {
            sender.requeue(mail, inSeconds: seconds, awaitsResume: false, because: reason)
        }
        for (source, mails) in plan.bySource { lane(to: destination, from: source).enqueue(mails, of: account) }
    }

    private static let missingPoolSeconds = 60.0

    private func lane(to destination: Destination, from source: MailSource?) -> Lane {
        lanes.lane(to: destination, from: source, elsewhere: elsewhere(than: destination, source))
    }

    // MARK: Elsewhere

    private func elsewhere(than destination: Destination, _ source: MailSource?) -> Elsewhere? {
        let hasSources = (source.flatMap { sources.pools[$0.pool] }?.sources.count ?? 1) > 1
        guard hasSources || destination.smarthost != nil else { return nil }
        return Elsewhere(
            opensAt: { [weak self] in self?.opensElsewhere(than: destination, source, at: $0) ?? .infinity },
            handOver: { [weak self] in self?.handOver($0, from: destination, source) ?? $0 })
    }

    /// When another source, or another smarthost, takes mail.
    private func opensElsewhere(
        than destination: Destination, _ source: MailSource?, at now: SteadySeconds
    ) -> SteadySeconds {
        let pool = source.flatMap { sources.pools[$0.pool] }
        let others = pool?.reaching(destination).sources.filter { $0 != source } ?? []
        var opens = others.map { lanes.readiness(destination, from: $0, at: now).opensAt(now) }
        for other in smarthosts.others(than: destination) {
            opens.append(best(of: pool?.reaching(other).sources ?? [nil], to: other, at: now).opensAt(now))
        }
        return opens.min() ?? .infinity
    }

    /// Gives mails that a lane cannot send to the other sources of their pool, then to smarthosts that have not declined them.
    ///
    /// - Returns: those that no other takes at present.
    private func handOver(
        _ mails: [QueuedMail], from destination: Destination, _ source: MailSource?
    ) -> [QueuedMail] {
        var left: [QueuedMail] = []
        for (origin, mails) in Dictionary(grouping: mails, by: \.origin) {
            // The place may be wanted by the same source to another smarthost.
            for mail in mails { mail.warmUp?.giveBack() }
            let unsent = handOverToSmarthosts(
                handOverToSources(mails, origin, destination, source), origin, destination)
            for mail in unsent { mail.warmUp?.takeAgain() }
            left += unsent
        }
        return left
    }

    private func handOverToSources(
        _ mails: [QueuedMail], _ origin: MailOrigin, _ destination: Destination, _ source: MailSource?
    ) -> [QueuedMail] {
        guard let source, let pool = sources.pool(of: origin, to: destination) else { return mails }
        let now = lanes.now()
        let others = pool.sources.filter {
            $0 != source && lanes.readiness(destination, from: $0, at: now).opensAt(now) <= now
        }
        guard !others.isEmpty else { return mails }
        let plan = sources.plan(
            mails.map { mail in
                var mail = mail
                mail.queuedAt = now
                return mail
            }, of: SourcePool(name: pool.name, sources: others), to: destination, at: now
        ) { lanes.readiness(destination, from: $0, at: now) }
        for (source, mails) in plan.bySource { lane(to: destination, from: source).enqueue(mails, of: origin.account) }
        return plan.later.map(\.mail)
    }

    /// Each mail to those that its domain may take.
    private func handOverToSmarthosts(
        _ mails: [QueuedMail], _ origin: MailOrigin, _ destination: Destination
    ) -> [QueuedMail] {
        guard !mails.isEmpty, !smarthosts.others(than: destination).isEmpty else { return mails }
        let offered = mails.map { mail in
            var mail = mail
            mail.declinedBy.insert(destination.id)
            return mail
        }
        return Dictionary(grouping: offered, by: \.domain).flatMap { domain, mails in
            let smarthosts = smarthosts.way(of: domain).smarthosts
            return smarthosts.isEmpty ? mails : spread(mails, over: smarthosts, origin).left
        }
    }
}

import MailTypes
import StrictYAML

/// Reads a providers file and checks all of it, so that a mistake stops the start and not the mail.
struct ProviderFileReader {
    private let file: String
    private let base: ProviderFile?
    /// Patterns of mail hosts and of domains seen so far, with the provider that has them.
    private var owners: [String: String] = [:]

    init(file: String, extending base: ProviderFile?) {
        self.file = file
        self.base = base
    }

    mutating func entries(of text: String) throws(YAMLError) -> [ProviderFile.Entry] {
        var entries: [ProviderFile.Entry] = []
        for (name, value) in try YAMLDocument.read(text, named: file).fields(["providers"])["providers"]?.entries()
            ?? []
        {
            entries.append(try entry(name, value))
        }
        return entries
    }

    private mutating func entry(_ name: String, _ value: YAMLValue) throws(YAMLError) -> ProviderFile.Entry {
        let fields = try value.fields([
            "mx", "domains", "connections", "messages_per_connection", "rate", "blocks_before_pause", "scope",
            "leave_out", "replies",
        ])
        var entry = ProviderFile.Entry(name: name)
        entry.mx = try patterns(fields["mx"], kind: "mx", owner: name)
        entry.domains = try patterns(fields["domains"], kind: "domains", owner: name)
        entry.connections = try fields["connections"]?.number(1...10_000)
        entry.messagesPerConnection = try fields["messages_per_connection"]?.number(1...1_000_000)
        if let rate = fields["rate"] { entry.rate = .some(try Self.rate(rate)) }
        entry.blocksBeforePause = try fields["blocks_before_pause"]?.number(1...1_000)
        if let scope = fields["scope"] { entry.scope = try Self.scope(scope, of: name) }
        if let extensions = fields["leave_out"] { entry.leftOutExtensions = try Self.extensions(extensions) }
        for item in try fields["replies"]?.list() ?? [] {
            entry.replies.append(try Self.reply(item, origin: "\(name), \(file)"))
        }
        try checkPatterns(of: entry, value)
        return entry
    }

    private func checkPatterns(of entry: ProviderFile.Entry, _ value: YAMLValue) throws(YAMLError) {
        let hasPatterns = !entry.mx.isEmpty || !entry.domains.isEmpty
        guard entry.name != ProviderFile.defaultName else {
            guard !hasPatterns else {
                throw value.nameError("takes no `mx` or `domains`: `default` matches what no other does")
            }
            return
        }
        guard hasPatterns || base?.entry(entry.name) != nil else {
            throw value.nameError(.missingKey, "lacks `mx` or `domains`, without which nothing finds the provider")
        }
    }

    /// Names of hosts or domains; `.example.com` and `*.example.com` mean the same as `example.com`.
    private mutating func patterns(
        _ value: YAMLValue?, kind: String, owner: String
    ) throws(YAMLError) -> [String] {
        var patterns: [String] = []
        for item in try value?.list() ?? [] {
            let text = try item.word()
            let bare = text.hasPrefix("*.") ? text.dropFirst(2) : text.hasPrefix(".") ? text.dropFirst() : text[...]
            let pattern: String
            do throws(AddressError) {
                pattern = try DomainName(bare).text
            } catch {
                throw item.error("\(text) is not the name of a host or domain")
            }
            if let other = owners.updateValue(owner, forKey: "\(kind) \(pattern)") {
                throw item.error(.duplicate, "\(pattern) is also in \(other)")
            }
            patterns.append(pattern)
        }
        return patterns
    }

    // MARK: Replies

    private static func reply(_ item: YAMLValue, origin: String) throws(YAMLError) -> ReplyPattern {
        let fields = try item.fields(["code", "enhanced", "contains", "action", "for"])
        let code = try fields["code"].map { (value) throws(YAMLError) in
            guard let code = ReplyPattern.Code(try value.word()) else {
                throw value.error("expected a code such as 421 or 4xx")
            }
            return code
        }
        let enhanced = try fields["enhanced"].map { (value) throws(YAMLError) in
            guard let enhanced = ReplyPattern.Enhanced(try value.word()) else {
                throw value.error("expected a code such as 4.7.28 or 4.7.*")
            }
            return enhanced
        }
        let contains = try phrases(fields["contains"])
        if code == nil && enhanced == nil && contains.isEmpty {
            throw item.error(
                .missingKey, "needs `code`, `enhanced` or `contains`, or it would match every reply")
        }
        return ReplyPattern(
            code: code, enhanced: enhanced, contains: contains,
            action: try action(fields.required("action"), pause: fields["for"]), origin: origin)
    }

    private static func action(_ value: YAMLValue, pause: YAMLValue?) throws(YAMLError) -> ReplyAction {
        let name = try value.word()
        if let endless = endlessActions[name] {
            if let pause { throw pause.nameError("\(name) takes no time") }
            return endless
        }
        guard name == "suspend" || name == "rotate_source" else {
            throw value.error(
                "\(name) is not one of slow_down, suspend, rotate_source, bounce, retry, mark_mailbox, ignore")
        }
        guard let pause else { throw value.error(.missingKey, "\(name) needs `for`, such as `for: 10m`") }
        let seconds = try duration(pause)
        return name == "suspend" ? .suspend(seconds: seconds) : .rotateSource(seconds: seconds)
    }

    private static let endlessActions: [String: ReplyAction] = [
        "slow_down": .slowDown, "bounce": .bounce, "retry": .retry, "mark_mailbox": .markMailbox, "ignore": .ignore,
    ]

    private static func phrases(_ value: YAMLValue?) throws(YAMLError) -> [String] {
        var phrases: [String] = []
        for item in try value?.list() ?? [] {
            let phrase = try item.word()
            guard !PlainReply(phrase).isEmpty else {
                throw item.error("\(phrase) holds nothing to search for; use `code` or `enhanced`")
            }
            phrases.append(phrase)
        }
        return phrases
    }

    // MARK: Values

    private static func rate(_ value: YAMLValue) throws(YAMLError) -> MessageRate? {
        let text = try value.word()
        if text == "none" { return nil }
        guard let rate = MessageRate(text) else {
            throw value.error("\(text) is not a rate such as 100/s, 600/min, 5000/h, 20000/d or none")
        }
        return rate
    }

    /// `30s`, `10m`, `2h`, `1d`: a second to 30 days.
    private static func duration(_ value: YAMLValue) throws(YAMLError) -> Double {
        let text = try value.word()
        let units: [Character: Int] = ["s": 1, "m": 60, "h": 3_600, "d": 86_400]
        guard let unit = text.last.flatMap({ units[$0] }), let count = UInt32(text.dropLast()), count > 0,
            Int(count) * unit <= 30 * 86_400
        else { throw value.error("\(text) is not a time such as 30s, 10m, 2h or 1d, up to 30d") }
        return Double(Int(count) * unit)
    }

    private static func scope(_ value: YAMLValue, of name: String) throws(YAMLError) -> Provider.Scope {
        let text = try value.word()
        guard let scope = Provider.Scope(rawValue: text) else {
            throw value.error("\(text) is neither site nor provider")
        }
        guard scope == .site || name != ProviderFile.defaultName else {
            throw value.error("what no provider is found for has nothing to share")
        }
        return scope
    }

    /// EHLO keywords (RFC 5321 §4.1.1.1) that have a command or a parameter which can be left out.
    private static func extensions(_ value: YAMLValue) throws(YAMLError) -> Set<String> {
        var keywords: Set<String> = []
        for item in try value.list() {
            let keyword = try item.word().uppercased()
            guard Provider.extensionsThatCanBeLeftOut.contains(keyword) else {
                throw item.error(
                    "\(keyword) is not one of \(Provider.extensionsThatCanBeLeftOut.sorted().joined(separator: ", "))")
            }
            keywords.insert(keyword)
        }
        return keywords
    }
}

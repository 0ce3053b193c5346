import MailTypes
import Yams

/// Reads a providers file and checks all of it, so that a mistake stops the start and not the mail.
struct ProviderFileReader {
    private let file: String
    private let base: ProviderFile?
    /// Where the reader is, for errors.
    private var provider: String?
    private var key: String?
    /// Patterns of mail hosts and of domains seen so far, with the provider that has them.
    private var owners: [String: String] = [:]

    init(file: String, extending base: ProviderFile?) {
        self.file = file
        self.base = base
    }

    mutating func entries(of text: String) throws(ProviderRulesError) -> [ProviderFile.Entry] {
        guard let root = try node(of: text) else { return [] }
        var entries: [ProviderFile.Entry] = []
        for (name, value) in try mapping(root) {
            guard try word(name) == "providers" else {
                throw error(.unknownKey, at: name, "unknown key, expected `providers`", key: name.scalar?.string)
            }
            for (name, value) in try mapping(value) {
                entries.append(try entry(name, value))
            }
        }
        return entries
    }

    private func node(of text: String) throws(ProviderRulesError) -> Node? {
        guard text.utf8.count <= ProviderFile.largestOctets else {
            throw ProviderRulesError(
                code: .unreadable, file: file, line: nil, provider: nil, key: nil,
                detail: "larger than \(ProviderFile.largestOctets >> 10) KiB")
        }
        do {
            return try Yams.compose(yaml: text)
        } catch {
            throw ProviderRulesError(unreadable: error, file: file)
        }
    }

    private mutating func entry(_ name: Node, _ value: Node) throws(ProviderRulesError) -> ProviderFile.Entry {
        var entry = ProviderFile.Entry(name: try word(name))
        provider = entry.name
        defer { (provider, key) = (nil, nil) }
        for (name, value) in try mapping(value) {
            key = try word(name)
            switch key {
            case "mx": entry.mx = try patterns(value, kind: "mx", owner: entry.name)
            case "domains": entry.domains = try patterns(value, kind: "domains", owner: entry.name)
            case "connections": entry.connections = try number(value, 1...10_000)
            case "messages_per_connection": entry.messagesPerConnection = try number(value, 1...1_000_000)
            case "rate": entry.rate = .some(try rate(value))
            case "blocks_before_pause": entry.blocksBeforePause = try number(value, 1...1_000)
            case "scope": entry.scope = try scope(value, of: entry.name)
            case "leave_out": entry.leftOutExtensions = try extensions(value)
            case "replies":
                for item in try list(value) { entry.replies.append(try reply(item)) }
            default: throw error(.unknownKey, at: name, "unknown key")
            }
        }
        key = "mx"
        let isDefault = entry.name == ProviderFile.defaultName
        let hasPatterns = !entry.mx.isEmpty || !entry.domains.isEmpty
        if isDefault && hasPatterns { throw error(.invalidValue, at: name, "`default` matches what no other does") }
        if !isDefault && !hasPatterns && base?.entry(entry.name) == nil {
            throw error(.missingKey, at: name, "missing; without `mx` or `domains` nothing finds the provider")
        }
        return entry
    }

    /// Names of hosts or domains; `.example.com` and `*.example.com` mean the same as `example.com`.
    private mutating func patterns(
        _ value: Node, kind: String, owner: String
    ) throws(ProviderRulesError) -> [String] {
        var patterns: [String] = []
        for item in try list(value) {
            let text = try word(item)
            let bare = text.hasPrefix("*.") ? text.dropFirst(2) : text.hasPrefix(".") ? text.dropFirst() : text[...]
            let pattern: String
            do throws(AddressError) {
                pattern = try DomainName(bare).text
            } catch {
                throw self.error(.invalidValue, at: item, "\(text) is not the name of a host or domain")
            }
            if let other = owners.updateValue(owner, forKey: "\(kind) \(pattern)") {
                throw error(.overlap, at: item, "\(pattern) is also in \(other)")
            }
            patterns.append(pattern)
        }
        return patterns
    }

    private mutating func reply(_ item: Node) throws(ProviderRulesError) -> ReplyPattern {
        var code: ReplyPattern.Code?
        var enhanced: ReplyPattern.Enhanced?
        var contains: [String] = []
        var action: (name: String, node: Node)?
        var pause: (seconds: Double, node: Node)?
        for (name, value) in try mapping(item) {
            let field = try word(name)
            key = "replies: \(field)"
            switch field {
            case "code":
                code = ReplyPattern.Code(try word(value))
                if code == nil { throw error(.invalidValue, at: value, "expected a code such as 421 or 4xx") }
            case "enhanced":
                enhanced = ReplyPattern.Enhanced(try word(value))
                if enhanced == nil { throw error(.invalidValue, at: value, "expected a code such as 4.7.28 or 4.7.*") }
            case "contains":
                contains = try phrases(value)
            case "action": action = (try word(value), value)
            case "for": pause = (try duration(value), value)
            default: throw error(.unknownKey, at: name, "unknown key")
            }
        }
        key = "replies"
        if code == nil && enhanced == nil && contains.isEmpty {
            throw error(.missingKey, at: item, "needs `code`, `enhanced` or `contains`, or it would match every reply")
        }
        key = "replies: action"
        guard let action else { throw error(.missingKey, at: item, "missing") }
        return ReplyPattern(
            code: code, enhanced: enhanced, contains: contains,
            action: try self.action(action.name, at: action.node, pause: pause),
            origin: "\(provider ?? ""), \(file)")
    }

    private mutating func action(
        _ name: String, at node: Node, pause: (seconds: Double, node: Node)?
    ) throws(ProviderRulesError) -> ReplyAction {
        switch (name, pause?.seconds) {
        case ("suspend", let seconds?): return .suspend(seconds: seconds)
        case ("rotate_source", let seconds?): return .rotateSource(seconds: seconds)
        case ("suspend", nil), ("rotate_source", nil):
            throw error(.missingKey, at: node, "\(name) needs `for`, such as `for: 10m`")
        case ("slow_down", nil): return .slowDown
        case ("bounce", nil): return .bounce
        case ("retry", nil): return .retry
        case ("mark_mailbox", nil): return .markMailbox
        case ("ignore", nil): return .ignore
        case ("slow_down", _?), ("bounce", _?), ("retry", _?), ("mark_mailbox", _?), ("ignore", _?):
            key = "replies: for"
            throw error(.invalidValue, at: pause!.node, "\(name) takes no time")
        default:
            throw error(
                .invalidValue, at: node,
                "\(name) is not one of slow_down, suspend, rotate_source, bounce, retry, mark_mailbox, ignore")
        }
    }

    private func phrases(_ value: Node) throws(ProviderRulesError) -> [String] {
        var phrases: [String] = []
        for item in try list(value) {
            let phrase = try word(item)
            guard !PlainReply(phrase).isEmpty else {
                throw error(.invalidValue, at: item, "\(phrase) holds nothing to search for; use `code` or `enhanced`")
            }
            phrases.append(phrase)
        }
        return phrases
    }

    private func rate(_ value: Node) throws(ProviderRulesError) -> MessageRate? {
        let text = try word(value)
        if text == "none" { return nil }
        guard let rate = MessageRate(text) else {
            throw error(
                .invalidValue, at: value, "\(text) is not a rate such as 100/s, 600/min, 5000/h, 20000/d or none")
        }
        return rate
    }

    /// `30s`, `10m`, `2h`, `1d`: a second to 30 days.
    private func duration(_ value: Node) throws(ProviderRulesError) -> Double {
        let text = try word(value)
        let units: [Character: Int] = ["s": 1, "m": 60, "h": 3_600, "d": 86_400]
        guard let unit = text.last.flatMap({ units[$0] }), let count = UInt32(text.dropLast()), count > 0,
            Int(count) * unit <= 30 * 86_400
        else { throw error(.invalidValue, at: value, "\(text) is not a time such as 30s, 10m, 2h or 1d, up to 30d") }
        return Double(Int(count) * unit)
    }

    private func scope(_ value: Node, of name: String) throws(ProviderRulesError) -> Provider.Scope {
        let text = try word(value)
        guard let scope = Provider.Scope(rawValue: text) else {
            throw error(.invalidValue, at: value, "\(text) is neither site nor provider")
        }
        guard scope == .site || name != ProviderFile.defaultName else {
            throw error(.invalidValue, at: value, "what no provider is found for has nothing to share")
        }
        return scope
    }

    /// EHLO keywords (RFC 5321 §4.1.1.1) that have a command or a parameter which can be left out.
    private func extensions(_ value: Node) throws(ProviderRulesError) -> Set<String> {
        var keywords: Set<String> = []
        for item in try list(value) {
            let keyword = try word(item).uppercased()
            guard Provider.extensionsThatCanBeLeftOut.contains(keyword) else {
                throw error(
                    .invalidValue, at: item,
                    "\(keyword) is not one of \(Provider.extensionsThatCanBeLeftOut.sorted().joined(separator: ", "))")
            }
            keywords.insert(keyword)
        }
        return keywords
    }

    private func number(_ value: Node, _ range: ClosedRange<Int>) throws(ProviderRulesError) -> Int {
        let text = try word(value)
        guard let number = Int(text), range.contains(number) else {
            throw error(
                .invalidValue, at: value, "\(text) is not a number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    private func mapping(_ node: Node) throws(ProviderRulesError) -> [(Node, Node)] {
        guard let mapping = node.mapping else { throw error(.wrongKind, at: node, "expected `key: value` lines") }
        return mapping.map { ($0.key, $0.value) }
    }

    private func list(_ node: Node) throws(ProviderRulesError) -> [Node] {
        guard let sequence = node.sequence, !sequence.isEmpty else {
            throw error(.wrongKind, at: node, "expected a list of one or more")
        }
        return Array(sequence)
    }

    private func word(_ node: Node) throws(ProviderRulesError) -> String {
        guard let text = node.scalar?.string, !text.isEmpty else {
            throw error(.wrongKind, at: node, "expected a word")
        }
        return text
    }

    private func error(
        _ code: ProviderRulesError.Code, at node: Node, _ detail: String, key: String? = nil
    ) -> ProviderRulesError {
        ProviderRulesError(
            code: code, file: file, line: node.mark?.line, provider: provider, key: key ?? self.key, detail: detail)
    }
}

extension ProviderRulesError {
    fileprivate init(unreadable error: any Error, file: String) {
        var line: Int?
        var detail = "not YAML"
        switch error as? YamlError {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            (line, detail) = (mark.line, problem)
        case .reader(let problem, _, _, _): detail = problem
        case .duplicatedKeysInMapping(let duplicates, let context):
            self.init(
                code: .overlap, file: file, line: context.mark.line, provider: nil, key: nil,
                detail: "given twice: \(duplicates.joined(separator: ", "))")
            return
        default: break
        }
        self.init(code: .unreadable, file: file, line: line, provider: nil, key: nil, detail: detail)
    }
}

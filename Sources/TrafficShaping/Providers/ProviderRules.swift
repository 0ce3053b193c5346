package import StrictYAML

/// What is known of mail providers: their limits, and what their refusals mean.
///
/// A file that comes with the program describes the large ones and, as `default`, everybody else; the operator's file
/// changes these and adds others. See docs/operators/shaping.md for the form of both.
///
///     let rules = try ProviderRules(operatorFile: text, named: "shaping.yaml")
///     let provider = rules.provider(forMX: ["alt1.gmail-smtp-in.l.google.com"], domain: "example.org")
///     provider.name          // "gmail"
package struct ProviderRules: Sendable {
    /// One file's patterns, each with the name of its provider.
    private struct Index: Sendable {
        var mx: [Substring: String] = [:]
        var domains: [String: String] = [:]
    }

    private let providersByName: [String: Provider]
    /// The operator's first.
    private let indexes: [Index]

    /// Every provider, `default` included, by name.
    package var providers: [Provider] { providersByName.values.sorted { $0.name < $1.name } }

    package func provider(named name: String) -> Provider? { providersByName[name] }

    /// Applied where nothing else is.
    package var fallback: Provider { providersByName[ProviderFile.defaultName]! }

    /// The rules that come with the program.
    package static let builtIn: ProviderRules = {
        do throws(YAMLError) {
            return ProviderRules([try builtInFile()])
        } catch {
            fatalError("the built-in providers are unsound: \(error)")
        }
    }()

    /// The built-in rules with an operator's file over them.
    /// - Parameters:
    ///   - operatorFile: YAML, at most 256 KiB.
    ///   - name: what errors call it.
    package init(operatorFile: String, named name: String) throws(YAMLError) {
        let builtIn = try Self.builtInFile()
        self.init([try ProviderFile(operatorFile, named: name, extending: builtIn), builtIn])
    }

    private static func builtInFile() throws(YAMLError) -> ProviderFile {
        try ProviderFile(
            String(decoding: PackageResources.providers_yaml, as: UTF8.self), named: "built-in", extending: nil)
    }

    /// - Parameter files: the operator's first, the built-in last.
    private init(_ files: [ProviderFile]) {
        let fallbacks = files.compactMap { $0.entry(ProviderFile.defaultName) }
        providersByName = Dictionary(
            uniqueKeysWithValues: Set(files.flatMap { $0.entries.map(\.name) }).map { name in
                (name, Provider(name, entries: files.compactMap { $0.entry(name) }, fallbacks: fallbacks))
            })
        indexes = files.map { file in
            var index = Index()
            for entry in file.entries {
                for suffix in entry.mx { index.mx[suffix[...]] = entry.name }
                for domain in entry.domains { index.domains[domain] = entry.name }
            }
            return index
        }
    }

    /// The provider behind a site. The operator's patterns are looked at before the built-in ones, the recipient domain
    /// before the mail hosts, preferred hosts before others, and longer ends of a name before shorter ones.
    ///
    /// Domains of one site may belong to different providers by their own names: a lane is of one site *and* provider.
    /// - Parameters:
    ///   - hosts: names of mail hosts, the preferred first.
    ///   - domain: of the recipient; nil where mail goes by a fixed route.
    package func provider(forMX hosts: [String], domain: String?) -> Provider {
        match(hosts, domain)?.provider ?? fallback
    }

    /// Whose a host or a mail domain is by its own name or an end of it: that of a server which reports, or the domain in
    /// its sender's address.
    ///
    /// - Returns: nil where no pattern speaks of it.
    package func provider(ofHost host: String) -> Provider? {
        let host = host.lowercased()
        for index in indexes {
            for end in Self.ends(of: host) {
                if let name = index.mx[end] ?? index.domains[String(end)] { return providersByName[name] }
            }
        }
        return nil
    }

    /// What applies to a site and why, one line each, for an operator to read.
    package func explain(forMX hosts: [String], domain: String?) -> [String] {
        let found = match(hosts, domain)
        let provider = found?.provider ?? fallback
        let reason = found?.reason ?? "no pattern matches"
        let limits = provider.limits
        return [
            "provider \(provider.name): \(reason)",
            "connections \(limits.connections)",
            "messages per connection \(limits.messagesPerConnection)",
            "rate \(limits.rate?.description ?? "unlimited")",
            "pause after \(limits.blocksBeforePause) blocks",
            "limits of \(provider.scope == .site ? "each site" : "all its sites together")",
        ] + provider.replies.map { "reply \($0) [\($0.origin)]" }
    }

    private func match(_ hosts: [String], _ domain: String?) -> (provider: Provider, reason: String)? {
        for index in indexes {
            if let domain, let name = index.domains[domain.lowercased()] {
                return (providersByName[name]!, "domain \(domain)")
            }
            for host in hosts {
                for suffix in Self.ends(of: host.lowercased()) {
                    guard let name = index.mx[suffix] else { continue }
                    return (providersByName[name]!, "mail host \(host) is of \(suffix)")
                }
            }
        }
        return nil
    }

    /// `a.b.c`, `b.c`, `c`
    private static func ends(of host: String) -> some Sequence<Substring> {
        sequence(first: host[...]) { end in
            end.utf8.firstIndex(of: UInt8(ascii: ".")).map { end[end.utf8.index(after: $0)...] }
        }
    }
}

extension Provider {
    /// - Parameters:
    ///   - entries: what the files say of it, the operator's first.
    ///   - fallbacks: what they say of `default`.
    fileprivate init(_ name: String, entries: [ProviderFile.Entry], fallbacks: [ProviderFile.Entry]) {
        let all = name == ProviderFile.defaultName ? entries : entries + fallbacks
        self.name = name
        mx = entries.flatMap(\.mx)
        domains = entries.flatMap(\.domains)
        replies = all.flatMap(\.replies)
        let plain = LaneLimits()
        limits = LaneLimits(
            connections: all.lazy.compactMap(\.connections).first ?? plain.connections,
            messagesPerConnection: all.lazy.compactMap(\.messagesPerConnection).first ?? plain.messagesPerConnection,
            rate: all.lazy.compactMap(\.rate).first ?? nil,
            blocksBeforePause: all.lazy.compactMap(\.blocksBeforePause).first ?? plain.blocksBeforePause)
        scope = all.lazy.compactMap(\.scope).first ?? .site
        leftOutExtensions = all.lazy.compactMap(\.leftOutExtensions).first ?? []
    }
}

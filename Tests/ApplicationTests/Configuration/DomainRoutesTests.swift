import Delivery
import Foundation
import MailTypes
import SMTPTransport
import TLSPolicies
import Testing
import TrafficShaping

@testable import Application

/// Rules of domains in the file of routes.
struct DomainRoutesTests {
    private func read(_ text: String, tls: SMTPTLSPolicy? = nil) throws -> Routes {
        let file = FileManager.default.temporaryDirectory.appending(path: "routes-\(UUID().uuidString).yaml")
        try text.write(to: file, atomically: false, encoding: .utf8)
        defer { try? FileManager.default.removeItem(at: file) }
        return try RoutesFile(path: file.path, tls: tls).read(environment: [:])
    }

    private static let sample = """
        routes:
          - {url: "smtp://a.example:587"}
          - {url: "smtp://b.example", only_named: true, family: ipv4}
        domains:
          One.Example: {via: direct, tls: dane, family: ipv6_first}
          "*.two.example": {via: [a.example:587, b.example:25]}
          .three.example: {via: "smtp://c.example:2525", tls: verified, family: ipv6}
          "*": {via: b.example:25}
        """

    @Test func `ways, TLS and families of domains`() throws {
        let routes = try read(Self.sample, tls: .required(verify: false))
        #expect(routes.smarthosts.map(\.name) == ["a.example:587", "b.example:25", "c.example:2525"])
        #expect(routes.smarthosts.map(\.isOnlyNamed) == [false, true, true])
        #expect(routes.smarthosts.map(\.family) == [.any, .ipv4, .ipv6])
        #expect(
            routes.smarthosts.map(\.tls)
                == [.required(verify: false), .required(verify: false), .required(verify: true)])
        func rule(_ domain: String) throws -> DomainRules.Rule? { routes.domains.rule(for: try DomainName(domain)) }
        let one = try #require(try rule("one.example"))
        #expect(one.way == .direct && one.tls == .dane && one.family == .ipv6First)
        #expect(try rule("a.two.example")?.way == .smarthosts(["a.example:587", "b.example:25"]))
        let three = try #require(try rule("x.three.example"))
        #expect(three.way == .smarthosts(["c.example:2525"]) && three.tls == nil && three.family == .any)
        #expect(try rule("three.example")?.way == .smarthosts(["b.example:25"]))
    }

    @Test func `a host that several rules name by URL is one smarthost`() throws {
        let routes = try read(
            "domains: {a.example: {via: \"smtp://c.example\"}, b.example: {via: [\"smtp://c.example:25\"]}}")
        #expect(routes.smarthosts.map(\.name) == ["c.example:25"])
        #expect(routes.domains.all.allSatisfy { $0.way == .smarthosts(["c.example:25"]) })
    }

    @Test(arguments: [
        ("domains:\n  a.example: {}", "yaml:2:3: domains.\"a.example\": says nothing: via, tls or family"),
        ("domains:\n  nowhere: {via: direct}", "yaml:2:3: domains.nowhere: is no domain, *.domain or *"),
        ("domains:\n  \"a.*.example\": {via: direct}", "yaml:2:3: domains.\"a.*.example\": is no domain"),
        ("domains:\n  a.example: {via: direct}\n  A.example: {via: direct}", "a.example is given twice"),
        ("domains:\n  \"*.a.example\": {via: direct}\n  .a.example: {via: direct}", "*.a.example is given twice"),
        (
            "domains:\n  a.example: {via: direct, tls: none}",
            "yaml:2:33: domains.\"a.example\".tls: opportunistic, encrypted, verified or dane"
        ),
        ("domains:\n  a.example: {tls: requireTLS}", "tls: opportunistic, encrypted, verified or dane"),
        ("domains:\n  a.example: {family: both}", "family: any, ipv4, ipv6, ipv4_first or ipv6_first"),
        ("domains:\n  a.example: {via: x.example:25}", "a URL: there is no x.example:25"),
        ("domains:\n  a.example: {via: []}", "via: expected a list of one or more"),
        ("domains:\n  a.example: {via: [direct, \"smtp://x.example\"]}", "there is no direct"),
        ("domains:\n  a.example: {via: \"smtp://x.example/path\"}", "via: a route looks like"),
        ("domains:\n  a.example: {via: \"smtp://u:topsecret@x.example\"}", "via: a login stands in routes"),
        ("domains:\n  a.example: {via: \"smtp://x.example\", tls: dane}", "on the way to a smarthost"),
        (
            "domains:\n  a.example: {via: \"smtp://x.example\"}\n"
                + "  b.example: {via: \"smtp://x.example\", tls: verified}",
            "yaml:3:20: domains.\"b.example\".via: names x.example:25, which is used in another way elsewhere"
        ),
        (
            "routes: [{url: \"smtp://x.example\"}]\ndomains:\n  a.example: {via: x.example:25, tls: verified}",
            "yaml:3:34: domains.\"a.example\".tls: stands with the route x.example:25"
        ),
        (
            "routes: [{url: \"smtp://x.example\"}]\ndomains:\n  a.example: {family: ipv4}",
            "yaml:3:15: domains.\"a.example\".family: is of no use: the mail goes by the smarthosts of routes; say via"
        ),
        (
            "domains:\n  a.example:\n    vai: direct",
            "yaml:3:5: domains.\"a.example\": unknown key vai"
        ),
        ("domains:\n  a.example: direct", "domains.\"a.example\": expected `key: value` lines"),
        ("domains: {a.example: {via: direct}}\nroutes: []", "routes: expected a list of 1 to 64"),
        ("tls: dane", "unknown key tls"),
    ])
    func `mistakes are named`(_ text: String, _ words: String) throws {
        let error = #expect(throws: SettingError.self) { try read(text) }
        let description = error.map { "\($0)" } ?? ""
        #expect(description.contains(words), "\(description)")
        #expect(!description.contains("topsecret"))
    }

    @Test(arguments: [
        ("one.example", ["the rule for one.example", "TLS is at least dane", "IPv6 addresses are tried first"], false),
        ("x.two.example", ["the rule for *.two.example", "by the smarthosts a.example:587, b.example:25"], true),
        ("other.example", ["the rule for *", "by the smarthost b.example:25"], true),
    ])
    func `a domain's way is explained`(_ domain: String, _ words: [String], _ goesBySmarthosts: Bool) throws {
        let (sentences, bySmarthosts) = try read(Self.sample).explain(try DomainName(domain))
        #expect(bySmarthosts == goesBySmarthosts)
        #expect(sentences.count == words.count)
        for (sentence, part) in zip(sentences, words) { #expect(sentence.contains(part), "\(sentence)") }
    }

    @Test func `without rules there is nothing to explain`() throws {
        #expect(Routes().explain(try DomainName("a.example")).sentences == [])
    }
}

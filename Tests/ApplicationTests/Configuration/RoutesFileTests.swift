import Delivery
import Foundation
import MailTypes
import SMTPProtocol
import SMTPTransport
import Testing

@testable import Application

struct RoutesFileTests {
    private func read(
        _ text: String, tls: SMTPTLSPolicy? = nil, environment: [String: String] = [:], password: String? = nil
    ) throws -> [Smarthost] {
        let folder = FileManager.default.temporaryDirectory.appending(path: "routes-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        if let password {
            try password.write(to: folder.appending(path: "password"), atomically: false, encoding: .utf8)
        }
        let file = folder.appending(path: "routes.yaml")
        try text.replacing("FOLDER", with: folder.path).write(to: file, atomically: false, encoding: .utf8)
        return try RoutesFile(path: file.path, tls: tls).read(environment: environment).smarthosts
    }

    @Test func `routes with logins from a file and from the environment`() throws {
        let routes = try read(
            """
            routes:
              - {url: "smtp://smtp.one.example:587", user: us, password_file: FOLDER/password, weight: 3}
              - {url: "smtps://smtp.two.example", user: us, password_variable: TWO, connections: 7}
              - {url: "smtp://192.0.2.7"}
              - {url: "smtp://[2001:db8::7]:2525", tls: encrypted}
            """, environment: ["TWO": "second"], password: "first secret\n")
        #expect(
            routes.map(\.name) == [
                "smtp.one.example:587", "smtp.two.example:465", "192.0.2.7:25", "[2001:db8::7]:2525",
            ])
        #expect(routes.map(\.weight) == [3, 1, 1, 1])
        #expect(routes.map(\.connections) == [nil, 7, nil, nil])
        #expect(routes.map(\.startsWithTLS) == [false, true, false, false])
        #expect(routes.map { $0.credentials?.password.exposed } == ["first secret", "second", nil, nil])
        // A login demands a proven host; otherwise the general setting holds.
        #expect(routes.map(\.tls) == [.required(verify: true), .required(verify: true), nil, .required(verify: false)])
        #expect(routes.map { $0.addresses.count } == [0, 0, 1, 1])
    }

    @Test func `the general setting of TLS holds where the route says nothing`() throws {
        let text = "routes: [{url: \"smtp://a.example\"}, {url: \"smtp://b.example\", tls: opportunistic}]"
        #expect(try read(text, tls: .required(verify: false)).map(\.tls) == [.required(verify: false), .opportunistic])
    }

    @Test(arguments: [
        ("routes: []", "routes.yaml:1:9: routes: expected a list of 1 to 64"),
        ("", "routes.yaml: lacks routes"),
        (
            "routes: [{url: \"http://a.example\"}]",
            "routes.yaml:1:16: routes[0].url: a route looks like smtp://host:port"
        ),
        ("routes: [{url: \"smtp://a.example/path\"}]", "smtp://host:port"),
        ("routes: [{url: \"smtp://a.example:0\"}]", "smtp://host:port"),
        ("routes: [{url: \"smtp://u:topsecret@a.example\"}]", "routes[0].url: has no login"),
        ("routes: [{url: \"smtp://a.example\", user: u}]", "routes[0].user: needs password_file or password_variable"),
        ("routes: [{url: \"smtp://a.example\", password_variable: P}]", "routes[0].password_variable: needs a user"),
        (
            "routes: [{url: \"smtp://a.example\", user: u, password_variable: MISSING}]",
            "routes[0].password_variable: no password in MISSING"
        ),
        (
            "routes: [{url: \"smtp://a.example\", user: u, password_file: /none}]",
            "routes[0].password_file: no password in /none"
        ),
        (
            "routes: [{url: \"smtp://a.example\", user: u, password_file: /none, password_variable: P}]",
            "one of them"
        ),
        ("routes: [{url: \"smtp://a.example\", weight: 0}]", "weight: 0 is not a number from 1 to 1000"),
        (
            "routes:\n  - url: smtp://a.example\n  - url: smtp://b.example\n    weight: 1001",
            "routes.yaml:4:13: routes[1].weight: 1001 is not a number from 1 to 1000"
        ),
        (
            "routes:\n  - url: smtp://a.example\n    conections: 3",
            "routes.yaml:3:5: routes[0]: unknown key conections; did you mean connections?"
        ),
        ("routes:\n  - url: smtp://a.example\n  - weight: 3", "routes.yaml:3:5: routes[1]: lacks url"),
        ("routes:\n  - url: smtp://a.example\n    weight: x", "routes.yaml:3:13: routes[0].weight: x is not a number"),
        ("routes: [{url: \"smtp://a.example\", connections: 0}]", "connections: 0 is not a number from 1 to 10000"),
        ("routes: [{url: \"smtp://a.example\", tls: none}]", "tls: opportunistic, encrypted or verified"),
        ("routes: [{url: \"smtps://a.example\", tls: opportunistic}]", "need TLS"),
        (
            "routes: [{url: \"smtp://a.example\", user: u, password_variable: P, tls: opportunistic}]", "need TLS"
        ),
        ("routes: [{url: \"smtp://a.example\"}]\nroute: x", "yaml:2:1: unknown key route; did you mean routes?"),
        ("routes: [{host: a.example}]", "unknown key host"),
        ("routes: [{url: \"smtp://a.example\", family: ipv5}]", "family: any, ipv4, ipv6, ipv4_first or ipv6_first"),
        ("routes: [{url: \"smtp://a.example\", only_named: perhaps}]", "only_named: expected true or false"),
        ("routes: [{weight: 2}]", "lacks url"),
        (
            "routes: [{url: \"smtp://a.example\"}, {url: \"smtp://a.example:25\"}]",
            "routes[1]: the route a.example:25 is given twice"
        ),
        ("routes:\n  - url: \"topsecret", "not YAML"),
        ("routes:\n  - topsecret", "routes.yaml:2:5: routes[0]: expected `key: value` lines"),
        ("routes: []\nroutes: []", "routes.yaml:1:1: given twice: routes"),
    ])
    func `mistakes are named`(_ text: String, _ words: String) throws {
        let error = #expect(throws: SettingError.self) { try read(text, environment: ["P": "topsecret"]) }
        let description = error.map { "\($0)" } ?? ""
        #expect(description.contains(words), "\(description)")
        #expect(!description.contains("topsecret"))
    }

    @Test(arguments: [
        ("smtp://a.example", "a.example", 25, false), ("smtps://a.example", "a.example", 465, true),
        ("smtp://[::1]:2525", "::1", 2_525, false), ("smtp://a.example/", "a.example", 25, false),
    ])
    func `URLs of smarthosts`(_ text: String, _ host: String, _ port: Int, _ isImplicitTLS: Bool) throws {
        let url = try SmarthostURL(text)
        #expect((url.host, url.port, url.isImplicitTLS) == (host, port, isImplicitTLS))
        #expect(url.credentials == nil)
    }

    @Test func `a smarthost is reached at any of its addresses`() throws {
        let route = try SmarthostURL("smtp://localhost")
            .smarthost(credentials: nil, tls: nil)
        let addresses = try route.resolved(setting: .route).addresses
        #expect(addresses.contains(.v4(0x7F00_0001)))
        #expect(Set(addresses).count == addresses.count)
        let nowhere = try SmarthostURL("smtp://[::1]").smarthost(
            credentials: nil, tls: nil)
        #expect(try nowhere.resolved(setting: .route).addresses == nowhere.addresses)
    }

    @Test func `a login in a URL is percent-encoded`() throws {
        let url = try SmarthostURL("smtp://us%40a.example:p%2Fw%25@a.example:587")
        #expect(url.credentials?.username.exposed == "us@a.example")
        #expect(url.credentials?.password.exposed == "p/w%")
    }
}

import Foundation
import Testing

/// Mails of many shapes as they left Sluice, judged by libopendkim, dkimpy and Python's email package.
@Suite(.serialized) struct MailShapesTests {
    @Test(.timeLimit(.minutes(10))) func `every shape verifies and parses`() async throws {
        guard let checker = MailChecker() else { return }
        let post = try PostOffice(credits: 1_000)
        let shapes = try MailShapes.all(twoKeys: post.twoKeys, oneKey: post.oneKey)
        let campaigns = try shapes.map { ($0, try post.installation.submit($0.draft, $0.recipients)) }
        for (shape, campaign) in campaigns {
            let status = try await post.installation.wait(for: campaign, seconds: 120)
            #expect(status["delivered"] == shape.copies.count, "\(shape.name): \(status)")
        }
        let copies = shapes.reduce(0) { $0 + $1.copies.count }
        #expect(copies >= 500)

        let totals = try post.sink.stop()
        #expect(totals.copies == copies && totals.recipients == copies)
        #expect(totals.dkimPass == copies && totals.dkimFail == 0)
        let expected = shapes.flatMap(\.copies).map { ($0.recipient, $0.expectation) }
        let verdict = try checker.check(
            .capture, post.capture, expected: Dictionary(uniqueKeysWithValues: expected), keys: post.keys,
            in: post.directory)
        for fault in verdict.faults { Issue.record("\(fault)") }
        #expect(verdict.status == 0)
        #expect(verdict.mails == copies)
        #expect(verdict.signatures == expected.reduce(0) { $0 + $1.1.signatures.count })
        print(
            "mail shapes: \(verdict.mails) mails of \(shapes.count) campaigns, \(verdict.signatures) signatures verified"
        )
    }

    /// Damages a good mail in one way after another: a checker that finds nothing there would find nothing above.
    @Test(.timeLimit(.minutes(5))) func `the checker notices damage`() async throws {
        guard let checker = MailChecker() else { return }
        let post = try PostOffice(credits: 1)
        var expectation = MailExpectation(
            shape: "damage", from: ["Shop", "shop@\(post.twoKeys)"], signatures: Sender.twoKeys)
        expectation.subject = "Grüße"
        expectation.text = "Hello one\n"
        expectation.html = "<p>Hello</p>\n"
        expectation.structure = "alternative(plain,html)"
        let draft = CampaignDraft(
            from: "Shop <shop@\(post.twoKeys)>", subject: "Grüße", html: "<p>Hello</p>", text: "Hello one")
        let campaign = try post.installation.submit(draft, .ndjson([RecipientLine(email: "one@example.net")]))
        _ = try await post.installation.wait(for: campaign, seconds: 60)
        _ = try post.sink.stop()
        let good = try Data(contentsOf: URL(fileURLWithPath: post.capture + "/00000001.eml"))

        func check(_ mail: Data) throws -> MailChecker.Verdict {
            let folder = post.directory.path + "/damaged"
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            try mail.write(to: URL(fileURLWithPath: folder + "/1.eml"))
            let envelope = #"{"octets":\#(mail.count),"recipients":["one@example.net"],"tls":true}"#
            try envelope.write(toFile: folder + "/1.json", atomically: false, encoding: .utf8)
            return try checker.check(
                .capture, folder, expected: ["one@example.net": expectation], keys: post.keys, in: post.directory)
        }
        #expect(try check(good).faults == [])
        for damage in Damage.all {
            let mail = try damage.applied(to: good)
            let verdict = try check(mail)
            #expect(verdict.status == 1, "\(damage.name)")
            #expect(
                verdict.faults.contains { $0.contains(damage.fault) }, "\(damage.name): \(verdict.faults)")
        }
        expectation.text = "Hello two\n"
        #expect(try check(good).faults.contains { $0.contains("text: found") })
    }
}

/// A way to spoil a mail, and what the checker has to say of it.
private struct Damage {
    let name: String
    let find: String
    let replacement: String
    let fault: String

    static let all = [
        Damage(name: "an octet of the body", find: "Hello one", replacement: "Hello ome", fault: "DKIM rsa-sha256"),
        Damage(name: "the same for Ed25519", find: "Hello one", replacement: "Hello ome", fault: "DKIM ed25519-sha256"),
        Damage(
            name: "a signed field", find: "\r\nMIME-Version: 1.0", replacement: "\r\nMIME-Version: 1.1",
            fault: "DKIM rsa-sha256"),
        Damage(
            name: "a second subject", find: "\r\nSubject:", replacement: "\r\nSubject: other\r\nSubject:",
            fault: "fields named Subject"),
        Damage(name: "a bare line feed", find: "Hello one\r\n", replacement: "Hello one\n", fault: "line ends"),
        Damage(
            name: "a long line", find: "Hello one\r\n", replacement: String(repeating: "x", count: 999) + "\r\n",
            fault: "line of 999 octets"),
        Damage(name: "no closing boundary", find: "--\r\n", replacement: "\r\n", fault: "CloseBoundaryNotFoundDefect"),
        Damage(
            name: "an address that is none", find: "To: one@example.net", replacement: "To: one two@example.net",
            fault: "defect in To"),
        Damage(
            name: "a signature less", find: "a=ed25519-sha256", replacement: "a=rsa-sha256", fault: "signatures: found"),
    ]

    /// - Throws: when the mail does not have the place.
    func applied(to mail: Data) throws -> Data {
        var mail = mail
        // From the end, for the boundary's last occurrence is the closing one.
        let range = try #require(mail.range(of: Data(find.utf8), options: .backwards), "\(name)")
        mail.replaceSubrange(range, with: Data(replacement.utf8))
        return mail
    }
}

/// An installation with two sending domains, and a sink that keeps and verifies all that it gets.
private struct PostOffice {
    let directory: TemporaryDirectory
    let installation: Installation
    let sink: SinkProcess
    let oneKey = "shop.example.com"
    let keys: [String: String]

    var twoKeys: String { installation.domain }
    var capture: String { directory.path + "/capture" }

    init(credits: Int) throws {
        directory = try TemporaryDirectory()
        // The server needs the sink's port and the sink the server's keys, so the port is chosen first.
        let port = try LoopbackPort.free()
        installation = try Installation(
            directory: directory, route: "smtp://127.0.0.1:\(port)", credits: credits, ed25519: true)
        struct Domain: Decodable {
            let records: [Record]
            struct Record: Decodable {
                let name, value: String
            }
        }
        let added = try JSONDecoder().decode(
            Domain.self,
            from: Data(
                installation.sluice("domain", "add", oneKey, "--account", installation.account, "--json").utf8))
        keys = added.records.filter { $0.name.contains("._domainkey.") }
            .reduce(into: installation.dkimKeys) { $0[$1.name] = $1.value }
        let file = directory.path + "/all-keys.json"
        try JSONEncoder().encode(keys).write(to: URL(fileURLWithPath: file))
        sink = try SinkProcess(
            directory,
            [
                "--port", "\(port)", "--starttls", "--capture", directory.path + "/capture", "--keys", file,
                "--verify-share", "1",
            ])
    }
}

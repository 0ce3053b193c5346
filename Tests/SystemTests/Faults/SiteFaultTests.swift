import Foundation
import Synchronization
import TestPeers
import Testing

/// Some sites, or their names, are out of order: the others have their mail all the same.
@Suite(.serialized) struct SiteFaultTests {
    private static let zone = """
        fine MX 10 fine-mail
        fine-mail A 127.0.0.1
        tarpit MX 10 tarpit-mail
        tarpit-mail A 127.0.0.2
        dead MX 10 dead-mail
        dead-mail A 127.0.0.3
        private MX 10 private-mail
        private-mail A 10.255.255.1
        """ + "\n"

    /// One site takes connections and drips its greeting, one refuses them: neither delays a third, whose mails stand
    /// behind theirs in the same batches.
    @Test(.timeLimit(.minutes(3))) func `a tarpit and a dead site delay nobody else`() async throws {
        guard let nsd = NameServer.program else { return print("skipped: nsd is not installed") }
        let directory = try TemporaryDirectory()
        let dns = try NameServer(nsd, zone: Self.zone)
        defer { dns.stop() }
        let sink = try SinkProcess(directory)
        let tarpit = try Tarpit(port: sink.port)
        defer { tarpit.stop() }
        let installation = try Installation(
            directory: directory, route: nil, credits: 1_000,
            serve: ["--dns", "127.0.0.1:\(dns.port)", "--smtp-port", "\(sink.port)", "--allow-private-destinations"])
        defer { installation.killWithDatabase() }
        let domains = ["tarpit", "dead", "fine"]
        let lines = (0..<900).map { #"{"email":"r\#($0)@\#(domains[$0 / 300]).example"}"# }
        let campaign = try installation.send(
            subject: "Hello", text: "Hello", recipients: lines.joined(separator: "\n"))
        let end = ContinuousClock.now + .seconds(60)
        while try sink.copies().count < 300, ContinuousClock.now < end {
            try await Task.sleep(for: .milliseconds(100))
        }
        let copies = try sink.copies()
        #expect(copies.count == 300 && copies.allSatisfy { $0.key.hasSuffix("@fine.example") && $0.value == 1 })
        #expect(tarpit.connections > 0, "the tarpit was at work meanwhile")
        // The last answers are on their way into the database.
        var status = try installation.status(campaign)
        while status["delivered"] < 300, ContinuousClock.now < end {
            try await Task.sleep(for: .milliseconds(100))
            status = try installation.status(campaign)
        }
        #expect(status["delivered"] == 300 && status["bounced"] == 0 && status.sum == 900)
    }

    /// A name server that is silent for a while, and one that knows nothing: nobody bounces for it.
    @Test(.timeLimit(.minutes(3))) func `a name server that is silent or broken`() async throws {
        guard let nsd = NameServer.program else { return print("skipped: nsd is not installed") }
        let directory = try TemporaryDirectory()
        let dns = try NameServer(nsd, zone: Self.zone)
        defer { dns.stop() }
        let sink = try SinkProcess(directory)
        let installation = try Installation(
            directory: directory, route: nil, credits: 10,
            serve: ["--dns", "127.0.0.1:\(dns.port)", "--smtp-port", "\(sink.port)", "--allow-private-destinations"])
        defer { installation.killWithDatabase() }
        try dns.signal(SIGSTOP)
        let campaign = try installation.send(
            subject: "Hello", text: "Hello",
            recipients: """
                {"email":"a@fine.example"}
                {"email":"b@missing.example"}
                {"email":"c@refused.test"}
                """)
        try await Task.sleep(for: .seconds(3))
        #expect(try installation.status(campaign)["bounced"] == 0)
        try dns.signal(SIGCONT)
        let end = ContinuousClock.now + .seconds(60)
        var status = try installation.status(campaign)
        // Those that were put off during the silence come again.
        while status["delivered"] + status["bounced"] < 2, ContinuousClock.now < end {
            try await Task.sleep(for: .milliseconds(200))
            status = try installation.status(campaign)
        }
        #expect(status["delivered"] == 1)
        #expect(status["bounced"] == 1, "the domain that does not exist")
        #expect(status["deferred"] == 1, "the domain that the name server would not tell about")
        try installation.sluice("campaign", "cancel", "--account", installation.account, campaign)
        status = try await installation.wait(for: campaign, seconds: 60)
        #expect(status["delivered"] == 1 && status["bounced"] == 1 && status["cancelled"] == 1)
        #expect(status.credits.charged == 1 && status.credits.held == 0)
        #expect(try sink.copies() == ["a@fine.example": 1])
    }
}

/// Takes connections on 127.0.0.2 and gives each an octet now and then.
final class Tarpit: Sendable {
    private let listener: Int32
    private let count = Atomic(0)
    private let isStopped = Atomic(false)

    init(port: Int) throws {
        let (descriptor, _) = try LoopbackPort.listen(address: 0x7F00_0002, port: port)
        listener = descriptor
        Thread.detachNewThread { [self] in
            while true {
                let client = accept(descriptor, nil, nil)
                guard client >= 0 else { return }
                count.add(1, ordering: .relaxed)
                Thread.detachNewThread { [self] in
                    while !isStopped.load(ordering: .relaxed), send(client, "2", 1, Int32(MSG_NOSIGNAL)) == 1 {
                        sleep(1)
                    }
                    close(client)
                }
            }
        }
    }

    var connections: Int { count.load(ordering: .relaxed) }

    func stop() {
        isStopped.store(true, ordering: .relaxed)
        shutdown(listener, Int32(SHUT_RDWR))
    }
}

import Foundation

/// A mail server that others wrote, on a port of 127.0.0.1, which takes mail over TLS and puts it into one maildir.
protocol MailServer: AnyObject {
    var port: Int { get }
    /// The folder that holds `new`.
    var maildir: String { get }
    /// How many mails it has answered for, according to its log.
    func acceptedCount() throws -> Int
    func stop()
}

extension MailServer {
    /// The domains whose mail it takes.
    static var domains: [String] { ["example.net", "xn--bcher-kva.example"] }

    /// Waits until so many mails have been put into the maildir: a server may answer long before.
    func waitForMails(_ count: Int, seconds: Int) async throws {
        let end = ContinuousClock.now + .seconds(seconds)
        while ContinuousClock.now < end {
            let found = (try? FileManager.default.contentsOfDirectory(atPath: maildir + "/new").count) ?? 0
            if found >= count { return }
            try await Task.sleep(for: .milliseconds(100))
        }
    }

    func waitForPort(seconds: Int) throws {
        let end = ContinuousClock.now + .seconds(seconds)
        while !LoopbackPort.isListening(port) {
            guard ContinuousClock.now < end else {
                throw ProgramFailure(
                    program: "\(Self.self)", arguments: [],
                    finished: .init(status: -1, output: "", errors: "nobody listens on port \(port)"))
            }
            usleep(50_000)
        }
    }
}

/// A shell script that ends when `end` is called, and at the latest with the test's process: what it started does not
/// stay behind, even if the test is killed.
final class HeldScript: @unchecked Sendable {
    private let process = Process()
    private let lifeline: FileHandle

    /// - Parameters:
    ///   - script: it has to wait for the end of its last argument, a FIFO, and then to stop what it started.
    ///   - log: file that takes its output. The FIFO lies beside it.
    init(_ script: String, _ arguments: [String], log: String) throws {
        _ = FileManager.default.createFile(atPath: log, contents: nil)
        // A pipe's writing end would be inherited by programs that are started later, and then live as long as they.
        let fifo = log + ".fifo"
        guard mkfifo(fifo, 0o600) == 0, case let descriptor = open(fifo, O_RDWR | O_CLOEXEC), descriptor >= 0 else {
            throw CocoaError(.fileWriteUnknown)
        }
        lifeline = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        // The threads of concurrent code block signals, and programs inherit that; servers are to get theirs.
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["--default-signal", "/bin/sh", "-c", script, "sh"] + arguments + [fifo]
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle(forWritingAtPath: log)
        process.standardError = FileHandle(forWritingAtPath: log)
        try process.run()
    }

    func end() {
        try? lifeline.close()
        process.waitUntilExit()
    }

    deinit { end() }
}

/// A key and a self-signed certificate, made by openssl.
struct ServerCertificate {
    let certificate: String
    let key: String

    init(in folder: String) throws {
        certificate = folder + "/certificate.pem"
        key = folder + "/key.pem"
        try Programs.run(
            "/usr/bin/env",
            [
                "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                "-keyout", key, "-out", certificate,
            ])
    }
}

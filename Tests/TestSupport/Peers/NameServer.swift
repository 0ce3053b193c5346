package import DNSResolution
import Foundation

/// NSD, an authoritative name server, with a zone of our own. It ends with this process, even if that is killed: a shell
/// holds a socket from here and stops the server when the other end closes. By force: processes started from a task's thread
/// inherit its mask, which blocks the gentle signals.
package final class NameServer: Sendable {
    package let port: Int
    private let folder: URL
    private let process: Process
    private let lifeline: FileHandle

    package static let program = ["/usr/sbin/nsd", "/usr/local/sbin/nsd"].first {
        FileManager.default.isExecutableFile(atPath: $0)
    }

    package var server: DNSServer { DNSServer("127.0.0.1:\(port)")! }

    /// The DS records to validate from, if the zone is signed.
    package let trustAnchorFile: String?

    /// - Parameters:
    ///   - zone: the records of `example.` in master file form.
    ///   - signer: signs the zone.
    ///   - others: further zones, unsigned, by name.
    package init(_ program: String, zone: String, signer: ZoneSigner? = nil, others: [String: String] = [:]) throws {
        port = try Socket.freePort()
        folder = FileManager.default.temporaryDirectory.appending(path: "nsd-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let head =
            "$ORIGIN example.\n$TTL 60\n@ SOA ns.example. admin.example. 1 3600 600 86400 60\n@ NS ns\nns A 127.0.0.1\n"
        let zoneFile = folder.appending(path: "example.zone")
        try Data((head + zone + "\n").utf8).write(to: zoneFile)
        trustAnchorFile = try signer?.sign(zoneFile, name: "example")
        for (name, records) in others {
            let head =
                "$ORIGIN \(name).\n$TTL 60\n@ SOA ns.example. admin.example. 1 3600 600 86400 60\n@ NS ns.example.\n"
            try Data((head + records + "\n").utf8).write(to: folder.appending(path: "\(name).zone"))
        }
        let configuration = """
            server:
              ip-address: 127.0.0.1@\(port)
              zonesdir: "\(folder.path)"
              database: ""
              username: ""
              chroot: ""
              pidfile: ""
              logfile: "\(folder.path)/log"
              xfrdir: "\(folder.path)"
              xfrdfile: "\(folder.path)/xfrd.state"
              zonelistfile: "\(folder.path)/zone.list"
              cookie-secret-file: "\(folder.path)/cookies"
              server-count: 1
              rrl-ratelimit: 0
            remote-control:
              control-enable: no
            zone:
              name: example
              zonefile: example.zone

            """ + others.keys.map { "zone:\n  name: \($0)\n  zonefile: \($0).zone\n" }.joined()
        let file = folder.appending(path: "nsd.conf")
        try Data(configuration.utf8).write(to: file)
        // Closed on exec from the first moment: if any process that is started now held the other end as well, it would
        // never close.
        var ends: [Int32] = [0, 0]
        let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
        guard socketpair(AF_UNIX, type, 0, &ends) == 0 else { throw POSIXError(.EMFILE) }
        lifeline = FileHandle(fileDescriptor: ends[1], closeOnDealloc: true)
        process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = [
            "-c",
            "setsid \"$0\" -d -c \"$1\" </dev/null & server=$!; echo $server >\"$2\"; cat >/dev/null; kill -KILL -$server",
            program, file.path, folder.appending(path: "pid").path,
        ]
        process.standardInput = FileHandle(fileDescriptor: ends[0], closeOnDealloc: true)
        process.standardError = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        guard try isAnswering() else {
            let log = (try? String(contentsOf: folder.appending(path: "log"), encoding: .utf8)) ?? "no log"
            stop()
            throw CocoaError(.executableLoad, userInfo: [NSLocalizedDescriptionKey: "nsd did not start: \(log)"])
        }
    }

    private func isAnswering() throws -> Bool {
        let socket = try Socket()
        let query: [UInt8] = [0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0] + Wire.name("example") + [0, 6, 0, 1]
        for _ in 0..<200 {
            socket.send(query, to: Socket.loopback(port))
            if let (answer, _) = socket.receive(milliseconds: 50), answer.count > 12, answer[3] & 15 == 0 {
                return true
            }
        }
        return false
    }

    /// To all processes of the server.
    package func signal(_ signal: Int32) throws {
        let text = try String(contentsOf: folder.appending(path: "pid"), encoding: .utf8)
        guard let server = pid_t(text.trimmingCharacters(in: .whitespacesAndNewlines)) else {
            throw CocoaError(.fileReadCorruptFile)
        }
        kill(-server, signal)
    }

    package func stop() {
        try? lifeline.close()
        // Not without bound: this may be the thread that everything else needs.
        for _ in 0..<250 where process.isRunning { usleep(20_000) }
        try? FileManager.default.removeItem(at: folder)
    }
}

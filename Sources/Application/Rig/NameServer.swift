import Foundation
import Synchronization

/// NSD with a zone of made-up sites, each with a mail host of its own name on this machine: a real DNS to find routes
/// with.
final class NameServer: Sendable {
    let port: Int
    private let process: Mutex<Process>

    static func domain(ofSite number: Int) -> String { "site\(number).example" }

    /// - Parameter folder: made for it; its zone and its log go there.
    init(sites: Int, folder: String) async throws {
        guard let program = Self.programs.first(where: FileManager.default.isExecutableFile(atPath:)) else {
            throw RigError(problem: "sites need the name server nsd (Debian package nsd)")
        }
        port = try Self.freePort()
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try Self.zone(sites).write(toFile: folder + "/example.zone", atomically: false, encoding: .utf8)
        try Self.settings(folder, port: port).write(toFile: folder + "/nsd.conf", atomically: false, encoding: .utf8)
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/timeout")
        // A bounded life, should nobody come to end it.
        process.arguments = ["--signal=KILL", "14400", program, "-d", "-c", folder + "/nsd.conf"]
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        self.process = Mutex(process)
        try await Task.sleep(for: .milliseconds(500 + sites / 10))
        guard self.process.withLock({ $0.isRunning }) else { throw RigError(problem: "nsd did not start") }
    }

    /// By force, all of its processes: they share the group that `timeout` leads, and it keeps nothing.
    func stop() {
        process.withLock { process in
            kill(-process.processIdentifier, SIGKILL)
            process.waitUntilExit()
        }
    }

    private static let programs = ["/usr/sbin/nsd", "/usr/local/sbin/nsd"]

    private static func zone(_ sites: Int) -> String {
        var zone = """
            $ORIGIN example.
            $TTL 3600
            @ SOA ns.example. admin.example. 1 3600 600 86400 60
            @ NS ns
            ns A 127.0.0.1

            """
        for number in 0..<sites {
            zone += "site\(number) MX 10 mx.site\(number)\nmx.site\(number) A 127.0.0.1\n"
        }
        return zone
    }

    private static func settings(_ folder: String, port: Int) -> String {
        """
        server:
          ip-address: 127.0.0.1@\(port)
          zonesdir: "\(folder)"
          database: ""
          username: ""
          chroot: ""
          pidfile: ""
          logfile: "\(folder)/log"
          xfrdfile: "\(folder)/xfrd.state"
          zonelistfile: "\(folder)/zone.list"
          cookie-secret-file: "\(folder)/cookies"
          server-count: 1
        remote-control:
          control-enable: no
        zone:
          name: example
          zonefile: example.zone

        """
    }

    /// A UDP port that was free a moment ago.
    private static func freePort() throws -> Int {
        let descriptor = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) == 0 && getsockname(descriptor, $0, &length) == 0
            }
        }
        guard isBound else { throw RigError(problem: "no free port") }
        return Int(UInt16(bigEndian: address.sin_port))
    }
}

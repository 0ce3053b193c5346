import Foundation
import Synchronization

/// NSD with a zone of made-up sites, each with a mail host of its own name on this machine: a real DNS to find routes
/// with.
final class NameServer: Sendable {
    let port: Int
    private let process: Mutex<Process>
    private let input = Pipe()

    static func domain(ofSite number: Int) -> String { "site\(number).example" }

    /// Below it are the mail hosts of sites that are tenants of one provider.
    static let providerName = "mx.provider.example"

    /// - Parameters:
    ///   - areTenants: each site's mail host has a name of its own below ``providerName``, not below the site's.
    ///   - folder: made for it; its zone and its log go there.
    init(sites: Int, areTenants: Bool = false, folder: String) async throws {
        guard let program = Self.programs.first(where: FileManager.default.isExecutableFile(atPath:)) else {
            throw RigError(problem: "sites need the name server nsd (Debian package nsd)")
        }
        port = try Self.freePort()
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try Self.zone(sites, areTenants).write(toFile: folder + "/example.zone", atomically: false, encoding: .utf8)
        try Self.settings(folder, port: port).write(toFile: folder + "/nsd.conf", atomically: false, encoding: .utf8)
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/setsid")
        // A session of its own, which ends as soon as nobody holds its input any more: also when this program is killed.
        process.arguments = [
            "--wait", "/bin/sh", "-c", #""$0" -d -c "$1" & cat > /dev/null; kill -KILL 0"#, program,
            folder + "/nsd.conf",
        ]
        process.standardInput = input
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        self.process = Mutex(process)
        for _ in 0..<600 where !Self.answers(port) { try await Task.sleep(for: .milliseconds(50)) }
        guard Self.answers(port) else {
            stop()
            throw RigError(problem: "nsd did not start")
        }
    }

    func stop() {
        try? input.fileHandleForWriting.close()
        process.withLock { $0.waitUntilExit() }
    }

    private static let programs = ["/usr/sbin/nsd", "/usr/local/sbin/nsd"]

    private static func zone(_ sites: Int, _ areTenants: Bool) -> String {
        var zone = """
            $ORIGIN example.
            $TTL 3600
            @ SOA ns.example. admin.example. 1 3600 600 86400 60
            @ NS ns
            ns A 127.0.0.1

            """
        for number in 0..<sites {
            let host = areTenants ? "site\(number).mx.provider" : "mx.site\(number)"
            zone += "site\(number) MX 10 \(host)\n\(host) A 127.0.0.1\n"
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
        try withSocket(SOCK_DGRAM, port: 0) { descriptor, address, length in
            var length = length
            guard bind(descriptor, address, length) == 0, getsockname(descriptor, address, &length) == 0 else {
                throw RigError(problem: "no free port")
            }
            return address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
                Int(UInt16(bigEndian: $0.pointee.sin_port))
            }
        }
    }

    private static func answers(_ port: Int) -> Bool {
        withSocket(SOCK_STREAM, port: port) { connect($0, $1, $2) == 0 }
    }

    /// Lends a socket, closed afterwards, and an address on this machine.
    private static func withSocket<Result>(
        _ type: __socket_type, port: Int,
        _ body: (CInt, UnsafeMutablePointer<sockaddr>, socklen_t) throws -> Result
    ) rethrows -> Result {
        let descriptor = socket(AF_INET, Int32(type.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return try withUnsafeMutablePointer(to: &address) { pointer in
            try pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                try body(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }
}

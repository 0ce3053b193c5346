import Foundation

/// A machine that can be lost: a network namespace with a wire to this one. Whatever it sends afterwards, and whatever is
/// sent to it, is dropped without a word.
final class LostMachine {
    /// This side of the wire, as the machine sees it.
    static let hostAddress = "10.213.77.1"
    static let address = "10.213.77.2"

    private let name = "sluice-\(getpid())"
    private let host = "slu\(getpid())h"
    private let wire = "slu\(getpid())m"

    /// Nil, with a printed reason, where this process may make no namespaces.
    init?() throws {
        guard geteuid() == 0, Programs.find("/usr/sbin/ip", "/sbin/ip") != nil else {
            print("skipped: network namespaces need root and the program ip")
            return nil
        }
        let script = """
            set -e
            ip netns add \(name)
            ip link add \(host) type veth peer name \(wire) netns \(name)
            ip addr add \(Self.hostAddress)/24 dev \(host)
            ip link set \(host) up
            ip netns exec \(name) ip addr add \(Self.address)/24 dev \(wire)
            ip netns exec \(name) ip link set \(wire) up
            ip netns exec \(name) ip link set lo up
            """
        let finished = try Programs.finish("/bin/sh", ["-c", script])
        guard finished.status == 0 else {
            print("skipped: no network namespace could be made: \(finished.errors)")
            remove()
            return nil
        }
    }

    /// Runs a program on the machine.
    func start(_ program: String, _ arguments: [String], log: String) throws -> RunningProgram {
        // The threads of concurrent code block signals, and programs inherit that.
        try RunningProgram(
            "/usr/bin/env", ["--default-signal", "ip", "netns", "exec", name, program] + arguments, log: log)
    }

    /// From now on nobody hears of it. Its programs go on and know nothing of that.
    func lose() throws {
        try Programs.run("/usr/bin/env", ["ip", "netns", "exec", name, "ip", "addr", "flush", "dev", wire])
    }

    private func remove() {
        _ = try? Programs.finish("/bin/sh", ["-c", "ip link del \(host); ip netns del \(name)"])
    }

    deinit { remove() }
}

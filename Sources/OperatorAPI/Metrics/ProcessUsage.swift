package import Foundation

/// What a process has used of the machine, from the kernel's books: seconds of CPU, user and system, and memory.
package enum ProcessUsage {
    /// Of this process and all its threads.
    package static func cpuSeconds() -> Double { cpuSeconds(of: getpid()) }

    /// Of a process and the children it has waited for.
    package static func cpuSeconds(of pid: pid_t) -> Double {
        guard let fields = statFields(pid) else { return 0 }
        return ticks(fields, children: pid != getpid())
    }

    /// Of a process and all its descendants that are alive or were waited for.
    package static func cpuSeconds(ofTree root: pid_t) -> Double {
        var parents: [pid_t: pid_t] = [:]
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        for pid in names.compactMap(pid_t.init) {
            guard let fields = statFields(pid), let parent = pid_t(fields[1]) else { continue }
            parents[pid] = parent
        }
        let members = parents.keys.filter { pid in
            var current = pid
            while current > 1 {
                if current == root { return true }
                current = parents[current] ?? 0
            }
            return false
        }
        return members.reduce(0) { total, pid in
            total + (statFields(pid).map { ticks($0, children: true) } ?? 0)
        }
    }

    /// The fields of /proc/PID/stat behind the command name, which may hold spaces: state, parent, … (proc(5)).
    private static func statFields(_ pid: pid_t) -> [Substring]? {
        guard let data = FileManager.default.contents(atPath: "/proc/\(pid)/stat") else { return nil }
        let text = String(decoding: data, as: UTF8.self)
        guard let end = text.lastIndex(of: ")") else { return nil }
        return text[text.index(after: end)...].split(separator: " ")
    }

    private static func ticks(_ fields: [Substring], children: Bool) -> Double {
        let last = children ? 14 : 12
        let ticks = fields[11...last].reduce(0) { $0 + (Double($1) ?? 0) }
        return ticks / Double(sysconf(Int32(_SC_CLK_TCK)))
    }

    /// Has the highest memory count from now on (proc(5), clear_refs).
    package static func resetPeakMemory() {
        guard let file = FileHandle(forWritingAtPath: "/proc/self/clear_refs") else { return }
        try? file.write(contentsOf: Data("5".utf8))
        try? file.close()
    }

    /// Resident memory of this process in bytes, now and at its highest (VmRSS, VmHWM of proc(5)).
    package static func memory() -> (resident: Int, peak: Int) {
        let data = FileManager.default.contents(atPath: "/proc/self/status") ?? Data()
        func value(_ name: String) -> Int {
            let line = String(decoding: data, as: UTF8.self).split(separator: "\n").first { $0.hasPrefix(name) }
            return line.flatMap { Int($0.filter(\.isNumber)) }.map { $0 * 1_024 } ?? 0
        }
        return (value("VmRSS:"), value("VmHWM:"))
    }
}

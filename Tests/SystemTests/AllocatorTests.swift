import Foundation
import Testing

/// jemalloc is the program's allocator, with the settings of `CJemalloc`: it says so itself at the end of a run.
@Suite struct AllocatorTests {
    /// The cores that this process may use (`Cpus_allowed_list` of proc(5), as in `0-3,8`).
    private static let cores: [Int] = {
        let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
        let line = status.split(separator: "\n").first { $0.hasPrefix("Cpus_allowed_list:") } ?? ""
        return line.dropFirst("Cpus_allowed_list:".count).split(separator: ",").flatMap { range -> [Int] in
            let ends = range.split(separator: "-").compactMap { Int($0.filter(\.isNumber)) }
            guard let first = ends.first, let last = ends.last else { return [] }
            return Array(first...last)
        }
    }()

    @Test(arguments: [false, true]) func `the program allocates with jemalloc`(onOneCore: Bool) throws {
        let core = try #require(Self.cores.first)
        let program = onOneCore ? ["/usr/bin/taskset", "-c", "\(core)", Programs.sluice] : [Programs.sluice]
        let finished = try Programs.finish(
            program[0], program.dropFirst() + ["--version"], environment: ["MALLOC_CONF": "stats_print:true"])
        #expect(finished.status == 0)
        let lines = finished.errors.split(separator: "\n").map { $0.drop { $0 == " " } }
        let cores = onOneCore ? 1 : Self.cores.count
        #expect(lines.contains("opt.narenas: \(max(1, cores / 2))"), "\(finished.errors)")
        #expect(lines.contains { $0.hasPrefix("opt.dirty_decay_ms: 2000 ") })
        #expect(lines.contains { $0.hasPrefix("opt.background_thread: true") })
        // It has nothing to complain of.
        #expect(!finished.errors.contains("<jemalloc>"))
    }

    /// A library's memory is freed by the program and the other way round.
    @Test func `its libraries do so too`() throws {
        let finished = try Programs.finish(
            Programs.sluice, ["--version"], environment: ["LD_DEBUG": "bindings", "LD_BIND_NOW": "1"])
        let bindings = finished.errors.split(separator: "\n").filter { $0.contains("symbol `malloc'") }
        #expect(bindings.contains { $0.contains("/libpq.so") })
        for binding in bindings where binding.contains("binding file") {
            #expect(binding.contains("to /") && binding.contains("libjemalloc.so"), "\(binding)")
        }
    }
}

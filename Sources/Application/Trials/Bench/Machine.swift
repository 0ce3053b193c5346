import ArgumentParser
import Foundation

/// Where something was measured, and how busy it was there.
struct Machine: Encodable {
    let cpu: String
    let cores: Int
    /// Averages over one minute: another program's work shows here.
    let loadBefore: Double
    private(set) var loadAfter: Double
    let version: String

    init() {
        let cpuinfo = String(
            decoding: FileManager.default.contents(atPath: "/proc/cpuinfo") ?? Data(), as: UTF8.self)
        cpu =
            cpuinfo.split(separator: "\n").first { $0.hasPrefix("model name") }?
            .split(separator: ":").last?.trimmingCharacters(in: .whitespaces) ?? "unknown"
        cores = ProcessInfo.processInfo.activeProcessorCount
        loadBefore = Self.load
        loadAfter = loadBefore
        version = SluiceCommand.configuration.version
    }

    /// This machine as it is when the measurement has ended.
    var atEnd: Machine {
        var machine = self
        machine.loadAfter = Self.load
        return machine
    }

    private static var load: Double {
        var averages = [0.0, 0.0, 0.0]
        return getloadavg(&averages, 3) > 0 ? (averages[0] * 100).rounded() / 100 : 0
    }

    var text: String {
        "\(cores) × \(cpu), load \(String(format: "%.1f", loadBefore)) before and \(String(format: "%.1f", loadAfter)) after"
    }
}

import Foundation

/// A bar on a terminal, a line every few seconds elsewhere; both go to standard error, so that results stay clean.
final class ProgressBar {
    private let label: String
    private let isTerminal = isatty(STDERR_FILENO) == 1
    private let start = ContinuousClock.now
    private var lastDrawn: ContinuousClock.Instant?
    private var lastLine = ""

    init(_ label: String) { self.label = label }

    /// - Parameter note: what else to tell, such as counters; drawn behind the bar.
    func update(_ done: Int, of total: Int, note: String = "") {
        let pause: Duration = isTerminal ? .milliseconds(100) : .seconds(2)
        if let lastDrawn, ContinuousClock.now - lastDrawn < pause { return }
        lastDrawn = .now
        draw(done, of: total, note: note)
    }

    func finish(_ done: Int, of total: Int, note: String = "") {
        draw(done, of: total, note: note)
        if isTerminal { StandardOutput.note("") }
    }

    private func draw(_ done: Int, of total: Int, note: String) {
        let elapsed = ContinuousClock.now - start
        let seconds = Double(elapsed.components.seconds) + Double(elapsed.components.attoseconds) / 1e18
        let share = total > 0 ? min(1, Double(done) / Double(total)) : 1
        let counts = "\(grouped(done))/\(grouped(total))"
        if isTerminal {
            let width = 28
            let filled = Int((share * Double(width)).rounded(.down))
            let bar = String(repeating: "█", count: filled) + String(repeating: "░", count: width - filled)
            let line = "\(label) \(bar) \(String(format: "%3.0f", share * 100)) % \(counts) \(note)"
            let padding = String(repeating: " ", count: max(0, lastLine.count - line.count))
            lastLine = line
            StandardOutput.noteInPlace("\r\(line)\(padding)")
        } else {
            let line =
                "\(label) \(String(format: "%.0f", share * 100)) % \(counts) \(note) (\(String(format: "%.1f", seconds)) s)\n"
            guard line != lastLine else { return }
            lastLine = line
            StandardOutput.noteInPlace(line)
        }
    }
}

/// 1234567 as `1,234,567`.
func grouped(_ number: some BinaryInteger) -> String {
    let digits = String(number.magnitude)
    var text = number < 0 ? "-" : ""
    for (position, digit) in digits.enumerated() {
        if position > 0 && (digits.count - position) % 3 == 0 { text.append(",") }
        text.append(digit)
    }
    return text
}

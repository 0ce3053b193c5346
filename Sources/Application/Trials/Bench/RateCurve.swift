import Foundation

/// Mails a second over time.
struct RateCurve: Encodable, Sendable {
    let name: String
    let stepSeconds: Double
    let rates: [Double]
}

/// Draws curves into one SVG file.
struct RatePlot {
    let title: String
    let curves: [RateCurve]

    private static let width = 720.0
    private static let height = 320.0
    private static let margin = (left: 64.0, right: 16.0, top: 40.0, bottom: 44.0)
    private static let colours = ["#1f6f8b", "#d1495b", "#66a182", "#8d6a9f"]

    var svg: String {
        let seconds = max(0.1, curves.map { Double($0.rates.count) * $0.stepSeconds }.max() ?? 0)
        let top = Self.roundNumber(curves.flatMap(\.rates).max() ?? 0)
        let plotWidth = Self.width - Self.margin.left - Self.margin.right
        let plotHeight = Self.height - Self.margin.top - Self.margin.bottom
        func x(_ time: Double) -> Double { Self.margin.left + time / seconds * plotWidth }
        func y(_ rate: Double) -> Double { Self.margin.top + (1 - rate / top) * plotHeight }
        var parts = [
            """
            <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(Int(Self.width)) \(Int(Self.height))" \
            font-family="sans-serif" font-size="12" fill="#333">
            <rect width="100%" height="100%" fill="#fff"/>
            <text x="\(Self.margin.left)" y="22" font-size="14">\(Self.escaped(title))</text>
            """
        ]
        for quarter in 0...4 {
            let rate = top * Double(quarter) / 4
            let time = seconds * Double(quarter) / 4
            parts.append(
                """
                <line x1="\(x(0))" x2="\(x(seconds))" y1="\(y(rate))" y2="\(y(rate))" stroke="#ddd"/>
                <text x="\(Self.margin.left - 8)" y="\(y(rate) + 4)" text-anchor="end">\(grouped(Int(rate)))</text>
                <text x="\(x(time))" y="\(y(0) + 18)" text-anchor="middle">\(String(format: "%.3g", time)) s</text>
                """)
        }
        for (number, curve) in curves.enumerated() {
            let colour = Self.colours[number % Self.colours.count]
            // Each rate stands in the middle of its step.
            let points = curve.rates.enumerated().map { index, rate in
                String(format: "%.1f,%.1f", x((Double(index) + 0.5) * curve.stepSeconds), y(rate))
            }
            parts.append(
                """
                <polyline points="\(points.joined(separator: " "))" fill="none" stroke="\(colour)" stroke-width="2"/>
                <text x="\(Self.margin.left + Double(number) * 160)" y="\(Self.height - 8)" fill="\(colour)">\
                \(Self.escaped(curve.name))</text>
                """)
        }
        return parts.joined(separator: "\n") + "\n</svg>\n"
    }

    /// The next 1, 2, 4, 6 or 8 times a power of ten.
    static func roundNumber(_ value: Double) -> Double {
        guard value > 0 else { return 1 }
        let power = pow(10, log10(value).rounded(.down))
        return ([1, 2, 4, 6, 8].first { $0 * power >= value } ?? 10) * power
    }

    private static func escaped(_ text: String) -> String {
        text.replacingOccurrences(of: "&", with: "&amp;").replacingOccurrences(of: "<", with: "&lt;")
    }
}

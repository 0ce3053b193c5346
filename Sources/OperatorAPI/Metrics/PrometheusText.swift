/// Prometheus' text format, version 0.0.4.
///
///     var text = PrometheusText()
///     text.family("sluice_messages_total", .counter, "Messages by outcome.") { $0.add(3, ["outcome": "delivered"]) }
struct PrometheusText {
    static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    enum Kind: String {
        case counter, gauge, histogram
    }

    /// The lines of one metric.
    struct Family {
        fileprivate let name: String
        fileprivate(set) var text = ""

        mutating func add(
            _ value: some BinaryInteger, _ labels: KeyValuePairs<String, String> = [:], suffix: String = ""
        ) {
            line("\(value)", labels, suffix)
        }

        mutating func add(_ value: Double, _ labels: KeyValuePairs<String, String> = [:], suffix: String = "") {
            line(value.isFinite ? "\(value)" : value.isNaN ? "NaN" : value < 0 ? "-Inf" : "+Inf", labels, suffix)
        }

        private mutating func line(_ value: String, _ labels: KeyValuePairs<String, String>, _ suffix: String) {
            let inside = labels.map { "\($0.key)=\"\(PrometheusText.escaped($0.value))\"" }.joined(separator: ",")
            text += name + suffix + (inside.isEmpty ? "" : "{\(inside)}") + " \(value)\n"
        }
    }

    private(set) var text = ""

    mutating func family(_ name: String, _ kind: Kind, _ help: String, _ lines: (inout Family) -> Void) {
        var family = Family(name: name)
        lines(&family)
        guard !family.text.isEmpty else { return }
        text += "# HELP \(name) \(help)\n# TYPE \(name) \(kind.rawValue)\n" + family.text
    }

    fileprivate static func escaped(_ value: String) -> String {
        guard value.utf8.contains(where: { $0 == 0x5C || $0 == 0x22 || $0 == 0x0A }) else { return value }
        var text = ""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\\": text += "\\\\"
            case "\"": text += "\\\""
            case "\n": text += "\\n"
            default: text.unicodeScalars.append(scalar)
            }
        }
        return text
    }
}

/// A strict reader of Prometheus' text format 0.0.4.
package enum PrometheusLines {
    package struct Sample: Hashable {
        package let name: String
        package let labels: [String: String]
        package let value: Double
    }

    package struct Malformed: Error {
        package let line: String
    }

    /// - Throws: at the first line that is not of the format, names a type twice, or comes before its type.
    package static func read(_ text: String) throws -> [Sample] {
        guard text.hasSuffix("\n") else { throw Malformed(line: "no end of line") }
        var types: [Substring: Substring] = [:]
        var samples: [Sample] = []
        for line in text.split(separator: "\n") {
            let malformed = Malformed(line: String(line))
            if line.hasPrefix("#") {
                let words = line.split(separator: " ", maxSplits: 3)
                guard words.count == 4, words[0] == "#" else { throw malformed }
                guard words[1] == "TYPE" else {
                    guard words[1] == "HELP" else { throw malformed }
                    continue
                }
                guard ["counter", "gauge", "histogram"].contains(words[3]), types[words[2]] == nil else {
                    throw malformed
                }
                types[words[2]] = words[3]
                continue
            }
            guard let match = line.wholeMatch(of: /([a-zA-Z_:][a-zA-Z0-9_:]*)(\{.*\})? ([^ ]+)/),
                let value = Double(match.3 == "+Inf" ? "inf" : match.3)
            else { throw malformed }
            let family = match.1.replacing(/_(bucket|sum|count)$/, with: "")
            guard types[match.1] != nil || types[family[...]] == "histogram" else { throw malformed }
            samples.append(
                Sample(
                    name: String(match.1),
                    labels: try labels(match.2.map { $0.dropFirst().dropLast() } ?? "", malformed), value: value))
        }
        guard Set(samples.map { "\($0.name) \($0.labels.sorted { $0.key < $1.key })" }).count == samples.count else {
            throw Malformed(line: "a series occurs twice")
        }
        return samples
    }

    private static func labels(_ text: Substring, _ malformed: Malformed) throws -> [String: String] {
        var labels: [String: String] = [:]
        var rest = text
        while !rest.isEmpty {
            guard let match = rest.prefixMatch(of: /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(,|$)/) else {
                throw malformed
            }
            labels[String(match.1)] = String(match.2)
            rest = rest[match.range.upperBound...]
        }
        return labels
    }
}

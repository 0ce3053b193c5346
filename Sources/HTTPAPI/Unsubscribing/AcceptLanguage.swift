/// The languages that a reader's browser asks for (RFC 9110 §12.5.4), the best first.
struct AcceptLanguage: Sendable, Hashable {
    /// Lower-case ranges without those of weight 0, such as `de-at`, `de` or `*`.
    let ranges: [String]

    /// What cannot be read is passed over. Only the beginning of a long field counts.
    init(_ field: String?) {
        var found: [(range: String, weight: Int)] = []
        for part in (field ?? "").prefix(Self.longest).split(separator: ",").prefix(Self.most) {
            let members = part.split(separator: ";").map { $0.filter { $0 != " " && $0 != "\t" }.lowercased() }
            guard let range = members.first, Self.isRange(range) else { continue }
            let weight = members.dropFirst().first { $0.hasPrefix("q=") }.map { Self.weight($0.dropFirst(2)) } ?? 1_000
            if let weight, weight > 0 { found.append((range, weight)) }
        }
        // Stable: of equal weights the first one is meant first.
        ranges = found.enumerated().sorted { ($1.element.weight, $0.offset) < ($0.element.weight, $1.offset) }
            .map(\.element.range)
    }

    private static let longest = 500
    private static let most = 50

    private static func isRange(_ text: String) -> Bool {
        text == "*"
            || (!text.isEmpty
                && text.utf8.allSatisfy { (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x2D })
    }

    /// In thousandths; nil for what is no weight.
    private static func weight(_ text: some StringProtocol) -> Int? {
        guard text.utf8.count <= 5, let value = Double(text), (0...1).contains(value) else { return nil }
        return Int((value * 1_000).rounded())
    }

    /// The first range that one of these tags fits, by its longest beginning (RFC 4647 §3.4); nil where none does.
    func best(of tags: [String]) -> String? {
        for range in ranges where range != "*" {
            var parts = range.split(separator: "-")
            while !parts.isEmpty {
                let wanted = parts.joined(separator: "-")
                if let tag = tags.first(where: { $0.lowercased() == wanted }) { return tag }
                parts.removeLast()
            }
        }
        return nil
    }
}

/// Finds what somebody may have meant.
package enum Spelling {
    /// The name that differs least: in case and separators only, or by up to two letters.
    package static func nearest(to name: String, among names: [String]) -> String? {
        let plain = plain(name)
        // The distance grows with the product of the lengths, and a long name is no slip of the pen.
        guard plain.count <= longestLetters else { return nil }
        let (nearest, distance) =
            names.sorted().map { ($0, Self.distance(plain, Self.plain($0))) }
            .min { $0.1 < $1.1 } ?? ("", .max)
        return distance <= min(2, plain.count / 2) ? nearest : nil
    }

    private static let longestLetters = 64

    private static func plain(_ name: String) -> [Character] {
        name.lowercased().filter { $0 != "_" && $0 != "-" }.map { $0 }
    }

    /// Letters to insert, delete or replace (Levenshtein).
    private static func distance(_ left: [Character], _ right: [Character]) -> Int {
        var row = Array(0...right.count)
        for (i, letter) in left.enumerated() {
            var diagonal = row[0]
            row[0] = i + 1
            for (j, other) in right.enumerated() {
                (diagonal, row[j + 1]) = (
                    row[j + 1], min(diagonal + (letter == other ? 0 : 1), row[j] + 1, row[j + 1] + 1)
                )
            }
        }
        return row[right.count]
    }
}

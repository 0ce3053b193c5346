import FoundationEssentials

/// Mails that came back in real life, with what a person found in them. They lie beside the repository, not in it.
package struct MailCorpus: Sendable {
    package struct Expected: Sendable {
        /// All are right, the first is preferred; in small letters. Empty where the mail hides it.
        package let addresses: [String]
        package let hard: String
        package let reasons: [String]
    }

    package struct Mail: Sendable {
        package let file: String
        package let octets: [UInt8]
        /// All are right.
        package let kinds: [String]
        package let recipients: [Expected]
    }

    package let mails: [Mail]

    /// Nil where the corpus is not beside the repository; says so, since the test then passes without having looked.
    package init?() {
        let folder = ProjectFolder.path + "/../shared/corpus/bounces/"
        guard let table = FileManager.default.contents(atPath: folder + "expected.tsv") else {
            print("skipped: the corpus of mails is not beside the repository (\(folder))")
            return nil
        }
        mails = String(decoding: table, as: UTF8.self).split(separator: "\n").dropFirst().compactMap { line in
            let cells = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
            guard cells.count >= 7, let data = FileManager.default.contents(atPath: folder + cells[0]) else {
                return nil
            }
            return Mail(
                file: cells[0], octets: Array(data), kinds: cells[1].split(separator: "|").map(String.init),
                recipients: Self.recipients(cells))
        }
    }

    private static func recipients(_ cells: [String]) -> [Expected] {
        let addresses = parts(cells[2])
        let hard = parts(cells[5])
        let reasons = parts(cells[6])
        return addresses.indices.map { place in
            Expected(
                addresses: choices(addresses[place]), hard: hard.indices.contains(place) ? hard[place] : "",
                reasons: reasons.indices.contains(place) ? choices(reasons[place]) : [])
        }
    }

    private static func parts(_ cell: String) -> [String] {
        cell.split(separator: ";", omittingEmptySubsequences: false).map(String.init)
    }

    private static func choices(_ part: String) -> [String] { part.split(separator: "|").map { $0.lowercased() } }
}

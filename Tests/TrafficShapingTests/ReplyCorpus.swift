import FoundationEssentials
import MailTypes

/// Replies of real receivers with the classes that a person gave them; the first is preferred, all are right.
struct ReplyCorpus {
    struct Row {
        let code: Int
        let enhanced: EnhancedStatusCode?
        let text: String
        let classes: [String]
        var isTemporary: Bool { (400...499).contains(code) }
    }

    let rows: [Row]

    /// Nil where the corpus is not beside the repository.
    init?() {
        let path = "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/") + "/../shared/corpus/"
        guard let data = FileManager.default.contents(atPath: path + "smtp-replies.tsv") else {
            print("skipped: the corpus is not beside the repository")
            return nil
        }
        rows = String(decoding: data, as: UTF8.self).split(separator: "\n").dropFirst().compactMap { line in
            let fields = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
            guard fields.count == 7, let code = Int(fields[1]) else { return nil }
            return Row(
                code: code, enhanced: EnhancedStatusCode(fields[2]),
                text: fields[3].split(separator: "\\n").joined(separator: "\n"),
                classes: fields[4].split(separator: "|").map(String.init))
        }
    }
}

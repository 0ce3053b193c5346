import Feedback
import FoundationEssentials
import MailTypes

/// Replies of real receivers with the classes that a person gave them; the first is preferred, all are right.
struct ReplyCorpus {
    struct Row {
        let code: Int
        let enhanced: EnhancedStatusCode?
        let text: String
        let accepted: [ReplyClass]
    }

    let rows: [Row]

    /// Nil where the corpus is not beside the repository.
    init?() {
        let path = "/" + #filePath.split(separator: "/").dropLast(4).joined(separator: "/") + "/shared/corpus/"
        guard let data = FileManager.default.contents(atPath: path + "smtp-replies.tsv") else { return nil }
        rows = String(decoding: data, as: UTF8.self).split(separator: "\n").dropFirst().compactMap { line in
            let fields = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
            guard fields.count == 7, let code = Int(fields[1]) else { return nil }
            let classes = fields[4].split(separator: "|").compactMap { ReplyClass(rawValue: String($0)) }
            return Row(
                code: code, enhanced: EnhancedStatusCode(fields[2]), text: Self.unescaped(fields[3]), accepted: classes)
        }
    }

    private static func unescaped(_ text: String) -> String {
        var result = ""
        var characters = text.makeIterator()
        while let character = characters.next() {
            guard character == "\\" else {
                result.append(character)
                continue
            }
            let next = characters.next()
            result.append(next == "n" ? "\n" : "\\")
            if let next, next != "n" { result.append(next) }
        }
        return result
    }
}

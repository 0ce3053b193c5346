import FoundationEssentials
package import MailTypes

/// Replies of real receivers with the classes that a person gave them; the first is preferred, all are right. They lie
/// beside the repository, not in it.
package struct ReplyCorpus: Sendable {
    package struct Row: Sendable {
        package let code: Int
        package let enhanced: EnhancedStatusCode?
        /// The lines of the reply, without codes.
        package let text: String
        package let classes: [String]
        package var isTemporary: Bool { (400...499).contains(code) }
    }

    package let rows: [Row]

    /// Nil where the corpus is not beside the repository; says so, since the test then passes without having looked.
    package init?() {
        let path = ProjectFolder.path + "/../shared/corpus/smtp-replies.tsv"
        guard let data = FileManager.default.contents(atPath: path) else {
            print("skipped: the corpus of replies is not beside the repository (\(path))")
            return nil
        }
        rows = String(decoding: data, as: UTF8.self).split(separator: "\n").dropFirst().compactMap { line in
            let fields = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
            guard fields.count == 7, let code = Int(fields[1]) else { return nil }
            return Row(
                code: code, enhanced: EnhancedStatusCode(fields[2]), text: Self.unescaped(fields[3]),
                classes: fields[4].split(separator: "|").map(String.init))
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

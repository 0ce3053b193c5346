/// A text of a campaign's mails but for what each has of its own, the recipient's token in its middle.
struct TokenFrame: Sendable {
    private let start: String
    private let end: String

    init(_ start: String, _ end: String = "") {
        self.start = start
        self.end = end
    }

    func around(_ token: String) -> String {
        var text = ""
        text.reserveCapacity(start.utf8.count + token.utf8.count + end.utf8.count)
        text += start
        text += token
        text += end
        return text
    }
}

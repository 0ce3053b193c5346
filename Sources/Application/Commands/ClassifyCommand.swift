import ArgumentParser
import Feedback
import Foundation
import MailTypes

/// `sluice classify`: what a mail that came back is, and why Sluice thinks so. Needs no server and no database.
struct ClassifyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "classify", abstract: "Explain what a returned mail, or a reply of a server, means.",
        discussion: """
            Each file is one mail as it came: a bounce, a delay notice, a complaint, an automatic answer or anything else. \
            With --replies each line of the file is one SMTP reply, \\n for a line break inside.
            """)

    @Argument(help: "The mails.") var files: [String] = []
    @Option(help: "A file of SMTP replies, one a line.") var replies: String?
    @Flag(help: "Print a JSON object for each mail or reply.") var json = false

    /// A mail that is larger is no report.
    static let largestOctets = 64 << 20

    func validate() throws {
        guard files.isEmpty != (replies == nil) else { throw ValidationError("Name mails, or a file with --replies.") }
    }

    func run() throws {
        try classifyFiles { StandardOutput.print(json ? try Self.encoded($0) : $0.text) }
        guard let replies else { return }
        for reply in Self.replies(in: try Self.octets(of: replies)) {
            StandardOutput.print(json ? try Self.encoded(reply) : reply.text)
        }
    }

    /// Hands each mail to `body`. A file that cannot be read is told at once and does not stop the others.
    ///
    /// - Throws: at the end, where one or more were not read; and what `body` throws
    func classifyFiles(_ body: (ClassifiedMail) throws -> Void) throws {
        var unread = 0
        for file in files {
            do {
                let octets = try Self.octets(of: file)
                try body(ClassifiedMail(file: file, MailClassifier.classify(octets, explaining: true)))
            } catch let failure as CommandFailure {
                StandardOutput.note(failure.description)
                unread += 1
            }
        }
        guard unread == 0 else { throw CommandFailure("\(unread) of \(files.count) files were not read") }
    }

    /// One reply a line, ended by LF or CR LF. Blank lines count, and are passed over.
    static func replies(in octets: [UInt8]) -> [ClassifiedReply] {
        octets.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated().compactMap {
            number, line in
            let line = line.last == UInt8(ascii: "\r") ? line.dropLast() : line
            guard line.contains(where: { $0 > 0x20 }) else { return nil }
            return ClassifiedReply(line: number + 1, String(decoding: line, as: UTF8.self))
        }
    }

    /// - Throws: `CommandFailure` that names the file and nothing of what is in it.
    static func octets(of path: String) throws -> [UInt8] {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw CommandFailure("\(path) cannot be read")
        }
        guard data.count <= largestOctets else {
            throw CommandFailure("\(path) is larger than \(largestOctets >> 20) MiB: no report is")
        }
        return Array(data)
    }

    static func encoded(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.keyEncodingStrategy = .convertToSnakeCase
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }
}

/// What is printed of a mail.
struct ClassifiedMail: Encodable {
    struct Recipient: Encodable {
        let address: String?
        let enhancedStatus: String?
        let smtpCode: Int?
        let hard: String
        let reason: String
        let `class`: String
        let consequence: String
        let rule: String?
        let phrase: String?
        let provenance: String?

        private enum Key: String, CodingKey {
            case address, enhancedStatus, smtpCode, hard, reason, `class`, consequence, rule, phrase, provenance
        }

        /// Every key each time, null where the mail does not say: readers need not ask whether a key is there.
        func encode(to encoder: any Encoder) throws {
            var values = encoder.container(keyedBy: Key.self)
            try values.encode(address, forKey: .address)
            try values.encode(enhancedStatus, forKey: .enhancedStatus)
            try values.encode(smtpCode, forKey: .smtpCode)
            try values.encode(hard, forKey: .hard)
            try values.encode(reason, forKey: .reason)
            try values.encode(`class`, forKey: .class)
            try values.encode(consequence, forKey: .consequence)
            try values.encode(rule, forKey: .rule)
            try values.encode(phrase, forKey: .phrase)
            try values.encode(provenance, forKey: .provenance)
        }
    }

    let file: String
    let kind: String
    let recipients: [Recipient]
    let steps: [String]

    init(file: String, _ found: MailClassification) {
        self.file = file
        kind = found.kind.rawValue
        steps = found.steps
        recipients = found.recipients.map { recipient in
            Recipient(
                address: recipient.address, enhancedStatus: recipient.enhanced?.description,
                smtpCode: recipient.smtpCode, hard: recipient.hardness.rawValue, reason: recipient.reason,
                class: recipient.replyClass.rawValue, consequence: recipient.consequence.rawValue,
                rule: recipient.rule, phrase: recipient.phrase,
                provenance: recipient.rule.flatMap { ReplyClassifier.provenance(ofRule: $0) })
        }
    }

    var text: String {
        var lines = ["\(file): \(kind)"] + steps.map { "  \($0)" }
        for recipient in recipients {
            let codes = [recipient.smtpCode.map(String.init), recipient.enhancedStatus].compactMap(\.self)
            let told = codes.isEmpty ? "no code" : codes.joined(separator: " ")
            lines.append("  \(recipient.address ?? "nobody named"): \(recipient.reason), \(told)")
            lines.append(
                "    class \(recipient.class), hard: \(recipient.hard), what follows: \(recipient.consequence)")
            if let rule = recipient.rule {
                lines.append("    " + ruleText(rule, recipient.phrase, recipient.provenance))
            }
        }
        return lines.joined(separator: "\n")
    }
}

/// What is printed of a reply: in JSON the same as of a mail, with one recipient, and its class also outside.
struct ClassifiedReply: Encodable {
    let line: Int
    let kind: String
    let `class`: String
    let recipients: [ClassifiedMail.Recipient]

    /// - Parameter reply: the code first, `\n` for line breaks
    init(line: Int, _ reply: String) {
        let text = reply.replacing("\\n", with: "\n")
        let code = Int(text.prefix(3))
        let found = ReplyClassifier.classify(code: code ?? 0, enhanced: nil, text: text)
        self.line = line
        kind = (found.isPermanent ? FeedbackKind.bounce : .delayed).rawValue
        `class` = found.replyClass.rawValue
        recipients = [
            ClassifiedMail.Recipient(
                address: nil, enhancedStatus: found.enhanced?.description, smtpCode: code,
                hard: found.hardness.rawValue, reason: found.reason.rawValue, class: found.replyClass.rawValue,
                consequence: found.consequence.rawValue, rule: found.rule, phrase: found.phrase,
                provenance: found.rule.flatMap { ReplyClassifier.provenance(ofRule: $0) })
        ]
    }

    var text: String {
        recipients.map { reply in
            let why = reply.rule.map { "\n    " + ruleText($0, reply.phrase, reply.provenance) } ?? ""
            return "\(line): \(kind), \(reply.reason), class \(reply.class), hard: \(reply.hard), "
                + "what follows: \(reply.consequence)" + why
        }.joined()
    }
}

private func ruleText(_ rule: String, _ phrase: String?, _ provenance: String?) -> String {
    let by = phrase.map { "by the words “\($0)”" } ?? "by its codes"
    return "rule \(rule), \(by) (\(provenance ?? "no provenance"))"
}

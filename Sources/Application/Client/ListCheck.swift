import Campaigns
import MailMessage

/// Reads a list of recipients as the server will, before anything is made there: which lines it cannot take, and which
/// variables its recipients lack.
///
/// The server knows more: who is on the suppression list, and who stands twice. It has the last word.
struct ListCheck {
    private static let reportedLines = 20

    private(set) var recipients = 0
    private(set) var invalid = 0
    /// The first ones.
    private(set) var errors: [ImportReport.Line] = []
    private(set) var lacking = LackingVariables()

    private var parser: RecipientParser
    private var check: VariableCheck?

    /// - Throws: `CommandFailure` where the list cannot be read, or cannot be taken as a whole.
    init(_ file: InputFile, _ form: UploadForm, for message: CompiledMessage) throws {
        parser = RecipientParser(format: form)
        check = VariableCheck(message)
        do {
            while let piece = try file.read() {
                parser.feed(piece)
                try readFedLines()
            }
            parser.end()
            try readFedLines()
        } catch let error as ImportError {
            throw CommandFailure("the list of recipients cannot be taken: \(error)")
        }
    }

    private mutating func readFedLines() throws(ImportError) {
        while true {
            switch try parser.next() {
            case .needsMore: return
            case .invalidLine(let line, let error):
                invalid += 1
                if errors.count < Self.reportedLines { errors.append(ImportReport.Line(line: line, error)) }
            case .recipient(let recipient):
                recipients += 1
                let missing = check?.missing(
                    for: MergeRecipient(
                        address: recipient.address, name: recipient.name, variables: recipient.variables))
                if let missing, !missing.isEmpty { lacking.add(missing) }
            }
        }
    }

    /// Who lacks what, in words; nil where nobody does.
    var lack: String? {
        guard lacking.recipients > 0 else { return nil }
        let variables = lacking.mostFrequent.prefix(Self.reportedLines).map { variable in
            "{{\(variable.name)}} (\(grouped(variable.recipients)))"
        }
        return "\(grouped(lacking.recipients)) of \(grouped(recipients)) recipients have no value for "
            + variables.joined(separator: ", ")
    }
}

import MailMessage

/// A recipient's variables as its batch has them. A node has thousands of recipients that wait, and needs the variables of
/// each for a moment: made when the batch is opened, they would be most of what it keeps in memory.
struct StoredVariables: Sendable, Hashable {
    /// An opened batch.
    final class Source: Sendable {
        let bytes: [UInt8]
        /// Of variables, by number.
        let names: [String]

        init(bytes: [UInt8], names: [String]) {
            self.bytes = bytes
            self.names = names
        }
    }

    private enum Form: Sendable {
        case made(MergeVariables)
        case stored(Source, position: Int)
    }

    private let form: Form

    init(_ variables: MergeVariables) { form = .made(variables) }

    /// - Parameter position: in the source's octets, which are well-formed from there on.
    init(_ source: Source, at position: Int) { form = .stored(source, position: position) }

    func read() -> MergeVariables {
        switch form {
        case .made(let variables): variables
        case .stored(let source, let position): RecipientBatchDecoder.variables(of: source, at: position)
        }
    }

    static func == (one: StoredVariables, other: StoredVariables) -> Bool { one.read() == other.read() }

    func hash(into hasher: inout Hasher) { hasher.combine(read()) }
}

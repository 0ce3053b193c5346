import MailMessage
import Synchronization

/// A recipient's variables as its batch has them. A node has thousands of recipients that wait, and needs the variables of
/// each for a moment: made when the batch is opened, they would be most of what it keeps in memory.
struct StoredVariables: Sendable, Hashable {
    /// Of one recipient, out of an opened batch.
    final class Octets: Sendable {
        private let bytes: Mutex<[UInt8]?>
        /// Of the batch's variables, by number.
        private let names: [String]

        /// - Parameter bytes: well-formed.
        init(_ bytes: [UInt8], names: [String]) {
            self.bytes = Mutex(bytes)
            self.names = names
        }

        func read() -> MergeVariables {
            guard let bytes = bytes.withLock(\.self) else {
                preconditionFailure("the variables of a recipient are asked for whose mail was done with")
            }
            return RecipientBatchDecoder.variables(bytes, names)
        }

        func release() { bytes.withLock { $0 = nil } }
    }

    private enum Form: Sendable {
        case made(MergeVariables)
        case stored(Octets)
    }

    private let form: Form

    init(_ variables: MergeVariables) { form = .made(variables) }
    init(_ octets: Octets) { form = .stored(octets) }

    func read() -> MergeVariables {
        switch form {
        case .made(let variables): variables
        case .stored(let octets): octets.read()
        }
    }

    func release() {
        if case .stored(let octets) = form { octets.release() }
    }

    static func == (one: StoredVariables, other: StoredVariables) -> Bool { one.read() == other.read() }

    func hash(into hasher: inout Hasher) { hasher.combine(read()) }
}

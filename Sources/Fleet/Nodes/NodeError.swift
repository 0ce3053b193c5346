/// Why a node cannot run under its name.
package enum NodeError: Error, Sendable, Hashable {
    /// Another process runs under this name, with this database.
    case alreadyRunning
}

extension NodeError: CustomStringConvertible {
    package var description: String { "another process delivers under this node's name; give each node its own --node" }
}

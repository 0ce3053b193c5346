/// Statements that wait to be sent together, of each owner apart: decisions only.
///
/// The first to come begins to serve its owner, and goes on until none is left: those that come meanwhile go together next.
struct StatementQueue<Statement> {
    enum Admission {
        /// Nobody serves the owner yet: begin.
        case begin
        /// Whoever serves the owner will take it.
        case queued
        /// As many wait as may.
        case refused
    }

    /// Statements that go together at most.
    private let most: Int
    /// Statements of one owner that wait at most.
    private let bound: Int
    /// Of each owner that is served, what has come meanwhile.
    private var waiting: [ConnectionOwner?: [Statement]] = [:]

    init(most: Int, bound: Int) {
        self.most = most
        self.bound = bound
    }

    /// For tests: statements that wait.
    var count: Int { waiting.values.map(\.count).reduce(0, +) }

    mutating func add(_ statement: Statement, of owner: ConnectionOwner?) -> Admission {
        guard let count = waiting[owner]?.count else {
            waiting[owner] = [statement]
            return .begin
        }
        guard count < bound else { return .refused }
        waiting[owner]?.append(statement)
        return .queued
    }

    /// Whether statements of the owner are left; if none is, nobody serves the owner any more.
    mutating func goesOn(of owner: ConnectionOwner?) -> Bool {
        guard waiting[owner]?.isEmpty ?? true else { return true }
        waiting[owner] = nil
        return false
    }

    /// - Returns: what goes next; nil where none is left, and nobody serves the owner any more.
    mutating func next(of owner: ConnectionOwner?) -> [Statement]? {
        guard let statements = waiting[owner], !statements.isEmpty else {
            waiting[owner] = nil
            return nil
        }
        waiting[owner] = Array(statements.dropFirst(most))
        return Array(statements.prefix(most))
    }

    /// Gives up: nobody serves the owner any more.
    ///
    /// - Returns: what has waited in vain.
    mutating func end(of owner: ConnectionOwner?) -> [Statement] { waiting.removeValue(forKey: owner) ?? [] }
}

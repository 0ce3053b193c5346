/// One thing in the catalogue that keeps rows from being changed or seen as they must not be: a trigger, a policy, a
/// constraint, what a role is granted.
package struct SchemaGuard: Sendable, Hashable {
    package enum Kind: String, Sendable {
        case trigger, policy, rule, constraint, index, grant, function, owner, member, role
        /// Row-level security of a table.
        case rows
    }

    /// The table, or what else it belongs to.
    package let subject: String
    package let kind: Kind
    /// Empty where the subject has but one of its kind.
    package let name: String
    /// A word or list that servers of all versions give alike.
    package let state: String
    /// An expression as the server words it, which versions of PostgreSQL may word otherwise; empty where there is none.
    package let wording: String

    /// A line of the file that ``SchemaGuards`` is read from: the five, with tabs between.
    init?(line: Substring) {
        let fields = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
        guard fields.count == 5, let kind = Kind(rawValue: fields[1]) else { return nil }
        self.init(subject: fields[0], kind: kind, name: fields[2], state: fields[3], wording: fields[4])
    }

    init(subject: String, kind: Kind, name: String, state: String, wording: String) {
        self.subject = subject
        self.kind = kind
        self.name = name
        self.state = state
        self.wording = wording
    }

    var line: String { [subject, kind.rawValue, name, state, wording].joined(separator: "\t") }

    /// What two databases have in common that have the same guard.
    var identity: [String] { [subject, kind.rawValue, name] }

    /// For people.
    var label: String {
        switch kind {
        case .rows: "row-level security of \(subject)"
        case .grant: "the grant of \(name) on \(subject)"
        case .function: "the function \(subject)(\(name))"
        case .owner: "\(name) as the owner of \(subject)"
        case .member: "\(subject) as a member of \(name)"
        case .role: "the role \(subject)"
        default: "the \(kind.rawValue) \(name) of \(subject)"
        }
    }

    /// Whether this one, found where that one should be, guards as much.
    func isAsGood(as expected: SchemaGuard, comparesWording: Bool) -> Bool {
        // A trigger that fires always also fires where the schema asks for less.
        let isState = state == expected.state || kind == .trigger && state == "always" && expected.state == "on"
        return isState && (!comparesWording || wording == expected.wording)
    }

    /// Whether it weakens the schema where no migration has made it. More constraints and indices of others do not.
    var isSuspicious: Bool { kind != .constraint && kind != .index && kind != .rows }
}

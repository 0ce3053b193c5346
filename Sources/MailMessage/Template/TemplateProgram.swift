/// A compiled template: a flat list of instructions over side tables, so that running it touches no tree.
struct TemplateProgram: Sendable {
    enum Instruction: Sendable, Hashable {
        /// Index into `literals`.
        case literal(Int)
        /// Index into `variables`.
        case variable(Int)
        /// Index into `names`; the body is what follows, up to `end`.
        case section(name: Int, inverted: Bool, end: Int)
    }

    struct Variable: Sendable, Hashable {
        /// Index into `names`.
        var name: Int
        var escaping: ValueEscaping
        /// Index into `literals` of what stands in for a value that is missing or empty; -1 if there is none.
        var fallback: Int
    }

    var instructions: [Instruction] = []
    var variables: [Variable] = []
    var names: [TemplateName] = []
    /// UTF-8 with LF line ends; what is escaped in HTML is escaped here already.
    var literals: [[UInt8]] = []

    /// The text of a template without tags, else nil.
    var fixedText: [UInt8]? {
        var text: [UInt8] = []
        for instruction in instructions {
            guard case .literal(let index) = instruction else { return nil }
            text += literals[index]
        }
        return text
    }

    /// Whether it has neither a variable nor anything but white space between its tags.
    var isBlank: Bool {
        variables.isEmpty
            && literals.allSatisfy { String(decoding: $0, as: UTF8.self).allSatisfy(BlankText.isInvisible) }
    }
}

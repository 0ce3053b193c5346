/// Runs a program for one recipient into a sink.
struct TemplateInterpreter {
    let program: TemplateProgram
    /// Values by slot (`TemplateRoots.resolve`).
    let roots: [MergeValue?]
    let missingVariables: MissingVariablePolicy
    /// The sink may not grow beyond this.
    let octetLimit: Int
    /// Thrown when it would.
    let overflow: RenderError
    var repetitionsLeft: Int
    /// Whether the names of variables without value and fallback are kept in ``missing``.
    var collectsMissing = false
    /// Indexes into the program's names, each once, in the order of their first use.
    private(set) var missing: [Int] = []

    /// The values of the sections around the current instruction, innermost last.
    private var contexts: [MergeValue] = []

    init(
        _ program: TemplateProgram, roots: [MergeValue?], missingVariables: MissingVariablePolicy,
        octetLimit: Int, overflow: RenderError, repetitionLimit: Int
    ) {
        self.program = program
        self.roots = roots
        self.missingVariables = missingVariables
        self.octetLimit = octetLimit
        self.overflow = overflow
        repetitionsLeft = repetitionLimit
    }

    mutating func run(into sink: inout some TemplateSink) throws(RenderError) {
        try run(program.instructions.indices, into: &sink)
        guard sink.count <= octetLimit else { throw overflow }
    }

    private mutating func run(_ range: Range<Int>, into sink: inout some TemplateSink) throws(RenderError) {
        var index = range.lowerBound
        while index < range.upperBound {
            switch program.instructions[index] {
            case .literal(let literal):
                sink.literal(literal)
                index += 1
            case .variable(let variable):
                try write(program.variables[variable], into: &sink)
                index += 1
            case .section(let name, let inverted, let end):
                try runSection(name, inverted: inverted, body: index + 1..<end, into: &sink)
                index = end
            }
        }
    }

    private mutating func write(_ variable: TemplateProgram.Variable, into sink: inout some TemplateSink)
        throws(RenderError)
    {
        switch value(variable.name) {
        case .text(let text) where !text.isEmpty || variable.fallback < 0,
            .falseText(let text) where !text.isEmpty || variable.fallback < 0:
            sink.value(text, escaping: variable.escaping)
        case .flag(let flag):
            sink.value(flag ? "true" : "false", escaping: .none)
        default:
            if variable.fallback >= 0 {
                sink.literal(variable.fallback)
            } else if missingVariables != .empty {
                throw .missingVariable(program.names[variable.name].text)
            } else if collectsMissing, !missing.contains(variable.name) {
                missing.append(variable.name)
            }
        }
        guard sink.count <= octetLimit else { throw overflow }
    }

    private mutating func runSection(
        _ name: Int, inverted: Bool, body: Range<Int>, into sink: inout some TemplateSink
    ) throws(RenderError) {
        let value = value(name) ?? .null
        guard !inverted else {
            if value.isFalse { try repeatBody(body, into: &sink) }
            return
        }
        guard !value.isFalse else { return }
        guard case .list(let items) = value else {
            try repeatBody(body, with: value, into: &sink)
            return
        }
        for item in items { try repeatBody(body, with: item, into: &sink) }
    }

    private mutating func repeatBody(
        _ body: Range<Int>, with context: MergeValue? = nil, into sink: inout some TemplateSink
    ) throws(RenderError) {
        guard repetitionsLeft > 0 else { throw .tooManyRepetitions }
        repetitionsLeft -= 1
        if let context { contexts.append(context) }
        try run(body, into: &sink)
        if context != nil { contexts.removeLast() }
        guard sink.count <= octetLimit else { throw overflow }
    }

    private func value(_ name: Int) -> MergeValue? {
        // Nearly always: a plain name outside any section.
        let slot = program.names[name].slot
        if contexts.isEmpty, slot >= 0, program.names[name].wholeSlot < 0 { return roots[slot] }
        let name = program.names[name]
        if name.isItem { return contexts.last }
        for context in contexts.reversed() {
            if case .object(let variables) = context, let value = variables[name.first] {
                return descend(from: value, name.rest)
            }
        }
        if let value = roots[slot], let found = descend(from: value, name.rest) { return found }
        return name.wholeSlot >= 0 ? roots[name.wholeSlot] : nil
    }

    private func descend(from value: MergeValue, _ parts: [String]) -> MergeValue? {
        var value = value
        for part in parts {
            guard case .object(let variables) = value, let next = variables[part] else { return nil }
            value = next
        }
        return value
    }
}

extension MergeValue {
    /// What a section skips and an inverted section shows: null, false, no items, empty text, and text of a table that
    /// says no. A CSV column always has a value, so empty text has to mean "none" for sections to be of use.
    fileprivate var isFalse: Bool {
        switch self {
        case .null, .flag(false), .falseText: true
        case .text(let text): text.isEmpty
        case .list(let items): items.isEmpty
        case .flag(true), .object: false
        }
    }
}

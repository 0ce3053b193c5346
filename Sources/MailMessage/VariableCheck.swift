/// Tells before anything is sent which variables of a message a recipient has no value for.
///
/// It runs the compiled templates as a rendering would, sections and fallbacks included, and writes nothing. So it names
/// just those variables that would fail the recipient under `MissingVariablePolicy.refuse` and `.invalid`.
package struct VariableCheck: Sendable {
    private let message: CompiledMessage
    private let programs: [TemplateProgram]
    /// Slots of the variables that can be lacking; nil where one of them is an item or a field of an object.
    private let slots: [Int]?
    private var scratch = RenderScratch()

    /// Nil where no tag can lack a value, so that there is nothing to check.
    package init?(_ message: CompiledMessage) {
        programs = message.programs.filter { $0.variables.contains { $0.fallback < 0 } }
        guard !programs.isEmpty else { return nil }
        self.message = message
        slots = Self.slots(programs)
    }

    /// - Returns: names as written in the template, each once, in the order of their first use.
    package mutating func missing(for recipient: MergeRecipient) -> [String] {
        message.resolve(recipient, into: &scratch)
        defer { scratch.clear() }
        if hasAll(recipient) { return [] }
        var names: [String] = []
        for program in programs {
            var interpreter = TemplateInterpreter(
                program, roots: scratch.roots, missingVariables: .empty, octetLimit: .max, overflow: .tooLarge,
                repetitionLimit: MessageLimits.standard.repetitionCount)
            interpreter.collectsMissing = true
            var sink = EmptySink()
            // One that repeats without end fails when it is rendered; what it lacked until then is told.
            try? interpreter.run(into: &sink)
            for name in interpreter.missing.map({ program.names[$0].text }) where !names.contains(name) {
                names.append(name)
            }
        }
        return names
    }

    private static func slots(_ programs: [TemplateProgram]) -> [Int]? {
        var slots: Set<Int> = []
        for program in programs {
            for variable in program.variables where variable.fallback < 0 {
                let name = program.names[variable.name]
                guard !name.isItem, name.rest.isEmpty, name.wholeSlot < 0 else { return nil }
                slots.insert(name.slot)
            }
        }
        return slots.sorted()
    }

    /// Whether nothing can be lacking, told without a run: what most recipients are. Each value is there and is text, and
    /// there is no object or list whose fields come first inside a section.
    private func hasAll(_ recipient: MergeRecipient) -> Bool {
        guard let slots, slots.allSatisfy({ scratch.roots[$0]?.isShown == true }) else { return false }
        return recipient.variables.fields.allSatisfy { field in
            switch field.value {
            case .object, .list: false
            case .text, .falseText, .flag, .null: true
            }
        }
    }

    private struct EmptySink: TemplateSink {
        let count = 0

        func literal(_ index: Int) {}
        func value(_ text: String, escaping: ValueEscaping) {}
    }
}

extension MergeValue {
    /// Whether a tag shows it.
    fileprivate var isShown: Bool {
        switch self {
        case .text, .falseText, .flag: true
        case .null, .list, .object: false
        }
    }
}

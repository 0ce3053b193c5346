/// Tells before anything is sent which variables of a message a recipient has no value for.
///
/// It runs the compiled templates as a rendering would, sections and fallbacks included, and writes nothing. So it names
/// just those variables that would fail the recipient under `MissingVariablePolicy.refuse` and `.invalid`.
package struct VariableCheck: Sendable {
    private let message: CompiledMessage
    private let programs: [TemplateProgram]
    private var scratch = RenderScratch()

    /// Nil where no tag can lack a value, so that there is nothing to check.
    package init?(_ message: CompiledMessage) {
        programs = message.programs.filter { $0.variables.contains { $0.fallback < 0 } }
        guard !programs.isEmpty else { return nil }
        self.message = message
    }

    /// - Returns: names as written in the template, each once, in the order of their first use.
    package mutating func missing(for recipient: MergeRecipient) -> [String] {
        message.resolve(recipient, into: &scratch)
        defer { scratch.clear() }
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

    private struct EmptySink: TemplateSink {
        let count = 0

        func literal(_ index: Int) {}
        func value(_ text: String, escaping: ValueEscaping) {}
    }
}

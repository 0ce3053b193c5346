/// A header field whose value is a template: Subject and the custom ones. Folded and encoded once per campaign if it
/// has no tags, else for each recipient.
struct HeaderTemplate: Sendable {
    private enum Value: Sendable {
        /// The whole field.
        case fixed([UInt8])
        case merged(TemplateProgram, PlainSink.Literals)
    }

    private let name: String
    private let longWords: HeaderText.LongWords
    private let octetLimit: Int
    private let value: Value
    /// Whether no recipient sees anything but white space.
    let isBlank: Bool

    /// Nil where it has no tags.
    var program: TemplateProgram? {
        guard case .merged(let program, _) = value else { return nil }
        return program
    }

    /// - Throws: `headerInjection`, `headerTooLong`, and what `TemplateCompiler` throws.
    init(
        name: String, template: String, longWords: HeaderText.LongWords, octetLimit: Int,
        roots: inout TemplateRoots, limits: MessageLimits
    ) throws(MessageError) {
        guard !template.withBytes(HeaderText.containsControl) else {
            throw MessageError(.headerInjection, "\(name) holds a control character")
        }
        guard template.utf8.count <= octetLimit else {
            throw MessageError(.headerTooLong, "\(name) has more than \(octetLimit) octets")
        }
        self.name = name
        self.longWords = longWords
        self.octetLimit = octetLimit
        let program = try TemplateCompiler.compile(template, as: .header(name), roots: &roots, limits: limits)
        isBlank = program.isBlank
        if let text = program.fixedText {
            var field: [UInt8] = []
            text.withUnsafeBufferPointer { Self.append(name, $0, longWords, to: &field) }
            value = .fixed(field)
        } else {
            value = .merged(program, PlainSink.Literals(program.literals))
        }
    }

    /// - Throws: also `fieldTooLong`.
    func render(
        into message: inout RenderedMessage, missingVariables: MissingVariablePolicy, limits: MessageLimits
    ) throws(RenderError) {
        switch value {
        case .fixed(let field):
            message.bytes.append(contentsOf: field)
        case .merged(let program, let literals):
            var interpreter = TemplateInterpreter(
                program, roots: message.scratch.roots, missingVariables: missingVariables, octetLimit: octetLimit,
                overflow: .fieldTooLong(field: name), repetitionLimit: limits.repetitionCount)
            var sink = PlainSink(literals, whiteSpace: .header, after: message.takeText())
            defer { message.scratch.text = sink.output }
            try interpreter.run(into: &sink)
            sink.output.withUnsafeBufferPointer { Self.append(name, $0, longWords, to: &message.bytes) }
        }
    }

    private static func append(
        _ name: String, _ text: UnsafeBufferPointer<UInt8>, _ longWords: HeaderText.LongWords,
        to output: inout [UInt8]
    ) {
        output.append(contentsOf: name.utf8)
        output.append(UInt8(ascii: ":"))
        var column = name.utf8.count + 1
        HeaderText.appendUnstructured(text, longWords: longWords, to: &output, column: &column)
        output.append(UInt8(ascii: "\r"))
        output.append(UInt8(ascii: "\n"))
    }
}

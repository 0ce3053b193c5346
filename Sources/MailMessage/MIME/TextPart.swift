/// The html or the text of a message: a compiled template whose literals are encoded already.
struct TextPart: Sendable {
    private enum Encoding: Sendable {
        case quotedPrintable(QuotedPrintableSink.Literals)
        /// Values are merged first and the whole is encoded then: base64 of a piece depends on what stands before it.
        case base64(PlainSink.Literals)
    }

    let program: TemplateProgram
    private let encoding: Encoding

    /// Quoted-printable, which stays readable, which filters like better and of which nearly all is done ahead; base64
    /// only if more than half of the literals' octets are not ASCII, where quoted-printable would be half as long again.
    init(_ program: TemplateProgram) {
        self.program = program
        var octets = 0
        var nonASCII = 0
        for literal in program.literals {
            octets += literal.count
            nonASCII += literal.count { $0 >= 0x80 }
        }
        encoding =
            nonASCII * 2 > octets
            ? .base64(PlainSink.Literals(program.literals))
            : .quotedPrintable(QuotedPrintableSink.Literals(program.literals))
    }

    var encodingName: String {
        switch encoding {
        case .quotedPrintable: "quoted-printable"
        case .base64: "base64"
        }
    }

    /// What a rendering without sections and values has, for limits and for reserving memory.
    var expectedOctets: Int {
        switch encoding {
        case .quotedPrintable(let literals): literals.octets
        case .base64(let literals): Base64.lineOctets(for: literals.octets)
        }
    }

    /// Appends the part's body to `message.bytes`.
    func render(
        into message: inout RenderedMessage, missingVariables: MissingVariablePolicy, limits: MessageLimits
    ) throws(RenderError) {
        var interpreter = TemplateInterpreter(
            program, roots: message.scratch.roots, missingVariables: missingVariables,
            octetLimit: limits.messageOctets, overflow: .tooLarge, repetitionLimit: limits.repetitionCount)
        switch encoding {
        case .quotedPrintable(let literals):
            var sink = QuotedPrintableSink(literals, after: message.takeBytes())
            defer { message.bytes = sink.output }
            try interpreter.run(into: &sink)
            sink.finish()
        case .base64(let literals):
            var sink = PlainSink(literals, whiteSpace: .body, after: message.takeText())
            defer { message.scratch.text = sink.output }
            try interpreter.run(into: &sink)
            sink.finish()
            sink.output.withUnsafeBufferPointer { Base64.appendLines($0, to: &message.bytes) }
        }
    }
}

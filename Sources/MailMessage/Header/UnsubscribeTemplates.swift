/// The customer's own URIs in List-Unsubscribe: templates, each judged as a URI once it is merged. One that is empty for
/// a recipient is left out there.
struct UnsubscribeTemplates: Sendable {
    private static let field = "List-Unsubscribe"

    private enum Value: Sendable {
        case fixed([UInt8])
        case merged(TemplateProgram, PlainSink.Literals)
    }

    private let values: [Value]

    /// Those with tags.
    var programs: [TemplateProgram] {
        values.compactMap { value in
            guard case .merged(let program, _) = value else { return nil }
            return program
        }
    }

    /// - Throws: `invalidUnsubscribe`, `headerInjection`, and what `TemplateCompiler` throws.
    init(_ templates: [String], roots: inout TemplateRoots, limits: MessageLimits) throws(MessageError) {
        guard templates.count <= limits.unsubscribeCount else {
            throw MessageError(
                .invalidUnsubscribe, "more than \(limits.unsubscribeCount) URIs for unsubscribing",
                field: "list_unsubscribe")
        }
        var values: [Value] = []
        for (index, template) in templates.enumerated() {
            let value = try MessageError.locating("list_unsubscribe.\(index)") { () throws(MessageError) in
                try Self.value(template, roots: &roots, limits: limits)
            }
            values.append(value)
        }
        self.values = values
    }

    private static func value(
        _ template: String, roots: inout TemplateRoots, limits: MessageLimits
    ) throws(MessageError) -> Value {
        guard !template.withBytes(HeaderText.containsControl) else {
            throw MessageError(.headerInjection, "\(field) holds a control character")
        }
        guard template.utf8.count <= limits.headerValueOctets else {
            throw MessageError(.headerTooLong, "\(field) has more than \(limits.headerValueOctets) octets")
        }
        let program = try TemplateCompiler.compile(template, as: .uri(field), roots: &roots, limits: limits)
        let fault = program.fixedText.map(UnsubscribeURI.fault) ?? Self.fault(ofStart: program)
        if let fault { throw MessageError(.invalidUnsubscribe, "\(field): \(fault)") }
        if let text = program.fixedText { return .fixed(text) }
        return .merged(program, PlainSink.Literals(program.literals))
    }

    /// A template with tags is a URI only with its values. That it begins as none can be told before.
    private static func fault(ofStart program: TemplateProgram) -> String? {
        guard case .literal(let index)? = program.instructions.first else { return nil }
        let start = program.literals[index]
        guard start.count >= 8 || start.contains(UInt8(ascii: ":")) else { return nil }
        return UnsubscribeURI.Scheme(start) == nil ? "a URI begins with https:// or mailto:" : nil
    }

    /// Writes `separator`, then the URI between brackets, for each; from the second on ``EnvelopeHeader/nextURI`` is the
    /// separator.
    ///
    /// - Throws: `invalidField` where the values make no URI.
    func render(
        into message: inout RenderedMessage, separator: inout StaticString,
        missingVariables: MissingVariablePolicy, limits: MessageLimits
    ) throws(RenderError) {
        for value in values {
            switch value {
            case .fixed(let uri):
                Self.append(uri[...], to: &message.bytes, separator: &separator)
            case .merged(let program, let literals):
                var interpreter = TemplateInterpreter(
                    program, roots: message.scratch.roots, missingVariables: missingVariables,
                    octetLimit: limits.headerValueOctets, overflow: .fieldTooLong(field: Self.field),
                    repetitionLimit: limits.repetitionCount)
                var sink = PlainSink(literals, whiteSpace: .header, after: message.takeText())
                defer { message.scratch.text = sink.output }
                try interpreter.run(into: &sink)
                let uri = Self.trimmed(sink.output)
                guard !uri.isEmpty else { continue }
                guard UnsubscribeURI.fault(uri) == nil else { throw .invalidField(field: Self.field) }
                Self.append(uri, to: &message.bytes, separator: &separator)
            }
        }
    }

    private static func append(_ uri: ArraySlice<UInt8>, to output: inout [UInt8], separator: inout StaticString) {
        EnvelopeHeader.append(separator, to: &output)
        output.append(contentsOf: uri)
        output.append(UInt8(ascii: ">"))
        separator = EnvelopeHeader.nextURI
    }

    private static func trimmed(_ bytes: [UInt8]) -> ArraySlice<UInt8> {
        var slice = bytes[...]
        while slice.first == 0x20 { slice.removeFirst() }
        while slice.last == 0x20 { slice.removeLast() }
        return slice
    }
}

/// The customer's own URIs in List-Unsubscribe: templates, each judged as a URI once it is merged. One that is empty for
/// a recipient is left out there.
struct UnsubscribeTemplates: Sendable {
    private static let field = "List-Unsubscribe"

    private enum Value: Sendable {
        case fixed([UInt8])
        case merged(TemplateProgram, PlainSink.Literals)
    }

    /// What of the field has been written.
    struct Written {
        /// What stands before the next URI, from the second on ``EnvelopeHeader/nextURI``.
        var separator: StaticString
        /// Number of https URIs.
        var urls = 0
        /// Where the last of them lies in the message.
        var url: Range<Int>?
    }

    let policy: UnsubscribePolicy
    /// Whether each mail has an https URI of theirs, whatever the values are.
    let surelyHaveURL: Bool
    private let values: [Value]

    /// Those with tags.
    var programs: [TemplateProgram] {
        values.compactMap { value in
            guard case .merged(let program, _) = value else { return nil }
            return program
        }
    }

    /// - Throws: `invalidUnsubscribe`, `headerInjection`, and what `TemplateCompiler` throws.
    ///
    /// - Parameter roots: still without the names of other templates.
    init(
        _ templates: [String], _ policy: UnsubscribePolicy, roots: inout TemplateRoots, limits: MessageLimits
    ) throws(MessageError) {
        guard templates.count <= limits.unsubscribeCount else {
            throw Self.refusal("more than \(limits.unsubscribeCount) URIs for unsubscribing")
        }
        var values: [Value] = []
        for (index, template) in templates.enumerated() {
            let value = try MessageError.locating("list_unsubscribe.\(index)") { () throws(MessageError) in
                try Self.value(template, roots: &roots, limits: limits)
            }
            values.append(value)
        }
        self.values = values
        self.policy = policy
        let urls = values.count(where: Self.beginsWithHTTPS)
        surelyHaveURL = urls > 0
        if policy == .own { try Self.checkAlone(values, urls: urls, roots) }
    }

    private static func checkAlone(_ values: [Value], urls: Int, _ roots: TemplateRoots) throws(MessageError) {
        guard !values.isEmpty else {
            throw refusal("where recipients unsubscribe with you, list_unsubscribe says how")
        }
        guard urls <= 1 else { throw refusal("one https URI takes the one click, not \(urls)") }
        guard !roots.haveUnsubscribeURL else {
            throw refusal("{{unsubscribe_url}} is the URI that list_unsubscribe makes: it cannot stand in it")
        }
    }

    private static func refusal(_ detail: String) -> MessageError {
        MessageError(.invalidUnsubscribe, detail, field: "list_unsubscribe")
    }

    private static func beginsWithHTTPS(_ value: Value) -> Bool {
        switch value {
        case .fixed(let uri): return UnsubscribeURI.Scheme(uri) == .https
        case .merged(let program, _):
            guard case .literal(let index)? = program.instructions.first else { return false }
            return UnsubscribeURI.Scheme(program.literals[index]) == .https
        }
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

    /// Writes the separator, then the URI between brackets, for each.
    ///
    /// - Throws: `invalidField` where the values make no URI.
    func render(
        into message: inout RenderedMessage, _ written: inout Written,
        missingVariables: MissingVariablePolicy, limits: MessageLimits
    ) throws(RenderError) {
        for value in values {
            switch value {
            case .fixed(let uri):
                Self.append(uri[...], to: &message.bytes, &written)
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
                Self.append(uri, to: &message.bytes, &written)
            }
        }
    }

    private static func append(_ uri: ArraySlice<UInt8>, to output: inout [UInt8], _ written: inout Written) {
        EnvelopeHeader.append(written.separator, to: &output)
        let start = output.count
        output.append(contentsOf: uri)
        if UnsubscribeURI.Scheme(uri) == .https {
            written.urls += 1
            written.url = start..<output.count
        }
        output.append(UInt8(ascii: ">"))
        written.separator = EnvelopeHeader.nextURI
    }

    private static func trimmed(_ bytes: [UInt8]) -> ArraySlice<UInt8> {
        var slice = bytes[...]
        while slice.first == 0x20 { slice.removeFirst() }
        while slice.last == 0x20 { slice.removeLast() }
        return slice
    }
}

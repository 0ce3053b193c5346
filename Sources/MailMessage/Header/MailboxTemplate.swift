import MailTypes

/// From or Reply-To: mailboxes whose display names may hold tags. Made once per campaign if none does.
struct MailboxTemplate: Sendable {
    private struct Part: Sendable {
        var program: TemplateProgram
        var literals: PlainSink.Literals
        var address: EmailAddress
    }

    private enum Value: Sendable {
        /// The whole field; empty for no mailboxes.
        case fixed([UInt8])
        case merged([Part])
    }

    private let name: String
    private let value: Value

    /// Those of the display names with tags.
    var programs: [TemplateProgram] {
        guard case .merged(let parts) = value else { return [] }
        return parts.map(\.program)
    }

    /// Octets of the field where they are the same for all, for reserving memory.
    var expectedOctets: Int {
        switch value {
        case .fixed(let field): field.count
        case .merged(let parts): parts.count * MailLimits.lineOctets
        }
    }

    /// - Throws: `invalidTag` for a tag in an address, and what `TemplateCompiler` throws.
    init(
        name: String, _ mailboxes: [Mailbox], roots: inout TemplateRoots, limits: MessageLimits
    ) throws(MessageError) {
        self.name = name
        var parts: [Part] = []
        for mailbox in mailboxes {
            guard !mailbox.address.text.contains("{{") else {
                throw MessageError(.invalidTag, "\(name): tags work in the display name, not in the address")
            }
            let program = try TemplateCompiler.compile(
                mailbox.name ?? "", as: .header(name), roots: &roots, limits: limits)
            parts.append(
                Part(program: program, literals: PlainSink.Literals(program.literals), address: mailbox.address))
        }
        value = parts.allSatisfy { $0.program.fixedText != nil } ? .fixed(Self.field(name, parts)) : .merged(parts)
    }

    func render(
        into message: inout RenderedMessage, missingVariables: MissingVariablePolicy, limits: MessageLimits
    ) throws(RenderError) {
        let parts: [Part]
        switch value {
        case .fixed(let field):
            message.bytes.append(contentsOf: field)
            return
        case .merged(let merged): parts = merged
        }
        var column = Self.start(name, &message.bytes)
        for (index, part) in parts.enumerated() {
            var interpreter = TemplateInterpreter(
                part.program, roots: message.scratch.roots, missingVariables: missingVariables,
                octetLimit: MessageLimits.mergedDisplayNameOctets, overflow: .fieldTooLong(field: name),
                repetitionLimit: limits.repetitionCount)
            var sink = PlainSink(part.literals, whiteSpace: .header, after: message.takeText())
            defer { message.scratch.text = sink.output }
            try interpreter.run(into: &sink)
            sink.output.withUnsafeBufferPointer {
                Self.append($0, part.address, isFirst: index == 0, to: &message.bytes, column: &column)
            }
        }
        message.bytes.append(contentsOf: "\r\n".utf8)
    }

    private static func field(_ name: String, _ parts: [Part]) -> [UInt8] {
        guard !parts.isEmpty else { return [] }
        var field: [UInt8] = []
        var column = start(name, &field)
        for (index, part) in parts.enumerated() {
            (part.program.fixedText ?? []).withUnsafeBufferPointer {
                append($0, part.address, isFirst: index == 0, to: &field, column: &column)
            }
        }
        return field + Array("\r\n".utf8)
    }

    /// - Returns: the column behind the field's name.
    private static func start(_ name: String, _ output: inout [UInt8]) -> Int {
        output.append(contentsOf: name.utf8)
        output.append(UInt8(ascii: ":"))
        return name.utf8.count + 1
    }

    private static func append(
        _ displayName: UnsafeBufferPointer<UInt8>, _ address: EmailAddress, isFirst: Bool, to output: inout [UInt8],
        column: inout Int
    ) {
        if !isFirst {
            output.append(contentsOf: ",\r\n".utf8)
            column = 0
        }
        HeaderText.appendMailbox(name: displayName, address: address, to: &output, column: &column)
    }
}

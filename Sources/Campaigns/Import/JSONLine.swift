import MailMessage
import MailTypes

/// Reads one line of an NDJSON upload: an object with `email`, and `name` and `vars` if it likes, and nothing else.
struct JSONLine {
    private var scanner = JSONScanner()

    /// Nil where the line holds nothing but space.
    ///
    /// - Parameter number: the line's number, kept in the result.
    static func parse(_ line: Span<UInt8>, number: Int) throws(LineError) -> ParsedRecipient? {
        var parser = JSONLine()
        return try parser.recipient(line, number)
    }

    private mutating func recipient(_ line: Span<UInt8>, _ number: Int) throws(LineError) -> ParsedRecipient? {
        guard let first = scanner.peek(line) else { return nil }
        guard first == UInt8(ascii: "{") else { throw .jsonNotAnObject }
        try scanner.expect(line, UInt8(ascii: "{"))
        var address: EmailAddress?
        var name: String?
        var variables: MergeVariables?
        var hasName = false
        var hasVariables = false
        if !scanner.take(line, UInt8(ascii: "}")) {
            repeat {
                switch try key(line) {
                case .email:
                    guard address == nil else { throw .jsonDuplicateKey }
                    address = try email(line)
                case .name:
                    guard !hasName else { throw .jsonDuplicateKey }
                    hasName = true
                    name = try self.name(line)
                case .variables:
                    guard !hasVariables else { throw .jsonDuplicateKey }
                    hasVariables = true
                    variables = try self.variables(line)
                }
            } while scanner.take(line, UInt8(ascii: ","))
            try scanner.expect(line, UInt8(ascii: "}"))
        }
        try scanner.expectEnd(line)
        guard let address else { throw .emailMissing }
        return ParsedRecipient(
            line: number, address: address, name: name, variables: variables ?? MergeVariables())
    }

    private enum Key {
        case email
        case name
        case variables
    }

    private mutating func key(_ line: Span<UInt8>) throws(LineError) -> Key {
        let text = try text(line, LineText.string)
        try scanner.expect(line, UInt8(ascii: ":"))
        switch text {
        case "email": return .email
        case "name": return .name
        case "vars": return .variables
        default: throw .jsonUnknownKey
        }
    }

    private mutating func email(_ line: Span<UInt8>) throws(LineError) -> EmailAddress {
        guard scanner.peek(line) == UInt8(ascii: "\"") else { throw .jsonWrongType(key: "email") }
        return try text(line, LineText.address)
    }

    private mutating func name(_ line: Span<UInt8>) throws(LineError) -> String? {
        switch scanner.peek(line) {
        case UInt8(ascii: "\""):
            return try text(line, LineText.name)
        case UInt8(ascii: "n"):
            try scanner.expectWord(line, "null")
            return nil
        default:
            throw .jsonWrongType(key: "name")
        }
    }

    private mutating func variables(_ line: Span<UInt8>) throws(LineError) -> MergeVariables? {
        switch scanner.peek(line) {
        case UInt8(ascii: "{"):
            return try object(line, depth: 2)
        case UInt8(ascii: "n"):
            try scanner.expectWord(line, "null")
            return nil
        default:
            throw .jsonWrongType(key: "vars")
        }
    }

    private mutating func object(_ line: Span<UInt8>, depth: Int) throws(LineError) -> MergeVariables {
        guard depth <= ImportLimits.nestingDepth else { throw .jsonTooDeep }
        try scanner.expect(line, UInt8(ascii: "{"))
        var fields: [MergeVariables.Field] = []
        if scanner.take(line, UInt8(ascii: "}")) { return MergeVariables(fields) }
        repeat {
            let key = try text(line, LineText.variableName)
            try scanner.expect(line, UInt8(ascii: ":"))
            guard !fields.contains(where: { $0.key == key }) else { throw .jsonDuplicateKey }
            guard fields.count < ImportLimits.variables else { throw .tooManyVariables }
            fields.append(MergeVariables.Field(key: key, value: try value(line, depth: depth)))
        } while scanner.take(line, UInt8(ascii: ","))
        try scanner.expect(line, UInt8(ascii: "}"))
        return MergeVariables(fields)
    }

    private mutating func list(_ line: Span<UInt8>, depth: Int) throws(LineError) -> [MergeValue] {
        guard depth <= ImportLimits.nestingDepth else { throw .jsonTooDeep }
        try scanner.expect(line, UInt8(ascii: "["))
        var values: [MergeValue] = []
        if scanner.take(line, UInt8(ascii: "]")) { return values }
        repeat {
            values.append(try value(line, depth: depth))
        } while scanner.take(line, UInt8(ascii: ","))
        try scanner.expect(line, UInt8(ascii: "]"))
        return values
    }

    /// - Parameter depth: how deep the value's container is.
    private mutating func value(_ line: Span<UInt8>, depth: Int) throws(LineError) -> MergeValue {
        switch scanner.peek(line) {
        case UInt8(ascii: "\""):
            return .text(try text(line, LineText.variable))
        case UInt8(ascii: "{"):
            return .object(try object(line, depth: depth + 1))
        case UInt8(ascii: "["):
            return .list(try list(line, depth: depth + 1))
        case UInt8(ascii: "t"):
            try scanner.expectWord(line, "true")
            return .flag(true)
        case UInt8(ascii: "f"):
            try scanner.expectWord(line, "false")
            return .flag(false)
        case UInt8(ascii: "n"):
            try scanner.expectWord(line, "null")
            return .null
        case UInt8(ascii: "-")?, (0x30...0x39)?:
            // As written: 1.50 stays 1.50, and no number is too large.
            return .text(try LineText.string(line.extracting(try scanner.number(line))))
        default:
            throw scanner.malformed
        }
    }

    /// Takes a string literal and makes a value from its octets.
    private mutating func text<Value>(
        _ line: Span<UInt8>, _ make: (Span<UInt8>) throws(LineError) -> Value
    ) throws(LineError) -> Value {
        let literal = try scanner.literal(line)
        guard literal.hasEscapes else { return try make(line.extracting(literal.range)) }
        let octets = try scanner.unescaped(line, literal)
        return try make(octets.span)
    }
}

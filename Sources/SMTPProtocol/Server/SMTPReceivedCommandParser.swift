/// Reads command lines (RFC 5321 §4.1.1). Verbs and keywords in any case; nothing is guessed.
enum SMTPReceivedCommandParser {
    /// - Parameter line: without its CRLF.
    static func parse(_ line: [UInt8]) throws(SMTPReceivedCommandFault) -> SMTPReceivedCommand {
        guard !line.contains(where: SMTPReply.isControl) else { throw .controlCharacter }
        let verbEnd = line.firstIndex(of: UInt8(ascii: " ")) ?? line.endIndex
        let argument = trimmed(line[verbEnd...])
        switch verb(line[..<verbEnd]) {
        case "EHLO": return .hello(SMTPHello(name: try name(argument, .ehlo), isExtended: true))
        case "HELO": return .hello(SMTPHello(name: try name(argument, .helo), isExtended: false))
        case "MAIL": return .mail(try mail(argument))
        case "RCPT": return .recipient(try recipient(argument))
        case "DATA": return try alone(.data, argument, .data)
        case "RSET": return try alone(.reset, argument, .reset)
        case "QUIT": return try alone(.quit, argument, .quit)
        case "STARTTLS": return try alone(.startTLS, argument, .startTLS)
        case "NOOP": return .noop
        case "VRFY": return .verify
        case "HELP": return .help
        case "EXPN", "TURN", "ETRN", "SEND", "SOML", "SAML", "AUTH", "BDAT", "BURL": throw .notImplemented
        case "GET", "POST", "PUT", "HEAD", "DELETE", "CONNECT", "OPTIONS", "PATCH", "TRACE": throw .foreignProtocol
        default: throw .unrecognised
        }
    }

    /// Upper-cased, or empty where it is longer than any verb or keyword. Written straight into a small string, since
    /// every command passes here.
    private static func verb(_ bytes: ArraySlice<UInt8>) -> String {
        guard bytes.count <= 10 else { return "" }
        return String(unsafeUninitializedCapacity: 10) { text in
            for (offset, byte) in bytes.enumerated() {
                text[offset] = (0x61...0x7A).contains(byte) ? byte & 0xDF : byte
            }
            return bytes.count
        }
    }

    private static func trimmed(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        var rest = bytes
        while rest.first == UInt8(ascii: " ") { rest = rest.dropFirst() }
        while rest.last == UInt8(ascii: " ") { rest = rest.dropLast() }
        return rest
    }

    private static func alone(
        _ command: SMTPReceivedCommand, _ argument: ArraySlice<UInt8>, _ usage: SMTPReceivedCommandFault.StaticUsage
    ) throws(SMTPReceivedCommandFault) -> SMTPReceivedCommand {
        guard argument.isEmpty else { throw .syntax(usage) }
        return command
    }

    private static func name(
        _ argument: ArraySlice<UInt8>, _ usage: SMTPReceivedCommandFault.StaticUsage
    ) throws(SMTPReceivedCommandFault) -> String {
        guard !argument.isEmpty, argument.count <= 255, !argument.contains(UInt8(ascii: " ")),
            let name = String(validating: argument, as: UTF8.self)
        else { throw .syntax(usage) }
        return name
    }

    private static func mail(_ argument: ArraySlice<UInt8>) throws(SMTPReceivedCommandFault) -> SMTPReceivedMail {
        guard let rest = after("FROM:", argument) else { throw .syntax(.mail) }
        guard let (path, end) = SMTPPath.parse(rest) else { throw .badSender }
        var command = SMTPReceivedMail(reversePath: path)
        let parameters = rest[end...]
        guard parameters.isEmpty || parameters.first == UInt8(ascii: " ") else { throw .badSender }
        for parameter in parameters.split(separator: UInt8(ascii: " ")) {
            try read(parameter, into: &command)
        }
        guard command.smtpUTF8 || !path.needsSMTPUTF8 else { throw .needsSMTPUTF8 }
        return command
    }

    private static func read(_ parameter: ArraySlice<UInt8>, into command: inout SMTPReceivedMail)
        throws(SMTPReceivedCommandFault)
    {
        let equals = parameter.firstIndex(of: UInt8(ascii: "="))
        let value = equals.map { parameter[($0 + 1)...] }
        switch (verb(parameter[..<(equals ?? parameter.endIndex)]), value) {
        case ("SIZE", let digits?):
            guard (1...20).contains(digits.count), digits.allSatisfy({ (0x30...0x39).contains($0) }) else {
                throw .syntax(.mail)
            }
            // Twenty digits may pass Int.max: such a message is too large all the same.
            command.size = digits.reduce(0) { sum, digit in
                let (tens, overflow) = sum.multipliedReportingOverflow(by: 10)
                let (next, carry) = tens.addingReportingOverflow(Int(digit - 0x30))
                return overflow || carry || sum == .max ? .max : next
            }
        case ("BODY", let text?):
            guard let body = SMTPReceivedMail.Body(rawValue: verb(text)) else { throw .syntax(.mail) }
            command.body = body
        case ("SMTPUTF8", nil):
            command.smtpUTF8 = true
        case ("REQUIRETLS", nil):
            command.requiresTLS = true
        default:
            throw .unsupportedParameter
        }
    }

    private static func recipient(_ argument: ArraySlice<UInt8>) throws(SMTPReceivedCommandFault) -> SMTPPath {
        guard let rest = after("TO:", argument) else { throw .syntax(.rcpt) }
        guard let (path, end) = SMTPPath.parse(rest), !path.isNull else { throw .badRecipient }
        guard end == rest.endIndex else {
            throw rest[end] == UInt8(ascii: " ") ? .unsupportedParameter : .badRecipient
        }
        return path
    }

    /// What follows `keyword`, in any case, at the start of `argument`. Blanks behind the colon are not in the
    /// grammar, but widely sent.
    private static func after(_ keyword: StaticString, _ argument: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        let length = keyword.utf8CodeUnitCount
        guard argument.count >= length else { return nil }
        for offset in 0..<length {
            let byte = argument[argument.startIndex + offset]
            let upper = (0x61...0x7A).contains(byte) ? byte & 0xDF : byte
            guard upper == keyword.utf8Start[offset] else { return nil }
        }
        return trimmed(argument[(argument.startIndex + length)...])
    }
}

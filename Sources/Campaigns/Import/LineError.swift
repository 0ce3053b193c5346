package import MailTypes

/// What is wrong with one line of an upload. Neither code nor reason quotes the line, which may hold personal data.
package enum LineError: Error, Sendable, Hashable {
    case tooLong
    case notUTF8
    case emailMissing
    case address(AddressError)
    case nameControlCharacter
    case nameTooLong
    case variableControlCharacter
    case tooManyVariables
    case badVariableName

    /// Not JSON (RFC 8259) from the given octet of the line on, counted from 1.
    case jsonMalformed(octet: Int)
    case jsonNotAnObject
    case jsonUnknownKey
    case jsonDuplicateKey
    case jsonTooDeep
    /// A value of another type than its key asks for.
    case jsonWrongType(key: String)

    /// A quote inside an unquoted field, or text after a closing quote (RFC 4180 §2).
    case csvMalformed
    /// Another number of fields than the header.
    case csvRaggedRow(fields: Int, columns: Int)

    /// A stable name for programs.
    package var code: String {
        switch self {
        case .tooLong: "line_too_long"
        case .notUTF8: "invalid_utf8"
        case .emailMissing: "email_missing"
        case .address(let error): error.code
        case .nameControlCharacter: "name_control_character"
        case .nameTooLong: "name_too_long"
        case .variableControlCharacter: "variable_control_character"
        case .tooManyVariables: "too_many_variables"
        case .badVariableName: "variable_name_invalid"
        case .jsonMalformed: "json_malformed"
        case .jsonNotAnObject: "json_not_an_object"
        case .jsonUnknownKey: "json_unknown_key"
        case .jsonDuplicateKey: "json_duplicate_key"
        case .jsonTooDeep: "json_too_deep"
        case .jsonWrongType: "json_wrong_type"
        case .csvMalformed: "csv_malformed"
        case .csvRaggedRow: "csv_ragged_row"
        }
    }

    package var reason: String {
        switch self {
        case .tooLong: "the line is longer than \(ImportLimits.lineOctets) octets"
        case .notUTF8: "the line is not valid UTF-8"
        case .emailMissing: "the line has no email"
        case .address(let error): error.description
        case .nameControlCharacter: "the name holds a control character"
        case .nameTooLong: "the name is longer than \(ImportLimits.nameOctets) octets"
        case .variableControlCharacter: "a variable holds a control character other than tab and line breaks"
        case .tooManyVariables: "the line has more than \(ImportLimits.variables) variables"
        case .badVariableName:
            "the name of a variable is empty, longer than \(ImportLimits.variableNameOctets) octets, or holds a "
                + "control character"
        case .jsonMalformed(let octet): "the line is not JSON from octet \(octet) on"
        case .jsonNotAnObject: "the line is not a JSON object"
        case .jsonUnknownKey: "the line has a key other than email, name and vars"
        case .jsonDuplicateKey: "a key stands twice in one object"
        case .jsonTooDeep: "objects and lists are nested deeper than \(ImportLimits.nestingDepth)"
        case .jsonWrongType(let key): "the value of \(key) has the wrong type"
        case .csvMalformed: "a quote stands inside an unquoted field or text follows a closing quote"
        case .csvRaggedRow(let fields, let columns): "the row has \(fields) fields, the header \(columns)"
        }
    }
}

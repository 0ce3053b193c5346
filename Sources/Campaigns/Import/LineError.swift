package import MailTypes

/// What is wrong with one line of an upload. Neither code nor reason quotes the line, which may hold personal data.
package indirect enum LineError: Error, Sendable, Hashable {
    case tooLong
    /// Text that is not UTF-8, where it is not yet known where it stands.
    case notUTF8
    /// The given character of the line, counted from 1, is none in the upload's charset.
    case undecodable(charset: Charset, character: Int)
    case emailMissing
    case address(AddressError)
    case nameControlCharacter(Unicode.Scalar)
    case nameTooLong
    case variableControlCharacter(Unicode.Scalar)
    case tooManyVariables
    case variableNameEmpty
    case variableNameTooLong
    case variableNameControlCharacter(Unicode.Scalar)

    /// Not JSON (RFC 8259) from the given octet of the line on, counted from 1.
    case jsonMalformed(octet: Int)
    case jsonNotAnObject
    case jsonUnknownKey
    case jsonDuplicateKey
    case jsonTooDeep
    /// A value of another type than its key asks for.
    case jsonWrongType(key: String)

    /// A quote inside an unquoted field (RFC 4180 §2), at the given character of the line.
    case csvQuoteInField(column: Int, character: Int)
    /// Text between a closing quote and the separator.
    case csvTextAfterQuote(column: Int, character: Int)
    /// Another number of fields than the header.
    case csvRaggedRow(fields: Int, columns: Int)
    /// Text in a column that the header does not name.
    case csvUnnamedColumn
    /// Of a list to suppress: a reason that is none, a time that cannot be read, a note that cannot be kept.
    case suppressionReason
    case suppressionTime
    case suppressionNote
    /// Not the 32 hexadecimal digits that an export writes.
    case suppressionFingerprint
    /// A bounce that was for now only.
    case bounceNotPermanent
    /// What is wrong in one column, counted from 1.
    case cell(column: Int, LineError)

    /// A stable name for programs.
    package var code: String {
        switch self {
        case .tooLong: "line_too_long"
        case .notUTF8, .undecodable(.utf8, _): "invalid_utf8"
        case .undecodable: "invalid_character"
        case .emailMissing: "email_missing"
        case .address(let error): error.code
        case .nameControlCharacter: "name_control_character"
        case .nameTooLong: "name_too_long"
        case .variableControlCharacter: "variable_control_character"
        case .tooManyVariables: "too_many_variables"
        case .variableNameEmpty, .variableNameTooLong, .variableNameControlCharacter: "variable_name_invalid"
        case .jsonMalformed: "json_malformed"
        case .jsonNotAnObject: "json_not_an_object"
        case .jsonUnknownKey: "json_unknown_key"
        case .jsonDuplicateKey: "json_duplicate_key"
        case .jsonTooDeep: "json_too_deep"
        case .jsonWrongType: "json_wrong_type"
        case .csvQuoteInField, .csvTextAfterQuote: "csv_malformed"
        case .csvRaggedRow: "csv_ragged_row"
        case .csvUnnamedColumn: "csv_unnamed_column"
        case .suppressionReason: "suppression_reason_unknown"
        case .suppressionTime: "suppression_time_invalid"
        case .suppressionNote: "invalid_suppression_note"
        case .suppressionFingerprint: "fingerprint_invalid"
        case .bounceNotPermanent: "bounce_not_permanent"
        case .cell(_, let error): error.code
        }
    }

    package var reason: String {
        switch self {
        case .tooLong: "the line is longer than \(ImportLimits.lineOctets) octets"
        case .notUTF8: "the line is not valid UTF-8"
        case .undecodable(.utf8, let character):
            "character \(character) is not valid UTF-8; where the list is in another charset, say which, "
                + "such as charset=windows-1252"
        case .undecodable(let charset, let character): "character \(character) is none of \(charset.name)"
        case .emailMissing: "the line has no email"
        case .address(let error): error.description
        case .nameControlCharacter(let scalar): "the name holds the control character \(scalar.codePoint)"
        case .nameTooLong: "the name is longer than \(ImportLimits.nameOctets) octets"
        case .variableControlCharacter(let scalar):
            "a variable holds the control character \(scalar.codePoint); only tabs and line breaks may stand in one"
        case .tooManyVariables: "the line has more than \(ImportLimits.variables) variables"
        case .variableNameEmpty: "the name of a variable is empty"
        case .variableNameTooLong:
            "the name of a variable is longer than \(ImportLimits.variableNameOctets) octets"
        case .variableNameControlCharacter(let scalar):
            "the name of a variable holds the control character \(scalar.codePoint)"
        case .jsonMalformed(let octet): "the line is not JSON from octet \(octet) on"
        case .jsonNotAnObject: "the line is not a JSON object"
        case .jsonUnknownKey: "the line has a key other than email, name and vars"
        case .jsonDuplicateKey: "a key stands twice in one object"
        case .jsonTooDeep: "objects and lists are nested deeper than \(ImportLimits.nestingDepth)"
        case .jsonWrongType(let key): "the value of \(key) has the wrong type"
        case .csvQuoteInField(let column, let character):
            "column \(column): a quote stands inside an unquoted field, at character \(character); "
                + "put the field in quotes and double those inside"
        case .csvTextAfterQuote(let column, let character):
            "column \(column): text follows the closing quote, at character \(character)"
        case .csvRaggedRow(let fields, let columns):
            "the row has \(fields) \(fields == 1 ? "field" : "fields"), the header \(columns)"
        case .csvUnnamedColumn: "the header gives the column no name, yet the row has text in it"
        case .suppressionReason: "there is no such reason"
        case .suppressionTime: "the time cannot be read"
        case .suppressionNote: "the note is longer than 500 octets, or holds a control character"
        case .suppressionFingerprint: "a fingerprint has 32 hexadecimal digits"
        case .bounceNotPermanent: "the bounce was not permanent"
        case .cell(let column, let error): "column \(column): \(error.reason)"
        }
    }

    /// The column of a CSV upload it is about, from 1, where it is one.
    package var column: Int? {
        switch self {
        case .csvQuoteInField(let column, _), .csvTextAfterQuote(let column, _), .cell(let column, _): column
        default: nil
        }
    }

    /// With the place of what is not a character, where that is what is wrong.
    func located(in record: Span<UInt8>, charset: Charset) -> LineError {
        switch self {
        case .notUTF8, .address(.notUTF8):
            .undecodable(charset: charset, character: LineText.firstInvalidCharacter(record))
        case .cell(let column, let error): .cell(column: column, error.located(in: record, charset: charset))
        default: self
        }
    }
}

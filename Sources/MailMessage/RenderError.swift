/// Why the message cannot be made for one recipient. That recipient ends as `invalid`, uncharged; others are unaffected.
package enum RenderError: Error, Sendable, Hashable, CustomStringConvertible {
    /// No value and no fallback for this variable, and the campaign does not allow that.
    case missingVariable(String)
    /// A value would bring CR, LF, NUL or another control character into this header field.
    case headerInjection(field: String)
    /// A header field is longer after merging than allowed.
    case fieldTooLong(field: String)
    /// What the caller gave for this field does not follow the field's syntax.
    case invalidField(field: String)
    /// The message is larger after merging than allowed.
    case tooLarge
    /// Lists in lists made the template repeat more often than allowed.
    case tooManyRepetitions

    /// A stable name for programs, such as `missing_variable`.
    package var code: String {
        switch self {
        case .missingVariable: "missing_variable"
        case .headerInjection: "header_injection"
        case .fieldTooLong: "header_too_long"
        case .invalidField: "invalid_field"
        case .tooLarge: "message_too_large"
        case .tooManyRepetitions: "too_many_repetitions"
        }
    }

    /// Holds names of variables and fields, never their values.
    package var description: String {
        switch self {
        case .missingVariable(let name): "missing_variable: \(TemplateName.shown(name)) has no value"
        case .headerInjection(let field): "header_injection: a value holds a control character (\(field))"
        case .fieldTooLong(let field): "header_too_long: the merged value is too long (\(field))"
        case .invalidField(let field): "invalid_field: the value does not fit the field's syntax (\(field))"
        case .tooLarge: "message_too_large: the merged message is too large"
        case .tooManyRepetitions: "too_many_repetitions: the sections repeat too often"
        }
    }
}

import Campaigns
import HTTPTypes
import Hummingbird

extension UploadForm {
    /// What the headers and the query of an upload say of it.
    ///
    /// - Throws: ``Problem``: 415 for a type or a charset that is not read, before a row is.
    init(_ request: Request) throws {
        guard let type = request.headers[.contentType], let format = RecipientFormat(mediaType: type) else {
            throw Problem(
                .unsupportedMediaType, "unsupported_media_type",
                "Recipients come as application/x-ndjson, text/csv or text/tab-separated-values.")
        }
        self.init(format, charset: try Self.charset(type))
        let query = request.uri.queryParameters
        if let text = query.get("separator") { separator = try Self.separator(text, format) }
        if let text = query.get("on_invalid") {
            guard let policy = InvalidLinePolicy(rawValue: text) else {
                throw Problem.invalid("invalid_field", "on_invalid is reject or skip.", fields: ["on_invalid"])
            }
            onInvalid = policy
        }
    }

    private static func separator(_ text: String, _ format: RecipientFormat) throws -> CSVSeparator {
        guard format == .csv, let separator = CSVSeparator(named: text) else {
            throw Problem.invalid(
                "invalid_field", "The separator of a CSV upload is comma, semicolon, tab or pipe.",
                fields: ["separator"])
        }
        return separator
    }

    /// The `charset` parameter of a media type (RFC 9110 §8.3.1); nil without one.
    private static func charset(_ mediaType: String) throws -> Charset? {
        for parameter in mediaType.split(separator: ";").dropFirst() {
            let parts = parameter.split(separator: "=", maxSplits: 1).map { part in
                part.drop { $0 == " " || $0 == "\t" }.reversed().drop { $0 == " " || $0 == "\t" }.reversed()
            }
            guard parts.count == 2, String(parts[0]).lowercased() == "charset" else { continue }
            var label = String(parts[1])
            if label.count >= 2, label.hasPrefix("\""), label.hasSuffix("\"") {
                label = String(label.dropFirst().dropLast())
            }
            guard let charset = Charset(label: label) else {
                throw Problem(
                    .unsupportedMediaType, "unsupported_charset",
                    "The charset is not read; UTF-8, UTF-16, ISO-8859-1 to 16, windows-1250 to 1258, KOI8 and macintosh are."
                )
            }
            return charset
        }
        return nil
    }
}

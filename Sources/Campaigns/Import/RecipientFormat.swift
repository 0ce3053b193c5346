/// How an upload of recipients is written.
package enum RecipientFormat: String, Codable, Sendable, Hashable, CaseIterable {
    /// One JSON object a line: `{"email": "…", "name": "…", "vars": {…}}`; `name` and `vars` may be absent.
    case ndjson
    /// RFC 4180 with a header row. `email` is required, `name` optional, every other column a merge variable.
    case csv

    /// The format of a media type, parameters ignored; nil for any other type.
    package init?(mediaType: String) {
        let essence = mediaType.prefix { $0 != ";" }.lowercased().filter { $0 != " " && $0 != "\t" }
        switch essence {
        case "application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines":
            self = .ndjson
        case "text/csv", "text/tab-separated-values": self = .csv
        default: return nil
        }
    }
}

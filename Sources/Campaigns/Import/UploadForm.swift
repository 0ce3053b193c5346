/// How an upload of recipients is to be read, as far as its sender said so.
package struct UploadForm: Sendable, Hashable {
    package var format: RecipientFormat
    /// Nil: told by the first octets, else UTF-8.
    package var charset: Charset?
    /// Nil: told by the header row.
    package var separator: CSVSeparator?
    package var onInvalid: InvalidLinePolicy

    package static let ndjson = UploadForm(.ndjson)
    package static let csv = UploadForm(.csv)

    package init(
        _ format: RecipientFormat, charset: Charset? = nil, separator: CSVSeparator? = nil,
        onInvalid: InvalidLinePolicy = .reject
    ) {
        self.format = format
        self.charset = charset
        self.separator = separator
        self.onInvalid = onInvalid
    }

    /// The same octets read in another way are another upload.
    package var identity: String {
        [format.rawValue, charset?.name ?? "", separator?.rawValue ?? "", onInvalid.rawValue].joined(separator: "\u{0}")
    }
}

/// What becomes of an upload with lines that cannot be taken.
package enum InvalidLinePolicy: String, Sendable, Hashable, CaseIterable {
    /// Nothing of it is kept: a list that is mailed in part and mended later is mailed twice.
    case reject
    /// Its other lines are kept.
    case skip
}

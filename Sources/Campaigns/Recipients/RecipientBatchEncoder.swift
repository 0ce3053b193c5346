import MailMessage
import MailTypes

/// Writes recipients into the binary form of ``RecipientBatch`` one by one, so that an import never holds more than
/// the octets.
struct RecipientBatchEncoder {
    private var domains = TextTable()
    private var names = TextTable()
    private var body: [UInt8] = []

    /// Records so far.
    private(set) var count = 0

    /// About how many octets ``finish()`` will give.
    var octets: Int { body.count + domains.bytes.count + names.bytes.count }

    /// - Returns: where the record's flags stand, for ``markSuppressed(at:)``.
    @discardableResult
    mutating func append(_ record: RecipientRecord) -> Int {
        count += 1
        Varint.append(UInt64(UInt32(bitPattern: record.index)), to: &body)
        body.append(record.attempt)
        let flags = body.count
        body.append(
            (record.isSuppressed ? RecipientBatch.Flag.suppressed : 0)
                | (record.name == nil ? 0 : RecipientBatch.Flag.name)
                | (record.firstAttemptAt == 0 ? 0 : RecipientBatch.Flag.firstAttempt)
                | min(record.resends, RecipientRecord.mostResends) << RecipientBatch.Flag.resendsShift)
        Varint.append(UInt64(domains.position(of: record.address.domain.text, after: nil)), to: &body)
        append(record.address.localPart)
        if let name = record.name { append(name) }
        if record.firstAttemptAt != 0 { Varint.append(UInt64(bitPattern: record.firstAttemptAt), to: &body) }
        append(record.variables)
        return flags
    }

    mutating func markSuppressed(at flags: Int) {
        body[flags] |= RecipientBatch.Flag.suppressed
    }

    /// The finished batch. The encoder starts a new one and keeps its memory.
    mutating func finish() -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(octets + 16)
        bytes.append(RecipientBatch.version)
        for table in [domains, names] {
            Varint.append(UInt64(table.count), to: &bytes)
            bytes.append(contentsOf: table.bytes)
        }
        Varint.append(UInt64(count), to: &bytes)
        bytes.append(contentsOf: body)
        domains.removeAll()
        names.removeAll()
        body.removeAll(keepingCapacity: true)
        count = 0
        return bytes
    }

    private mutating func append(_ text: String) {
        let octets = text.utf8
        Varint.append(UInt64(octets.count), to: &body)
        body.append(contentsOf: octets)
    }

    private mutating func append(_ variables: MergeVariables) {
        Varint.append(UInt64(variables.fields.count), to: &body)
        var previous: Int?
        for field in variables.fields {
            // Recipients of one upload name their variables in one order, so the next name is nearly always the guess.
            let position = names.position(of: field.key, after: previous)
            previous = position
            Varint.append(UInt64(position), to: &body)
            append(field.value)
        }
    }

    private mutating func append(_ value: MergeValue) {
        switch value {
        case .null: body.append(RecipientBatch.ValueKind.null.rawValue)
        case .flag(false): body.append(RecipientBatch.ValueKind.no.rawValue)
        case .flag(true): body.append(RecipientBatch.ValueKind.yes.rawValue)
        case .text(let text):
            body.append(RecipientBatch.ValueKind.text.rawValue)
            append(text)
        case .falseText(let text):
            body.append(RecipientBatch.ValueKind.falseText.rawValue)
            append(text)
        case .list(let values):
            body.append(RecipientBatch.ValueKind.list.rawValue)
            Varint.append(UInt64(values.count), to: &body)
            for value in values { append(value) }
        case .object(let variables):
            body.append(RecipientBatch.ValueKind.object.rawValue)
            append(variables)
        }
    }
}

/// Texts that stand once in a batch and are named by position.
private struct TextTable {
    private var positions: [String: Int] = [:]
    private var texts: [String] = []
    /// Each text as varint length and UTF-8.
    private(set) var bytes: [UInt8] = []

    var count: Int { texts.count }

    /// Where `text` stands; it is added where it is new.
    ///
    /// - Parameter after: the position of the text before it, whose successor is tried first; nil tries the first.
    mutating func position(of text: String, after previous: Int?) -> Int {
        let guess = previous.map { $0 + 1 } ?? 0
        if guess < texts.count, texts[guess] == text { return guess }
        if let position = positions[text] { return position }
        let position = texts.count
        positions[text] = position
        texts.append(text)
        Varint.append(UInt64(text.utf8.count), to: &bytes)
        bytes.append(contentsOf: text.utf8)
        return position
    }

    mutating func removeAll() {
        positions.removeAll(keepingCapacity: true)
        texts.removeAll(keepingCapacity: true)
        bytes.removeAll(keepingCapacity: true)
    }
}

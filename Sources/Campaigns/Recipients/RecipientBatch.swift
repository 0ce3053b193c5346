/// The recipients of one batch and their binary form, which is sealed before it is stored.
///
/// Names of variables stand once in a table, and so do domains: a batch is smaller than its upload, and opening one
/// parses each domain and makes each name once.
///
///     octet    version (1)
///     varint   domains, then each as varint length and UTF-8
///     varint   variable names, then each likewise
///     varint   records, then each as:
///       varint index · octet attempt · octet flags (1 suppressed, 2 name follows, 4 first attempt follows,
///       the five others resends)
///       varint domain · varint length and UTF-8 of the local part
///       [varint length and UTF-8 of the name] · [varint seconds of the first attempt]
///       varint fields, then each as varint name · value
///     value    octet kind (0 null, 1 false, 2 true, 3 text, 4 list, 5 object, 6 text that says no), then for text its
///              varint length and UTF-8, for a list its varint count and values, for an object its varint count and
///              fields
///
/// A varint is LEB128: seven bits an octet, the lowest first.
package struct RecipientBatch: Sendable, Hashable {
    package var records: [RecipientRecord]

    package init(records: [RecipientRecord] = []) {
        self.records = records
    }

    package func encoded() -> [UInt8] {
        var encoder = RecipientBatchEncoder()
        for record in records { encoder.append(record) }
        return encoder.finish()
    }

    /// - Throws: ``RecipientBatchError`` where the octets are not a batch, which a sealed batch always is.
    package init(decoding bytes: [UInt8]) throws(RecipientBatchError) {
        records = try RecipientBatchDecoder.decode(bytes)
    }

    static let version: UInt8 = 1

    enum Flag {
        static let suppressed: UInt8 = 1
        static let name: UInt8 = 2
        static let firstAttempt: UInt8 = 4
        static let resendsShift: UInt8 = 3
    }

    enum ValueKind: UInt8 {
        case null = 0
        case no = 1
        case yes = 2
        case text = 3
        case list = 4
        case object = 5
        case falseText = 6
    }
}

/// Why octets are not a batch of recipients.
package enum RecipientBatchError: String, Error, Sendable, CustomStringConvertible {
    case truncated = "the batch of recipients ends too early"
    case malformed = "the batch of recipients is malformed"
    case unknownVersion = "the batch of recipients was written by a later version"

    package var description: String { rawValue }
}

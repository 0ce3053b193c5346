import Crypto
import MailTypes

/// A request under an idempotency key: the same key may come again only with the same hash.
struct LedgerRequest: Sendable {
    let key: String
    let hash: [UInt8]

    /// - Parameter describe: appends every field of the request that must be equal in a repetition
    init(key: String, kind: LedgerEntry.Kind, _ describe: (inout FieldEncoder) -> Void) throws(LedgerError) {
        guard (1...LedgerLimits.keyOctets).contains(key.utf8.count), key.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
        else { throw .invalidKey }
        var fields = FieldEncoder()
        fields.append(kind.rawValue)
        describe(&fields)
        self.key = key
        hash = Array(SHA256.hash(data: fields.bytes))
    }

    /// Nil without a key.
    init?(key: String?, kind: LedgerEntry.Kind, _ describe: (inout FieldEncoder) -> Void) throws(LedgerError) {
        guard let key else { return nil }
        try self.init(key: key, kind: kind, describe)
    }
}

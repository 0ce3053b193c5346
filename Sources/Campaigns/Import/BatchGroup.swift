import Feedback
import MailMessage
import Vault

/// Recipients on their way into a few batches, encoded as they come and stored together, so that the suppression list
/// is asked and the database written to once for all of them.
struct BatchGroup {
    private struct Open {
        var encoder = RecipientBatchEncoder()
        var addressees: [Addressee] = []
        /// Where the flags of each record stand.
        var flags: [Int] = []
    }

    private var open: [Open] = []
    private let batchSize: Int

    init(batchSize: Int) {
        self.batchSize = batchSize
    }

    var isEmpty: Bool { open.isEmpty }
    var addressees: [Addressee] { open.flatMap(\.addressees) }

    var isFull: Bool {
        guard let last = open.last else { return false }
        if open.reduce(0, { $0 + $1.encoder.octets }) >= ImportLimits.batchOctets { return true }
        return open.count == ImportLimits.batchesPerWrite && last.encoder.count == batchSize
    }

    mutating func append(_ record: RecipientRecord, _ fingerprint: Fingerprint) {
        if open.last.map({ $0.encoder.count >= batchSize }) ?? true { open.append(Open()) }
        let last = open.count - 1
        open[last].flags.append(open[last].encoder.append(record))
        open[last].addressees.append(Addressee(fingerprint, record.address))
    }

    /// The batches, sealed, with numbers from `number` on.
    ///
    /// - Parameter place: the seal's context of a batch number.
    mutating func seal(
        from number: Int32, suppressed: Set<Fingerprint>, key: SealingKey, place: (Int32) -> SealContext
    ) throws(VaultError) -> [SealedBatch] {
        var sealed: [SealedBatch] = []
        for (offset, var batch) in open.enumerated() {
            var deliverable: Int32 = 0
            for (addressee, flags) in zip(batch.addressees, batch.flags) {
                if suppressed.contains(addressee.fingerprint) {
                    batch.encoder.markSuppressed(at: flags)
                } else {
                    deliverable += 1
                }
            }
            let number = number + Int32(offset)
            sealed.append(
                SealedBatch(
                    number: number, deliverable: deliverable,
                    sealed: try key.seal(batch.encoder.finish(), as: place(number))))
        }
        return sealed
    }
}

import Crypto
package import FoundationEssentials
package import MailMessage
package import MailTypes
package import Vault

/// One upload from its octets to sealed batches. Each step is a value's; only ``run(_:into:)`` waits for anything.
package struct RecipientImport {
    private let account: AccountID
    private let campaign: CampaignID
    private let fingerprinter: Fingerprinter
    private let key: SealingKey

    private let onInvalid: InvalidLinePolicy

    private var parser: RecipientParser
    private var digest = SHA256()
    private var seen = FingerprintSet()
    private var target: ImportTarget
    private var group: BatchGroup
    private var report = ImportReport()
    private var deliverable = 0
    private var deliverableOfBatches: [Int32] = []
    private var check: VariableCheck?
    /// The recipients of the group who lack a variable.
    private var lacking: [(fingerprint: Fingerprint, variables: [String])] = []

    package init(
        account: AccountID, campaign: CampaignID, format: UploadForm, target: ImportTarget,
        fingerprinter: Fingerprinter, key: SealingKey, check: VariableCheck? = nil
    ) {
        self.account = account
        self.campaign = campaign
        self.fingerprinter = fingerprinter
        self.key = key
        self.target = target
        onInvalid = format.onInvalid
        report.format = format.format
        self.check = check
        parser = RecipientParser(format: format)
        group = BatchGroup(batchSize: target.batchSize)
    }

    /// Reads `source` to its end and stores its batches.
    ///
    /// - Throws: ``ImportError`` where the upload is refused, ``InvalidLinesError`` where it is for its invalid lines;
    ///   what the source or the store throws. The caller then
    ///   lets the store discard what it has got.
    package mutating func run<Source: AsyncSequence>(
        _ source: Source, into store: some ImportStore
    ) async throws -> ImportResult where Source.Element: DataProtocol {
        try await readKnown(store)
        for try await chunk in source {
            digest.update(data: chunk)
            parser.feed(chunk)
            try await storeFullGroups(store)
        }
        parser.end()
        try await storeFullGroups(store)
        try await storeGroup(store)
        report.charset = parser.charset.name
        report.separator = parser.separator?.rawValue
        guard !isRejected else { throw InvalidLinesError(report: report) }
        return ImportResult(
            report: report, digest: Array(digest.finalize()), target: target, deliverable: deliverable,
            deliverableOfBatches: deliverableOfBatches, lacking: report.lacking)
    }

    /// Whether the rest is read only to name its invalid lines as well.
    private var isRejected: Bool { onInvalid == .reject && report.invalid > 0 }

    /// Takes the recipients of earlier uploads into account for duplicates.
    private mutating func readKnown(_ store: some ImportStore) async throws {
        var last: Int32 = 0
        while last + 1 < target.nextBatch {
            let batches = try await store.batches(after: last, limit: ImportLimits.batchesPerWrite)
            guard let end = batches.last else { return }
            for batch in batches {
                let records = try RecipientBatch(decoding: key.open(batch.sealed, as: place(batch.number))).records
                for record in records { _ = seen.insert(fingerprinter.fingerprint(record.address)) }
            }
            last = end.number
        }
    }

    private mutating func storeFullGroups(_ store: some ImportStore) async throws {
        while try fillGroup() { try await storeGroup(store) }
    }

    /// Parses until the group is full or more octets are needed.
    ///
    /// - Returns: whether the group is full.
    private mutating func fillGroup() throws(ImportError) -> Bool {
        while !group.isFull {
            switch try parser.next() {
            case .recipient(let recipient): try add(recipient)
            case .invalidLine(let line, let error): report.addInvalid(line: line, error)
            case .needsMore: return false
            }
        }
        return true
    }

    private mutating func add(_ recipient: ParsedRecipient) throws(ImportError) {
        let fingerprint = fingerprinter.fingerprint(recipient.address)
        guard seen.insert(fingerprint) else {
            report.duplicates += 1
            return
        }
        let most = account.isTest ? ImportLimits.recipientsPerTest : ImportLimits.recipientsPerCampaign
        guard target.nextIndex < most else {
            throw ImportError(
                .tooManyRecipients, line: recipient.line,
                "a \(account.isTest ? "test campaign" : "campaign") has at most \(most) recipients")
        }
        group.append(
            RecipientRecord(
                index: target.nextIndex, address: recipient.address, name: recipient.name,
                variables: recipient.variables),
            fingerprint)
        target.nextIndex += 1
        report.accepted += 1
        let missing = check?.missing(
            for: MergeRecipient(address: recipient.address, name: recipient.name, variables: recipient.variables))
        if let missing, !missing.isEmpty { lacking.append((fingerprint, missing)) }
    }

    private mutating func storeGroup(_ store: some ImportStore) async throws {
        guard !group.isEmpty else { return }
        defer { group = BatchGroup(batchSize: target.batchSize) }
        guard !isRejected else { return }
        let suppressed = try await store.suppressed(among: group.addressees)
        let batches = try group.seal(from: target.nextBatch, suppressed: suppressed, key: key, place: place)
        try await store.write(batches)
        target.nextBatch += Int32(batches.count)
        deliverableOfBatches += batches.map(\.deliverable)
        let dialled = batches.reduce(0) { $0 + Int($1.deliverable) }
        deliverable += dialled
        report.suppressed = report.accepted - deliverable
        for recipient in lacking where !suppressed.contains(recipient.fingerprint) {
            report.lacking.add(recipient.variables)
        }
        lacking = []
    }

    private func place(_ number: Int32) -> SealContext {
        SealContext(account: account, campaign: campaign, batch: number, purpose: .recipients)
    }
}

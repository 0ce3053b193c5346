import Synchronization

/// Signs mails together, so that the lanes of a pass are filled without keeping anybody waiting.
///
///     let signature = try queue.begin(message.bytes, bodyOffset: message.bodyOffset, at: now, by: signer)
///     // commit the intent to send, which takes some milliseconds anyway
///     let fields = try await signature.fields()
///
/// As soon as the lanes of a pass are full, who filled them makes it. What is left is made when ``flush()`` says that no
/// more is to come, and at the latest by the first who needs it: no clock runs, and nothing depends on ``run()``.
/// Whoever begins or waits may find itself making the signatures of others, a millisecond of its thread: not on an event
/// loop.
package final class SigningQueue: Sendable {
    private let batch: BatchSigner
    /// Fewer than fill a pass.
    private let waiting = Mutex<[PendingSignature]>([])
    private let flushes: AsyncStream<Void>
    private let flushing: AsyncStream<Void>.Continuation

    package init(_ batch: BatchSigner) {
        self.batch = batch
        (flushes, flushing) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    package var status: SigningStatus { batch.status }

    /// Begins to sign a message; see ``DKIMSigner/sign(_:bodyOffset:at:)`` for what is given and thrown.
    package func begin(
        _ message: [UInt8], bodyOffset: Int, at seconds: Int64, by signer: DKIMSigner
    ) throws(DKIMError) -> MailSignature {
        guard batch.isOn else {
            batch.countAlone(signer.rsaKeyCount)
            return MailSignature(try signer.sign(message, bodyOffset: bodyOffset, at: seconds))
        }
        let keys = signer.laneKeys { batch.qualified($0) }
        var parts: [MailSignature.Part] = []
        var begun: [PendingSignature] = []
        for (identity, field) in try signer.prepare(message, bodyOffset: bodyOffset, at: seconds).enumerated() {
            if let key = keys[identity] {
                let signature = PendingSignature(field.digest, by: identity, of: signer, key)
                begun.append(signature)
                parts.append(.begun(field, signature))
            } else {
                parts.append(.made(field.signed(try signer.sign(field.digest, by: identity))))
            }
        }
        add(begun)
        return MailSignature(parts, in: self)
    }

    /// No more will come for a while: what waits is made by ``run()``.
    package func flush() { flushing.yield() }

    /// Follows ``flush()`` until cancelled.
    @concurrent package func run() async {
        for await _ in flushes { makeWaiting() }
    }

    private func add(_ begun: [PendingSignature]) {
        let full = waiting.withLock { waiting -> [PendingSignature] in
            waiting += begun
            let full = Array(waiting.prefix(waiting.count / LibcryptoLanes.lanes * LibcryptoLanes.lanes))
            waiting.removeFirst(full.count)
            return full
        }
        if !full.isEmpty { batch.make(full) }
    }

    /// - Parameter needed: nothing is made where it does not wait any more; nil to make what there is.
    func makeWaiting(for needed: PendingSignature? = nil) {
        let left = waiting.withLock { waiting -> [PendingSignature] in
            guard needed == nil || waiting.contains(where: { $0 === needed }) else { return [] }
            defer { waiting = [] }
            return waiting
        }
        if !left.isEmpty { batch.make(left) }
    }
}

/// The DKIM-Signature fields of a mail, on their way.
package struct MailSignature: Sendable {
    enum Part: Sendable {
        case made([UInt8])
        case begun(UnsignedField, PendingSignature)
    }

    private let parts: [Part]
    private let queue: SigningQueue?

    init(_ parts: [Part], in queue: SigningQueue?) {
        self.parts = parts
        self.queue = queue
    }

    init(_ fields: [UInt8]) { self.init([.made(fields)], in: nil) }

    /// Complete fields with their CRLFs, to stand in front of the message. Asked by one task.
    ///
    /// - Throws: ``DKIMError`` `.libraryFailure`
    package func fields() async throws(DKIMError) -> [UInt8] {
        var fields: [UInt8] = []
        for part in parts {
            let field = try await field(of: part)
            if fields.isEmpty { fields = field } else { fields += field }
        }
        return fields
    }

    private func field(of part: Part) async throws(DKIMError) -> [UInt8] {
        switch part {
        case .made(let field): return field
        case .begun(let field, let signature):
            queue?.makeWaiting(for: signature)
            return field.signed(try await signature.value())
        }
    }
}

import Campaigns

/// The last moment before a mail belongs to its server: its final dot (RFC 5321 §4.1.1.4).
struct FinalDot: Sendable {
    private let run: BatchRun
    private let position: Int
    private let marks: FinalDotMarks?
    private let place: FinalDotMarks.Place?

    /// Call ``done()`` once the answer is recorded.
    ///
    /// - Parameter marks: where the mail leaves its mark; nil where the node has no files.
    init(of run: BatchRun, _ position: Int, markedIn marks: FinalDotMarks?) {
        self.run = run
        self.position = position
        self.marks = marks
        place = marks?.take()
    }

    /// Asked right before it is written.
    ///
    /// - Returns: false when it must not be written, because the batch may be another node's by now.
    func mayBeWritten() -> Bool {
        guard run.hasLease else { return false }
        guard let marks, let place else { return true }
        return marks.mark(place, run.batch.id, epoch: run.batch.epoch, index: run.batch.records[position].index)
    }

    /// The mark may be overwritten by another mail's.
    func done() {
        if let place { marks?.giveBack(place) }
    }
}

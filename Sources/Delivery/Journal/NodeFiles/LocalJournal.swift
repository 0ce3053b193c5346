import Campaigns
import Foundation
import MailTypes
import Synchronization
import Vault

/// What a node knows and PostgreSQL does not know yet: the answers of the mails since the last journal group, in files
/// of the node's own machine. A process that is killed leaves them behind, and the node's next incarnation journals them
/// (``NodeRecovery``), so that only the loss of the machine, or of an answer on its way, leaves a mail in doubt.
///
/// There are two files. Records go into one while the group before is committed from the other, which is emptied then.
/// What could not be committed with its group, because somebody had locked its campaign, moves to a third before.
/// Nothing is forced to the disk: the kernel keeps what was stored, whatever becomes of the process (``MappedFile``). A fourth file tells
/// which mails may have been sent at all (``FinalDotMarks``).
package final class LocalJournal: Sendable {
    /// One node's file of answers. Records of one generation belong to one journal group.
    struct Generation: Sendable {
        fileprivate let number: Int
    }

    struct Record: Sendable {
        let batch: BatchID
        let epoch: Int64
        let answers: Answers

        /// - Parameter key: of the campaign.
        /// - Throws: for a record whose end was torn off.
        func entries(_ key: SealingKey) throws -> [JournalEntry] {
            answers.isSealed
                ? try key.openJournal(answers.octets, epoch: epoch, of: batch)
                : try JournalGroup.entries(decoding: answers.octets, epoch: epoch)
        }
    }

    /// Entries as they lie in a file.
    struct Answers: Sendable {
        let octets: [UInt8]
        let isSealed: Bool
    }

    let marks: FinalDotMarks
    private let files: [AnswerFile]
    private let current = Atomic(0)
    /// The file of what waits for a later group.
    private static let heldOver = 2

    /// Opens or makes the files.
    ///
    /// - Parameter directory: of this node alone; made where it is missing, for its owner only.
    package init(directory: String) throws {
        try FileManager.default.createDirectory(
            atPath: directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        files = try (0...Self.heldOver).map { try AnswerFile(path: directory + "/answers-\($0)") }
        marks = try FinalDotMarks(directory: directory)
    }

    /// Writes one record into the present generation. A full disk loses the record, and with it what the marks prove; the
    /// answer is still in memory, and goes to PostgreSQL with the next group.
    ///
    /// - Parameter answers: nil for some that could not be sealed, and are lost to a next incarnation.
    func append(_ batch: BatchID, epoch: Int64, _ answers: Answers?) {
        append(batch, epoch: epoch, answers, to: current.load(ordering: .relaxed))
    }

    /// Keeps answers whose generation is forgotten before they are committed.
    func holdOver(_ batch: BatchID, epoch: Int64, _ answers: Answers?) {
        append(batch, epoch: epoch, answers, to: Self.heldOver)
    }

    /// All that was held over is committed.
    func forgetHeldOver() { files[Self.heldOver].clear() }

    private func append(_ batch: BatchID, epoch: Int64, _ answers: Answers?, to file: Int) {
        guard let answers else {
            marks.spoil()
            return
        }
        var writer = OctetWriter(reserving: answers.octets.count + 36)
        writer.number(UInt64(answers.octets.count) << 1 | (answers.isSealed ? 1 : 0))
        writer.number(UInt64(bitPattern: batch.account.rawValue))
        writer.number(UInt64(bitPattern: batch.campaign.rawValue))
        writer.index(batch.number)
        writer.number(UInt64(bitPattern: epoch))
        if !files[file].append(writer.bytes + answers.octets) { marks.spoil() }
    }

    /// Begins the next generation: records of the one returned are in the group that is committed now.
    func turn() -> Generation {
        let number = current.load(ordering: .relaxed)
        current.store(1 - number, ordering: .relaxed)
        return Generation(number: number)
    }

    /// The group is committed.
    func forget(_ generation: Generation) {
        files[generation.number].clear()
    }

    /// Keeps other processes from the files, until this one ends.
    ///
    /// - Throws: ``LocalJournalError`` while another has them
    func lock() throws(LocalJournalError) { try marks.lock() }

    /// What an earlier incarnation left, oldest first in each file; a torn end is left out.
    func records() throws -> [Record] {
        try files.flatMap { Self.records(of: try $0.contents()) }
    }

    /// Forgets what earlier incarnations left.
    ///
    /// - Parameter incarnation: names the one that begins, unlike any other.
    func begin(_ incarnation: String) {
        for file in files { file.empty() }
        marks.begin(incarnation)
    }

    private static func records(of bytes: [UInt8]) -> [Record] {
        var reader = OctetReader(bytes)
        var records: [Record] = []
        while !reader.isAtEnd {
            do throws(CampaignError) {
                let head = try reader.number(Int.self)
                // Here the next record would have been stored.
                guard head != 0 else { return records }
                let account = Int64(bitPattern: try reader.number(UInt64.self))
                let campaign = Int64(bitPattern: try reader.number(UInt64.self))
                let number = try reader.index()
                let epoch = Int64(bitPattern: try reader.number(UInt64.self))
                records.append(
                    Record(
                        batch: BatchID(
                            account: AccountID(rawValue: account), campaign: CampaignID(rawValue: campaign),
                            number: number), epoch: epoch,
                        answers: Answers(octets: try reader.octets(head >> 1), isSealed: head & 1 == 1)))
            } catch {
                break
            }
        }
        return records
    }
}

/// Records behind each other, and a 0 behind the last.
private final class AnswerFile: Sendable {
    private let file: MappedFile
    private let end = Mutex(0)

    init(path: String) throws { file = try MappedFile(path: path) }

    /// - Parameter record: begins with its length, which is not 0.
    /// - Returns: false where the disk is full
    func append(_ record: [UInt8]) -> Bool {
        end.withLock { end in
            guard file.store(record + [0], at: end) else { return false }
            end += record.count
            return true
        }
    }

    func clear() {
        end.withLock { end in
            file.clear()
            end = 0
        }
    }

    func empty() {
        end.withLock { end in
            file.empty()
            end = 0
        }
    }

    func contents() throws -> [UInt8] { try file.contents() }
}

package struct LocalJournalError: Error, CustomStringConvertible {
    let path: String
    let code: Int32

    package var description: String {
        code == EWOULDBLOCK
            ? "another process uses the file \(path)"
            : "the file \(path) cannot be opened: \(String(cString: strerror(code)))"
    }
}

import Campaigns
import Foundation
import MailTypes
import Synchronization

/// Which mails of this node may have reached their server whole: a mark is written to a file before a mail's final dot
/// (RFC 5321 §4.1.1.4), and stays until its place is needed by a mail that comes after its answer was kept.
///
/// A process that is killed leaves the file behind. The node's next incarnation then knows that an intent without a mark
/// was never sent. That holds only where no mark can be missing: the file names the incarnation of the node that wrote it,
/// which the database names as well, and the boot of the machine, because nothing is forced to the disk.
final class FinalDotMarks: Sendable {
    /// Room for one mail under way.
    struct Place: Sendable {
        fileprivate let number: Int
    }

    /// A mail, and under which claim it was sent.
    struct Mark: Hashable {
        let batch: BatchID
        let epoch: Int64
        let index: Int32
    }

    private struct State {
        var free: [Int] = []
        /// Places that were ever given.
        var used = 0
        var isSpoiled = false
    }

    private let file: MappedFile
    private let state = Mutex(State())

    /// Opens or makes the file `final-dots`.
    init(directory: String) throws(LocalJournalError) {
        file = try MappedFile(path: directory + "/final-dots")
    }

    // MARK: While mail goes

    func take() -> Place {
        state.withLock { state in
            if let number = state.free.popLast() { return Place(number: number) }
            state.used += 1
            return Place(number: state.used)
        }
    }

    /// The answer of the mail is kept elsewhere: its mark may be overwritten.
    func giveBack(_ place: Place) { state.withLock { $0.free.append(place.number) } }

    /// Call it before the final dot is written.
    ///
    /// - Returns: false when the file cannot be written and cannot be given up either: then the dot must not be written.
    func mark(_ place: Place, _ batch: BatchID, epoch: Int64, index: Int32) -> Bool {
        guard !state.withLock(\.isSpoiled) else { return true }
        var writer = OctetWriter(reserving: Self.placeOctets)
        writer.octet(1)
        writer.number(UInt64(bitPattern: batch.account.rawValue))
        writer.number(UInt64(bitPattern: batch.campaign.rawValue))
        writer.index(batch.number)
        writer.number(UInt64(bitPattern: epoch))
        writer.index(index)
        return file.store(writer.bytes, at: place.number * Self.placeOctets) || spoil()
    }

    /// An answer could not be kept in a file, or a mark not be written: this file proves nothing any more.
    @discardableResult
    func spoil() -> Bool {
        // What cannot be emptied may still be believed, so that no mark may be missing from it.
        guard file.empty() else { return false }
        state.withLock { $0.isSpoiled = true }
        return true
    }

    // MARK: Between incarnations

    /// Keeps other processes from the file.
    func lock() throws(LocalJournalError) { try file.lock() }

    /// Forgets all marks and starts those of another incarnation.
    ///
    /// - Parameter incarnation: names it, unlike any other.
    func begin(_ incarnation: String) {
        let isBegun =
            file.empty() && Self.boot.map { file.store(Self.head(incarnation, $0), at: 0) } ?? false
        // A file that names no incarnation, or an older one, proves nothing whatever is in it.
        state.withLock { $0 = State(isSpoiled: !isBegun) }
    }

    /// The marks of the incarnation named; nil where some may be missing.
    func marks(of incarnation: String) throws -> Set<Mark>? {
        let bytes = try file.contents()
        guard let boot = Self.boot, bytes.starts(with: Self.head(incarnation, boot)) else { return nil }
        var marks: Set<Mark> = []
        for start in stride(from: Self.placeOctets, to: bytes.count, by: Self.placeOctets) {
            var reader = OctetReader(Array(bytes[start..<min(start + Self.placeOctets, bytes.count)]))
            guard try reader.octet() == 1 else { continue }
            let account = Int64(bitPattern: try reader.number(UInt64.self))
            let campaign = Int64(bitPattern: try reader.number(UInt64.self))
            let number = try reader.index()
            let epoch = Int64(bitPattern: try reader.number(UInt64.self))
            marks.insert(
                Mark(
                    batch: BatchID(
                        account: AccountID(rawValue: account), campaign: CampaignID(rawValue: campaign), number: number),
                    epoch: epoch, index: try reader.index()))
        }
        return marks
    }

    // MARK: The file

    /// Of one place: more than the longest mark. The head of the file has the first.
    private static let placeOctets = 64

    private static func head(_ incarnation: String, _ boot: String) -> [UInt8] {
        Array("dots1 \(incarnation) \(boot)\n".utf8)
    }

    /// Of the running system (random(4)).
    private static let boot: String? = {
        let text = try? String(contentsOfFile: "/proc/sys/kernel/random/boot_id", encoding: .ascii)
        return text.map { $0.filter { $0.isHexDigit } }.flatMap { $0.count == 32 ? $0 : nil }
    }()
}

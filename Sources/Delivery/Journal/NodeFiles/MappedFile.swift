import Foundation
import Synchronization

/// A file of the node whose octets outlive the process the moment they are stored: it is mapped, and the pages are the
/// kernel's. A mail is marked and its answer kept by two copies in memory, where each write(2) cost 2 to 3 µs, a hundredth
/// of a mail.
///
/// Room is asked of the file system first (posix_fallocate(3)), so that a full disk is an answer and no signal. A file
/// system that copies on write may promise room that it lacks in the end; the process dies then, and finds in the file
/// what it had stored.
///
/// A record is there whole or not at all, however the process ends: its first octet, which is not 0, is stored last.
final class MappedFile: Sendable {
    private struct State {
        /// Of the first octet; 0 where nothing is mapped. A pointer could not be sent.
        var address: UInt = 0
        var octets = 0

        var base: UnsafeMutablePointer<UInt8>? { UnsafeMutablePointer(bitPattern: address) }
    }

    private let path: String
    private let descriptor: Int32
    private let state = Mutex(State())

    /// Opens or makes the file, for its owner only.
    init(path: String) throws(LocalJournalError) {
        self.path = path
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw LocalJournalError(path: path, code: errno) }
    }

    deinit {
        state.withLock { Self.unmap(&$0) }
        close(descriptor)
    }

    /// Keeps other processes from using the file, until this one ends: one that empties it would take the pages away from
    /// under the other.
    ///
    /// - Throws: where another process has it
    func lock() throws(LocalJournalError) {
        var whole = flock(
            l_type: Int16(F_WRLCK), l_whence: Int16(SEEK_SET), l_start: 0, l_len: 0, l_pid: 0)
        guard fcntl(descriptor, F_SETLK, &whole) == 0 else { throw LocalJournalError(path: path, code: errno) }
    }

    /// - Parameter record: begins with an octet that is not 0.
    /// - Returns: false where there is no room; nothing is changed then
    func store(_ record: [UInt8], at offset: Int) -> Bool {
        state.withLock { state in
            guard reserve(offset + record.count, &state), let base = state.base else { return false }
            let place = base + offset
            place.pointee = 0
            // Neither compiler nor processor moves the stores around these.
            atomicMemoryFence(ordering: .sequentiallyConsistent)
            record.withUnsafeBufferPointer { octets in
                guard let first = octets.baseAddress, octets.count > 1 else { return }
                (place + 1).update(from: first + 1, count: octets.count - 1)
            }
            atomicMemoryFence(ordering: .sequentiallyConsistent)
            place.pointee = record[0]
            return true
        }
    }

    /// All it holds, and zeros behind.
    func contents() throws -> [UInt8] {
        lseek(descriptor, 0, SEEK_SET)
        let handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: false)
        return [UInt8](try handle.readToEnd() ?? Data())
    }

    /// Makes the first record as if it had not been stored, and gives back the room that a long wait has taken.
    func clear() {
        let isLarge = state.withLock { state in
            state.base?.pointee = 0
            return state.octets > Self.keptOctets
        }
        if isLarge { empty() }
    }

    /// - Returns: false where it cannot be emptied
    @discardableResult
    func empty() -> Bool {
        state.withLock { state in
            // Nobody may touch a page that is no longer in the file.
            Self.unmap(&state)
            return ftruncate(descriptor, 0) == 0
        }
    }

    // MARK: The mapping

    private static let keptOctets = 1 << 20

    private func reserve(_ octets: Int, _ state: inout State) -> Bool {
        guard octets > state.octets else { return true }
        var room = max(state.octets, 1 << 16)
        while room < octets { room *= 2 }
        var failure: Int32
        repeat { failure = posix_fallocate(descriptor, 0, off_t(room)) } while failure == EINTR
        guard failure == 0 else { return false }
        let mapped = mmap(nil, room, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0)
        guard let mapped, mapped != MAP_FAILED else { return false }
        Self.unmap(&state)
        state = State(address: UInt(bitPattern: mapped), octets: room)
        return true
    }

    private static func unmap(_ state: inout State) {
        if let base = state.base { munmap(base, state.octets) }
        state = State()
    }
}

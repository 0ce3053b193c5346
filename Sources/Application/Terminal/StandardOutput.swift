import Foundation
import Synchronization

/// The process's standard streams: results go to standard output, remarks to standard error.
///
/// A stream may be closed, on a full disk, or a pipe whose reader has gone. That stops nobody: what cannot be written is
/// dropped, and the command goes on (`FileHandle.write(_:)` would end the process with its work half done). A command
/// whose results were lost says so at its end (``finish()``).
enum StandardOutput {
    /// The error of the first write to standard output that failed; 0 for none.
    private static let failure = Atomic<Int32>(0)

    /// Opens the null device in place of standard streams that are closed. Else the next file or socket would get the
    /// stream's number, and what is meant for people would be written into it.
    ///
    /// Called first, while nothing else runs.
    static func prepare() {
        // A reader that went away, or a file at its limit, is told by the failing write, not by a signal that ends us.
        signal(SIGPIPE, SIG_IGN)
        signal(SIGXFSZ, SIG_IGN)
        for (descriptor, mode) in [(STDIN_FILENO, O_RDONLY), (STDOUT_FILENO, O_WRONLY), (STDERR_FILENO, O_WRONLY)]
        where fcntl(descriptor, F_GETFD) == -1 && errno == EBADF {
            // The lowest free number is this one.
            _ = open("/dev/null", mode)
        }
    }

    /// A result, and a line break.
    static func print(_ text: String) {
        write(text + "\n")
    }

    /// A result as it is, such as a picture of the terminal's.
    static func write(_ text: String) {
        let error = write(text, to: STDOUT_FILENO)
        if error != 0 { _ = failure.compareExchange(expected: 0, desired: error, ordering: .relaxed) }
    }

    /// A remark, and a line break.
    static func note(_ text: String) {
        noteInPlace(text + "\n")
    }

    /// A remark as it is, such as a bar that is drawn over.
    static func noteInPlace(_ text: String) {
        _ = write(text, to: STDERR_FILENO)
    }

    /// Whether results still reach somebody. A long listing may end where they do not.
    static var isOpen: Bool { failure.load(ordering: .relaxed) == 0 }

    /// - Returns: the exit status of a command that has done its work: 74 (EX_IOERR of sysexits.h) where results were
    ///   lost on the way to a file, 0 also where the reader of a pipe wanted no more.
    static func finish() -> Int32 {
        let error = failure.load(ordering: .relaxed)
        guard error != 0, error != EPIPE else { return 0 }
        note("standard output cannot be written: \(String(cString: strerror(error)))")
        return 74
    }

    /// - Returns: 0, or the error that stopped it.
    private static func write(_ text: String, to descriptor: Int32) -> Int32 {
        var text = text
        return text.withUTF8 { octets in
            var written = 0
            while written < octets.count {
                let rest = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(octets)[written...])
                let count = Foundation.write(descriptor, rest.baseAddress, rest.count)
                if count > 0 {
                    written += count
                } else if count == 0 {
                    return EIO
                } else if errno == EAGAIN {
                    // The terminal or pipe was made non-blocking by another program that shares it.
                    var ready = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                    guard poll(&ready, 1, 10_000) > 0 else { return EAGAIN }
                } else if errno != EINTR {
                    return errno
                }
            }
            return 0
        }
    }
}

import Foundation
import Synchronization

enum TerminalKey: Sendable {
    case quit, sort, up, down
}

/// The terminal's second screen with keys as they are pressed (xterm's control sequences, termios(3)).
final class TerminalScreen: Sendable {
    private let original: Mutex<termios>

    init() {
        var settings = termios()
        tcgetattr(STDIN_FILENO, &settings)
        original = Mutex(settings)
        settings.c_lflag &= ~tcflag_t(ICANON | ECHO | ISIG)
        tcsetattr(STDIN_FILENO, TCSANOW, &settings)
        Self.write("\u{1B}[?1049h\u{1B}[?25l")
    }

    func restore() {
        Self.write("\u{1B}[?25h\u{1B}[?1049l")
        var settings = original.withLock { $0 }
        tcsetattr(STDIN_FILENO, TCSANOW, &settings)
    }

    func draw(_ screen: TopScreen) {
        let (width, height) = size
        let lines = screen.lines(width: width, height: height, styled: true)
        // Written over the old picture and cleared to the ends of lines: no flicker.
        Self.write("\u{1B}[H" + lines.joined(separator: "\u{1B}[K\r\n") + "\u{1B}[K\u{1B}[J")
    }

    private var size: (width: Int, height: Int) {
        var window = winsize()
        guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &window) == 0, window.ws_col > 0 else { return (80, 24) }
        return (Int(window.ws_col), Int(window.ws_row))
    }

    /// - Parameter onKey: told each key; nil at the end of input.
    func readKeys(_ onKey: @escaping @Sendable (TerminalKey?) -> Void) -> Task<Void, Never> {
        let keys = Task.detached {
            var bytes = [UInt8](repeating: 0, count: 16)
            while !Task.isCancelled {
                var descriptor = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
                let ready = poll(&descriptor, 1, 0)
                guard ready != 0 else {
                    try? await Task.sleep(for: .milliseconds(40))
                    continue
                }
                let count = read(STDIN_FILENO, &bytes, bytes.count)
                guard count > 0 else { return onKey(nil) }
                Self.keys(in: bytes[..<count]).forEach(onKey)
            }
        }
        return keys
    }

    static func keys(in bytes: ArraySlice<UInt8>) -> [TerminalKey] {
        var keys: [TerminalKey] = []
        var rest = bytes
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "q"), 3: keys.append(.quit)
            case UInt8(ascii: "s"): keys.append(.sort)
            case UInt8(ascii: "k"): keys.append(.up)
            case UInt8(ascii: "j"): keys.append(.down)
            case 0x1B where rest.starts(with: "[A".utf8) || rest.starts(with: "OA".utf8):
                keys.append(.up)
                rest = rest.dropFirst(2)
            case 0x1B where rest.starts(with: "[B".utf8) || rest.starts(with: "OB".utf8):
                keys.append(.down)
                rest = rest.dropFirst(2)
            default: break
            }
        }
        return keys
    }

    private static func write(_ text: String) { StandardOutput.write(text) }
}

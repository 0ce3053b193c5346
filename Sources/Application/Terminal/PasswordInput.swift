import Foundation

/// A password that a person types, twice and unseen, or that a program writes to standard input. Never an argument: everybody
/// who can list processes would see it.
enum PasswordInput {
    private static let mostOctets = 4_096

    /// - Throws: `CommandFailure` in words.
    static func read() throws -> String {
        guard isatty(STDIN_FILENO) == 1 else {
            let octets = try InputFile("-").readAll(atMost: mostOctets)
            return String(
                decoding: octets.prefix { $0 != UInt8(ascii: "\n") && $0 != UInt8(ascii: "\r") }, as: UTF8.self)
        }
        let password = try ask("Password: ")
        guard try ask("The same again: ") == password else { throw CommandFailure("the two passwords differ") }
        return password
    }

    private static func ask(_ question: String) throws -> String {
        FileHandle.standardError.write(Data(question.utf8))
        var settings = termios()
        guard tcgetattr(STDIN_FILENO, &settings) == 0 else {
            throw CommandFailure("the terminal cannot hide a password")
        }
        var silent = settings
        silent.c_lflag &= ~tcflag_t(ECHO)
        guard tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent) == 0 else {
            throw CommandFailure("the terminal cannot hide a password")
        }
        defer {
            tcsetattr(STDIN_FILENO, TCSAFLUSH, &settings)
            FileHandle.standardError.write(Data("\n".utf8))
        }
        return readLine() ?? ""
    }
}

import Foundation

/// The mails that a `sluice sink --capture` has taken for somebody.
struct Mailbox {
    let folder: String
    let address: String

    /// Unfolded, by their files' names.
    private func mails() throws -> [String: String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        var mails: [String: String] = [:]
        for name in names where name.hasSuffix(".eml") {
            let mail = try String(contentsOfFile: "\(folder)/\(name)", encoding: .utf8).replacing("=\r\n", with: "")
                .replacing("=3D", with: "=")
            if mail.contains("\r\nTo: \(address)\r\n") { mails[name] = mail }
        }
        return mails
    }

    /// Waits for a mail that has not been seen yet.
    ///
    /// - Throws: where none comes within twenty seconds
    func next(after seen: inout Set<String>) async throws -> String {
        for _ in 0..<200 {
            if let (name, mail) = try mails().first(where: { !seen.contains($0.key) }) {
                seen.insert(name)
                return mail
            }
            try await Task.sleep(for: .milliseconds(100))
        }
        throw MailMissing(address: address)
    }

    struct MailMissing: Error {
        let address: String
    }
}

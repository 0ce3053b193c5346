import Foundation
import TestSupport

/// A case of `fixtures/receivers`: how a server answers, and how a campaign to it must end. Its README has the form.
struct ReceiverScript: Sendable, CustomStringConvertible {
    enum Step: Sendable, Hashable {
        /// - Parameter to: only where this is the recipient's local part.
        case say(String, to: String?)
        case read(command: String)
        case readContent
        case silence
        case wait
        /// What came in one packet with the last command is lost.
        case forget
        /// From the first MAIL on, for the next mail of the connection; only for one recipient if named.
        case again(for: String?)
    }

    struct Malformed: Error, CustomStringConvertible {
        let description: String
    }

    let name: String
    var recipients: [String] = []
    var steps: [Step] = []
    /// Counters at the end that are not 0.
    var counters: [String: Int] = [:]
    /// Of all mails; nil where it does not matter.
    var connections: Int?
    var suppressed: [String] = []
    /// `local outcome code enhanced text`, as the listing has it after the end; `-` for no enhanced code.
    var outcomes: [String] = []
    /// Cancels once so many connections stand; then so many credits may stay held.
    var cancelsAt: Int?
    var held: Int64 = 0
    /// Time-outs and retries of a fraction of a second, where an attempt must fail first. Otherwise a second attempt comes
    /// after the test's end, so that there is none.
    var isSoon = false

    var description: String { name }

    init(_ fixture: Fixture) throws {
        name = fixture.name
        for line in fixture.text.split(separator: "\n").map(String.init) where !line.hasPrefix("#") {
            guard try readStep(line) || readFact(line.split(separator: " ").map(String.init), line) else {
                throw Malformed(description: "\(name): no such line: \(line)")
            }
        }
        guard !recipients.isEmpty, !steps.isEmpty, !counters.isEmpty || cancelsAt != nil else {
            throw Malformed(description: "\(name) does not say to whom, how, or with what end")
        }
    }

    private mutating func readStep(_ line: String) throws -> Bool {
        switch line {
        case "= silence": steps.append(.silence)
        case "= wait": steps.append(.wait)
        case "= forget": steps.append(.forget)
        case "= again": steps.append(.again(for: nil))
        case "C: .": steps.append(.readContent)
        case _ where line.hasPrefix("= next "): steps.append(.again(for: String(line.dropFirst(7))))
        case _ where line.hasPrefix("C: "): steps.append(.read(command: String(line.dropFirst(3))))
        case _ where line.hasPrefix("S:"): steps.append(.say(String(line.dropFirst(3)), to: nil))
        case _ where line.hasPrefix("S("):
            guard let end = line.range(of: "): ") else { return false }
            steps.append(
                .say(String(line[end.upperBound...]), to: String(line[..<end.lowerBound].dropFirst(2))))
        default: return false
        }
        return true
    }

    private mutating func readFact(_ words: [String], _ line: String) throws -> Bool {
        switch words.first {
        case "soon": isSoon = true
        case "to":
            recipients = Int(words[1]).map { (0..<$0).map { "p\($0)" } } ?? Array(words.dropFirst())
        case "ends":
            for index in stride(from: 1, to: words.count - 1, by: 2) { counters[words[index]] = Int(words[index + 1]) }
        case "connections": connections = Int(words[1])
        case "suppressed": suppressed = Array(words.dropFirst())
        case "outcome": outcomes.append(words.dropFirst().joined(separator: " "))
        case "cancel": cancelsAt = Int(words[2])
        case "held": held = Int64(words[1]) ?? 0
        default: return false
        }
        return true
    }

    /// Plays the server's side of a connection.
    func play(_ session: HostileServer.Session) {
        var position = 0
        while position < steps.count {
            switch steps[position] {
            case .say(let text, let local):
                if local == nil || session.recipient.hasPrefix("\(local ?? "")@") { session.say(text) }
            case .read(let command): guard session.until(command) != nil else { return }
            case .readContent: guard session.untilEndOfContent() else { return }
            case .silence: session.stall()
            case .wait: usleep(20_000)
            case .forget: session.forget()
            case .again(let local):
                guard local == nil || session.recipient.hasPrefix("\(local ?? "")@") else { break }
                position = steps.firstIndex(of: .read(command: "MAIL")) ?? 0
                continue
            }
            position += 1
        }
    }
}

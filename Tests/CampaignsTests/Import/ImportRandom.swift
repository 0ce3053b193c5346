import MailMessage
import MailTypes
import TestSupport

@testable import Campaigns

/// Random material for the tests of imports; a run can be repeated from its seed.
struct ImportRandom: RandomNumberGenerator {
    private var generator: SeededGenerator

    init(_ seed: Seed) { generator = SeededGenerator(seed) }

    mutating func next() -> UInt64 { generator.next() }

    mutating func below(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &self) }

    /// True once in `times` calls.
    mutating func once(in times: Int) -> Bool { below(times) == 0 }

    mutating func pick<Element>(_ elements: [Element]) -> Element { elements[below(elements.count)] }

    mutating func octets(_ count: Int) -> [UInt8] {
        (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &self) }
    }

    /// Text of plain, awkward and non-ASCII characters, with no control character but those in `breaks`.
    mutating func text(upTo count: Int, breaks: [Character] = []) -> String {
        let letters: [Character] = [
            "a", "B", "z", "0", " ", ",", "\"", "\\", "/", "{", "<", "é", "ß", "中", "😀", "\u{2028}",
        ]
        return String((0..<below(count + 1)).map { _ in pick(letters + breaks) })
    }

    mutating func address() -> String {
        let local = (0..<(1 + below(12))).map { _ in pick(["a", "Q", "7", "+", "-", "é"]) }.joined()
        return local + "@" + pick(["example.org", "mail.example.com", "Example.NET", "bücher.example"])
    }

    mutating func value(depth: Int) -> MergeValue {
        switch below(depth > 0 ? 7 : 5) {
        case 0: .null
        case 1: .flag(once(in: 2))
        case 5: .list((0..<below(4)).map { _ in value(depth: depth - 1) })
        case 6: .object(variables(upTo: 4, depth: depth - 1))
        default: .text(text(upTo: 20, breaks: ["\n", "\r", "\t"]))
        }
    }

    mutating func variables(upTo count: Int, depth: Int) -> MergeVariables {
        MergeVariables(
            (0..<below(count + 1)).map { position in
                let name = pick(["k", "first name", "ключ"])
                return MergeVariables.Field(key: "\(name)\(position)", value: value(depth: depth))
            })
    }

    mutating func record(index: Int32) throws -> RecipientRecord {
        var record = RecipientRecord(
            index: index, attempt: UInt8(below(5)), isSuppressed: once(in: 4),
            firstAttemptAt: once(in: 2) ? 0 : Int64(below(2_000_000_000)),
            address: try EmailAddress(address()), name: once(in: 3) ? nil : text(upTo: 20) + "n",
            variables: variables(upTo: 12, depth: 3))
        record.resends = UInt8(below(Int(RecipientRecord.mostResends) + 1))
        return record
    }
}

/// All events of an upload fed in chunks of `size` octets, `.needsMore` left out; an ``ImportError`` ends the list.
func events(
    of upload: [UInt8], _ form: UploadForm, chunk size: Int = .max
) -> (events: [RecipientParser.Event], refused: ImportError?, held: Int) {
    var parser = RecipientParser(format: form)
    var events: [RecipientParser.Event] = []
    var held = 0
    do throws(ImportError) {
        var rest = upload[...]
        repeat {
            parser.feed(rest.prefix(size))
            rest = rest.dropFirst(size)
            held = max(held, parser.heldOctets)
            if rest.isEmpty { parser.end() }
            while true {
                let event = try parser.next()
                if event == .needsMore { break }
                events.append(event)
            }
        } while !rest.isEmpty
        return (events, nil, held)
    } catch {
        return (events, error, held)
    }
}

import Foundation
import MailMessage
import MailTypes
import TestSupport
import Testing

@testable import Campaigns

/// The line scanner against Foundation's JSON reader.
@Suite("NDJSON against Foundation")
struct NDJSONReferenceTests {
    @Test(arguments: Seed.range(8))
    func `random documents mean the same to both`(seed: Seed) throws {
        var random = ImportRandom(seed)
        for _ in 0..<250 {
            let variables = random.variables(upTo: 10, depth: 3)
            let address = random.address()
            let name = random.text(upTo: 12)
            var writer = Writer(random: random)
            let line = writer.line(address: address, name: name, variables: variables)
            random = writer.random
            let expected = ParsedRecipient(
                line: 1, address: try EmailAddress(address), name: Self.oneLine(name), variables: variables)
            #expect(events(of: Array(line.utf8), .ndjson).events == [.recipient(expected)])
            #expect(try foundation(Array(line.utf8)) == Self.comparable(variables))
        }
    }

    /// What is left of a name, by regular expressions.
    private static func oneLine(_ name: String) -> String? {
        let joined = name.replacingOccurrences(
            of: "[\\s\u{2028}]*\u{2028}[\\s\u{2028}]*", with: " ", options: .regularExpression)
        let trimmed = joined.trimmingCharacters(in: .whitespacesAndNewlines)
        return trimmed.isEmpty ? nil : trimmed
    }

    /// Foundation is laxer than the scanner in places, so one direction is tested: what the scanner takes, Foundation
    /// takes for the same.
    @Test(arguments: Seed.range(1_000..<1_008))
    func `a mutated line that is taken is JSON`(seed: Seed) throws {
        var random = ImportRandom(seed)
        var taken = 0
        for _ in 0..<400 {
            var writer = Writer(random: random)
            var line = Array(
                writer.line(
                    address: "a@example.org", name: "n", variables: random.variables(upTo: 4, depth: 2)
                ).utf8)
            random = writer.random
            for _ in 0...random.below(2) {
                let position = random.below(line.count)
                switch random.below(4) {
                case 0: line[position] = random.pick(Array("\"\\{}[],:0-e. \u{1}".utf8))
                case 1: line.remove(at: position)
                case 2: line.insert(random.pick(Array("\"\\{}[],:0-e.u ".utf8)), at: position)
                default: line[position] = UInt8.random(in: 1...255, using: &random)
                }
            }
            guard case .recipient(let recipient)? = events(of: line, .ndjson).events.first,
                !line.contains(0x0A), !line.contains(0x0D)
            else { continue }
            taken += 1
            #expect(try foundation(line) == Self.comparable(recipient.variables))
        }
        #expect(taken > 0)
    }

    /// `vars` of a line as Foundation reads them, in the form of ``comparable(_:)``.
    private func foundation(_ line: [UInt8]) throws -> String {
        let object = try JSONSerialization.jsonObject(with: Data(line)) as? [String: Any]
        return Self.comparable(object?["vars"] as? [String: Any] ?? [:])
    }

    /// A text that is equal for equal values: keys sorted, numbers as doubles.
    private static func comparable(_ variables: MergeVariables) -> String {
        comparable(fields: variables.fields.map { "\($0.key.debugDescription):\(comparable($0.value))" })
    }

    private static func comparable(fields: [String]) -> String {
        "{" + fields.sorted().joined(separator: ",") + "}"
    }

    private static func comparable(_ value: MergeValue) -> String {
        switch value {
        case .text(let text): scalarText(text)
        case .falseText: "not of JSON"
        case .flag(let flag): "\(flag)"
        case .null: "null"
        case .list(let values): "[" + values.map(comparable).joined(separator: ",") + "]"
        case .object(let variables): comparable(variables)
        }
    }

    private static func comparable(_ value: Any) -> String {
        switch value {
        case is NSNull: "null"
        case let text as String: scalarText(text)
        case let list as [Any]: "[" + list.map { comparable($0) }.joined(separator: ",") + "]"
        case let object as [String: Any]:
            comparable(fields: object.map { "\($0.key.debugDescription):\(comparable($0.value))" })
        case let number as NSNumber where CFBooleanCheck.isBoolean(number): "\(number.boolValue)"
        case let number as NSNumber: scalarText(number.stringValue)
        default: "?"
        }
    }

    /// The scanner keeps numbers as text, so a text that is a number compares as that number on both sides.
    private static func scalarText(_ text: String) -> String {
        let isNumber = !text.isEmpty && text.utf8.allSatisfy { (0x30...0x39).contains($0) || "+-.eE".utf8.contains($0) }
        if isNumber, let number = Double(text) { return "\(number)" }
        return text.debugDescription
    }

    private enum CFBooleanCheck {
        static func isBoolean(_ number: NSNumber) -> Bool { String(cString: number.objCType) == "c" }
    }

    /// Writes a line with random spaces, escapes and order of keys.
    private struct Writer {
        var random: ImportRandom

        mutating func line(address: String, name: String, variables: MergeVariables) -> String {
            var parts = [
                "\(text("email"))\(space()):\(space())\(text(address))",
                "\(text("name"))\(space()):\(space())\(text(name))",
                "\(text("vars"))\(space()):\(space())\(object(variables))",
            ]
            parts.shuffle(using: &random)
            return "\(space()){\(space())\(parts.joined(separator: "\(space()),\(space())"))\(space())}\(space())"
        }

        private mutating func object(_ variables: MergeVariables) -> String {
            var fields: [String] = []
            for field in variables.fields {
                fields.append("\(text(field.key))\(space()):\(space())\(value(field.value))")
            }
            return "{" + space() + fields.joined(separator: space() + ",") + space() + "}"
        }

        private mutating func value(_ value: MergeValue) -> String {
            switch value {
            case .text(let string): return text(string)
            case .falseText: return "not of JSON"
            case .flag(let flag): return "\(flag)"
            case .null: return "null"
            case .object(let variables): return object(variables)
            case .list(let values):
                var items: [String] = []
                for item in values { items.append(self.value(item)) }
                return "[" + items.joined(separator: "," + space()) + "]"
            }
        }

        private mutating func space() -> String { random.pick(["", "", "", " ", "\t", "  "]) }

        private mutating func text(_ string: String) -> String {
            var result = "\""
            for scalar in string.unicodeScalars {
                switch scalar {
                case "\"": result += "\\\""
                case "\\": result += "\\\\"
                case "/" where random.once(in: 2): result += "\\/"
                case "\n" where random.once(in: 2): result += "\\n"
                case "\r" where random.once(in: 2): result += "\\r"
                case "\t" where random.once(in: 2): result += "\\t"
                case _ where scalar.value < 0x20 || random.once(in: 6):
                    for unit in String(scalar).utf16 {
                        result += String(format: random.pick(["\\u%04x", "\\u%04X"]), unit)
                    }
                default: result.unicodeScalars.append(scalar)
                }
            }
            return result + "\""
        }
    }
}

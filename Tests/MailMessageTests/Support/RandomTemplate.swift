import MailMessage
import TestSupport

/// A template as a tree, with its source and the plainest possible evaluation: the model that judges compiler,
/// interpreter and encoders together.
indirect enum RandomTemplate {
    case literal(String)
    case variable(name: String, raw: Bool, fallback: String?)
    case section(name: String, inverted: Bool, [RandomTemplate])

    var source: String {
        switch self {
        case .literal(let text): text
        case .variable(let name, let raw, let fallback):
            (raw ? "{{{" : "{{") + name + (fallback.map { "|" + $0 } ?? "") + (raw ? "}}}" : "}}")
        // The brackets keep tags from standing alone on a line, which has a table test of its own.
        case .section(let name, let inverted, let body):
            "({{\(inverted ? "^" : "#")\(name)}}[" + body.map(\.source).joined() + "]{{/\(name)}})"
        }
    }

    /// Scope: innermost last.
    func evaluate(_ scope: [MergeValue], escaping: Bool) -> String {
        switch self {
        case .literal(let text): return text
        case .variable(let name, let raw, let fallback):
            var text = ""
            switch Self.find(name, scope) {
            case .text(let value), .falseText(let value): text = value
            case .flag(let value): text = value ? "true" : "false"
            default: break
            }
            if text.isEmpty { text = fallback ?? "" }
            return escaping && !raw ? Self.escape(text) : text
        case .section(let name, let inverted, let body):
            var rounds: [[MergeValue]] = []
            switch Self.find(name, scope) {
            case nil, .null?, .flag(false)?, .text("")?, .falseText?: if inverted { rounds = [scope] }
            case .list(let items)?:
                rounds = inverted ? (items.isEmpty ? [scope] : []) : items.map { scope + [$0] }
            case let value?: if !inverted { rounds = [scope + [value]] }
            }
            let inner = rounds.map { round in
                "[" + body.map { $0.evaluate(round, escaping: escaping) }.joined() + "]"
            }
            return "(" + inner.joined() + ")"
        }
    }

    static func find(_ name: String, _ scope: [MergeValue]) -> MergeValue? {
        if name == "." { return scope.last }
        let parts = name.split(separator: ".").map(String.init)
        for value in scope.reversed() {
            guard case .object(let variables) = value, let first = variables[parts[0]] else { continue }
            return parts.dropFirst().reduce(first) { value, part in
                if case .object(let inner)? = value { inner[part] } else { nil }
            }
        }
        return nil
    }

    static func escape(_ text: String) -> String {
        text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
            .replacing("\"", with: "&quot;").replacing("'", with: "&#39;")
    }
}

/// Makes templates and values full of what breaks encoders: blanks and dots at borders, long runs, `=`, wide characters.
struct RandomTemplateGenerator {
    var random: SeededGenerator
    /// Share of words in other scripts, in percent.
    var foreignShare = 10

    mutating func templates(depth: Int = 0) -> [RandomTemplate] {
        (0..<Int.random(in: 0...8, using: &random)).map { _ in
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<4: .literal(text(words: 0...30, lines: true))
            case 4..<9 where depth < 3 && Bool.random(using: &random) == false:
                variable(depth: depth)
            case 9 where depth < 3:
                .section(
                    name: pick(["s", "list", "object", "flag", "empty", "absent"]), inverted: pick([true, false]),
                    templates(depth: depth + 1))
            default: variable(depth: depth)
            }
        }
    }

    private mutating func variable(depth: Int) -> RandomTemplate {
        var names = ["a", "b", "object.a", "flag", "empty", "absent", "list"]
        if depth > 0 { names.append(".") }
        // A fallback is one trimmed line without braces; what it looks like otherwise does not matter.
        return .variable(name: pick(names), raw: pick([true, false]), fallback: pick([nil, "", "x & <y>", "Zoë 🌻"]))
    }

    mutating func variables() -> MergeVariables {
        var fields: [MergeVariables.Field] = [
            .init(key: "a", value: .text(text(words: 0...12, lines: true))),
            .init(key: "b", value: .text(text(words: 1...3, lines: false))),
            .init(key: "s", value: .text(text(words: 0...1, lines: false))),
            .init(key: "flag", value: .flag(pick([true, false]))),
            .init(key: "empty", value: pick([.null, "", [], false, .falseText("no"), .falseText("")])),
            .init(
                key: "object",
                value: .object(["a": .text(text(words: 1...3, lines: false)), "b": pick(["<b>", .null])])),
            .init(
                key: "list",
                value: .list(
                    (0..<Int.random(in: 0...4, using: &random)).map { _ in
                        .text(text(words: 0...3, lines: false))
                    })),
        ]
        fields.shuffle(using: &random)
        return MergeVariables(fields)
    }

    mutating func text(words: ClosedRange<Int>, lines: Bool) -> String {
        var text = ""
        for _ in 0..<Int.random(in: words, using: &random) {
            if Int.random(in: 0..<100, using: &random) < foreignShare {
                text += pick(["Grüße", "Ελλάδα", "日本語", "👩‍👩‍👧‍👦", "é", "\u{2028}", "नमस्ते"])
            } else {
                text += pick([
                    "word", "a", "=", "=3D", "<b>", "&", "\"q\"", "'", ".", "From ", "{", "}", "|", "\t", "--=_", "x=?",
                    String(repeating: "long", count: Int.random(in: 1...60, using: &random)),
                ])
            }
            text += pick(["", " ", " ", "  "])
            if lines, Int.random(in: 0..<6, using: &random) == 0 { text += pick(["\n", "\r\n", "\n\n", " \n."]) }
        }
        // Two braces in a row would be a tag, also one here and those of the tag that follows.
        return text.replacing("{", with: "{ ")
    }

    mutating func pick<Element>(_ elements: [Element]) -> Element {
        elements[Int.random(in: elements.indices, using: &random)]
    }
}

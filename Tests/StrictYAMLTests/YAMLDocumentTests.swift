import StrictYAML
import TestSupport
import Testing

/// What is refused before anybody looks for a value.
struct YAMLDocumentTests {
    private func problem(_ text: String) -> String? {
        let error = #expect(throws: YAMLError.self) { _ = try YAMLDocument.read(text, named: "x.yaml") }
        #expect(error?.code == .unreadable || error?.code == .duplicate)
        return error?.description
    }

    @Test func `an empty file has no entries`() throws {
        for text in ["", "# nothing yet\n", "{}"] {
            #expect(try YAMLDocument.read(text, named: "x.yaml").entries().isEmpty)
        }
    }

    @Test(arguments: [
        ("a: [b\n", "x.yaml:2:1: not YAML: did not find expected ',' or ']'"),
        ("a: b\n c: d\n", "x.yaml:2:3: not YAML: mapping values are not allowed in this context"),
        ("a: 1\nb: 2\na: 3\n", "x.yaml:1:1: given twice: a"),
        ("a:\n  b: 1\n  b: 2\n", "x.yaml:2:3: given twice: b"),
        ("a: *none\n", "x.yaml:1:4: not YAML: found undefined alias"),
        ("a: 1\n---\nb: 2\n", "x.yaml:2:1: not YAML: but found another document"),
    ])
    func `what is no YAML is refused with its place`(text: String, description: String) {
        #expect(problem(text) == description)
    }

    @Test func `files are bounded in size and depth`() {
        let long = String(repeating: "# comment\n", count: YAMLDocument.largestOctets / 10 + 1)
        #expect(problem(long) == "x.yaml: larger than 256 KiB")
        func nested(_ depth: Int) -> String {
            "a: " + String(repeating: "[", count: depth) + "b" + String(repeating: "]", count: depth)
        }
        #expect(throws: Never.self) { _ = try YAMLDocument.read(nested(14), named: "x.yaml") }
        #expect(problem(nested(15)) == "x.yaml:1:19: nested more than 16 deep")
        let deep = [999, 5_000, 100_000].map(nested) + ["- ", "{a: "].map { String(repeating: $0, count: 50_000) }
        for text in deep { #expect(problem(text)?.hasSuffix("nested more than 16 deep") == true) }
    }

    private static let refused = "anchors and aliases (&name, *name) are not taken here: write the value out"

    @Test(arguments: [
        ("a: &x 1\n", "x.yaml:1:4: "), ("a: &x [1]\nb: *x\n", "x.yaml:1:4: "), ("? &x a\n: 1\n", "x.yaml:1:3: "),
        ("a: {b: &x {c: d}}\n", "x.yaml:1:8: "),
    ])
    func `anchors are refused`(text: String, place: String) {
        #expect(problem(text) == place + Self.refused)
    }

    /// A few lines that would stand for 10^9 values: as values, and as keys, which a parser compares.
    @Test(arguments: [false, true]) func `a laughing file is refused at once`(asKeys: Bool) {
        var text = "a0: &a0 [lol, lol]\n"
        for level in 1...9 {
            let aliases = Array(repeating: "*a\(level - 1)", count: 10)
            let list = "[" + aliases.joined(separator: ", ") + "]"
            text += asKeys ? "? &a\(level) \(list)\n: 1\n" : "a\(level): &a\(level) \(list)\n"
        }
        #expect(problem(text) == "x.yaml: " + Self.refused)
    }

    @Test func `signs of anchors in texts are no anchors`() throws {
        let text = "a: 'x &b *c'\nb: \"*.example.org\"\nc: x?y=1&z=2\nd: Tom & Jerry # *note*\n"
        let values = try YAMLDocument.read(text, named: "x.yaml").entries().map { try $0.value.text() }
        #expect(values == ["x &b *c", "*.example.org", "x?y=1&z=2", "Tom & Jerry"])
    }

    /// Texts that were hurt are read or refused; nothing hangs, ends the process, or repeats a value.
    @Test(arguments: Seed.range(200)) func `hurt files`(seed: Seed) {
        let sound = """
            routes:
              - url: topsecret
                user: "topsecret"
                weight: 3
              - {url: topsecret, tls: verified}
            domains:
              "*.a.example": {via: [topsecret, 'topsecret']}

            """
        var generator = SeededGenerator(seed)
        var text = Array(sound.unicodeScalars)
        let signs = Array("&*[]{}:,-?|>'\"#%@`!~\n\t \u{0}\u{FEFF}x".unicodeScalars)
        for _ in 0..<Int.random(in: 1...6, using: &generator) {
            let place = Int.random(in: 0..<text.count, using: &generator)
            switch Int.random(in: 0...2, using: &generator) {
            case 0: text.remove(at: place)
            case 1: text.insert(signs.randomElement(using: &generator)!, at: place)
            default: text.swapAt(place, Int.random(in: 0..<text.count, using: &generator))
            }
        }
        var hurt = String.UnicodeScalarView()
        hurt.append(contentsOf: text)
        do throws(YAMLError) {
            _ = try YAMLDocument.read(String(hurt), named: "x.yaml")
        } catch {
            #expect(error.code == .unreadable || error.code == .duplicate)
            #expect(error.code == .duplicate || !error.description.contains("topsecret"), "\(error)")
        }
    }
}

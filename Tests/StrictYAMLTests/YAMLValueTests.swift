import StrictYAML
import Testing

/// What a reader gets, or hears, of values that stand where it looks.
struct YAMLValueTests {
    private struct Sample: Equatable {
        var name = ""
        var weight = 0
        var isOn = false
        var words: [String] = []

        init(_ text: String) throws(YAMLError) {
            let fields = try YAMLDocument.read(text, named: "x.yaml").fields([
                "name", "weight", "is_on", "words", "pools",
            ])
            name = try fields["name"]?.text() ?? ""
            weight = try fields["weight"]?.number(1...1_000) ?? 0
            isOn = try fields["is_on"]?.flag() ?? false
            words = try fields["words"]?.words() ?? []
            for (_, pool) in try fields["pools"]?.entries() ?? [] {
                for entry in try pool.list(most: 2) { _ = try entry.fields(["url"]).required("url").word() }
            }
        }
    }

    @Test func `values are taken as they stand`() throws {
        let sample = try Sample("name: 2026-11-21\nweight: 7\nis_on: YES\nwords: [a, 1, no]\npools: {p: [{url: u}]}")
        #expect((sample.name, sample.weight, sample.isOn) == ("2026-11-21", 7, true))
        #expect(sample.words == ["a", "1", "no"])
        #expect(try Sample("name: ''\nwords: one").name == "")
        #expect(try Sample("name: 'null'\nwords: one").words == ["one"])
    }

    @Test(
        arguments: [
            ("just words", .wrongKind, "x.yaml:1:1: expected `key: value` lines"),
            ("- name", .wrongKind, "x.yaml:1:1: expected `key: value` lines"),
            ("name: a\nwieght: 3", .unknownKey, "x.yaml:2:1: unknown key wieght; did you mean weight?"),
            ("isOn: true", .unknownKey, "x.yaml:1:1: unknown key isOn; did you mean is_on?"),
            ("zzzzzz: 1", .unknownKey, "x.yaml:1:1: unknown key zzzzzz"),
            ("? [a]\n: 1", .wrongKind, "x.yaml:1:3: expected one value"),
            ("name:", .wrongKind, "x.yaml:1:6: name: expected one value"),
            ("name: ~", .wrongKind, "x.yaml:1:7: name: expected one value"),
            ("name: [a]", .wrongKind, "x.yaml:1:7: name: expected one value"),
            ("weight: 0", .invalidValue, "x.yaml:1:9: weight: 0 is not a number from 1 to 1000"),
            ("weight: 1e3", .invalidValue, "x.yaml:1:9: weight: 1e3 is not a number from 1 to 1000"),
            ("is_on: perhaps", .invalidValue, "x.yaml:1:8: is_on: expected true or false"),
            ("words: []", .wrongKind, "x.yaml:1:8: words: expected a list of one or more"),
            ("words: [a, [b]]", .wrongKind, "x.yaml:1:12: words[1]: expected one value"),
            ("pools: {p: []}", .wrongKind, "x.yaml:1:12: pools.p: expected a list of 1 to 2"),
            ("pools: {p: [1, 2, 3]}", .wrongKind, "x.yaml:1:12: pools.p: expected a list of 1 to 2"),
            ("pools:\n  p:\n    - {}", .missingKey, "x.yaml:3:7: pools.p[0]: lacks url"),
            ("pools:\n  a.b:\n    - url: ''", .wrongKind, "x.yaml:3:12: pools.\"a.b\"[0].url: expected one value"),
            ("pools: {p: [{uri: x}]}", .unknownKey, "x.yaml:1:14: pools.p[0]: unknown key uri; did you mean url?"),
        ] as [(String, YAMLError.Code, String)])
    func `mistakes are named with their place`(text: String, code: YAMLError.Code, description: String) {
        let error = #expect(throws: YAMLError.self) { _ = try Sample(text) }
        #expect(error?.code == code)
        #expect(error?.description == description)
    }
}

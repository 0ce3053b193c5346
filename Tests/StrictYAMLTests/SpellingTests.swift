import StrictYAML
import Testing

struct SpellingTests {
    private static let names = ["public_url", "http", "retry_base", "url"]

    @Test(arguments: [
        ("publicUrl", "public_url"), ("PUBLIC-URL", "public_url"), ("https", "http"), ("retybase", "retry_base"),
        ("uri", "url"), ("x", nil), ("zzzzzz", nil), ("", nil), (String(repeating: "http", count: 50_000), nil),
    ])
    func `the nearest name, if it is near`(name: String, nearest: String?) {
        #expect(Spelling.nearest(to: name, among: Self.names) == nearest)
    }

    @Test func `where there are no names nothing is near`() {
        #expect(Spelling.nearest(to: "url", among: []) == nil)
    }
}

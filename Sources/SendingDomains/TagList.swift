/// `name=value` pairs between semicolons, as in records of DKIM (RFC 6376 §3.2) and DMARC (RFC 7489 §6.4).
struct TagList: Sequence {
    struct Tag {
        let name: String
        let value: String
    }

    private let tags: [Tag]

    init(_ text: String) {
        tags = text.split(separator: ";").compactMap { part in
            guard let equals = part.firstIndex(of: "=") else { return nil }
            return Tag(
                name: String(part[..<equals]).trimmingBlanks,
                value: String(part[part.index(after: equals)...]).trimmingBlanks)
        }
    }

    subscript(name: String) -> String? { tags.first { $0.name == name }?.value }

    func makeIterator() -> IndexingIterator<[Tag]> { tags.makeIterator() }
}

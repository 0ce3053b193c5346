import Testing

/// An argument of a parametrised test that may be long: a failing case is told by its beginning and its length.
package struct Octets: Hashable, Sendable, CustomTestStringConvertible {
    package let bytes: [UInt8]

    package init(_ bytes: some Sequence<UInt8>) { self.bytes = Array(bytes) }

    package init(_ text: String) { self.init(text.utf8) }

    package var testDescription: String {
        let beginning = String(decoding: bytes.prefix(Self.shown), as: UTF8.self).debugDescription
        return bytes.count > Self.shown ? "\(beginning)… (\(bytes.count) octets)" : beginning
    }

    private static let shown = 40
}

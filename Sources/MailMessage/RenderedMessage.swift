/// One finished copy of the message, and the memory that the next one will use again.
///
/// Keep one per worker and pass it to each `CompiledMessage.render`: after the first copies nothing is allocated for
/// output any more.
package struct RenderedMessage: Sendable {
    /// Header fields, empty line, body; CRLF line ends only; ends with CRLF. ASCII unless `needsSMTPUTF8`.
    package internal(set) var bytes: [UInt8] = []
    /// Index of the body's first octet, after the empty line. Equal to `bytes.count` for an empty body.
    package internal(set) var bodyOffset = 0
    /// Whether an address in the header has a UTF-8 local part (RFC 6532), so that the message may only go to a server
    /// that offers SMTPUTF8 (RFC 6531 §3.1).
    package internal(set) var needsSMTPUTF8 = false

    var scratch = RenderScratch()

    package init() {}

    mutating func clear() {
        bytes.removeAll(keepingCapacity: true)
        bodyOffset = 0
        needsSMTPUTF8 = false
        scratch.clear()
    }

    /// Hands the buffer to one that writes on and gives it back, so that it stays the only owner and nothing is copied.
    mutating func takeBytes() -> [UInt8] {
        var taken: [UInt8] = []
        swap(&taken, &bytes)
        return taken
    }

    /// The scratch text, emptied, on the same terms.
    mutating func takeText() -> [UInt8] {
        var taken: [UInt8] = []
        swap(&taken, &scratch.text)
        taken.removeAll(keepingCapacity: true)
        return taken
    }
}

/// Memory of a rendering.
struct RenderScratch: Sendable {
    /// The values of the template's top-level names, by slot; emptied after each rendering.
    var roots: [MergeValue?] = []
    /// Where each name stood among the last recipient's fields: a guess for the next one, checked before use.
    var positions: [Int] = []
    /// Text that must be whole before it can be encoded.
    var text: [UInt8] = []

    mutating func clear() {
        roots.removeAll(keepingCapacity: true)
        text.removeAll(keepingCapacity: true)
    }
}

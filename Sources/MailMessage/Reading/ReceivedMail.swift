/// Any mail, read tolerantly: nothing that comes is refused, nothing crashes, and time and memory are bounded by a small
/// multiple of its length (``ReadingLimits``).
///
/// ```swift
/// let mail = ReceivedMail(octets)
/// mail.header.text("subject")
/// mail.root.leaves.first { $0.mediaType == "message/delivery-status" }?.content()
/// ```
package struct ReceivedMail: Sendable {
    package let root: ReceivedPart

    package var header: ReceivedHeader { root.header }

    package init(_ octets: [UInt8]) {
        var reader = PartReader(octets)
        root = reader.part(in: 0..<octets.count, depth: 0)
    }
}

import Feedback
import MailMessage

/// libFuzzer's entry: any octets are read as a mail, a delivery status, a feedback report and a text full of addresses, and classified.
/// Built and run by `make fuzz`; what it finds becomes a test.
@_cdecl("LLVMFuzzerTestOneInput")
public func readAnything(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    let octets = Array(UnsafeBufferPointer(start: start, count: count))
    let mail = ReceivedMail(octets)
    for leaf in mail.root.leaves {
        _ = leaf.text()
        _ = leaf.message.header.text("subject")
    }
    for name: StaticString in ["subject", "from", "content-type"] { _ = mail.header.text(name) }
    _ = DeliveryStatus(octets)
    _ = ComplaintReport(octets)
    _ = AddressScanner.all(in: octets, octets.indices)
    _ = MailClassifier.classify(octets, explaining: true)
    return 0
}

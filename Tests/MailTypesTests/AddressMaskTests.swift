import MailTypes
import Testing

struct AddressMaskTests {
    @Test(arguments: [
        ("550 5.1.1 <ada@example.org>: no such user", "550 5.1.1 <…@…>: no such user"),
        ("ada@example.org is full", "…@… is full"),
        ("Recipient:ada+x@example.org,bo@example.org", "Recipient:…@…,…@…"),
        ("\"ada.l\"@example.org unknown", "…@… unknown"),
        ("blocked using zen.spamhaus.org [192.0.2.1]", "blocked using zen.spamhaus.org [192.0.2.1]"),
        ("", ""),
    ])
    func `addresses are not repeated`(text: String, masked: String) {
        #expect(text.addressesMasked == masked)
    }
}

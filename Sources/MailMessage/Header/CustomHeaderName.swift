/// Which header fields a customer may add.
enum CustomHeaderName {
    /// Fields that Sluice writes itself, that only mail servers may write, or that say something about transport and
    /// authentication which a customer must not claim. `TLS-Required: No` would switch TLS policy off (RFC 8689 §5).
    private static let reserved: Set<String> = [
        "from", "to", "cc", "bcc", "subject", "date", "message-id", "sender", "reply-to", "return-path", "received",
        "received-spf", "delivered-to", "envelope-to", "x-original-to", "dkim-signature", "domainkey-signature",
        "mime-version", "feedback-id", "tls-required", "authentication-results", "original-recipient", "bimi-location",
        "bimi-indicator", "bimi-selector",
    ]
    private static let reservedPrefixes = ["content-", "list-unsubscribe", "cfbl-", "arc-", "resent-", "downgraded-"]

    static func check(_ name: String) throws(MessageError) {
        guard !name.withBytes(HeaderText.containsControl) else {
            throw MessageError(
                .headerInjection, "the name of a custom header holds a control character", field: "headers")
        }
        guard !name.isEmpty, name.utf8.count <= MessageLimits.headerNameOctets,
            // ftext of RFC 5322 §3.6.8
            name.utf8.allSatisfy({ (0x21...0x7E).contains($0) && $0 != UInt8(ascii: ":") })
        else {
            throw MessageError(
                .invalidHeaderName,
                "the name of a custom header is 1 to \(MessageLimits.headerNameOctets) printable ASCII characters "
                    + "without blank and colon", field: "headers")
        }
        let lowered = name.lowercased()
        guard !reserved.contains(lowered), !reservedPrefixes.contains(where: lowered.hasPrefix) else {
            let advice = lowered == "list-unsubscribe" ? "; give your own URIs in list_unsubscribe" : ""
            throw MessageError(
                .reservedHeader, "\(name) cannot be set as a custom header\(advice)", field: "headers.\(name)")
        }
    }
}

package import MailTypes

/// A display name and an address, as in From and Reply-To (RFC 5322 §3.4).
package struct Mailbox: Sendable, Hashable, CustomStringConvertible {
    /// Without quotes and surrounding blanks; nil rather than empty.
    package let name: String?
    package let address: EmailAddress

    /// - Throws: `headerInjection` for a control character, `invalidDisplayName` beyond
    ///   `MessageLimits.displayNameOctets`.
    package init(name: String?, address: EmailAddress) throws(MessageError) {
        self.address = address
        guard let name else {
            self.name = nil
            return
        }
        guard !name.withBytes(HeaderText.containsControl) else {
            throw MessageError(.headerInjection, "a display name holds a control character")
        }
        let trimmed = name.trimmingSpaces()
        guard trimmed.utf8.count <= MessageLimits.displayNameOctets else {
            throw MessageError(
                .invalidDisplayName, "a display name is longer than \(MessageLimits.displayNameOctets) octets")
        }
        self.name = trimmed.isEmpty ? nil : trimmed
    }

    /// Reads one mailbox as people write it:
    ///
    ///     jane@example.org
    ///     Jane Doe <jane@example.org>
    ///     "Doe, Jane" <jane@example.org>
    ///
    /// More forgiving than RFC 5322 in one way: a name may hold commas, dots and UTF-8 without quotes, since only one
    /// mailbox is expected. Comments and encoded words are not read.
    package static func parse(_ text: String) throws(MessageError) -> Mailbox {
        guard !text.withBytes(HeaderText.containsControl) else {
            throw MessageError(.headerInjection, "a mailbox holds a control character")
        }
        let trimmed = text.trimmingSpaces()
        guard trimmed.utf8.last == UInt8(ascii: ">") else {
            return try Mailbox(name: nil, address: address(trimmed[...]))
        }
        guard let open = trimmed.utf8.lastIndex(of: UInt8(ascii: "<")) else {
            throw MessageError(.invalidAddress, "the mailbox has > without <")
        }
        let afterOpen = trimmed.utf8.index(after: open)
        let close = trimmed.utf8.index(before: trimmed.utf8.endIndex)
        return try Mailbox(
            name: displayName(String(trimmed[..<open]).trimmingSpaces()),
            address: address(trimmed[afterOpen..<close]))
    }

    package var description: String { address.description }

    private static func address(_ text: Substring) throws(MessageError) -> EmailAddress {
        do throws(AddressError) {
            return try EmailAddress(text)
        } catch {
            throw MessageError(.invalidAddress, error.description)
        }
    }

    private static func displayName(_ text: String) throws(MessageError) -> String? {
        let bytes = Array(text.utf8)
        guard let first = bytes.first else { return nil }
        guard first == UInt8(ascii: "\"") else {
            guard !bytes.contains(where: { $0 == UInt8(ascii: "<") || $0 == UInt8(ascii: ">") }) else {
                throw MessageError(.invalidAddress, "more than one mailbox was given where one is expected")
            }
            guard !bytes.contains(UInt8(ascii: "\"")) else {
                throw MessageError(.invalidDisplayName, "a display name has a quote in the wrong place")
            }
            return text
        }
        var unquoted: [UInt8] = []
        var index = 1
        while index < bytes.count, bytes[index] != UInt8(ascii: "\"") {
            if bytes[index] == UInt8(ascii: "\\") { index += 1 }
            guard index < bytes.count else { break }
            unquoted.append(bytes[index])
            index += 1
        }
        guard index == bytes.count - 1 else {
            throw MessageError(.invalidDisplayName, "a quoted display name does not end with its quote")
        }
        return String(decoding: unquoted, as: UTF8.self)
    }
}

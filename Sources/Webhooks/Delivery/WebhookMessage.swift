import Crypto
import MailTypes

/// Rows of one campaign's events for one endpoint, sent as one POST.
///
/// Which rows go together is decided once and stored before the first try. The identifier is made of exactly these rows, so
/// one identifier never stands for two different contents.
struct WebhookMessage: Sendable {
    struct Row: Sendable {
        let number: Int64
        var first: Int16
        let end: Int16
        let replay: Int32
        /// The message that it was put in; nil while it is in none.
        var message: Int64?
        var attempts: Int16
        /// When its pack was written, in microseconds.
        let createdAt: Int64
        /// Nil where the row's events are gone.
        let facts: [UInt8]?
        let names: [UInt8]?

        var count: Int { Int(end - first) }
    }

    let rows: [Row]
    /// Behind the last event of the last row that this message holds: a row may be larger than a message.
    let end: Int16

    var number: Int64 { rows[0].number }
    var attempts: Int { Int(rows[0].attempts) }
    var createdAt: Int64 { rows[0].createdAt }
    /// Whether the row has events that come with a later message.
    var leavesRest: Bool { end < rows[rows.count - 1].end }

    /// Puts rows, in the order of their numbers, into messages.
    ///
    /// - Parameter size: the most events in one. Rows that were put together before stay so.
    static func compose(_ rows: [Row], size: Int) -> [WebhookMessage] {
        var messages: [WebhookMessage] = []
        var open: [Row] = []
        func close() {
            guard let last = open.last else { return }
            messages.append(WebhookMessage(rows: open, end: last.end))
            open = []
        }
        for row in rows {
            if row.count > size {
                close()
                messages += slices(of: row, size: Int16(size))
                continue
            }
            let isOld = row.message != nil
            let belongs = open.first.map { first in
                first.message == row.message && first.replay == row.replay
                    && (isOld || open.reduce(row.count) { $0 + $1.count } <= size)
            }
            if belongs == false { close() }
            open.append(row)
        }
        close()
        return messages
    }

    /// Of a row with more events than a message may have.
    private static func slices(of row: Row, size: Int16) -> [WebhookMessage] {
        stride(from: row.first, to: row.end, by: Int(size)).map { first in
            var slice = row
            slice.first = first
            // Tries count for the first of them.
            if first > row.first { slice.attempts = 0 }
            return WebhookMessage(rows: [slice], end: min(row.end, first + size))
        }
    }

    /// `msg_` and 26 digits: of account, endpoint and rows.
    func id(_ account: AccountID, _ endpoint: WebhookID) -> String {
        var hash = SHA256()
        func add(_ value: some FixedWidthInteger) {
            withUnsafeBytes(of: value.bigEndian) { hash.update(bufferPointer: $0) }
        }
        add(account.rawValue)
        add(endpoint.rawValue)
        for row in rows {
            add(row.number)
            add(row.first)
            add(row.end)
            add(row.replay)
        }
        add(end)
        return "msg_" + Self.base32(hash.finalize().prefix(16))
    }

    private static let digits = Array("0123456789abcdefghjkmnpqrstvwxyz".utf8)

    private static func base32(_ octets: some Sequence<UInt8>) -> String {
        var text: [UInt8] = []
        var (buffer, bits): (UInt32, UInt32) = (0, 0)
        for octet in octets {
            buffer = buffer << 8 | UInt32(octet)
            bits += 8
            while bits >= 5 {
                bits -= 5
                text.append(digits[Int(buffer >> bits & 31)])
            }
        }
        if bits > 0 { text.append(digits[Int(buffer << (5 - bits) & 31)]) }
        return String(decoding: text, as: UTF8.self)
    }
}

import MailTypes
import Vault

/// Up to ``WebhookLimits/packEvents`` events of one moment, as a row of the outbox keeps them. Facts name nobody; who it was
/// and what servers said is apart, and sealed.
///
///     facts    octet version (1), 64 bits microseconds since 1970, octet count, then for each event:
///              octet type · octet form
///              form 0   16 bits length and UTF-8 of members of `data`
///              form 1   32 bits index, 16 octets of the fingerprint, 16 bits code, octet class of the status code (0: none),
///                       16 bits subject, 16 bits detail
///     private  octet version (1), then for each event the 16-bit length and UTF-8 of address and reply
///
/// Numbers are big-endian.
struct WebhookPack: Sendable, Hashable {
    /// Microseconds since 1970.
    let time: Int64
    let events: [WebhookEvent]

    var types: WebhookEventTypes { WebhookEventTypes(events.map(\.type)) }
    var namesSomebody: Bool { events.contains { $0.address != nil || $0.reply != nil } }

    init(time: Int64, events: [WebhookEvent]) {
        precondition((1...WebhookLimits.packEvents).contains(events.count), "a pack of another size")
        self.time = time
        self.events = events
    }

    /// The events, each pack as large as it may be.
    static func packs(_ events: [WebhookEvent], time: Int64) -> [WebhookPack] {
        stride(from: 0, to: events.count, by: WebhookLimits.packEvents).map {
            WebhookPack(time: time, events: Array(events[$0..<min(events.count, $0 + WebhookLimits.packEvents)]))
        }
    }

    private static let version: UInt8 = 1

    var facts: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(10 + events.count * 29)
        bytes.append(Self.version)
        bytes.number(UInt64(bitPattern: time))
        bytes.append(UInt8(events.count))
        for event in events {
            bytes.append(event.type.rawValue)
            switch event.detail {
            case .members(let text):
                bytes.append(0)
                bytes.text(text)
            case .message(let facts):
                bytes.append(1)
                bytes.number(UInt32(bitPattern: facts.index))
                bytes.number(facts.fingerprint.high)
                bytes.number(facts.fingerprint.low)
                bytes.number(facts.code)
                bytes.append(facts.enhanced?.statusClass ?? 0)
                bytes.number(facts.enhanced?.subject ?? 0)
                bytes.number(facts.enhanced?.detail ?? 0)
            }
        }
        return bytes
    }

    var privateOctets: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(1 + events.count * 64)
        bytes.append(Self.version)
        for event in events {
            bytes.text(event.address ?? "")
            bytes.text(event.reply ?? "")
        }
        return bytes
    }

    /// - Parameter privateOctets: nil where they are gone: then nobody is named.
    init(facts: [UInt8], privateOctets: [UInt8]?) throws(WebhookError) {
        var reader = Reader(facts)
        guard try reader.octet() == Self.version else { throw .malformed }
        time = Int64(bitPattern: try reader.number(UInt64.self))
        let count = Int(try reader.octet())
        var names = privateOctets.map { Reader($0) }
        if try names?.octet() ?? Self.version != Self.version { throw .malformed }
        var events: [WebhookEvent] = []
        events.reserveCapacity(count)
        for _ in 0..<count {
            guard let type = WebhookEventType(rawValue: try reader.octet()) else { throw .malformed }
            let detail = try reader.detail()
            let address = try names?.text() ?? ""
            let reply = try names?.text() ?? ""
            events.append(
                WebhookEvent(
                    type, detail, address: address.isEmpty ? nil : address, reply: reply.isEmpty ? nil : reply))
        }
        self.events = events
    }

    private struct Reader {
        private let bytes: [UInt8]
        private var position = 0

        init(_ bytes: [UInt8]) { self.bytes = bytes }

        mutating func octet() throws(WebhookError) -> UInt8 {
            guard position < bytes.count else { throw .malformed }
            defer { position += 1 }
            return bytes[position]
        }

        mutating func number<Number: FixedWidthInteger & UnsignedInteger>(
            _: Number.Type
        ) throws(WebhookError) -> Number {
            var value: Number = 0
            for _ in 0..<(Number.bitWidth / 8) { value = value << 8 | Number(try octet()) }
            return value
        }

        mutating func text() throws(WebhookError) -> String {
            let count = Int(try number(UInt16.self))
            guard count <= bytes.count - position else { throw .malformed }
            defer { position += count }
            return String(decoding: bytes[position..<position + count], as: UTF8.self)
        }

        mutating func detail() throws(WebhookError) -> WebhookEvent.Detail {
            switch try octet() {
            case 0: return .members(try text())
            case 1:
                let index = Int32(bitPattern: try number(UInt32.self))
                let fingerprint = Fingerprint(high: try number(UInt64.self), low: try number(UInt64.self))
                let code = try number(UInt16.self)
                let (kind, subject, detail) = (try octet(), try number(UInt16.self), try number(UInt16.self))
                return .message(
                    .init(
                        index: index, fingerprint: fingerprint, code: code,
                        enhanced: EnhancedStatusCode(statusClass: kind, subject: subject, detail: detail)))
            default: throw .malformed
            }
        }
    }
}

extension [UInt8] {
    fileprivate mutating func number(_ value: some FixedWidthInteger) {
        Swift.withUnsafeBytes(of: value.bigEndian) { append(contentsOf: $0) }
    }

    /// At most 65,535 octets.
    fileprivate mutating func text(_ text: String) {
        let octets = text.utf8.prefix(Int(UInt16.max))
        number(UInt16(octets.count))
        append(contentsOf: octets)
    }
}

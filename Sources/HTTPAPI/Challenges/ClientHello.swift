import NIOCore

/// What the first message of a TLS client asks for (RFC 8446 §4.1.2): the server's name and the protocols inside.
///
/// Only a message in one record is read, as clients send it; anything else is left to the TLS library.
struct ClientHello: Sendable, Hashable {
    /// In the client's spelling (RFC 6066 §3).
    var serverName: String?
    /// RFC 7301.
    var protocols: [String] = []

    enum Reading: Sendable, Hashable {
        case needsMore
        case hello(ClientHello)
        /// Not such a message, or a broken one.
        case other
    }

    /// The longest record (RFC 8446 §5.1) with its head.
    static let longest = 16_384 + 5

    static func read(_ buffer: ByteBuffer) -> Reading {
        var buffer = buffer
        guard let kind = buffer.readInteger(as: UInt8.self) else { return .needsMore }
        guard kind == 22 else { return .other }
        guard let (_, length) = buffer.readMultipleIntegers(as: (UInt16, UInt16).self) else { return .needsMore }
        guard length <= longest - 5 else { return .other }
        guard var record = buffer.readSlice(length: Int(length)) else { return .needsMore }
        return parse(&record).map { .hello($0) } ?? .other
    }

    private static func parse(_ record: inout ByteBuffer) -> ClientHello? {
        // Type and length of the handshake message, version, random.
        guard record.readInteger(as: UInt8.self) == 1, let high = record.readInteger(as: UInt8.self),
            let low = record.readInteger(as: UInt16.self), Int(high) << 16 | Int(low) == record.readableBytes,
            record.readSlice(length: 34) != nil,
            // Session, cipher suites, compression.
            record.readLengthPrefixedSlice(as: UInt8.self) != nil,
            record.readLengthPrefixedSlice(as: UInt16.self) != nil,
            record.readLengthPrefixedSlice(as: UInt8.self) != nil
        else { return nil }
        var hello = ClientHello()
        guard record.readableBytes > 0 else { return hello }
        guard var extensions = record.readLengthPrefixedSlice(as: UInt16.self) else { return nil }
        while extensions.readableBytes > 0 {
            guard let type = extensions.readInteger(as: UInt16.self),
                var value = extensions.readLengthPrefixedSlice(as: UInt16.self)
            else { return nil }
            switch type {
            case 0: hello.serverName = name(&value)
            case 16: hello.protocols = list(&value)
            default: break
            }
        }
        return hello
    }

    private static func name(_ value: inout ByteBuffer) -> String? {
        guard var names = value.readLengthPrefixedSlice(as: UInt16.self) else { return nil }
        while let type = names.readInteger(as: UInt8.self), let name = names.readLengthPrefixedSlice(as: UInt16.self) {
            if type == 0 { return String(validating: name.readableBytesView, as: UTF8.self) }
        }
        return nil
    }

    private static func list(_ value: inout ByteBuffer) -> [String] {
        guard var list = value.readLengthPrefixedSlice(as: UInt16.self) else { return [] }
        var protocols: [String] = []
        while let name = list.readLengthPrefixedSlice(as: UInt8.self) {
            if let name = String(validating: name.readableBytesView, as: UTF8.self) { protocols.append(name) }
        }
        return protocols
    }
}

import NIOCore
import TestSupport
import Testing

@testable import HTTPAPI

/// The first message of TLS clients, which anybody may write.
struct ClientHelloTests {
    private static func extensions(_ name: String?, _ protocols: [String]) -> ByteBuffer {
        var bytes = ByteBuffer()
        // One that nobody knows (RFC 8701).
        bytes.writeInteger(0x0A0A as UInt16)
        bytes.writeInteger(0 as UInt16)
        if let name {
            bytes.writeInteger(0 as UInt16)
            _ = try! bytes.writeLengthPrefixed(as: UInt16.self) { value in
                try value.writeLengthPrefixed(as: UInt16.self) { list in
                    list.writeInteger(0 as UInt8)
                        + (try list.writeLengthPrefixed(as: UInt16.self) { $0.writeString(name) })
                }
            }
        }
        if !protocols.isEmpty {
            bytes.writeInteger(16 as UInt16)
            _ = try! bytes.writeLengthPrefixed(as: UInt16.self) { value in
                try value.writeLengthPrefixed(as: UInt16.self) { list in
                    try protocols.reduce(0) { sum, name in
                        sum + (try list.writeLengthPrefixed(as: UInt8.self) { $0.writeString(name) })
                    }
                }
            }
        }
        return bytes
    }

    private static func hello(_ name: String?, _ protocols: [String]) -> ByteBuffer {
        var body = ByteBuffer()
        body.writeInteger(0x0303 as UInt16)
        body.writeRepeatingByte(7, count: 32)
        body.writeInteger(0 as UInt8)
        body.writeInteger(2 as UInt16)
        body.writeInteger(0x1301 as UInt16)
        body.writeInteger(1 as UInt8)
        body.writeInteger(0 as UInt8)
        var more = extensions(name, protocols)
        body.writeInteger(UInt16(more.readableBytes))
        body.writeBuffer(&more)
        var record = ByteBuffer()
        record.writeInteger(22 as UInt8)
        record.writeInteger(0x0301 as UInt16)
        record.writeInteger(UInt16(body.readableBytes + 4))
        record.writeInteger(1 as UInt8)
        record.writeInteger(0 as UInt8)
        record.writeInteger(UInt16(body.readableBytes))
        record.writeBuffer(&body)
        return record
    }

    @Test(
        arguments: [
            ("news.example.com", ["acme-tls/1"]), ("news.example.com", ["h2", "http/1.1"]), (nil, ["acme-tls/1"]),
            ("news.example.com", []), (nil, []),
        ] as [(String?, [String])])
    func `name and protocols are read once all is there`(_ name: String?, _ protocols: [String]) {
        let whole = Self.hello(name, protocols)
        #expect(ClientHello.read(whole) == .hello(ClientHello(serverName: name, protocols: protocols)))
        for length in 0..<whole.readableBytes {
            #expect(ClientHello.read(whole.getSlice(at: 0, length: length)!) == .needsMore, "\(length)")
        }
        var more = whole
        more.writeString("what comes next")
        #expect(ClientHello.read(more) == .hello(ClientHello(serverName: name, protocols: protocols)))
    }

    @Test func `other messages are left to the TLS library`() {
        #expect(ClientHello.read(ByteBuffer(string: "GET / HTTP/1.1\r\n\r\n")) == .other)
        #expect(ClientHello.read(ByteBuffer(bytes: [22, 3, 1, 0xFF, 0xFF, 1])) == .other)
        #expect(ClientHello.read(ByteBuffer(bytes: [22, 3, 1, 0, 4, 2, 0, 0, 0])) == .other)
    }

    @Test(arguments: Seed.range(50)) func `no damage stops the reader`(seed: Seed) {
        var random = SeededGenerator(seed)
        for _ in 0..<200 {
            var bytes = Self.hello("news.example.com", ["acme-tls/1", "h2"])
            for _ in 0..<Int.random(in: 1...6, using: &random) {
                bytes.setInteger(
                    UInt8.random(in: 0...255, using: &random),
                    at: Int.random(in: 0..<bytes.readableBytes, using: &random))
            }
            _ = ClientHello.read(bytes)
        }
    }
}

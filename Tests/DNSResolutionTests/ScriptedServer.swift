import DNSResolution
import Foundation
import Synchronization
import TestPeers

/// A name server that answers as it is told, wrongly or not at all.
final class ScriptedServer: Sendable {
    enum Reply: Sendable {
        case records([[UInt8]])
        case code(UInt8)
        case silence
        /// Octets that are no DNS message, behind the right identifier.
        case garbage
    }

    private let socket: Socket
    private let isStopping = Atomic(false)
    private let asked = Mutex<[String]>([])

    /// The names and types that were asked for, such as `example.org MX`.
    var questions: [String] { asked.withLock { $0 } }

    var resolverConfiguration: ResolverConfiguration {
        // Long enough that the answers decide, not the machine's load; tests of the timeout set their own.
        ResolverConfiguration(forwarders: [DNSServer("127.0.0.1:\(socket.port)")!], timeout: .seconds(60))
    }

    /// - Parameter reply: gets a name in lower case and A, MX, TXT or AAAA.
    init(_ reply: @escaping @Sendable (_ name: String, _ type: String) -> Reply) throws {
        socket = try Socket()
        let thread = Thread { [self] in
            while !isStopping.load(ordering: .relaxed) {
                guard let (query, from) = socket.receive(milliseconds: 20) else { continue }
                guard let (name, type, end) = Self.question(query) else { continue }
                let typeName = [1: "A", 15: "MX", 16: "TXT", 28: "AAAA"][type] ?? "TYPE\(type)"
                asked.withLock { $0.append("\(name) \(typeName)") }
                if let answer = Self.answer(query, type: type, questionEnd: end, reply(name, typeName)) {
                    socket.send(answer, to: from)
                }
            }
        }
        thread.start()
    }

    func stop() { isStopping.store(true, ordering: .relaxed) }

    private static func question(_ query: [UInt8]) -> (name: String, type: Int, end: Int)? {
        var labels: [String] = []
        var offset = 12
        while offset < query.count, query[offset] != 0 {
            let end = offset + 1 + Int(query[offset])
            guard end < query.count else { return nil }
            labels.append(String(decoding: query[(offset + 1)..<end], as: UTF8.self))
            offset = end
        }
        guard offset + 5 <= query.count else { return nil }
        return (
            labels.joined(separator: ".").lowercased(), Int(query[offset + 1]) << 8 | Int(query[offset + 2]), offset + 5
        )
    }

    private static func answer(_ query: [UInt8], type: Int, questionEnd: Int, _ reply: Reply) -> [UInt8]? {
        func head(_ code: UInt8, _ count: Int) -> [UInt8] {
            Array(query[0..<2]) + [0x81, 0x80 | code, 0, 1, 0, UInt8(count), 0, 0, 0, 0] + query[12..<questionEnd]
        }
        switch reply {
        case .silence: return nil
        case .garbage: return Array(query[0..<2]) + [0x81, 0x80, 0, 1, 0, 9, 0, 0, 0, 0, 0xC0, 0x0C, 0xFF]
        case .code(let code): return head(code, 0)
        case .records(let data):
            return head(0, data.count)
                + data.flatMap {
                    [0xC0, 0x0C, 0, UInt8(type), 0, 1, 0, 0, 0, 60, UInt8($0.count >> 8), UInt8($0.count & 255)] + $0
                }
        }
    }
}

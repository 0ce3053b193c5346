import Testing

@testable import Application

@Suite struct HTTPAnswerReaderTests {
    private static let answers = """
        HTTP/1.1 200 OK\r
        Content-Type: application/json\r
        content-length: 12\r
        \r
        {"a":"\r\n\r\n"}HTTP/1.1 204 No Content\r
        \r
        HTTP/1.1 429 Too Many Requests\r
        Content-Length:0\r
        \r

        """

    /// All statuses that are found where the octets come in pieces of a length.
    private static func statuses(_ text: String, pieces length: Int) throws -> [Int] {
        var reader = HTTPAnswerReader()
        var statuses: [Int] = []
        let octets = Array(text.utf8)
        for start in stride(from: 0, to: octets.count, by: length) {
            reader.append(octets[start..<min(octets.count, start + length)])
            while let status = try reader.next() { statuses.append(status) }
        }
        return statuses
    }

    @Test(arguments: [1, 2, 7, 50, 1_000]) func `answers are told apart, however they come`(_ length: Int) throws {
        #expect(try Self.statuses(Self.answers, pieces: length) == [200, 204, 429])
    }

    @Test func `an answer that has not come whole is none yet`() throws {
        let octets = Array("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab".utf8)
        for length in 0..<octets.count {
            #expect(try Self.statuses(String(decoding: octets.prefix(length), as: UTF8.self), pieces: 100).isEmpty)
        }
    }

    @Test(arguments: [
        "SSH-2.0-OpenSSH_9.2\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 2x0 OK\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        String(repeating: "x", count: 70_000),
    ]) func `what has no end that could be known is refused`(_ text: String) {
        #expect(throws: RigError.self) { try Self.statuses(text, pieces: 100_000) }
    }
}

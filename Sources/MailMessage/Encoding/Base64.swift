/// Base64 as mail carries it (RFC 2045 §6.8).
enum Base64 {
    /// 57 octets make a full line of 76.
    private static let octetsPerLine = 57
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    /// What `appendLines` writes for `count` octets.
    static func lineOctets(for count: Int) -> Int {
        (count + 2) / 3 * 4 + (count + octetsPerLine - 1) / octetsPerLine * 2
    }

    /// Appends lines of at most 76 characters, each ended by CRLF; nothing for no input.
    static func appendLines(_ bytes: UnsafeBufferPointer<UInt8>, to output: inout [UInt8]) {
        let start = output.count
        output.append(contentsOf: repeatElement(UInt8(ascii: "="), count: lineOctets(for: bytes.count)))
        output.withUnsafeMutableBufferPointer { output in
            alphabet.withUnsafeBufferPointer { alphabet in
                var read = 0
                var write = start
                while read < bytes.count {
                    let end = min(bytes.count, read + octetsPerLine)
                    encode(bytes, read..<end, alphabet, into: output, at: &write)
                    output[write] = UInt8(ascii: "\r")
                    output[write + 1] = UInt8(ascii: "\n")
                    write += 2
                    read = end
                }
            }
        }
    }

    /// Appends without line breaks, for an encoded word.
    static func append(_ bytes: UnsafeBufferPointer<UInt8>, to output: inout [UInt8]) {
        var write = output.count
        output.append(contentsOf: repeatElement(UInt8(ascii: "="), count: (bytes.count + 2) / 3 * 4))
        output.withUnsafeMutableBufferPointer { output in
            alphabet.withUnsafeBufferPointer { alphabet in
                encode(bytes, 0..<bytes.count, alphabet, into: output, at: &write)
            }
        }
    }

    /// Leaves the padding, which `output` is filled with, in place.
    @inline(__always)
    private static func encode(
        _ bytes: UnsafeBufferPointer<UInt8>, _ range: Range<Int>, _ alphabet: UnsafeBufferPointer<UInt8>,
        into output: UnsafeMutableBufferPointer<UInt8>, at write: inout Int
    ) {
        var read = range.lowerBound
        while read + 3 <= range.upperBound {
            let group = Int(bytes[read]) << 16 | Int(bytes[read + 1]) << 8 | Int(bytes[read + 2])
            output[write] = alphabet[group >> 18]
            output[write + 1] = alphabet[group >> 12 & 63]
            output[write + 2] = alphabet[group >> 6 & 63]
            output[write + 3] = alphabet[group & 63]
            read += 3
            write += 4
        }
        let left = range.upperBound - read
        guard left > 0 else { return }
        let group = Int(bytes[read]) << 16 | (left == 2 ? Int(bytes[read + 1]) << 8 : 0)
        output[write] = alphabet[group >> 18]
        output[write + 1] = alphabet[group >> 12 & 63]
        if left == 2 { output[write + 2] = alphabet[group >> 6 & 63] }
        write += 4
    }
}

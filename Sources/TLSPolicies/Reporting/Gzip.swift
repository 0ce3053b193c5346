import CZlib

/// The file format of RFC 1952, by zlib.
enum Gzip {
    static func pack(_ bytes: [UInt8]) -> [UInt8] {
        var stream = unsafe z_stream()
        // 15 bits of window; 16 more ask for gzip's header instead of zlib's.
        let status = unsafe deflateInit2_(
            &stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY, zlibVersion(),
            Int32(MemoryLayout<z_stream>.size))
        precondition(status == Z_OK, "zlib has no memory left")
        defer { unsafe deflateEnd(&stream) }
        var input = bytes
        var output = [UInt8](repeating: 0, count: Int(unsafe deflateBound(&stream, UInt(bytes.count))))
        let count = unsafe input.withUnsafeMutableBufferPointer { input in
            unsafe output.withUnsafeMutableBufferPointer { output in
                unsafe stream.next_in = input.baseAddress
                unsafe stream.avail_in = UInt32(input.count)
                unsafe stream.next_out = output.baseAddress
                unsafe stream.avail_out = UInt32(output.count)
                // The bound leaves room for everything at once.
                let status = unsafe deflate(&stream, Z_FINISH)
                precondition(status == Z_STREAM_END, "zlib broke its bound")
                return unsafe Int(stream.total_out)
            }
        }
        return Array(output.prefix(count))
    }
}

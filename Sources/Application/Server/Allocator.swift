import Foundation

/// The C library's allocator.
enum Allocator {
    /// Call before there are threads.
    ///
    /// glibc gives threads arenas of their own, up to eight for each core. Mail goes from thread to thread: what one
    /// allocates another frees, and each arena keeps the pages around what is left in it. With sixteen of them a node
    /// that held 90 MB used 290 MiB after 200,000 messages and grew on; with two it stays where it was after 20,000, and
    /// a message costs the same CPU.
    ///
    /// It also takes larger and larger blocks from the arenas once one was freed. An opened batch is some hundred KB and
    /// lives for seconds, so it shall be mapped and unmapped whole.
    static func prepare() {
        // Swift's module of glibc leaves malloc.h out; other C libraries have no such function.
        guard let address = dlsym(UnsafeMutableRawPointer(bitPattern: 0), "mallopt") else { return }
        let mallopt = unsafeBitCast(address, to: (@convention(c) (Int32, Int32) -> Int32).self)
        _ = mallopt(mostArenas, 2)
        _ = mallopt(leastMapped, 128 << 10)
    }

    /// M_ARENA_MAX and M_MMAP_THRESHOLD of mallopt(3).
    private static let mostArenas: Int32 = -8
    private static let leastMapped: Int32 = -3
}

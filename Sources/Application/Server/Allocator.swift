import Foundation

/// The C library's allocator.
enum Allocator {
    /// Call before there are threads.
    ///
    /// glibc gives threads arenas of their own, up to eight for each core. Mail goes from thread to thread: what one
    /// allocates another frees, and each arena keeps the pages around what is left in it. With sixteen of them a node
    /// that held 90 MB used 290 MiB after 200,000 messages and grew on; with four it stays, and threads do not wait for
    /// each other as they do with two, which costs a message some 4 % of its CPU.
    ///
    /// It also takes larger and larger blocks from the arenas once one was freed. An opened batch is some hundred KB up to
    /// megabytes and lives for seconds, so the large ones shall be mapped and unmapped whole. To set this bound ends glibc's
    /// own choice of the next one too: how much may lie free at the end of an arena before it is given back.
    static func prepare() {
        // Swift's module of glibc leaves malloc.h out; other C libraries have no such function.
        guard let address = dlsym(UnsafeMutableRawPointer(bitPattern: 0), "mallopt") else { return }
        let mallopt = unsafeBitCast(address, to: (@convention(c) (Int32, Int32) -> Int32).self)
        _ = mallopt(mostArenas, 4)
        _ = mallopt(leastMapped, 1 << 20)
        _ = mallopt(mostFreeAtTheEnd, 16 << 20)
    }

    /// M_ARENA_MAX, M_MMAP_THRESHOLD and M_TRIM_THRESHOLD of mallopt(3).
    private static let mostArenas: Int32 = -8
    private static let leastMapped: Int32 = -3
    private static let mostFreeAtTheEnd: Int32 = -1
}

import Foundation

/// The C library's allocator.
enum Allocator {
    /// Call before there are threads.
    ///
    /// glibc gives threads arenas of their own, up to eight for each core. Mail goes from thread to thread: what one
    /// allocates another frees, and each arena keeps the pages around what is left in it. On two cores a node that held
    /// 90 MB used 290 MiB with sixteen arenas after 200,000 messages, and grew on; after 1,000,000 it uses 185 with two and
    /// 168 with one, and a message costs the same CPU. Few cores seldom want the same one at a time: each thread keeps
    /// some blocks of each size to itself.
    ///
    /// It also takes larger and larger blocks from the arenas once one was freed. An opened batch is some hundred KB and
    /// lives for seconds, so it shall be mapped and unmapped whole.
    static func prepare() {
        // Swift's module of glibc leaves malloc.h out; other C libraries have no such function.
        guard let address = dlsym(UnsafeMutableRawPointer(bitPattern: 0), "mallopt") else { return }
        let mallopt = unsafeBitCast(address, to: (@convention(c) (Int32, Int32) -> Int32).self)
        _ = mallopt(mostArenas, ProcessInfo.processInfo.activeProcessorCount < 4 ? 1 : 2)
        _ = mallopt(leastMapped, 128 << 10)
    }

    /// M_ARENA_MAX and M_MMAP_THRESHOLD of mallopt(3).
    private static let mostArenas: Int32 = -8
    private static let leastMapped: Int32 = -3
}

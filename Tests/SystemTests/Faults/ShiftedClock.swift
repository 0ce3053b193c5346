import Foundation

/// Shifts the wall clock of one program and leaves its steady clocks alone, through a small library that is loaded
/// before the C library. (libfaketime does the same, but Swift programs lose their arguments under it.)
struct ShiftedClock {
    private let file: String
    private let library: String

    /// Nil where there is no compiler.
    init?(_ directory: TemporaryDirectory) throws {
        file = directory.path + "/clock"
        library = directory.path + "/clock.so"
        let source = directory.path + "/clock.c"
        try Self.source.write(toFile: source, atomically: false, encoding: .utf8)
        let compiled = try Programs.finish(
            "/usr/bin/env", ["clang", "-shared", "-fPIC", "-O1", "-o", library, source])
        guard compiled.status == 0 else { return nil }
        try shift(seconds: 0)
    }

    func shift(seconds: Int) throws { try "\(seconds)".write(toFile: file, atomically: true, encoding: .utf8) }

    /// Goes before the program's name.
    var launcher: [String] { ["env", "LD_PRELOAD=\(library)", "SHIFTED_CLOCK_FILE=\(file)"] }

    private static let source = """
        #define _GNU_SOURCE
        #include <fcntl.h>
        #include <stdlib.h>
        #include <sys/syscall.h>
        #include <sys/time.h>
        #include <time.h>
        #include <unistd.h>
        static long offset(void) {
            const char *path = getenv("SHIFTED_CLOCK_FILE");
            char text[32] = {0};
            int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
            if (file < 0) return 0;
            if (read(file, text, sizeof text - 1) < 0) text[0] = 0;
            close(file);
            return atol(text);
        }
        int clock_gettime(clockid_t clock, struct timespec *now) {
            int result = syscall(SYS_clock_gettime, clock, now);
            if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += offset();
            return result;
        }
        int gettimeofday(struct timeval *now, void *zone) {
            struct timespec time;
            if (clock_gettime(CLOCK_REALTIME, &time)) return -1;
            now->tv_sec = time.tv_sec;
            now->tv_usec = time.tv_nsec / 1000;
            return 0;
        }
        time_t time(time_t *result) {
            struct timespec time;
            clock_gettime(CLOCK_REALTIME, &time);
            if (result) *result = time.tv_sec;
            return time.tv_sec;
        }

        """
}

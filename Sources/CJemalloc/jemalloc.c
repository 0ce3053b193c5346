#include "CJemalloc.h"

// Mail goes from thread to thread: what one allocates another frees. With one arena for two cores, whatever threads run on
// them, few wait for a lock and little memory lies in arenas that nobody uses; jemalloc's own choice is four for each core.
// Pages that nobody has used for 2 s go back, instead of 10: what an import took is gone before its campaign is well under way.
// There are dozens of threads, each of which keeps free blocks: fewer of them than usual, and none above 8 KiB.
const char *malloc_conf = "percpu_arena:phycpu,dirty_decay_ms:2000,lg_tcache_max:13,lg_tcache_nslots_mul:-2";

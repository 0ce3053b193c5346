#define _GNU_SOURCE
#include "CJemalloc.h"

#include <sched.h>
#include <stdio.h>

// Mail goes from thread to thread: what one allocates another frees. With one arena for two cores few threads wait for a lock,
// and little memory lies in arenas that nobody uses; jemalloc's own choice is four for each core. Its arenas by core would do
// as well, but where a process may not use all cores it complains about them on standard error.
//
// Pages that nobody has used for 2 s go back, instead of 10, by a thread of jemalloc's own even if nothing is allocated: what an
// import took is gone before its campaign is well under way.
//
// There are dozens of threads, each of which keeps free blocks: fewer of them than usual, and none above 8 KiB.
#define SETTINGS "background_thread:true,dirty_decay_ms:2000,lg_tcache_max:13,lg_tcache_nslots_mul:-2,narenas:"

static char settings[sizeof SETTINGS + 8] = SETTINGS "1";
const char *malloc_conf = settings;

static void choose_arenas(void) {
    cpu_set_t cores;
    int arenas = sched_getaffinity(0, sizeof cores, &cores) == 0 ? CPU_COUNT(&cores) / 2 : 1;
    snprintf(settings, sizeof settings, SETTINGS "%d", arenas > 1 ? arenas : 1);
}

// Before jemalloc is initialised: it reads its settings once.
__attribute__((section(".preinit_array"), used)) static void (*const choose_arenas_first)(void) = choose_arenas;

// The program's allocator: jemalloc in the place of the C library's malloc, for all code of the process. Nothing is called
// here; to be linked is enough. Decision 0141 says why.

#ifndef CJEMALLOC_H
#define CJEMALLOC_H

/// What jemalloc reads once, before `main` and all constructors; see jemalloc(3), TUNING.
extern const char *malloc_conf;

#endif

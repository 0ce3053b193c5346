#include <crypt.h>
#include <string.h>
#include <sys/resource.h>

/* How much room crypt_rn needs for its work. */
static inline size_t crypt_room(void) { return sizeof(struct crypt_data); }

/* Clears memory that held a password; no compiler leaves it out. */
static inline void crypt_clear(void *room, size_t octets) { explicit_bzero(room, octets); }

/* Linux gives each thread a priority of its own; 0 is the thread that calls. */
static inline int lower_thread_priority(int nice) { return setpriority(PRIO_PROCESS, 0, nice); }

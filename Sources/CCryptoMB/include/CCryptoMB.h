// Eight RSA-2048 operations in one pass by crypto_mb of Intel's Cryptography Primitives Library, loaded while the program
// runs. What the library cannot promise is done around it here: the CPU is asked first, MXCSR is set so that timing does
// not depend on data, and nothing of a key is left in memory, on the stack or in vector registers.

#ifndef CCRYPTOMB_H
#define CCRYPTOMB_H

#include <stddef.h>
#include <stdint.h>

/// Operations of one pass.
#define CRYPTOMB_LANES 8
/// Octets of a block or a signature, the most significant first.
#define CRYPTOMB_OCTETS 256
/// 64-bit limbs of a key, each number's least significant limb first: p, q, d mod p-1, d mod q-1 and the inverse of q
/// mod p with 16 each, then n with 32.
#define CRYPTOMB_KEY_LIMBS 112

typedef struct cryptomb cryptomb;

typedef enum {
    CRYPTOMB_LOADED,
    /// The loader finds no such library, or cannot load it.
    CRYPTOMB_MISSING,
    /// It lacks functions: another library, or one that is too old.
    CRYPTOMB_TOO_OLD,
    /// It says that it does not work on this CPU.
    CRYPTOMB_REFUSES,
} cryptomb_result;

/// Whether the CPU has AVX-512 with F, DQ, BW, VL and IFMA, and the system saves its registers.
int cryptomb_cpu_has_ifma(void);

/// Loads the library for as long as the process lives. Call it where ``cryptomb_cpu_has_ifma`` says yes.
///
/// @param path a soname for the loader to look for, or a path.
/// @param library gets the library.
cryptomb_result cryptomb_load(const char *_Nonnull path, const cryptomb *_Nullable *_Nonnull library);

/// The version as the library tells it.
const char *_Nonnull cryptomb_version(const cryptomb *_Nonnull library);

/// Raises each of eight blocks to its key's private exponent. Nothing is checked: see that what comes out is right before
/// it leaves, as a single faulty half of it would reveal the key.
///
/// @param keys `CRYPTOMB_KEY_LIMBS` limbs each; one key may stand in several lanes.
/// @param blocks eight blocks on end, each less than its key's n.
/// @param results gets eight signatures on end; zeros in a lane that failed.
void cryptomb_private(
    const cryptomb *_Nonnull library, const uint64_t *_Nonnull const keys[_Nonnull CRYPTOMB_LANES],
    const uint8_t *_Nonnull blocks, uint8_t *_Nonnull results);

/// Raises each of eight signatures to the exponent 65537, with the n of its key.
void cryptomb_public(
    const cryptomb *_Nonnull library, const uint64_t *_Nonnull const keys[_Nonnull CRYPTOMB_LANES],
    const uint8_t *_Nonnull signatures, uint8_t *_Nonnull results);

#endif

#define _GNU_SOURCE
#include "CCryptoMB.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

enum { FACTOR_LIMBS = 16, BITS = 2048 };

// The functions as the library's headers declare them (crypto_mb/rsa.h, version.h, cpu_features.h). Of its two families
// these take numbers as limbs and their scratch memory from the caller, so no copy of a key is left with anybody else.
typedef uint32_t (*private_function)(
    const uint8_t *const from[8], uint8_t *const to[8], const uint64_t *const p[8], const uint64_t *const q[8],
    const uint64_t *const dp[8], const uint64_t *const dq[8], const uint64_t *const iq[8], int bits,
    const void *method, uint8_t *scratch);
typedef uint32_t (*public_function)(
    const uint8_t *const from[8], uint8_t *const to[8], const uint64_t *const n[8], int bits, const void *method,
    uint8_t *scratch);
typedef const void *(*method_function)(void);
typedef int (*scratch_function)(const void *method);
typedef int (*applicable_function)(uint64_t features);
typedef struct {
    int major, minor, revision;
    const char *name, *build_date, *text;
} version;
typedef const version *(*version_function)(void);

struct cryptomb {
    private_function private_powers;
    public_function public_powers;
    const void *private_method, *public_method;
    size_t scratch_octets;
    const char *version;
};

#if defined(__x86_64__)
#include <immintrin.h>

int cryptomb_cpu_has_ifma(void) {
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq")
        && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl")
        && __builtin_cpu_supports("avx512ifma");
}

// Without this value some CPUs retire vector multiplications later for certain operands (Intel: MXCSR configuration
// dependent timing).
enum { STEADY_MXCSR = 0x1FBF };

static unsigned begin_pass(void) {
    unsigned saved = _mm_getcsr();
    _mm_setcsr(STEADY_MXCSR);
    _mm_lfence();
    return saved;
}

// All vector registers belong to the caller of a function, so none of them holds what somebody still wants.
__attribute__((noinline, target("avx512f"))) static void wipe_registers(void) {
    __asm__ volatile(
        "vpxorq %zmm16, %zmm16, %zmm16\n\t"
        "vpxorq %zmm17, %zmm17, %zmm17\n\t"
        "vpxorq %zmm18, %zmm18, %zmm18\n\t"
        "vpxorq %zmm19, %zmm19, %zmm19\n\t"
        "vpxorq %zmm20, %zmm20, %zmm20\n\t"
        "vpxorq %zmm21, %zmm21, %zmm21\n\t"
        "vpxorq %zmm22, %zmm22, %zmm22\n\t"
        "vpxorq %zmm23, %zmm23, %zmm23\n\t"
        "vpxorq %zmm24, %zmm24, %zmm24\n\t"
        "vpxorq %zmm25, %zmm25, %zmm25\n\t"
        "vpxorq %zmm26, %zmm26, %zmm26\n\t"
        "vpxorq %zmm27, %zmm27, %zmm27\n\t"
        "vpxorq %zmm28, %zmm28, %zmm28\n\t"
        "vpxorq %zmm29, %zmm29, %zmm29\n\t"
        "vpxorq %zmm30, %zmm30, %zmm30\n\t"
        "vpxorq %zmm31, %zmm31, %zmm31\n\t"
        "vzeroall");
}

static void end_pass(unsigned saved) {
    wipe_registers();
    _mm_lfence();
    _mm_setcsr(saved);
}

#else

int cryptomb_cpu_has_ifma(void) { return 0; }

static unsigned begin_pass(void) { return 0; }
static void end_pass(unsigned saved) { (void)saved; }

#endif

// More than the library's functions have spilled below our frame.
enum { STACK_OCTETS = 16384 };

__attribute__((noinline)) static void wipe_stack(void) {
    char below[STACK_OCTETS];
    explicit_bzero(below, sizeof below);
    __asm__ volatile("" ::"r"(below) : "memory");
}

cryptomb_result cryptomb_load(const char *path, const cryptomb **library) {
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!handle) return CRYPTOMB_MISSING;
    applicable_function applicable = (applicable_function)dlsym(handle, "mbx_is_crypto_mb_applicable");
    version_function version = (version_function)dlsym(handle, "mbx_getversion");
    method_function private_method = (method_function)dlsym(handle, "mbx_RSA2K_private_crt_Method");
    method_function public_method = (method_function)dlsym(handle, "mbx_RSA2K_pub65537_Method");
    scratch_function scratch = (scratch_function)dlsym(handle, "mbx_RSA_Method_BufSize");
    private_function private_powers = (private_function)dlsym(handle, "mbx_rsa_private_crt_mb8");
    public_function public_powers = (public_function)dlsym(handle, "mbx_rsa_public_mb8");
    if (!applicable || !version || !private_method || !public_method || !scratch || !private_powers || !public_powers) {
        dlclose(handle);
        return CRYPTOMB_TOO_OLD;
    }
    // 0: the library asks the CPU itself.
    if (!applicable(0)) {
        dlclose(handle);
        return CRYPTOMB_REFUSES;
    }
    struct cryptomb *loaded = malloc(sizeof *loaded);
    if (!loaded) return CRYPTOMB_MISSING;
    loaded->private_powers = private_powers;
    loaded->public_powers = public_powers;
    loaded->private_method = private_method();
    loaded->public_method = public_method();
    int of_private = scratch(loaded->private_method), of_public = scratch(loaded->public_method);
    loaded->scratch_octets = (size_t)(of_private > of_public ? of_private : of_public);
    loaded->version = version()->text;
    *library = loaded;
    return CRYPTOMB_LOADED;
}

const char *cryptomb_version(const cryptomb *library) { return library->version; }

typedef struct {
    const uint8_t *from[8];
    uint8_t *to[8];
    void *scratch;
    size_t octets;
} pass;

// aligned_alloc wants a multiple of the alignment.
enum { ALIGNMENT = 64 };

static int prepare(pass *pass, const cryptomb *library, const uint8_t *blocks, uint8_t *results) {
    pass->octets = (library->scratch_octets + 2 * ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    pass->scratch = aligned_alloc(ALIGNMENT, pass->octets);
    for (int lane = 0; lane < CRYPTOMB_LANES; lane++) {
        pass->from[lane] = blocks + lane * CRYPTOMB_OCTETS;
        pass->to[lane] = results + lane * CRYPTOMB_OCTETS;
    }
    if (pass->scratch) return 1;
    memset(results, 0, CRYPTOMB_LANES * CRYPTOMB_OCTETS);
    return 0;
}

static void finish(pass *pass, uint32_t status) {
    wipe_stack();
    explicit_bzero(pass->scratch, pass->octets);
    free(pass->scratch);
    // The library has a nibble for each lane.
    for (int lane = 0; lane < CRYPTOMB_LANES; lane++) {
        if (status >> (4 * lane) & 0xF) memset(pass->to[lane], 0, CRYPTOMB_OCTETS);
    }
}

void cryptomb_private(
    const cryptomb *library, const uint64_t *const keys[CRYPTOMB_LANES], const uint8_t *blocks, uint8_t *results) {
    pass pass;
    if (!prepare(&pass, library, blocks, results)) return;
    const uint64_t *parts[5][CRYPTOMB_LANES];
    for (int part = 0; part < 5; part++) {
        for (int lane = 0; lane < CRYPTOMB_LANES; lane++) parts[part][lane] = keys[lane] + part * FACTOR_LIMBS;
    }
    unsigned saved = begin_pass();
    uint32_t status = library->private_powers(
        pass.from, pass.to, parts[0], parts[1], parts[2], parts[3], parts[4], BITS, library->private_method,
        pass.scratch);
    end_pass(saved);
    finish(&pass, status);
}

void cryptomb_public(
    const cryptomb *library, const uint64_t *const keys[CRYPTOMB_LANES], const uint8_t *signatures, uint8_t *results) {
    pass pass;
    if (!prepare(&pass, library, signatures, results)) return;
    const uint64_t *moduli[CRYPTOMB_LANES];
    for (int lane = 0; lane < CRYPTOMB_LANES; lane++) moduli[lane] = keys[lane] + 5 * FACTOR_LIMBS;
    unsigned saved = begin_pass();
    uint32_t status = library->public_powers(
        pass.from, pass.to, moduli, BITS, library->public_method, pass.scratch);
    end_pass(saved);
    finish(&pass, status);
}

/* What the library exports: which levels this processor has, and the functions of each. */
#include "core.h"
#include "scratch.h"

#define EXPORTED __attribute__((visibility("default")))

#if defined(__x86_64__)
#include <cpuid.h>
extern const Level level_sse4, level_avx2, level_avx512, level_vnni;
static const Level *const LEVELS[] = {&level_sse4, &level_avx2, &level_avx512, &level_vnni};

static uint64_t enabled(void) { /* the registers that the operating system keeps */
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

/* How many of LEVELS the processor has. */
EXPORTED int32_t splitdnn_levels(void) {
    uint32_t a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || (c & (bit_SSE4_2 | bit_POPCNT)) != (bit_SSE4_2 | bit_POPCNT)) return 0;
    if ((c & (bit_OSXSAVE | bit_AVX)) != (bit_OSXSAVE | bit_AVX) || (enabled() & 0x06) != 0x06) return 1;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return 1;
    const uint32_t avx2 = bit_AVX2 | bit_BMI | bit_BMI2, avx512 = bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL;
    if ((b & avx2) != avx2) return 1;
    if ((b & avx512) != avx512 || (enabled() & 0xe6) != 0xe6) return 2;
    return c & bit_AVX512VNNI ? 4 : 3;
}
#else
extern const Level level_neon;
static const Level *const LEVELS[] = {&level_neon};

EXPORTED int32_t splitdnn_levels(void) { return 1; }
#endif

/* Whoever has structures of other sizes is not to call anything. */
EXPORTED int32_t splitdnn_layout(void) { return ABI << 16 | (int32_t)(sizeof(Pass) + sizeof(Model) + sizeof(Level)); }

EXPORTED const Level *splitdnn_level(int32_t number) { return LEVELS[number]; }

/* Bytes of scratch memory that one frame takes. */
EXPORTED int64_t splitdnn_scratch(const Model *m) {
    Frame frame;
    const size_t channels = m->channels, symbols = (size_t)m->rows * m->columns * channels;
    const size_t coding = lay_out(m, &frame, (uint8_t *)0);
    const size_t block = m->corrector_rank ? (channels + 3 + m->corrector_rank) * 64 : 0;
    const size_t values = padded(channels) + padded(symbols) + block;
    return (int64_t)(coding > values ? coding : values);
}

/* What the encoder needs of symbols with these starts, the last of which ends them. Exact for every state of 64 bits: Robison,
 * "N-bit unsigned division via N-bit multiply-add", 2005. */
EXPORTED void splitdnn_symbols(const uint32_t *starts, int32_t count, Symbol *out) {
    for (int32_t k = 0; k < count; k++) {
        const uint32_t weight = starts[k + 1] - starts[k], shift = 31 - (uint32_t)__builtin_clz(weight);
        Symbol found = {~0ull, ~0ull, starts[k], weight, shift, 0};
        if (weight & (weight - 1)) {
            const unsigned __int128 power = (unsigned __int128)1 << (64 + shift);
            const uint64_t down = (uint64_t)(power / weight), left = (uint64_t)(power % weight);
            const int up = weight - left <= (uint64_t)1 << shift;
            found.reciprocal = down + (uint64_t)up, found.addend = up ? 0 : down;
        }
        out[k] = found;
    }
}

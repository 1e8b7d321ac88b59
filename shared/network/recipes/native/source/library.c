/* What the library exports: which levels this processor has, and the functions of each. */
#include "pictures.h"

#define EXPORTED __attribute__((visibility("default")))

#if defined(__x86_64__)
#include <cpuid.h>
extern const Level level_sse4, level_avx2;
static const Level *const LEVELS[] = {&level_sse4, &level_avx2};

/* How many of LEVELS the processor has, and the operating system keeps the registers of. */
EXPORTED int32_t splitdnn_levels(void) {
    uint32_t a, b, c, d, low, high;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_SSE4_1)) return 0;
    if ((c & (bit_OSXSAVE | bit_AVX)) != (bit_OSXSAVE | bit_AVX)) return 1;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (low & 0x06) == 0x06 && __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_AVX2) ? 2 : 1;
}
#else
extern const Level level_neon;
static const Level *const LEVELS[] = {&level_neon};

EXPORTED int32_t splitdnn_levels(void) { return 1; }
#endif

/* Whoever has structures of other sizes is not to call anything. */
EXPORTED int32_t splitdnn_layout(void) { return ABI << 16 | (int32_t)(sizeof(Axis) + sizeof(Level)); }

EXPORTED const Level *splitdnn_level(int32_t number) { return LEVELS[number]; }

/* Vectors of 32-bit whole numbers, and of binary32, as wide as the level of instructions has them. WHOLE rounds to the nearest whole number,
 * to the even one of two.
 *
 * DOT(sum, x, w) adds to each number of `sum` the products of four bytes: of x, 0 … 127, with those of w, -128 … 127. Where there is no
 * instruction for it, two products are added up in 16 bits, which hold them. */
#if defined(__AVX512BW__)
#include <immintrin.h>
typedef __m512i V;
enum { LANES = 16 };
#define LOAD(p) _mm512_loadu_si512((const void *)(p))
#define STORE(p, v) _mm512_storeu_si512((void *)(p), v)
#define WIDEN(p) _mm512_cvtepi16_epi32(_mm256_loadu_si256((const __m256i *)(p)))
#define NARROW(p, v) _mm256_storeu_si256((__m256i *)(p), _mm512_cvtepi32_epi16(v))
#define ADD _mm512_add_epi32
#define PAIRS _mm512_madd_epi16
#define EACH(x) _mm512_set1_epi32(x)
#define RIGHT(v, n) _mm512_sra_epi32(v, _mm_cvtsi32_si128(n))
#define LEAST _mm512_min_epi32
#define MOST _mm512_max_epi32
#define LEFT(v, n) _mm512_sll_epi32(v, _mm_cvtsi32_si128(n))
#define EITHER _mm512_or_si512
typedef __m512 F;
#define FLOAD _mm512_loadu_ps
#define FEACH _mm512_set1_ps
#define FADD _mm512_add_ps
#define FTIMES _mm512_mul_ps
#define FLEAST _mm512_min_ps
#define FMOST _mm512_max_ps
#define FLOATS _mm512_cvtepi32_ps
#define WHOLE _mm512_cvtps_epi32
#if defined(__AVX512VNNI__)
#define DOT _mm512_dpbusd_epi32
#else
#define DOT(sum, x, w) ADD(sum, PAIRS(_mm512_maddubs_epi16(x, w), _mm512_set1_epi16(1)))
#endif
#elif defined(__AVX2__)
#include <immintrin.h>
typedef __m256i V;
enum { LANES = 8 };
#define LOAD(p) _mm256_loadu_si256((const __m256i *)(p))
#define STORE(p, v) _mm256_storeu_si256((__m256i *)(p), v)
#define WIDEN(p) _mm256_cvtepi16_epi32(_mm_loadu_si128((const __m128i *)(p)))
#define NARROW(p, v) \
    _mm_storeu_si128((__m128i *)(p), _mm256_castsi256_si128(_mm256_permute4x64_epi64(_mm256_packs_epi32(v, v), 0xd8)))
#define ADD _mm256_add_epi32
#define PAIRS _mm256_madd_epi16
#define EACH(x) _mm256_set1_epi32(x)
#define RIGHT(v, n) _mm256_sra_epi32(v, _mm_cvtsi32_si128(n))
#define LEAST _mm256_min_epi32
#define MOST _mm256_max_epi32
#define LEFT(v, n) _mm256_sll_epi32(v, _mm_cvtsi32_si128(n))
#define EITHER _mm256_or_si256
typedef __m256 F;
#define FLOAD _mm256_loadu_ps
#define FEACH _mm256_set1_ps
#define FADD _mm256_add_ps
#define FTIMES _mm256_mul_ps
#define FLEAST _mm256_min_ps
#define FMOST _mm256_max_ps
#define FLOATS _mm256_cvtepi32_ps
#define WHOLE _mm256_cvtps_epi32
#define DOT(sum, x, w) ADD(sum, PAIRS(_mm256_maddubs_epi16(x, w), _mm256_set1_epi16(1)))
#elif defined(__SSE4_1__)
#include <smmintrin.h>
typedef __m128i V;
enum { LANES = 4 };
#define LOAD(p) _mm_loadu_si128((const __m128i *)(p))
#define STORE(p, v) _mm_storeu_si128((__m128i *)(p), v)
#define WIDEN(p) _mm_cvtepi16_epi32(_mm_loadl_epi64((const __m128i *)(p)))
#define NARROW(p, v) _mm_storel_epi64((__m128i *)(p), _mm_packs_epi32(v, v))
#define ADD _mm_add_epi32
#define PAIRS _mm_madd_epi16
#define EACH(x) _mm_set1_epi32(x)
#define RIGHT(v, n) _mm_sra_epi32(v, _mm_cvtsi32_si128(n))
#define LEAST _mm_min_epi32
#define MOST _mm_max_epi32
#define LEFT(v, n) _mm_sll_epi32(v, _mm_cvtsi32_si128(n))
#define EITHER _mm_or_si128
typedef __m128 F;
#define FLOAD _mm_loadu_ps
#define FEACH _mm_set1_ps
#define FADD _mm_add_ps
#define FTIMES _mm_mul_ps
#define FLEAST _mm_min_ps
#define FMOST _mm_max_ps
#define FLOATS _mm_cvtepi32_ps
#define WHOLE _mm_cvtps_epi32
#define DOT(sum, x, w) ADD(sum, PAIRS(_mm_maddubs_epi16(x, w), _mm_set1_epi16(1)))
#elif defined(__ARM_NEON)
#include <arm_neon.h>
typedef int32x4_t V;
enum { LANES = 4 };
#define LOAD(p) vld1q_s32((const int32_t *)(p))
#define STORE(p, v) vst1q_s32((int32_t *)(p), v)
#define WIDEN(p) vmovl_s16(vld1_s16(p))
#define NARROW(p, v) vst1_s16((int16_t *)(p), vqmovn_s32(v))
#define ADD vaddq_s32
#define EACH(x) vdupq_n_s32(x)
#define RIGHT(v, n) vshlq_s32(v, vdupq_n_s32(-(n)))
#define LEAST vminq_s32
#define MOST vmaxq_s32
#define LEFT(v, n) vshlq_s32(v, vdupq_n_s32(n))
#define EITHER vorrq_s32
typedef float32x4_t F;
#define FLOAD vld1q_f32
#define FEACH vdupq_n_f32
#define FADD vaddq_f32
#define FTIMES vmulq_f32
#define FLEAST vminq_f32
#define FMOST vmaxq_f32
#define FLOATS vcvtq_f32_s32
#define WHOLE vcvtnq_s32_f32
static inline V PAIRS(V a, V b) {
    int16x8_t x = vreinterpretq_s16_s32(a), y = vreinterpretq_s16_s32(b);
    return vpaddq_s32(vmull_s16(vget_low_s16(x), vget_low_s16(y)), vmull_high_s16(x, y));
}
static inline V DOT(V sum, V x, V w) {
    int8x16_t a = vreinterpretq_s8_s32(x), b = vreinterpretq_s8_s32(w);
    int16x8_t low = vmull_s8(vget_low_s8(a), vget_low_s8(b)), high = vmull_high_s8(a, b);
    return vpadalq_s16(sum, vpaddq_s16(low, high));
}
#else
#error "no vectors for this processor"
#endif

/* Pictures of three bytes a pixel: resampled, and brought to a network's numbers. Compiled once for each level of instructions, with
 * LEVEL its name. All levels, and numpy, give the same bytes: every sum is a whole number that no type here is too narrow for. */
#include "pictures.h"
#if defined(__x86_64__)
#include <immintrin.h>
#else
#include <arm_neon.h>
#endif

enum { WIDE = 16, COLOURS = 3, SIDE = 3 };
typedef uint8_t Bytes __attribute__((vector_size(WIDE), aligned(1), may_alias));

/* SIDE times sixteen neighbouring bytes of `taps` lines, weighed and rounded: halves up, and what is beyond a byte is its end. */
static inline void weigh(const uint8_t *line, int64_t stride, const int16_t *weights, int32_t taps, int32_t shift, uint8_t *out) {
    const int32_t half = 1 << (shift - 1);
#if defined(__AVX2__)
    __m256i low[SIDE], high[SIDE];
    for (int i = 0; i < SIDE; i++) low[i] = high[i] = _mm256_set1_epi32(half);
#elif defined(__x86_64__)
    __m128i sums[SIDE][4];
    for (int i = 0; i < 4 * SIDE; i++) sums[i / 4][i % 4] = _mm_set1_epi32(half);
#else
    int32x4_t sums[SIDE][4];
    for (int i = 0; i < 4 * SIDE; i++) sums[i / 4][i % 4] = vdupq_n_s32(half);
#endif
    for (int32_t k = 0; k < taps; k += 2, line += 2 * stride) {
        const int last = k + 1 == taps; /* an odd number: the last line stands for one that may not be there, and weighs nothing */
        const uint8_t *next = last ? line : line + stride;
        const int16_t first = weights[k], second = last ? 0 : weights[k + 1];
#if defined(__AVX2__)
        const __m256i both = _mm256_set1_epi32((int32_t)((uint32_t)(uint16_t)second << 16 | (uint16_t)first));
#elif defined(__x86_64__)
        const __m128i both = _mm_set1_epi32((int32_t)((uint32_t)(uint16_t)second << 16 | (uint16_t)first)), none = _mm_setzero_si128();
#endif
#pragma GCC unroll 3
        for (int i = 0; i < SIDE; i++) {
#if defined(__x86_64__)
            const __m128i a = _mm_loadu_si128((const __m128i *)line + i), b = _mm_loadu_si128((const __m128i *)next + i);
            const __m128i before = _mm_unpacklo_epi8(a, b), behind = _mm_unpackhi_epi8(a, b);
#endif
#if defined(__AVX2__)
            low[i] = _mm256_add_epi32(low[i], _mm256_madd_epi16(_mm256_cvtepu8_epi16(before), both));
            high[i] = _mm256_add_epi32(high[i], _mm256_madd_epi16(_mm256_cvtepu8_epi16(behind), both));
#elif defined(__x86_64__)
            sums[i][0] = _mm_add_epi32(sums[i][0], _mm_madd_epi16(_mm_unpacklo_epi8(before, none), both));
            sums[i][1] = _mm_add_epi32(sums[i][1], _mm_madd_epi16(_mm_unpackhi_epi8(before, none), both));
            sums[i][2] = _mm_add_epi32(sums[i][2], _mm_madd_epi16(_mm_unpacklo_epi8(behind, none), both));
            sums[i][3] = _mm_add_epi32(sums[i][3], _mm_madd_epi16(_mm_unpackhi_epi8(behind, none), both));
#else
            const uint8x16_t lines[2] = {vld1q_u8(line + WIDE * i), vld1q_u8(next + WIDE * i)};
            const int16_t factors[2] = {first, second};
            for (int j = 0; j < 2; j++) {
                const int16x8_t before = vreinterpretq_s16_u16(vmovl_u8(vget_low_u8(lines[j])));
                const int16x8_t behind = vreinterpretq_s16_u16(vmovl_high_u8(lines[j]));
                sums[i][0] = vmlal_n_s16(sums[i][0], vget_low_s16(before), factors[j]);
                sums[i][1] = vmlal_high_n_s16(sums[i][1], before, factors[j]);
                sums[i][2] = vmlal_n_s16(sums[i][2], vget_low_s16(behind), factors[j]);
                sums[i][3] = vmlal_high_n_s16(sums[i][3], behind, factors[j]);
            }
#endif
        }
    }
#if defined(__x86_64__)
    const __m128i right = _mm_cvtsi32_si128(shift);
#endif
#pragma GCC unroll 3
    for (int i = 0; i < SIDE; i++) {
#if defined(__AVX2__)
        const __m256i words = _mm256_packs_epi32(_mm256_sra_epi32(low[i], right), _mm256_sra_epi32(high[i], right));
        const __m256i ordered = _mm256_permute4x64_epi64(words, 0xd8);
        _mm_storeu_si128((__m128i *)out + i, _mm_packus_epi16(_mm256_castsi256_si128(ordered), _mm256_extracti128_si256(ordered, 1)));
#elif defined(__x86_64__)
        for (int j = 0; j < 4; j++) sums[i][j] = _mm_sra_epi32(sums[i][j], right);
        const __m128i before = _mm_packs_epi32(sums[i][0], sums[i][1]), behind = _mm_packs_epi32(sums[i][2], sums[i][3]);
        _mm_storeu_si128((__m128i *)out + i, _mm_packus_epi16(before, behind));
#else
        for (int j = 0; j < 4; j++) sums[i][j] = vshlq_s32(sums[i][j], vdupq_n_s32(-shift));
        const int16x8_t before = vcombine_s16(vqmovn_s32(sums[i][0]), vqmovn_s32(sums[i][1]));
        const int16x8_t behind = vcombine_s16(vqmovn_s32(sums[i][2]), vqmovn_s32(sums[i][3]));
        vst1q_u8(out + WIDE * i, vcombine_u8(vqmovun_s16(before), vqmovun_s16(behind)));
#endif
    }
}

/* Rows to columns and back: each of four rounds doubles the distance between what was side by side. */
static inline void turn(Bytes lines[WIDE]) {
    const Bytes first = {0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23};
    const Bytes second = {8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
    Bytes other[WIDE];
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < WIDE / 2; i++) {
            other[2 * i] = __builtin_shuffle(lines[i], lines[i + WIDE / 2], first);
            other[2 * i + 1] = __builtin_shuffle(lines[i], lines[i + WIDE / 2], second);
        }
        for (int i = 0; i < WIDE / 2; i++) {
            lines[2 * i] = __builtin_shuffle(other[i], other[i + WIDE / 2], first);
            lines[2 * i + 1] = __builtin_shuffle(other[i], other[i + WIDE / 2], second);
        }
    }
}

/* `bytes` columns of sixteen lines, of which those from `count` on are the last of them again, each as sixteen bytes in `columns`. */
static void to_columns(const uint8_t *lines, int64_t stride, int32_t count, int64_t bytes, uint8_t *columns) {
    Bytes block[WIDE];
    for (int64_t at = 0; at < bytes; at += WIDE) {
        const int64_t from = at + WIDE <= bytes ? at : bytes - WIDE; /* a line is no shorter: the caller sees to it */
        for (int i = 0; i < WIDE; i++) block[i] = *(const Bytes *)(lines + stride * (i < count ? i : count - 1) + from);
        turn(block);
        for (int i = 0; i < WIDE; i++) *(Bytes *)(columns + (from + i) * WIDE) = block[i];
    }
}

/* The reverse; writes `count` lines. */
static void to_lines(const uint8_t *columns, int64_t bytes, uint8_t *lines, int32_t count) {
    Bytes block[WIDE];
    for (int64_t at = 0; at < bytes; at += WIDE) {
        const int64_t from = at + WIDE <= bytes ? at : bytes - WIDE;
        for (int i = 0; i < WIDE; i++) block[i] = *(const Bytes *)(columns + (from + i) * WIDE);
        turn(block);
        for (int i = 0; i < count; i++) *(Bytes *)(lines + (int64_t)i * bytes + from) = block[i];
    }
}

static void resample(const uint8_t *picture, int64_t stride, int32_t height, int32_t width, const Axis *across, const Axis *down, uint8_t *scratch, uint8_t *out) {
    const int64_t from = (int64_t)width * COLOURS, to = (int64_t)across->count * COLOURS;
    uint8_t *between = scratch, *tall = between + height * to, *found = tall + from * WIDE;
    for (int32_t row = 0; row < height; row += WIDE) {
        const int32_t count = height - row < WIDE ? height - row : WIDE;
        to_columns(picture + row * stride, stride, count, from, tall);
        for (int32_t x = 0; x < across->count; x++) {
            const int16_t *weights = across->weights + (int64_t)x * across->most;
            weigh(tall + (int64_t)across->lows[x] * COLOURS * WIDE, COLOURS * WIDE, weights, across->taps[x], across->shift, found + (int64_t)x * COLOURS * WIDE);
        }
        to_lines(found, to, between + row * to, count);
    }
    for (int32_t y = 0; y < down->count; y++) {
        const uint8_t *lines = between + down->lows[y] * to;
        for (int64_t at = 0; at < to; at += SIDE * WIDE) {
            const int64_t here = at + SIDE * WIDE <= to ? at : to - SIDE * WIDE;
            weigh(lines + here, to, down->weights + (int64_t)y * down->most, down->taps[y], down->shift, out + y * to + here);
        }
    }
}

/* For each plane the byte of its colour in every pixel, replaced by what its table of 256 says. */
static void planes(const uint8_t *picture, int64_t pixels, const float *tables, const int32_t *colours, int32_t count, float *out) {
    for (int32_t plane = 0; plane < count; plane++, tables += 256, out += pixels) {
        const uint8_t *bytes = picture + colours[plane];
        for (int64_t i = 0; i < pixels; i++) out[i] = tables[bytes[COLOURS * i]];
    }
}

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
__attribute__((visibility("hidden"))) const Level JOIN(level_, LEVEL) = {resample, planes};

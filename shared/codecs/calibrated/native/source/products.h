/* Products of small whole numbers, by four at a time along what is added up. */

enum { ACROSS = 64, ROWS_AT_ONCE = 4, WIDE = LANES == 16 ? 4 : 2 };

static inline __attribute__((always_inline)) void products_of(
    const int8_t *w, size_t row, const uint8_t *x, int32_t depth, int32_t *out, const int vectors) {
    V total[ROWS_AT_ONCE][WIDE], given[WIDE]; /* in registers: every loop over them is unrolled */
#pragma GCC unroll 4
    for (int i = 0; i < ROWS_AT_ONCE; i++)
#pragma GCC unroll 4
        for (int j = 0; j < vectors; j++) total[i][j] = EACH(0);
    for (int32_t k = 0; k < depth; k++) {
#pragma GCC unroll 4
        for (int j = 0; j < vectors; j++) given[j] = LOAD(x + (size_t)k * 4 * ACROSS + 4 * j * LANES);
#pragma GCC unroll 4
        for (int i = 0; i < ROWS_AT_ONCE; i++) {
            int32_t four;
            memcpy(&four, w + i * row + 4 * (size_t)k, 4);
            const V weights = EACH(four);
#pragma GCC unroll 4
            for (int j = 0; j < vectors; j++) total[i][j] = DOT(total[i][j], given[j], weights);
        }
    }
#pragma GCC unroll 4
    for (int i = 0; i < ROWS_AT_ONCE; i++)
#pragma GCC unroll 4
        for (int j = 0; j < vectors; j++) STORE(out + i * ACROSS + j * LANES, total[i][j]);
}

/* out (ROWS_AT_ONCE, ACROSS) = w (ROWS_AT_ONCE, 4 * depth) @ x (depth, ACROSS, 4), of which x is 0 … 127: exact up to a depth of 32768.
 * Only the first `count` columns of `out` are needed; the next up to a whole vector are written. */
static void products(const int8_t *w, size_t row, const uint8_t *x, int32_t depth, int32_t count, int32_t *out) {
    int32_t n = 0;
    for (; n + (WIDE - 1) * LANES < count; n += WIDE * LANES) products_of(w, row, x + 4 * n, depth, out + n, WIDE);
    for (; n < count; n += LANES) products_of(w, row, x + 4 * n, depth, out + n, 1);
}

/* What is known after a frame: shared/codecs/calibrated/inter/history.py. */

/* One position: what `here` leaves, and how many symbols are zero in one of two frames and not in the other, and how many are not zero.
 * `above` and the others are its neighbours' magnitudes. */
static inline __attribute__((always_inline)) void remember_position(
    int32_t channels, const uint8_t *restrict here, const uint8_t *restrict above, const uint8_t *restrict below, const uint8_t *restrict left,
    const uint8_t *restrict right, const uint8_t *restrict before, const uint8_t *restrict from, uint8_t *restrict heat,
    uint8_t *restrict contexts, int32_t *changed, int32_t *some, const int follows) {
#define CUT(x) ((uint8_t)((x) < 2 ? (x) : 2))
    for (int32_t c0 = 0; c0 < channels; c0 += 64) { /* sums of a byte each */
        uint8_t different = 0, both = 0;
        const int32_t end = c0 + 64 < channels ? c0 + 64 : channels;
        for (int32_t c = c0; c < end; c++) {
            const uint8_t goal = here[c] ? 255 : 0;
            uint8_t h = goal;
            if (follows) { /* three quarters of how far it is from where it goes */
                const uint8_t far = from[c] ^ goal;
                h = (uint8_t)(far - (far >> 2) - ((far & 3) != 0)) ^ goal;
                different += (uint8_t)((here[c] != 0) ^ (before[c] != 0));
                both += (uint8_t)((here[c] != 0) + (before[c] != 0));
            }
            const uint8_t near = (uint8_t)(CUT(above[c]) + CUT(below[c]) + CUT(left[c]) + CUT(right[c]));
            const uint8_t hot = (uint8_t)((h >= 16) + (h >= 64) + (h >= 128) + (h >= 192) + (h >= 240));
            heat[c] = h;
            contexts[c] = (uint8_t)(CUT(here[c]) + HEAT_STEP * hot + NEAR_STEP * ((near >= 1) + (near >= 3)));
        }
        if (follows) *changed += different, *some += both;
    }
#undef CUT
}

/* Of each position, by itself three times and by its eight neighbours. */
static void unrest_of(const Model *m, const int32_t *changed, const int32_t *some, uint8_t *unrest) {
    const int32_t rows = m->rows, columns = m->columns;
    for (int32_t row = 0; row < rows; row++)
        for (int32_t column = 0; column < columns; column++) {
            int64_t c = 0, s = 0;
            for (int32_t r = row ? row - 1 : 0; r < rows && r <= row + 1; r++)
                for (int32_t k = column ? column - 1 : 0; k < columns && k <= column + 1; k++) {
                    const int32_t weight = r == row && k == column ? 3 : 1, at = r * columns + k;
                    c += (int64_t)weight * changed[at], s += (int64_t)weight * some[at];
                }
            unrest[row * columns + column] = (uint8_t)((100 * c > 4 * s) + (100 * c > 10 * s) + (100 * c > 20 * s) + (100 * c > 33 * s));
        }
}

static void remember(
    const Model *m, const uint8_t *magnitudes, uint8_t *negative, const History *before, uint8_t *scratch, uint8_t *heat, uint8_t *contexts, uint8_t *unrest) {
    const int32_t rows = m->rows, columns = m->columns, channels = m->channels, positions = rows * columns;
    const size_t symbols = (size_t)positions * channels;
    int32_t *changed = (int32_t *)scratch, *some = changed + positions;
    uint8_t *empty = scratch + padded(8 * (size_t)positions);
    memset(changed, 0, 8 * (size_t)positions);
    memset(empty, 0, channels);
    for (int32_t p = 0; p < positions; p++) {
        const int32_t row = p / columns, column = p % columns;
        const size_t at = (size_t)p * channels;
        const uint8_t *here = magnitudes + at;
        const uint8_t *above = row ? here - (size_t)columns * channels : empty;
        const uint8_t *below = row < rows - 1 ? here + (size_t)columns * channels : empty;
        const uint8_t *left = column ? here - channels : empty, *right = column < columns - 1 ? here + channels : empty;
        if (before)
            remember_position(channels, here, above, below, left, right, before->magnitudes + at, before->heat + at, heat + at, contexts + at,
                              changed + p, some + p, 1);
        else remember_position(channels, here, above, below, left, right, NULL, NULL, heat + at, contexts + at, NULL, NULL, 0);
    }
    if (before) unrest_of(m, changed, some, unrest);
    else memset(unrest, UNRESTS - 1, positions);
    if (negative)
        for (size_t i = 0; i < symbols; i++) negative[i] = magnitudes[i] ? negative[i] : 0;
}

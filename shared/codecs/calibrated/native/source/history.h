/* What is known after a frame: shared/codecs/calibrated/inter/history.py. */

/* At most 64 channels of one position: what `here` leaves, and how many symbols are zero in one of two frames and not in the other, and how many are not zero.
 * `above` and the others are its neighbours' magnitudes. */
static inline __attribute__((always_inline)) void remember_channels(
    const int32_t count, const uint8_t *restrict here, const uint8_t *restrict above, const uint8_t *restrict below, const uint8_t *restrict left,
    const uint8_t *restrict right, const uint8_t *restrict before, const uint8_t *restrict from, uint8_t *restrict heat,
    uint8_t *restrict contexts, int32_t *changed, int32_t *some) {
#define CUT(x) ((uint8_t)((x) < 2 ? (x) : 2))
    uint8_t different = 0, both = 0;
    for (int32_t c = 0; c < count; c++) {
        const uint8_t goal = here[c] ? 255 : 0, was = before[c] ? 255 : 0, far = from[c] ^ goal;
        const uint8_t h = (uint8_t)(far - (far >> 2) - ((far & 3) ? 1 : 0)) ^ goal; /* it comes nearer by a quarter of how far it is */
        different -= goal ^ was; /* 255 is one less than nothing */
        both -= (uint8_t)(goal + was);
        const uint8_t near = (uint8_t)(CUT(above[c]) + CUT(below[c]) + CUT(left[c]) + CUT(right[c]));
        uint8_t context = (uint8_t)(CUT(here[c]) + (near >= 1 ? NEAR_STEP : 0) + (near >= 3 ? NEAR_STEP : 0));
        context += (uint8_t)((h >= 16 ? HEAT_STEP : 0) + (h >= 64 ? HEAT_STEP : 0) + (h >= 128 ? HEAT_STEP : 0));
        context += (uint8_t)((h >= 192 ? HEAT_STEP : 0) + (h >= 240 ? HEAT_STEP : 0));
        heat[c] = h;
        contexts[c] = context;
    }
    *changed += different, *some += both;
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
    uint8_t *empty = scratch + padded(8 * (size_t)positions), *goals = empty + padded(channels);
    memset(changed, 0, 8 * (size_t)positions);
    memset(empty, 0, channels);
    const uint8_t *was = before ? before->magnitudes : magnitudes, *from = before ? before->heat : goals;
    for (size_t i = 0; !before && i < symbols; i++) goals[i] = magnitudes[i] ? 255 : 0; /* where heat is at once */
    for (int32_t p = 0; p < positions; p++) {
        const int32_t row = p / columns, column = p % columns;
        const size_t at = (size_t)p * channels;
        const uint8_t *here = magnitudes + at;
        const uint8_t *above = row ? here - (size_t)columns * channels : empty;
        const uint8_t *below = row < rows - 1 ? here + (size_t)columns * channels : empty;
        const uint8_t *left = column ? here - channels : empty, *right = column < columns - 1 ? here + channels : empty;
#define REMEMBER(c, count)                                                                                           \
    remember_channels(count, here + (c), above + (c), below + (c), left + (c), right + (c), was + at + (c), from + at + (c), \
                      heat + at + (c), contexts + at + (c), changed + p, some + p)
        int32_t c = 0;
        for (; c + 64 <= channels; c += 64) REMEMBER(c, 64);
        if (c < channels) REMEMBER(c, channels - c);
#undef REMEMBER
    }
    if (before) unrest_of(m, changed, some, unrest);
    else
        for (int32_t p = 0; p < positions; p++) unrest[p] = UNRESTS - 1;
    if (negative)
        for (size_t i = 0; i < symbols; i++) negative[i] = magnitudes[i] ? negative[i] : 0;
}

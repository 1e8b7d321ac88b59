/* What is known after a frame: shared/codecs/calibrated/inter/history.py. */

/* One position's contexts; `above` and the others are its neighbours' magnitudes. */
static void contexts_of_position(
    const Model *m, const uint8_t *restrict here, const uint8_t *restrict above, const uint8_t *restrict below,
    const uint8_t *restrict left, const uint8_t *restrict right, const uint8_t *restrict heat, uint8_t *restrict out) {
    for (int32_t c = 0; c < m->channels; c++) {
#define CUT(x) ((uint8_t)((x) < 2 ? (x) : 2))
        const uint8_t near = (uint8_t)(CUT(above[c]) + CUT(below[c]) + CUT(left[c]) + CUT(right[c])), h = heat[c];
        const uint8_t hot = (uint8_t)((h >= 16) + (h >= 64) + (h >= 128) + (h >= 192) + (h >= 240));
        out[c] = (uint8_t)(CUT(here[c]) + HEAT_STEP * hot + NEAR_STEP * ((near >= 1) + (near >= 3)));
#undef CUT
    }
}

static void remember(
    const Model *m, const uint8_t *magnitudes, uint8_t *negative, const uint8_t *before, uint8_t *scratch, uint8_t *heat, uint8_t *contexts) {
    const int32_t rows = m->rows, columns = m->columns, channels = m->channels;
    const size_t symbols = (size_t)rows * columns * channels;
    for (size_t i = 0; i < symbols; i++) {
        const uint8_t some = magnitudes[i] ? 255 : 0;
        if (!before) heat[i] = some;
        else { /* three quarters of how far it is from where it goes */
            const uint8_t far = before[i] ^ some;
            heat[i] = (uint8_t)(far - (far >> 2) - ((far & 3) != 0)) ^ some;
        }
    }
    if (negative)
        for (size_t i = 0; i < symbols; i++) negative[i] = magnitudes[i] ? negative[i] : 0;
    memset(scratch, 0, channels);
    for (int32_t p = 0; p < rows * columns; p++) {
        const int32_t row = p / columns, column = p % columns;
        const uint8_t *here = magnitudes + (size_t)p * channels;
        const uint8_t *above = row ? here - (size_t)columns * channels : scratch;
        const uint8_t *below = row < rows - 1 ? here + (size_t)columns * channels : scratch;
        const uint8_t *left = column ? here - channels : scratch, *right = column < columns - 1 ? here + channels : scratch;
        contexts_of_position(m, here, above, below, left, right, heat + (size_t)p * channels, contexts + (size_t)p * channels);
    }
}

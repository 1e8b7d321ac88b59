/* What calibration counts in the symbols of one frame. */

/* Of every symbol by channel, neighbourhood and magnitude: how many there are, and what their values (positions, channels) add up
 * to. Both (channels, NEIGHBOURHOODS, levels); `sums` is what `around` gives. */
static void tally_values(const Model *m, const uint8_t *magnitudes, const uint8_t *sums, const float *values, int64_t *counts, double *totals) {
    const int32_t positions = m->rows * m->columns, channels = m->channels;
    const size_t table = (size_t)NEIGHBOURHOODS * m->levels;
    uint16_t index[TILE];
    for (int32_t c0 = 0; c0 < channels; c0 += TILE) /* the tables of few channels at a time stay in the cache */
        for (int32_t p = 0; p < positions; p++) {
            const int32_t cs = channels - c0 < TILE ? channels - c0 : TILE;
            const size_t at = (size_t)p * channels + c0;
            centroids_of(m, sums + at, magnitudes + at, cs, index);
            for (int32_t c = 0; c < cs; c++) {
                const size_t cell = (size_t)(c0 + c) * table + index[c];
                counts[cell]++;
                totals[cell] += values[at + c];
            }
        }
}

/* Of every symbol that is not zero by its kind (1 or positions, channels), the size of its neighbours (0 in dark positions) and its
 * magnitude: counts (kinds, SIZES, levels). */
static void tally_sizes(const Model *m, const uint8_t *magnitudes, const uint8_t *kinds, int32_t kinds_step, int64_t *counts) {
    const int32_t rows = m->rows, columns = m->columns, channels = m->channels;
    for (int32_t p = 0; p < rows * columns; p++) {
        const int32_t row = p / columns, column = p % columns;
        const uint8_t *here = magnitudes + (size_t)p * channels, *kind = kinds + (size_t)p * kinds_step;
        const size_t above = (size_t)columns * channels, left = channels;
        for (int32_t c = 0; c < channels; c++) {
            if (!here[c]) continue;
            int32_t size = 0;
            if (m->by_size && (row + column) % 2) {
                int32_t sum = 0;
                if (row > 0) sum += *(here + c - above);
                if (row < rows - 1) sum += *(here + c + above);
                if (column > 0) sum += *(here + c - left);
                if (column < columns - 1) sum += *(here + c + left);
                size = size_of(sum);
            }
            counts[((size_t)kind[c] * SIZES + size) * m->levels + here[c]]++;
        }
    }
}

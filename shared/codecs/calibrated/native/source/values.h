/* Values <-> symbols: shared/codecs/calibrated/quantiser.py. */

enum { TILE = 64 };

static inline float scaled_of(float value, float reciprocal, float offset, int is_signed, uint8_t *sign) {
    const float scaled = is_signed ? (value - offset) * reciprocal : value * reciprocal;
    if (!is_signed) return scaled;
    *sign = scaled < 0;
    return __builtin_fabsf(scaled);
}

static inline uint8_t quantised(float scaled, float threshold, float most) {
    scaled += threshold;
    scaled = scaled > 0 ? scaled : 0;
    scaled = scaled < most ? scaled : most;
    return (uint8_t)(int32_t)scaled;
}

/* The symbol of a history, if the value is at most `sticky` beyond its cell, else the value's own: `found`. */
static inline uint8_t stuck(uint8_t found, uint8_t before, float scaled, float threshold, float sticky, float most) {
    const float kept = before, low = scaled + (threshold - sticky), high = scaled + (threshold + sticky);
    const int stays = (low < kept + 1.0f || kept >= most) & (high >= kept || kept <= 0);
    return stays ? before : found;
}

/* Any value that is not finite has the largest exponent. */
static int is_finite(const float *values, size_t count) {
    uint32_t most = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, values + i, 4);
        bits &= 0x7fffffff;
        most = bits > most ? bits : most;
    }
    return most < 0x7f800000;
}

static inline __attribute__((always_inline)) void quantise_channels(
    const Model *m, const float *values, const History *history, float sticky, uint8_t *magnitudes, uint8_t *negative, const int is_signed, const int sticks) {
    const int32_t positions = m->rows * m->columns, channels = m->channels;
    const float most = (float)(m->levels - 1), threshold = m->threshold;
    uint8_t found[TILE][TILE], signs[TILE][TILE], before[TILE][TILE], signs_before[TILE][TILE];
    for (int32_t c0 = 0; c0 < channels; c0 += TILE)
        for (int32_t p0 = 0; p0 < positions; p0 += TILE) {
            const int32_t cs = channels - c0 < TILE ? channels - c0 : TILE, ps = positions - p0 < TILE ? positions - p0 : TILE;
            for (int32_t p = 0; sticks && p < ps; p++) {
                const size_t at = (size_t)(p0 + p) * channels + c0;
                for (int32_t c = 0; c < cs; c++) before[c][p] = history->magnitudes[at + c];
                for (int32_t c = 0; is_signed && c < cs; c++) signs_before[c][p] = history->negative[at + c];
            }
            for (int32_t c = 0; c < cs; c++) {
                const float *restrict row = values + (size_t)(c0 + c) * positions + p0, *restrict scale = m->position_scale + p0;
                const float step = m->step[c0 + c], offset = m->offset[c0 + c];
                for (int32_t p = 0; p < ps; p++) {
                    const float scaled = scaled_of(row[p], 1.0f / (scale[p] * step), offset, is_signed, &signs[c][p]);
                    found[c][p] = quantised(scaled, threshold, most);
                    if (!sticks) continue;
                    const uint8_t kept = stuck(found[c][p], before[c][p], scaled, threshold, sticky, most);
                    found[c][p] = !is_signed || !before[c][p] || signs[c][p] == signs_before[c][p] ? kept : found[c][p];
                }
            }
            for (int32_t p = 0; p < ps; p++) {
                const size_t at = (size_t)(p0 + p) * channels + c0;
                uint8_t *restrict out = magnitudes + at;
                for (int32_t c = 0; c < cs; c++) out[c] = found[c][p];
                if (is_signed)
                    for (int32_t c = 0; c < cs; c++) negative[at + c] = signs[c][p];
            }
        }
}

static inline __attribute__((always_inline)) void quantise_positions(
    const Model *m, const float *values, const History *history, float sticky, uint8_t *magnitudes, uint8_t *negative, const int is_signed, const int sticks) {
    const int32_t positions = m->rows * m->columns, channels = m->channels;
    const float most = (float)(m->levels - 1), threshold = m->threshold;
    uint8_t ignored;
    for (int32_t p = 0; p < positions; p++) {
        const size_t at = (size_t)p * channels;
        const float *restrict row = values + at, *restrict step = m->step, *restrict offset = m->offset;
        const float scale = m->position_scale[p];
        uint8_t *restrict out = magnitudes + at, *restrict signs = is_signed ? negative + at : magnitudes;
        for (int32_t c = 0; c < channels; c++) {
            const float scaled = scaled_of(row[c], 1.0f / (scale * step[c]), offset[c], is_signed, is_signed ? &signs[c] : &ignored);
            out[c] = quantised(scaled, threshold, most);
            if (!sticks) continue;
            const uint8_t before = history->magnitudes[at + c];
            const uint8_t kept = stuck(out[c], before, scaled, threshold, sticky, most);
            out[c] = !is_signed || !before || signs[c] == history->negative[at + c] ? kept : out[c];
        }
    }
}

static int32_t quantise(const Model *m, const float *values, const History *history, float sticky, uint8_t *magnitudes, uint8_t *negative) {
    if (!is_finite(values, (size_t)m->rows * m->columns * m->channels)) return 0;
    if (history && sticky > 0) { /* the rarer ones share one copy of the code */
        if (m->channel_first && !m->is_signed) quantise_channels(m, values, history, sticky, magnitudes, NULL, 0, 1);
        else if (m->channel_first) quantise_channels(m, values, history, sticky, magnitudes, negative, 1, 1);
        else quantise_positions(m, values, history, sticky, magnitudes, negative, m->is_signed, 1);
    } else if (m->channel_first) {
        if (m->is_signed) quantise_channels(m, values, NULL, 0, magnitudes, negative, 1, 0);
        else quantise_channels(m, values, NULL, 0, magnitudes, NULL, 0, 0);
    } else {
        if (m->is_signed) quantise_positions(m, values, NULL, 0, magnitudes, negative, 1, 0);
        else quantise_positions(m, values, NULL, 0, magnitudes, NULL, 0, 0);
    }
    return 1;
}

/* sums (channels,): of one position's eight neighbours. */
static void around_position(const Model *m, const uint8_t *empty, const uint8_t *grid, int32_t p, uint8_t *restrict sums) {
    const int32_t row = p / m->columns, column = p % m->columns, channels = m->channels;
    const uint8_t *at[3][3];
    for (int dr = 0; dr < 3; dr++)
        for (int dc = 0; dc < 3; dc++) {
            const int32_t r = row + dr - 1, c = column + dc - 1;
            at[dr][dc] = r < 0 || r >= m->rows || c < 0 || c >= m->columns
                             ? empty
                             : grid + ((size_t)r * m->columns + c) * channels;
        }
    const uint8_t *restrict a = at[0][0], *restrict b = at[0][1], *restrict c = at[0][2], *restrict d = at[1][0];
    const uint8_t *restrict e = at[1][2], *restrict g = at[2][0], *restrict h = at[2][1], *restrict i = at[2][2];
#define CUT(x) ((uint8_t)((x) < 2 ? (x) : 2))
    for (int32_t n = 0; n < channels; n++) {
        const uint8_t near = (uint8_t)(CUT(b[n]) + CUT(d[n]) + CUT(e[n]) + CUT(h[n]));
        sums[n] = (uint8_t)(2 * near + CUT(a[n]) + CUT(c[n]) + CUT(g[n]) + CUT(i[n]));
    }
#undef CUT
}

static void around(const Model *m, const uint8_t *magnitudes, uint8_t *scratch, uint8_t *sums) {
    const int32_t positions = m->rows * m->columns;
    memset(scratch, 0, m->channels);
    for (int32_t p = 0; p < positions; p++) around_position(m, scratch, magnitudes, p, sums + (size_t)p * m->channels);
}

/* Which centroid of its channel stands for each symbol of one position. */
static inline void centroids_of(const Model *m, const uint8_t *restrict sums, const uint8_t *restrict magnitudes, int32_t count, uint16_t *restrict out) {
    const uint16_t levels = (uint16_t)m->levels;
    for (int32_t c = 0; c < count; c++) {
        const uint8_t sum = sums[c], neighbourhood = (uint8_t)((sum >= 1) + (sum >= 3) + (sum >= 5) + (sum >= 8));
        out[c] = (uint16_t)(neighbourhood * levels + magnitudes[c]);
    }
}

static inline __attribute__((always_inline)) float value_of(const float *centroids, uint16_t index, float step_size, float offset, int negative, const int is_signed) {
    const float value = centroids[index];
    return is_signed ? (negative ? -value : value) * step_size + offset : value * step_size;
}

static inline __attribute__((always_inline)) void fill(
    const Model *m, const uint8_t *magnitudes, const uint8_t *negative, const uint8_t *sums, float *values, const int channel_first, const int is_signed) {
    const int32_t positions = m->rows * m->columns, channels = m->channels;
    const size_t table = (size_t)NEIGHBOURHOODS * m->levels;
    uint16_t index[TILE][TILE];
    for (int32_t c0 = 0; c0 < channels; c0 += TILE)
        for (int32_t p0 = 0; p0 < positions; p0 += TILE) {
            const int32_t cs = channels - c0 < TILE ? channels - c0 : TILE, ps = positions - p0 < TILE ? positions - p0 : TILE;
            for (int32_t p = 0; p < ps; p++) {
                const size_t at = (size_t)(p0 + p) * channels + c0;
                centroids_of(m, sums + at, magnitudes + at, cs, index[p]);
            }
            for (int32_t c = 0; c < cs; c++) {
                const float *centroids = m->centroids + (size_t)(c0 + c) * table;
                const float step = m->step[c0 + c], offset = m->offset[c0 + c];
                for (int32_t p = 0; p < ps; p++) {
                    const size_t at = (size_t)(p0 + p) * channels + c0 + c;
                    values[channel_first ? (size_t)(c0 + c) * positions + p0 + p : at] =
                        value_of(centroids, index[p][c], m->position_scale[p0 + p] * step, offset, is_signed && negative[at], is_signed);
                }
            }
        }
}

static void finish(const Model *m, const uint8_t *magnitudes, float *restrict values) {
    const int32_t positions = m->rows * m->columns, channels = m->channels;
    const size_t count = (size_t)positions * channels;
    if (m->usual && !m->channel_first)
        for (size_t i = 0; i < count; i++) values[i] += m->usual[(magnitudes[i] != 0) * count + i];
    else if (m->usual)
        for (int32_t c0 = 0; c0 < channels; c0 += TILE)
            for (int32_t p0 = 0; p0 < positions; p0 += TILE)
                for (int32_t c = c0; c < channels && c < c0 + TILE; c++)
                    for (int32_t p = p0; p < positions && p < p0 + TILE; p++) {
                        const size_t at = (size_t)c * positions + p;
                        values[at] += m->usual[(magnitudes[(size_t)p * channels + c] != 0) * count + at];
                    }
    if (!m->is_signed)
        for (size_t i = 0; i < count; i++) values[i] = values[i] < 0 ? 0 : values[i]; /* what is not a number stays so */
}

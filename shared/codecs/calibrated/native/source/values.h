/* Values <-> symbols: shared/codecs/calibrated/quantiser.py. */

enum { TILE = 64 };

static inline uint8_t quantised(float value, float reciprocal, float offset, float threshold, float most, int is_signed, uint8_t *sign) {
    float scaled = is_signed ? (value - offset) * reciprocal : value * reciprocal;
    if (is_signed) {
        *sign = scaled < 0;
        scaled = __builtin_fabsf(scaled);
    }
    scaled += threshold;
    scaled = scaled > 0 ? scaled : 0;
    scaled = scaled < most ? scaled : most;
    return (uint8_t)(int32_t)scaled;
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
    const Model *m, const float *values, uint8_t *magnitudes, uint8_t *negative, const int is_signed) {
    const int32_t positions = m->rows * m->columns, channels = m->channels;
    const float most = (float)(m->levels - 1), threshold = m->threshold;
    uint8_t found[TILE][TILE], signs[TILE][TILE];
    for (int32_t c0 = 0; c0 < channels; c0 += TILE)
        for (int32_t p0 = 0; p0 < positions; p0 += TILE) {
            const int32_t cs = channels - c0 < TILE ? channels - c0 : TILE, ps = positions - p0 < TILE ? positions - p0 : TILE;
            for (int32_t c = 0; c < cs; c++) {
                const float *restrict row = values + (size_t)(c0 + c) * positions + p0, *restrict scale = m->position_scale + p0;
                const float step = m->step[c0 + c], offset = m->offset[c0 + c];
                for (int32_t p = 0; p < ps; p++)
                    found[c][p] = quantised(row[p], 1.0f / (scale[p] * step), offset, threshold, most, is_signed, &signs[c][p]);
            }
            for (int32_t p = 0; p < ps; p++) {
                uint8_t *restrict out = magnitudes + (size_t)(p0 + p) * channels + c0;
                for (int32_t c = 0; c < cs; c++) out[c] = found[c][p];
                if (is_signed)
                    for (int32_t c = 0; c < cs; c++) negative[(size_t)(p0 + p) * channels + c0 + c] = signs[c][p];
            }
        }
}

static inline __attribute__((always_inline)) void quantise_positions(
    const Model *m, const float *values, uint8_t *magnitudes, uint8_t *negative, const int is_signed) {
    const int32_t positions = m->rows * m->columns, channels = m->channels;
    const float most = (float)(m->levels - 1), threshold = m->threshold;
    for (int32_t p = 0; p < positions; p++) {
        const size_t at = (size_t)p * channels;
        const float *restrict row = values + at, *restrict step = m->step, *restrict offset = m->offset;
        const float scale = m->position_scale[p];
        uint8_t *restrict out = magnitudes + at, *restrict signs = is_signed ? negative + at : magnitudes, ignored;
        for (int32_t c = 0; c < channels; c++)
            out[c] = quantised(row[c], 1.0f / (scale * step[c]), offset[c], threshold, most, is_signed, is_signed ? &signs[c] : &ignored);
    }
}

static int32_t quantise(const Model *m, const float *values, uint8_t *magnitudes, uint8_t *negative) {
    if (!is_finite(values, (size_t)m->rows * m->columns * m->channels)) return 0;
    if (m->channel_first) {
        if (m->is_signed) quantise_channels(m, values, magnitudes, negative, 1);
        else quantise_channels(m, values, magnitudes, NULL, 0);
    } else {
        if (m->is_signed) quantise_positions(m, values, magnitudes, negative, 1);
        else quantise_positions(m, values, magnitudes, NULL, 0);
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

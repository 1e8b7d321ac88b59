/* Symbols -> values by the corrector of whole numbers: shared/codecs/calibrated/whole_corrector.py. */

/* Numbers cut off and rounded to whole ones, as one byte of each four. */
static inline V byte_of(F numbers, float low, float high, int32_t middle, int number) {
    const V whole = WHOLE(FLEAST(FMOST(numbers, FEACH(low)), FEACH(high)));
    return LEFT(ADD(whole, EACH(middle)), 8 * number);
}

/* Values in step sizes of four channels from c0 at the positions from p0, and what is predicted from them: x (ACROSS, 4). */
static inline __attribute__((always_inline)) void inputs_of(
    const Model *m, const uint8_t *negative, const uint16_t index[TILE][TILE], int32_t first, int32_t c0,
    int32_t p0, int32_t ps, float *values, uint8_t *x, const int channel_first, const int is_signed) {
    const int32_t positions = m->rows * m->columns, channels = m->channels;
    const size_t table = (size_t)NEIGHBOURHOODS * m->levels;
    const float low = is_signed ? MIDDLE - MOST_INPUT : 0, high = is_signed ? MOST_INPUT - MIDDLE : MOST_INPUT;
    float units[4][ACROSS];
    const int rows = channels - c0 < 4 ? channels - c0 : 4;
    memset(units, 0, sizeof units);
    for (int i = 0; i < rows; i++) {
        const int32_t c = c0 + i;
        const float *restrict centroids = m->centroids + (size_t)c * table;
        for (int32_t p = 0; p < ps; p++) {
            const float value = centroids[index[p][first + i]];
            units[i][p] = is_signed && negative[(size_t)(p0 + p) * channels + c] ? -value : value;
        }
        if (channel_first) memcpy(values + (size_t)c * positions + p0, units[i], 4 * (size_t)ps);
        else
            for (int32_t p = 0; p < ps; p++) values[(size_t)(p0 + p) * channels + c] = units[i][p];
    }
    for (int32_t p = 0; p < ps; p += LANES) {
        V fours = EACH(0);
        for (int i = 0; i < rows; i++)
            fours = EITHER(fours, byte_of(FTIMES(FLOAD(units[i] + p), FEACH(m->inputs[c0 + i])), low, high, is_signed ? MIDDLE : 0, i));
        STORE(x + 4 * p, fours);
    }
}

/* What four rows of sums become as latents: whole numbers again. */
static inline void latents_of(const Model *m, int32_t row, const int32_t *sums, uint8_t *latents) {
    for (int p = 0; p < ACROSS; p += LANES) {
        V fours = EACH(0);
        for (int i = 0; i < 4; i++) {
            const F product = FTIMES(FLOATS(LOAD(sums + i * ACROSS + p)), FEACH(m->latent[row + i]));
            fours = EITHER(fours, byte_of(FADD(product, FEACH(m->latent[m->corrector_rank + row + i])), 0, MOST_INPUT, 0, i));
        }
        STORE(latents + 4 * p, fours);
    }
}

static inline __attribute__((always_inline)) void correct_block(
    const Model *m, const uint8_t *magnitudes, const uint8_t *negative, const uint8_t *sums, uint8_t *x, int32_t p0, float *values,
    const int channel_first, const int is_signed) {
    const int32_t positions = m->rows * m->columns, channels = m->channels, rank = m->corrector_rank;
    const int32_t ps = positions - p0 < ACROSS ? positions - p0 : ACROSS, depth = (channels + 3) / 4;
    uint8_t *latents = x + (size_t)depth * 4 * ACROSS;
    uint16_t index[TILE][TILE];
    int32_t found[ROWS_AT_ONCE * ACROSS] = {0};
    for (int32_t c0 = 0; c0 < channels; c0 += TILE) {
        const int32_t cs = channels - c0 < TILE ? channels - c0 : TILE;
        for (int32_t p = 0; p < ps; p++) {
            const size_t at = (size_t)(p0 + p) * channels + c0;
            centroids_of(m, sums + at, magnitudes + at, cs, index[p]);
        }
        for (int32_t c = 0; c < cs; c += 4)
            inputs_of(m, negative, index, c, c0 + c, p0, ps, values, x + (size_t)(c0 + c) * ACROSS, channel_first, is_signed);
    }
    for (int32_t r = 0; r < rank; r += ROWS_AT_ONCE) {
        products(m->down + (size_t)r * 4 * depth, 4 * (size_t)depth, x, depth, ps, found);
        latents_of(m, r, found, latents + (size_t)r * ACROSS);
    }
    for (int32_t c0 = 0; c0 < channels; c0 += ROWS_AT_ONCE) {
        products(m->up + (size_t)c0 * rank, rank, latents, rank / 4, ps, found);
        for (int32_t c = c0; c < c0 + ROWS_AT_ONCE && c < channels; c++) {
            const float factor = m->outputs[c], summand = m->outputs[channels + c], step = m->step[c], offset = m->offset[c];
            const int32_t *restrict row = found + (c - c0) * ACROSS;
            float *restrict out = values + (channel_first ? (size_t)c * positions + p0 : (size_t)p0 * channels + c);
            const float *restrict scales = m->position_scale + p0;
            const size_t next = channel_first ? 1 : channels;
            for (int32_t p = 0; p < ps; p++) {
                const float product = (float)row[p] * factor, more = product + summand;
                const float scaled = (out[p * next] + more) * (scales[p] * step);
                out[p * next] = is_signed ? scaled + offset : scaled;
            }
        }
    }
}

static inline __attribute__((always_inline)) void correct(
    const Model *m, const uint8_t *magnitudes, const uint8_t *negative, const uint8_t *sums, uint8_t *x, float *values,
    const int channel_first, const int is_signed) {
    for (int32_t p0 = 0; p0 < m->rows * m->columns; p0 += ACROSS)
        correct_block(m, magnitudes, negative, sums, x, p0, values, channel_first, is_signed);
}

static void reconstruct(const Model *m, const uint8_t *magnitudes, const uint8_t *negative, uint8_t *scratch, float *values) {
    uint8_t *sums = scratch + padded(m->channels), *x = sums + padded((size_t)m->rows * m->columns * m->channels);
    around(m, magnitudes, scratch, sums);
#define BOTH(channel_first, is_signed)                                                                                    \
    (m->corrector_rank ? correct(m, magnitudes, negative, sums, x, values, channel_first, is_signed)                       \
                       : fill(m, magnitudes, negative, sums, values, channel_first, is_signed))
    if (m->channel_first) {
        if (m->is_signed) BOTH(1, 1);
        else BOTH(1, 0);
    } else {
        if (m->is_signed) BOTH(0, 1);
        else BOTH(0, 0);
    }
#undef BOTH
}

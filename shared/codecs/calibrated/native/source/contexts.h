/* The class of every symbol of a pass: shared/codecs/calibrated/context_model.py in sparse whole numbers.
 *
 * Most symbols are zero. So the products with .same, .around and .beside are sums of the rows of those that are not (twice those of
 * 2 and more). Neighbours are summed afterwards: a sum over positions and a product over channels may change places. */

/* out (rank,) = the rows that are named, added up. */
static inline __attribute__((always_inline)) void add_rows(
    int32_t *out, const int16_t *rows, int32_t rank, int32_t r, const int vectors,
    const uint16_t *seen, int32_t n, const uint16_t *larger, int32_t l) {
    V total[16]; /* in registers: every loop over them is unrolled */
#pragma GCC unroll 16
    for (int j = 0; j < vectors; j++) total[j] = LOAD(out + r + j * LANES);
    for (int32_t i = 0; i < n; i++) {
        const int16_t *row = rows + (size_t)seen[i] * rank + r;
#pragma GCC unroll 16
        for (int j = 0; j < vectors; j++) total[j] = ADD(total[j], WIDEN(row + j * LANES));
    }
    for (int32_t i = 0; i < l; i++) {
        const int16_t *row = rows + (size_t)larger[i] * rank + r;
#pragma GCC unroll 16
        for (int j = 0; j < vectors; j++) total[j] = ADD(total[j], WIDEN(row + j * LANES));
    }
#pragma GCC unroll 16
    for (int j = 0; j < vectors; j++) STORE(out + r + j * LANES, total[j]);
}

enum { BLOCK = LANES == 4 ? 32 : 64 };

static void add_all(int32_t *out, const int16_t *rows, int32_t rank, const uint16_t *seen, int32_t n,
                    const uint16_t *larger, int32_t l) {
    int32_t r = 0;
    for (; r + BLOCK <= rank; r += BLOCK) add_rows(out, rows, rank, r, BLOCK / LANES, seen, n, larger, l);
    for (; r < rank; r += RANK_STEP) add_rows(out, rows, rank, r, RANK_STEP / LANES, seen, n, larger, l);
}

static inline void add_plane(int32_t *restrict out, const int32_t *restrict plane, int32_t rank, int32_t weight) {
    for (int32_t r = 0; r < rank; r++) out[r] += weight * plane[r];
}

/* sums[k] += the plane's neighbours of the pass's positions: the nearest four `near` times, the corners `far` times. */
static void add_neighbours(const Model *m, const Frame *f, const Pass *pass, int32_t near, int32_t far) {
    const int32_t columns = m->columns, rank = pass->rank;
    for (int32_t k = 0; k < pass->count; k++) {
        const int32_t p = pass->positions[k], row = p / columns, column = p % columns;
        int32_t *out = f->sums + (size_t)k * rank;
        for (int32_t dr = -1; dr <= 1; dr++)
            for (int32_t dc = -1; dc <= 1; dc++) {
                const int32_t weight = dr && dc ? far : near;
                if ((!dr && !dc) || !weight || row + dr < 0 || row + dr >= m->rows || column + dc < 0 || column + dc >= columns)
                    continue;
                add_plane(out, f->plane + (size_t)(p + dr * columns + dc) * rank, rank, weight);
            }
    }
}

static void latents(const Model *m, Frame *f, const Pass *pass) {
    const int32_t positions = m->rows * m->columns, rank = pass->rank, count = pass->count;
    const size_t channels = m->channels;
    memset(f->sums, 0, (size_t)count * rank * 4);
    if (pass->first) {
        for (int32_t k = 0; k < count; k++) {
            const size_t p = pass->positions[k];
            add_all(f->sums + (size_t)k * rank, pass->same, rank, f->seen + p * channels, f->seen_before[p],
                    f->larger + p * channels, f->larger_before[p]);
        }
        memset(f->plane, 0, (size_t)positions * rank * 4);
        for (int32_t p = 0; p < positions; p++)
            add_all(f->plane + (size_t)p * rank, pass->around, rank, f->seen + p * channels, f->seen_before[p],
                    f->larger + p * channels, f->larger_before[p]);
        add_neighbours(m, f, pass, 2, 1);
    }
    if (pass->light) { /* only dark positions have symbols beyond those of complete groups */
        memset(f->plane, 0, (size_t)positions * rank * 4);
        for (int32_t p = 0; p < positions; p++) {
            const int32_t n = f->seen_before[p], l = f->larger_before[p];
            if (f->seen_count[p] > n)
                add_all(f->plane + (size_t)p * rank, pass->beside - (size_t)pass->first * rank, rank,
                        f->seen + p * channels + n, f->seen_count[p] - n, f->larger + p * channels + l, f->larger_count[p] - l);
        }
        add_neighbours(m, f, pass, 1, 0);
    }
    const size_t all = (size_t)count * rank;
    for (size_t i = 0; i < all; i += LANES) {
        const V latent = RIGHT(LOAD(f->sums + i), pass->latent_shift);
        NARROW(f->latent + i, MOST(LEAST(latent, EACH(LATENT_LIMIT)), EACH(-LATENT_LIMIT)));
    }
}

/* index (4, width): the predictions, 0 … PREDICTIONS - 1, of four positions with these latents. */
static void predict(const Pass *pass, const int16_t *const latent[4], int32_t *index) {
    const int32_t rank = pass->rank, width = pass->width;
    for (int32_t c = 0; c < width; c += 2 * LANES) {
        V total[4][2];
#pragma GCC unroll 4
        for (int p = 0; p < 4; p++)
#pragma GCC unroll 2
            for (int j = 0; j < 2; j++) total[p][j] = LOAD(pass->bias + c + j * LANES);
        const int16_t *up = pass->up + 2 * c;
        for (int32_t r = 0; r < rank; r += 2, up += 2 * width) {
            const V first = LOAD(up), second = LOAD(up + 2 * LANES);
#pragma GCC unroll 4
            for (int p = 0; p < 4; p++) {
                int32_t pair;
                memcpy(&pair, latent[p] + r, 4);
                const V both = EACH(pair);
                total[p][0] = ADD(total[p][0], PAIRS(first, both));
                total[p][1] = ADD(total[p][1], PAIRS(second, both));
            }
        }
#pragma GCC unroll 4
        for (int p = 0; p < 4; p++)
#pragma GCC unroll 2
            for (int j = 0; j < 2; j++) {
                const V found = RIGHT(total[p][j], pass->shift);
                STORE(index + (size_t)p * width + c + j * LANES, MOST(LEAST(found, EACH(PREDICTIONS - 1)), EACH(0)));
            }
    }
}

static inline const uint8_t *row_or_empty(const Model *m, const Frame *f, const uint8_t *grid, int32_t row, int32_t column) {
    if (row < 0 || row >= m->rows || column < 0 || column >= m->columns) return f->empty;
    return grid + ((size_t)row * m->columns + column) * m->channels;
}

/* f->own (own channels,): OWN_KIND * PREDICTIONS of a light position. */
static void beside(const Model *m, const Frame *f, const Pass *pass, const uint8_t *grid, int32_t p) {
    const int32_t row = p / m->columns, column = p % m->columns, own = pass->last - pass->first;
    const uint8_t *restrict left = row_or_empty(m, f, grid, row, column - 1) + pass->first;
    const uint8_t *restrict right = row_or_empty(m, f, grid, row, column + 1) + pass->first;
    const uint8_t *restrict above = row_or_empty(m, f, grid, row - 1, column) + pass->first;
    const uint8_t *restrict below = row_or_empty(m, f, grid, row + 1, column) + pass->first;
    uint16_t *restrict out = f->own;
    for (int32_t c = 0; c < own; c++) {
        uint8_t sum = left[c] < 2 ? left[c] : 2;
        sum += right[c] < 2 ? right[c] : 2;
        sum += above[c] < 2 ? above[c] : 2;
        sum += below[c] < 2 ? below[c] : 2;
        const uint8_t kind = (uint8_t)((sum < 2 ? sum : 2) + (sum > 2) + (sum > 4));
        out[c] = (uint16_t)(kind * PREDICTIONS);
    }
}

/* The pass's positions in four parts of about equal size, which are coded side by side: a table's cell that was just written is slow
 * to read again, and most symbols are of few classes. */
typedef struct {
    int32_t at[4], number;
} Rows;

static inline Rows rows_of(const Pass *pass, int32_t block) {
    const int32_t part = (pass->count + 3) / 4;
    Rows rows = {{block, part + block, 2 * part + block, 3 * part + block}, 0};
    while (rows.number < 4 && rows.at[rows.number] < pass->count) rows.number++;
    return rows;
}

static inline __attribute__((always_inline)) void look_up(
    const Model *m, Frame *f, const Pass *pass, const History *history, const Rows *rows, const int first, const int number, int32_t hits[4][2][CLASSES]) {
    const int32_t own = pass->last - pass->first;
    const uint8_t *table = pass->classes, *following[4], *context[4];
    if (history)
#pragma GCC unroll 4
        for (int j = first; j < first + number; j++) {
            const size_t p = pass->positions[rows->at[j]];
            context[j] = history->contexts + p * m->channels + pass->first;
            following[j] = pass->following + (size_t)history->unrest[p] * CONTEXTS * CLASSES;
        }
    for (int32_t c = 0; c < own; c++)
#pragma GCC unroll 4
        for (int j = first; j < first + number; j++) {
            uint8_t found = table[f->index[j * pass->width + c]];
            if (history) found = following[j][context[j][c] * CLASSES + found];
            f->classes[(size_t)rows->at[j] * own + c] = found;
            hits[j][c & 1][found]++; /* two of a class one after another would wait for each other */
        }
}

/* f->classes (count x own,), and where in ascending order each part of the pass has its symbols of each class. */
static void classify(const Model *m, Frame *f, const Pass *pass, const uint8_t *grid, const History *history, int32_t cursors[4][CLASSES], int32_t *counts) {
    const int32_t own = pass->last - pass->first, width = pass->width, rank = pass->rank;
    int32_t hits[4][2][CLASSES] = {{{0}}};
    if (rank) latents(m, f, pass);
    for (int32_t block = 0; block < (pass->count + 3) / 4; block++) {
        const Rows rows = rows_of(pass, block);
        const int16_t *latent[4];
        for (int j = 0; j < 4; j++) latent[j] = f->latent + (size_t)(j < rows.number ? rows.at[j] : 0) * rank;
        predict(pass, latent, f->index);
        for (int j = 0; j < rows.number; j++) {
            int32_t *restrict index = f->index + (size_t)j * width;
            const uint8_t *restrict kinds = pass->kinds + (size_t)rows.at[j] * pass->kinds_step;
            for (int32_t c = 0; c < own; c++) index[c] += kinds[c] * (OWN_KINDS * PREDICTIONS);
            if (pass->light) {
                const uint16_t *restrict more = f->own;
                beside(m, f, pass, grid, pass->positions[rows.at[j]]);
                for (int32_t c = 0; c < own; c++) index[c] += more[c];
            }
        }
        if (rows.number < 4)
            for (int j = 0; j < rows.number; j++) look_up(m, f, pass, history, &rows, j, 1, hits);
        else if (history) look_up(m, f, pass, history, &rows, 0, 4, hits);
        else look_up(m, f, pass, NULL, &rows, 0, 4, hits);
    }
    int32_t at = 0;
    for (int k = 0; k < CLASSES; k++) {
        const int32_t start = at;
        for (int j = 0; j < 4; j++) cursors[j][k] = at, at += hits[j][0][k] + hits[j][1][k];
        counts[k] = at - start;
    }
}

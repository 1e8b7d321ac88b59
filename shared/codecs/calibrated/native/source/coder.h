/* Symbols <-> words: asymmetric numeral systems as shared/codecs/calibrated/entropy.py has them from constriction. */

static const uint64_t ONE = (uint64_t)1 << PRECISION, LOW = ((uint64_t)1 << PRECISION) - 1, WORD = (uint64_t)1 << 32;

typedef struct {
    uint64_t state;
    const uint8_t *words;
    int64_t left;
} Reader;

static inline uint64_t refilled(Reader *reader, uint64_t state) {
    if (state < WORD && reader->left > 0) {
        uint32_t word;
        memcpy(&word, reader->words + 4 * --reader->left, 4);
        state = state << 32 | word;
    }
    return state;
}

/* `count` symbols that are 0 with this weight, else 1. */
static void read_bits(Reader *given, uint64_t zero, uint8_t *out, int64_t count) {
    Reader reader = *given;
    uint64_t state = reader.state;
    const uint64_t one = ONE - zero;
    for (int64_t i = 0; i < count; i++) {
        const uint64_t low = state & LOW, high = state >> PRECISION;
        if (__builtin_expect_with_probability(low < zero, 1, 0.9)) {
            state = high * zero + low;
            out[i] = 0;
        } else {
            state = high * one + low - zero;
            out[i] = 1;
        }
        state = refilled(&reader, state);
    }
    reader.state = state;
    *given = reader;
}

/* Symbols of a table of `number`; small ones are the likeliest by far. */
static void read_sizes(Reader *given, const uint32_t *starts, uint32_t number, uint8_t *out, int64_t count) {
    Reader reader = *given;
    for (int64_t i = 0; i < count; i++) {
        const uint32_t low = (uint32_t)(reader.state & LOW);
        uint32_t k = 0;
        while (k + 8 < number && starts[k + 8] <= low) k += 8; /* whoever made the table may mean ill */
        while (starts[k + 1] <= low) k++;
        out[i] = (uint8_t)k;
        reader.state = refilled(&reader, (reader.state >> PRECISION) * (starts[k + 1] - starts[k]) + low - starts[k]);
    }
    *given = reader;
}

typedef struct {
    uint64_t state;
    uint32_t *words;
} Writer;

static inline uint64_t written(Writer *writer, uint64_t state, const Symbol *symbol) {
    if (state >> (64 - PRECISION) >= symbol->weight) {
        *writer->words++ = (uint32_t)state;
        state >>= 32;
    }
    const uint64_t quotient =
        (uint64_t)(((unsigned __int128)state * symbol->reciprocal + symbol->addend) >> 64) >> symbol->shift;
    return state + symbol->start + quotient * (ONE - symbol->weight);
}

/* The symbols of one table, the last first. */
static void write_symbols(Writer *given, const Symbol *table, const uint8_t *symbols, int64_t count) {
    Writer writer = *given;
    uint64_t state = writer.state;
    while (count-- > 0) state = written(&writer, state, table + symbols[count]);
    writer.state = state;
    *given = writer;
}

/* Offsets of each table's symbols, from how many there are. */
static int32_t offsets(const int32_t *counts, int32_t *starts, int32_t number) {
    int32_t at = 0;
    for (int32_t k = 0; k < number; k++) starts[k] = at, at += counts[k];
    return at;
}

/* How large the four neighbours of a symbol are, 1 … SIZES - 1. */
static inline int32_t size_of(int32_t sum) {
    return 1 + (sum >= 1) + (sum >= 2) + (sum >= 4) + (sum >= 7) + (sum >= 12) + (sum >= 20);
}

/* The class, 0 … PREVIOUS - 1, of a magnitude in the frame before. */
static inline int32_t previous_of(int32_t before) {
    return (before >= 1) + (before >= 2) + (before >= 3) + (before >= 4) + (before >= 5) + (before >= 7) + (before >= 10);
}

/* The class of a sign, 0 … SIGNS - 1; `here` is where its symbol is in the grids. */
static inline int32_t sign_class(const History *history, size_t here) {
    return history && history->magnitudes[here] ? 1 + history->negative[here] : 0;
}

/* kinds: the tables of the pass's symbols that are not zero, in its order, and how many there are of each. A table goes by the
 * symbol's kind and, in light passes, by how large its four neighbours are; after a known frame by how large it was itself. Gives the
 * number of symbols. */
static int32_t kinds_of(const Model *m, const Frame *f, const Pass *pass, const uint8_t *grid, const History *history, uint8_t *kinds, int32_t *counts) {
    int32_t number = 0;
    for (int32_t k = 0; k < pass->count; k++) {
        const int32_t p = pass->positions[k], row = p / m->columns, column = p % m->columns;
        const uint16_t *seen = f->seen + (size_t)p * m->channels;
        const uint8_t *own = pass->tables + (size_t)k * pass->tables_step - pass->first;
        if (history) {
            const uint8_t *before = history->magnitudes + (size_t)p * m->channels;
            const int32_t step = m->by_size ? 1 : PREVIOUS;
            for (int32_t i = f->seen_before[p]; i < f->seen_count[p]; i++)
                counts[kinds[number++] = (uint8_t)(own[seen[i]] * step + previous_of(before[seen[i]]))]++;
            continue;
        }
        if (!m->by_size || !pass->light) {
            for (int32_t i = f->seen_before[p]; i < f->seen_count[p]; i++) counts[kinds[number++] = own[seen[i]]]++;
            continue;
        }
        const uint8_t *left = row_or_empty(m, f, grid, row, column - 1), *right = row_or_empty(m, f, grid, row, column + 1);
        const uint8_t *above = row_or_empty(m, f, grid, row - 1, column), *below = row_or_empty(m, f, grid, row + 1, column);
        for (int32_t i = f->seen_before[p]; i < f->seen_count[p]; i++) {
            const int32_t c = seen[i], sum = left[c] + right[c] + above[c] + below[c];
            counts[kinds[number++] = (uint8_t)(own[c] + size_of(sum))]++;
        }
    }
    return number;
}

/* Whether each symbol of the pass is zero, in ascending order of classes. */
static void sort_bits(const Model *m, const Frame *f, const Pass *pass, const uint8_t *grid, int32_t cursors[4][CLASSES], uint8_t *restrict sorted) {
    const int32_t own = pass->last - pass->first;
    for (int32_t block = 0; block < (pass->count + 3) / 4; block++) {
        const Rows rows = rows_of(pass, block);
        const uint8_t *values[4], *classes[4];
        for (int j = 0; j < rows.number; j++) {
            values[j] = grid + (size_t)pass->positions[rows.at[j]] * m->channels + pass->first;
            classes[j] = f->classes + (size_t)rows.at[j] * own;
        }
        if (rows.number == 4)
            for (int32_t c = 0; c < own; c++)
#pragma GCC unroll 4
                for (int j = 0; j < 4; j++) sorted[cursors[j][classes[j][c]]++] = values[j][c] != 0;
        else
            for (int j = 0; j < rows.number; j++)
                for (int32_t c = 0; c < own; c++) sorted[cursors[j][classes[j][c]]++] = values[j][c] != 0;
    }
}

/* The inverse of sort_bits. */
static void place_bits(const Model *m, const Frame *f, const Pass *pass, const uint8_t *restrict sorted, int32_t cursors[4][CLASSES], uint8_t *grid) {
    const int32_t own = pass->last - pass->first;
    for (int32_t block = 0; block < (pass->count + 3) / 4; block++) {
        const Rows rows = rows_of(pass, block);
        uint8_t *values[4];
        const uint8_t *classes[4];
        for (int j = 0; j < rows.number; j++) {
            values[j] = grid + (size_t)pass->positions[rows.at[j]] * m->channels + pass->first;
            classes[j] = f->classes + (size_t)rows.at[j] * own;
        }
        if (rows.number == 4)
            for (int32_t c = 0; c < own; c++)
#pragma GCC unroll 4
                for (int j = 0; j < 4; j++) values[j][c] = sorted[cursors[j][classes[j][c]]++];
        else
            for (int j = 0; j < rows.number; j++)
                for (int32_t c = 0; c < own; c++) values[j][c] = sorted[cursors[j][classes[j][c]]++];
    }
}

/* How many signs there are of each class in a pass. */
static void count_signs(const Model *m, const Frame *f, const Pass *pass, const History *history, int32_t *counts) {
    for (int32_t k = 0; k < pass->count; k++) {
        const int32_t p = pass->positions[k];
        const size_t row = (size_t)p * m->channels;
        for (int32_t i = f->seen_before[p]; i < f->seen_count[p]; i++) counts[sign_class(history, row + f->seen[row + i])]++;
    }
}

/* A sign of a frame by itself: two symbols of the same weight. */
static void halves(Symbol sign[2]) {
    for (uint32_t k = 0; k < 2; k++) sign[k] = (Symbol){~0ull, ~0ull, k << (PRECISION - 1), 1u << (PRECISION - 1), PRECISION - 1, 0};
}

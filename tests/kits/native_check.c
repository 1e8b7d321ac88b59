/* Made-up models and tensors, the same on every processor. For each it prints a hash of what the core makes of them: words, symbols
 * and values, by every level of instructions that there is, which must agree. tests/contract/test_native_levels.py builds it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core.h"

int32_t splitdnn_levels(void);
const Level *splitdnn_level(int32_t);
int64_t splitdnn_scratch(const Model *);
void splitdnn_symbols(const uint32_t *, int32_t, Symbol *);

enum { CASES = 24, RANK = 80, KINDS = 4, ROWS_OF_SIZES = 24, JUNK = 64 };

static uint64_t seed;

static int32_t between(int32_t low, int32_t high) {
    seed = seed * 6364136223846793005ull + 1442695040888963407ull;
    return low + (int32_t)((uint32_t)(seed >> 33) % (uint32_t)(high - low + 1));
}

static void *memory(size_t bytes) {
    void *found = aligned_alloc(64, (bytes + 127) & ~(size_t)63);
    return memset(found, 0, bytes);
}

static int16_t *small(size_t count, int32_t most) {
    int16_t *out = memory(2 * count + 2);
    for (size_t i = 0; i < count; i++) out[i] = (int16_t)between(-most, most);
    return out;
}

static uint8_t *bytes_below(size_t count, int32_t end, uint8_t factor) {
    uint8_t *out = memory(count);
    for (size_t i = 0; i < count; i++) out[i] = (uint8_t)(between(0, end - 1) * factor);
    return out;
}

/* Weights, or of the largest ones that there are. */
static int8_t *bytes_around(size_t count, int largest) {
    int8_t *out = memory(count);
    for (size_t i = 0; i < count; i++) out[i] = (int8_t)(largest ? between(0, 1) * 255 - 128 : between(-128, 127));
    return out;
}

static float *floats(size_t count, int32_t low, int32_t high, float unit) {
    float *out = memory(4 * count);
    for (size_t i = 0; i < count; i++) out[i] = (float)between(low, high) / unit;
    return out;
}

static uint64_t hashed(uint64_t hash, const void *data, size_t count) {
    for (const uint8_t *byte = data; count--; byte++) hash = (hash ^ *byte) * 1099511628211ull;
    return hash;
}

static int pass_of(const Model *m, Pass *pass, int group, int groups, int light, int number) {
    const int positions = m->rows * m->columns;
    int32_t *at = memory(4 * positions);
    *pass = (Pass){.positions = at, .light = light, .ends_group = light || positions == 1};
    pass->first = m->channels * group / groups, pass->last = m->channels * (group + 1) / groups;
    for (int i = 0; i < positions; i++)
        if ((i / m->columns + i % m->columns) % 2 == light) at[pass->count++] = i;
    if (!pass->count) return 0;
    const int own = pass->last - pass->first;
    const size_t symbols = (size_t)pass->count * own;
    pass->rank = pass->first || light ? RANK_STEP * between(1, RANK / RANK_STEP) : 0;
    pass->width = (own + WIDTH_STEP - 1) / WIDTH_STEP * WIDTH_STEP;
    pass->same = small((size_t)pass->first * pass->rank, 3000), pass->around = small((size_t)pass->first * pass->rank, 600);
    pass->beside = small((size_t)own * pass->rank, 2000), pass->up = small((size_t)pass->rank * pass->width, 80);
    int32_t *bias = memory(4 * pass->width);
    for (int i = 0; i < pass->width; i++) bias[i] = between(-100000, 400000);
    pass->bias = bias;
    pass->classes = bytes_below(KINDS * OWN_KINDS * PREDICTIONS, CLASSES, 1);
    pass->kinds = bytes_below(symbols, KINDS, 1), pass->tables = bytes_below(symbols, 3, m->by_size ? SIZES : 1);
    pass->kinds_step = number % 4 ? own : 0, pass->tables_step = number % 5 ? own : 0;
    pass->latent_shift = between(0, 6), pass->shift = between(6, 11);
    return 1;
}

static void fill(Model *m, Pass *passes, int number) {
    static const int shapes[][3] = {{6, 6, 8}, {1, 1, 40}, {5, 7, 3}, {1, 12, 70}, {14, 14, 256}, {9, 4, 130}};
    const int *shape = shapes[number % 6], groups = shape[2] < 4 ? shape[2] : 4, levels = (int[]){2, 4, 64}[number % 3];
    *m = (Model){.rows = shape[0], .columns = shape[1], .channels = shape[2], .levels = levels, .passes = passes};
    m->is_signed = number / 6 % 2, m->by_size = number % 2, m->channel_first = shape[0] > 1, m->threshold = 0.05f;
    for (int group = 0; group < groups; group++)
        for (int light = 0; light < 2; light++) {
            const Pass *pass = passes + m->pass_count;
            if (!pass_of(m, passes + m->pass_count, group, groups, light, number)) continue;
            const int symbols = pass->count * (pass->last - pass->first);
            m->pass_count++;
            m->most_symbols = symbols > m->most_symbols ? symbols : m->most_symbols;
            m->most_rank = pass->rank > m->most_rank ? pass->rank : m->most_rank;
        }
    uint32_t *significance = memory(4 * CLASSES), *starts = memory(4 * ROWS_OF_SIZES * (size_t)levels);
    Symbol *zeros = memory(sizeof(Symbol) * 2 * CLASSES), *sizes = memory(sizeof(Symbol) * ROWS_OF_SIZES * (size_t)levels);
    for (int k = 0; k < CLASSES; k++) {
        const uint32_t parts[3] = {0, significance[k] = (uint32_t)between(1, (1 << PRECISION) - 1), 1u << PRECISION};
        splitdnn_symbols(parts, 2, zeros + 2 * k);
    }
    for (int k = 0; k < ROWS_OF_SIZES; k++) {
        for (int i = 0; i < levels; i++)
            starts[k * levels + i] = (uint32_t)(((uint64_t)i * i << PRECISION) / ((uint64_t)(levels - 1) * (levels - 1)));
        splitdnn_symbols(starts + k * levels, levels - 1, sizes + k * (levels - 1));
    }
    const size_t channels = m->channels, positions = (size_t)m->rows * m->columns;
    m->significance = significance, m->starts = starts, m->zeros = zeros, m->sizes = sizes;
    m->step = floats(channels, 100, 900, 777), m->offset = floats(channels, -500, 500, 333);
    m->position_scale = floats(positions, 500, 1500, 999);
    m->centroids = floats(channels * NEIGHBOURHOODS * levels, -1000, 5000, 1234);
    if (number % 3) {
        const size_t rank = m->corrector_rank = 4 * between(1, channels < 40 ? 2 : 8), wide = (channels + 3) / 4 * 4;
        m->down = bytes_around(rank * wide, number % 3 == 2), m->up = bytes_around(wide * rank, number % 3 == 2);
        m->inputs = floats(channels, -100, 40000, 321), m->outputs = floats(2 * channels, -1000, 1000, 98765);
        float *latent = floats(2 * rank, -300, 4000, 987654);
        for (size_t i = rank; i < 2 * rank; i++) latent[i] = (float)between(20, 100);
        m->latent = latent;
    }
    m->usual = number % 2 ? floats(2 * channels * positions, -1000, 1000, 4321) : NULL;
}

/* The models of frames that follow a known one. */
static void fill_following(Model *m, Pass *passes) {
    uint32_t *significance = memory(4 * CLASSES), *positive = memory(4 * SIGNS);
    Symbol *zeros = memory(sizeof(Symbol) * 2 * CLASSES), *signs = memory(sizeof(Symbol) * 2 * SIGNS);
    for (int k = 0; k < CLASSES + SIGNS; k++) {
        const uint32_t parts[3] = {0, (uint32_t)between(1, (1 << PRECISION) - 1), 1u << PRECISION};
        if (k < CLASSES) significance[k] = parts[1], splitdnn_symbols(parts, 2, zeros + 2 * k);
        else positive[k - CLASSES] = parts[1], splitdnn_symbols(parts, 2, signs + 2 * (k - CLASSES));
    }
    m->following_significance = significance, m->following_zeros = zeros;
    m->following_positive = positive, m->following_signs = signs;
    m->following_starts = m->starts, m->following_sizes = m->sizes; /* 24 rows are as many as 3 kinds have */
    for (int i = 0; i < m->pass_count; i++) passes[i].following = bytes_below(UNRESTS * CONTEXTS * CLASSES, CLASSES, 1);
}

/* A stream of FRAMES frames: its words, symbols and histories. */
static int follow(Model *m, Pass *passes, int number) {
    enum { FRAMES = 4 };
    const size_t symbols = (size_t)m->rows * m->columns * m->channels;
    fill_following(m, passes);
    int wrong = 0;
    float *values[FRAMES];
    for (int i = 0; i < FRAMES; i++) {
        values[i] = floats(symbols, m->is_signed ? -4000 : 0, 4000, 987);
        for (size_t k = 0; k < symbols && i; k++)
            if (between(0, 9) < 8) values[i][k] = values[0][k];
    }
    uint8_t *scratch = memory(splitdnn_scratch(m));
    uint32_t *words = memory(8 * symbols + 16), junk[JUNK];
    for (int i = 0; i < JUNK; i++) junk[i] = (uint32_t)between(0, 0x3fffffff) * 2 + 1;
    uint64_t first = 0;
    for (int32_t number_of_level = 0; number_of_level < splitdnn_levels(); number_of_level++) {
        const Level *level = splitdnn_level(number_of_level);
        memset(scratch, 0xa5, splitdnn_scratch(m));
        uint8_t *kept[2][5], *again = memory(symbols), *signs_again = memory(symbols);
        for (int i = 0; i < 10; i++) kept[i / 5][i % 5] = memory(symbols);
        uint64_t hash = 14695981039346656037ull;
        for (int i = 0; i < FRAMES; i++) {
            uint8_t **now = kept[i % 2], **before = kept[1 - i % 2];
            const History known = {before[0], before[1], before[2], before[3], before[4]}, *history = i ? &known : NULL;
            uint8_t *negative = m->is_signed ? now[1] : NULL, *negative_again = m->is_signed ? signs_again : NULL;
            wrong += !level->quantise(m, values[i], history, number % 2 ? 0.3f : 0, now[0], negative);
            const int64_t count = level->encode(m, now[0], negative, history, scratch, words);
            wrong += !level->decode(m, (const uint8_t *)words, count, history, scratch, again, negative_again);
            wrong += memcmp(now[0], again, symbols) != 0;
            level->remember(m, now[0], negative, history, scratch, now[2], now[3], now[4]);
            if (negative) wrong += memcmp(negative, negative_again, symbols) != 0;
            hash = hashed(hashed(hashed(hash, words, 4 * count), now[2], symbols), now[3], symbols);
            hash = hashed(hash, now[4], (size_t)m->rows * m->columns);
            const int32_t ended = level->decode(m, (const uint8_t *)junk, JUNK, history, scratch, again, negative_again);
            hash = hashed(hashed(hash, &ended, 4), again, symbols);
        }
        if (!number_of_level) printf("%zu symbols in a stream: %016llx\n", symbols, (unsigned long long)(first = hash));
        wrong += hash != first;
    }
    return wrong;
}

int main(void) {
    int wrong = 0;
    for (int number = 0; number < CASES; number++) {
        seed = 1000 + (uint64_t)number;
        Pass passes[8];
        Model model;
        fill(&model, passes, number);
        const size_t symbols = (size_t)model.rows * model.columns * model.channels;
        float *values = floats(symbols, model.is_signed ? -4000 : 0, 4000, 987), *back = memory(4 * symbols);
        for (size_t i = 0; i < symbols && !model.is_signed; i++)
            if (between(0, 99) < 85) values[i] = 0;
        uint8_t *magnitudes = memory(symbols), *signs = memory(symbols), *again = memory(symbols), *signs_again = memory(symbols);
        uint8_t *negative = model.is_signed ? signs : NULL, *negative_again = model.is_signed ? signs_again : NULL;
        uint8_t *scratch = memory(splitdnn_scratch(&model));
        uint32_t *words = memory(8 * symbols + 16), junk[JUNK];
        for (int i = 0; i < JUNK; i++) junk[i] = (uint32_t)between(0, 0x3fffffff) * 2 + 1;
        uint64_t first = 0;
        for (int32_t number_of_level = 0; number_of_level < splitdnn_levels(); number_of_level++) {
            const Level *level = splitdnn_level(number_of_level);
            memset(scratch, 0xa5, splitdnn_scratch(&model)); /* whatever is left there */
            wrong += !level->quantise(&model, values, NULL, 0, magnitudes, negative);
            const int64_t count = level->encode(&model, magnitudes, negative, NULL, scratch, words);
            wrong += !level->decode(&model, (const uint8_t *)words, count, NULL, scratch, again, negative_again);
            wrong += memcmp(magnitudes, again, symbols) != 0;
            for (size_t i = 0; i < symbols; i++) wrong += negative && magnitudes[i] && signs[i] != signs_again[i];
            level->reconstruct(&model, again, negative_again, scratch, back);
            level->finish(&model, again, back);
            uint64_t hash = hashed(hashed(hashed(14695981039346656037ull, words, 4 * count), again, symbols), back, 4 * symbols);
            const int32_t ended = level->decode(&model, (const uint8_t *)junk, JUNK, NULL, scratch, again, negative_again);
            hash = hashed(hashed(hash, &ended, 4), again, symbols); /* any words are symbols, if not whole ones */
            if (!number_of_level) printf("%zu symbols, %lld words: %016llx\n", symbols, (long long)count, (unsigned long long)(first = hash));
            wrong += hash != first;
        }
        wrong += follow(&model, passes, number);
    }
    printf("%d wrong\n", wrong);
    return wrong != 0;
}

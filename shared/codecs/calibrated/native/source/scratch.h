/* What one frame takes while it is coded, cut from the caller's scratch memory. */
#include <string.h>

typedef struct {
    uint16_t *seen;     /* (positions, channels): at each position the channels that are not zero, in coding order */
    uint16_t *larger;   /* the same of those that are at least 2 */
    int32_t *seen_count, *larger_count; /* (positions,) */
    int32_t *seen_before, *larger_before; /* how many of them are of complete groups */
    int32_t *sums;      /* (most positions of a pass, rank) */
    int32_t *plane;     /* (positions, rank) */
    int16_t *latent;    /* (most positions of a pass, rank) */
    int32_t *index;     /* (4, width) */
    uint16_t *own;      /* (width,) */
    uint8_t *empty;     /* (channels or 4 * rank,): zeros */
    uint8_t *classes;   /* (symbols of a pass,) */
    uint8_t *sorted;    /* (symbols of a pass,), when encoding (symbols,) */
    uint8_t *natural;   /* (symbols of a pass,) */
    uint8_t *magnitudes, *kinds, *signs; /* (symbols,) when encoding, else of a pass */
    int32_t *counts;    /* (passes, CLASSES + TABLES + SIGNS) */
} Frame;

enum { COUNTS = CLASSES + TABLES + SIGNS };

static inline size_t padded(size_t bytes) { return (bytes + 63) & ~(size_t)63; }

static inline void *cut(uint8_t **rest, size_t bytes) {
    uint8_t *found = *rest;
    *rest += padded(bytes);
    return found;
}

/* Lays a frame out; from no memory at all it gives the number of bytes needed. */
static inline size_t lay_out(const Model *m, Frame *f, uint8_t *scratch) {
    const size_t positions = (size_t)m->rows * m->columns, channels = m->channels, symbols = positions * channels;
    const size_t most = m->most_symbols, rank = m->most_rank, half = positions / 2 + 4;
    uint8_t *rest = scratch;
    f->seen_count = cut(&rest, 16 * positions);
    f->larger_count = f->seen_count + positions;
    f->seen_before = f->larger_count + positions;
    f->larger_before = f->seen_before + positions;
    f->empty = cut(&rest, channels > 4 * rank ? channels : 4 * rank);
    f->counts = cut(&rest, (size_t)m->pass_count * COUNTS * 4);
    f->index = cut(&rest, 16 * (channels + WIDTH_STEP));
    f->own = cut(&rest, 2 * (channels + WIDTH_STEP));
    f->sums = cut(&rest, 4 * half * rank);
    f->plane = cut(&rest, 4 * positions * rank);
    f->latent = cut(&rest, 2 * half * rank);
    f->seen = cut(&rest, 2 * symbols);
    f->larger = cut(&rest, 2 * symbols);
    f->classes = cut(&rest, most);
    f->natural = cut(&rest, most);
    f->sorted = cut(&rest, symbols);
    f->magnitudes = cut(&rest, symbols);
    f->kinds = cut(&rest, symbols);
    f->signs = cut(&rest, symbols);
    return (size_t)(rest - scratch);
}

static inline void begin(const Model *m, Frame *f, uint8_t *scratch) {
    const size_t positions = (size_t)m->rows * m->columns;
    lay_out(m, f, scratch);
    memset(f->seen_count, 0, 16 * positions);
    memset(f->empty, 0, m->channels > 4 * m->most_rank ? m->channels : 4 * m->most_rank);
    memset(f->counts, 0, (size_t)m->pass_count * COUNTS * 4);
}

/* A bit for each of eight bytes that is not zero. */
static inline uint64_t not_zero(const uint8_t *bytes) {
    const uint64_t sevens = 0x7f7f7f7f7f7f7f7full;
    uint64_t word;
    memcpy(&word, bytes, 8);
    word = ((((word & sevens) + sevens) | word) & ~sevens) >> 7;
    return word * 0x0102040810204080ull >> 56;
}

/* Notes which symbols of a pass are not zero. `grid`: (positions, channels). */
static inline void note_seen(const Model *m, Frame *f, const Pass *pass, const uint8_t *grid) {
    for (int32_t k = 0; k < pass->count; k++) {
        const size_t p = pass->positions[k];
        const uint8_t *row = grid + p * m->channels;
        uint16_t *seen = f->seen + p * m->channels;
        int32_t n = f->seen_count[p], c = pass->first;
        for (; c + 64 <= pass->last; c += 64) {
            uint64_t found = 0;
            for (int i = 0; i < 8; i++) found |= not_zero(row + c + 8 * i) << (8 * i);
            for (; found; found &= found - 1) seen[n++] = (uint16_t)(c + __builtin_ctzll(found));
        }
        for (; c < pass->last; c++)
            if (row[c]) seen[n++] = (uint16_t)c;
        f->seen_count[p] = n;
    }
}

/* Notes which of these are at least 2. */
static inline void note_larger(const Model *m, Frame *f, const Pass *pass, const uint8_t *grid) {
    for (int32_t k = 0; k < pass->count; k++) {
        const size_t p = pass->positions[k];
        const uint8_t *row = grid + p * m->channels;
        const uint16_t *seen = f->seen + p * m->channels;
        uint16_t *larger = f->larger + p * m->channels;
        int32_t l = f->larger_count[p];
        for (int32_t i = f->seen_before[p]; i < f->seen_count[p]; i++) {
            larger[l] = seen[i]; /* there is room: no more are larger than are seen */
            l += row[seen[i]] > 1;
        }
        f->larger_count[p] = l;
    }
}

/* After the last pass of a group. */
static inline void complete(const Model *m, Frame *f) {
    memcpy(f->seen_before, f->seen_count, 8 * (size_t)m->rows * m->columns); /* and larger_before, which follows */
}

/* One level of instructions; it is compiled once for each, with LEVEL its name. */
#include "core.h"
#include "vectors.h"
#include "scratch.h"
#include "contexts.h"
#include "coder.h"
#include "values.h"
#include "products.h"
#include "corrector.h"
#include "tallies.h"

static int64_t encode(const Model *m, const uint8_t *magnitudes, const uint8_t *negative, uint8_t *scratch, uint32_t *words) {
    Frame frame, *f = &frame;
    begin(m, f, scratch);
    size_t bits = 0, sizes = 0, signs = 0;
    for (int32_t s = 0; s < m->pass_count; s++) {
        const Pass *pass = m->passes + s;
        const int32_t own = pass->last - pass->first;
        int32_t *counts = f->counts + (size_t)s * COUNTS, cursors[4][CLASSES], starts[TABLES];
        classify(m, f, pass, magnitudes, cursors, counts);
        sort_bits(m, f, pass, magnitudes, cursors, f->sorted + bits);
        bits += (size_t)pass->count * own;
        note_seen(m, f, pass, magnitudes);
        note_larger(m, f, pass, magnitudes);
        const int32_t number = kinds_of(m, f, pass, magnitudes, f->kinds, counts + CLASSES);
        offsets(counts + CLASSES, starts, TABLES);
        int32_t at = 0;
        for (int32_t k = 0; k < pass->count; k++) {
            const size_t row = (size_t)pass->positions[k] * m->channels;
            for (int32_t i = f->seen_before[pass->positions[k]]; i < f->seen_count[pass->positions[k]]; i++, at++) {
                const size_t here = row + f->seen[row + i];
                f->magnitudes[sizes + starts[f->kinds[at]]++] = (uint8_t)(magnitudes[here] - 1);
                if (negative) f->signs[signs + at] = negative[here];
            }
        }
        counts[COUNTS - 1] = number;
        sizes += number, signs += number;
        if (pass->ends_group) complete(m, f);
    }
    Writer writer = {0, words};
    Symbol sign[2];
    halves(sign);
    for (int32_t s = m->pass_count - 1; s >= 0; s--) {
        const int32_t *counts = f->counts + (size_t)s * COUNTS, number = counts[COUNTS - 1];
        if (negative) write_symbols(&writer, sign, f->signs + (signs -= number), number);
        if (m->levels > 2)
            for (int k = TABLES - 1; k >= 0; k--)
                write_symbols(&writer, m->sizes + (size_t)k * (m->levels - 1), f->magnitudes + (sizes -= counts[CLASSES + k]), counts[CLASSES + k]);
        for (int k = CLASSES - 1; k >= 0; k--)
            write_symbols(&writer, m->zeros + 2 * k, f->sorted + (bits -= counts[k]), counts[k]);
    }
    if (writer.state) *writer.words++ = (uint32_t)writer.state;
    if (writer.state >> 32) *writer.words++ = (uint32_t)(writer.state >> 32);
    return writer.words - words;
}

static int32_t decode(const Model *m, const uint8_t *words, int64_t count, uint8_t *scratch, uint8_t *magnitudes, uint8_t *negative) {
    Frame frame, *f = &frame;
    begin(m, f, scratch);
    const size_t symbols = (size_t)m->rows * m->columns * m->channels;
    memset(magnitudes, 0, symbols);
    if (negative) memset(negative, 0, symbols);
    Reader reader = {0, words, count};
    reader.state = refilled(&reader, refilled(&reader, 0));
    for (int32_t s = 0; s < m->pass_count; s++) {
        const Pass *pass = m->passes + s;
        int32_t *counts = f->counts + (size_t)s * COUNTS, cursors[4][CLASSES], starts[TABLES];
        classify(m, f, pass, magnitudes, cursors, counts);
        uint8_t *sorted = f->sorted;
        for (int k = 0; k < CLASSES; sorted += counts[k++]) read_bits(&reader, m->significance[k], sorted, counts[k]);
        place_bits(m, f, pass, f->sorted, cursors, magnitudes);
        note_seen(m, f, pass, magnitudes);
        if (m->levels > 2) {
            kinds_of(m, f, pass, magnitudes, f->kinds, counts + CLASSES);
            offsets(counts + CLASSES, starts, TABLES);
            for (int k = 0; k < TABLES; k++)
                read_sizes(&reader, m->starts + (size_t)k * m->levels, (uint32_t)m->levels - 1, f->magnitudes + starts[k], counts[CLASSES + k]);
        }
        int32_t number = 0;
        for (int32_t k = 0; k < pass->count; k++) number += f->seen_count[pass->positions[k]] - f->seen_before[pass->positions[k]];
        if (negative) read_bits(&reader, ONE / 2, f->signs, number);
        int32_t at = 0;
        for (int32_t k = 0; k < pass->count; k++) {
            const size_t row = (size_t)pass->positions[k] * m->channels;
            for (int32_t i = f->seen_before[pass->positions[k]]; i < f->seen_count[pass->positions[k]]; i++, at++) {
                const size_t here = row + f->seen[row + i];
                if (m->levels > 2) magnitudes[here] = (uint8_t)(1 + f->magnitudes[starts[f->kinds[at]]++]);
                if (negative) negative[here] = f->signs[at];
            }
        }
        note_larger(m, f, pass, magnitudes);
        if (pass->ends_group) complete(m, f);
    }
    return !reader.state && !reader.left;
}

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
__attribute__((visibility("hidden"))) const Level JOIN(level_, LEVEL) = {quantise, encode, decode, reconstruct, finish, around, tally_values, tally_sizes};

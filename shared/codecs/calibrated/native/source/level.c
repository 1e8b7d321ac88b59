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
#include "history.h"

static int64_t encode(
    const Model *m, const uint8_t *magnitudes, const uint8_t *negative, const History *history, uint8_t *scratch, uint32_t *words) {
    Frame frame, *f = &frame;
    begin(m, f, scratch);
    size_t bits = 0, sizes = 0, signs = 0;
    for (int32_t s = 0; s < m->pass_count; s++) {
        const Pass *pass = m->passes + s;
        const int32_t own = pass->last - pass->first;
        int32_t *counts = f->counts + (size_t)s * COUNTS, *of_signs = counts + CLASSES + TABLES;
        int32_t cursors[4][CLASSES], starts[TABLES], sign_starts[SIGNS];
        classify(m, f, pass, magnitudes, history, cursors, counts);
        sort_bits(m, f, pass, magnitudes, cursors, f->sorted + bits);
        bits += (size_t)pass->count * own;
        note_seen(m, f, pass, magnitudes);
        note_larger(m, f, pass, magnitudes);
        const int32_t number = kinds_of(m, f, pass, magnitudes, history, f->kinds, counts + CLASSES);
        offsets(counts + CLASSES, starts, TABLES);
        if (negative) count_signs(m, f, pass, history, of_signs);
        offsets(of_signs, sign_starts, SIGNS);
        int32_t at = 0;
        for (int32_t k = 0; k < pass->count; k++) {
            const size_t row = (size_t)pass->positions[k] * m->channels;
            for (int32_t i = f->seen_before[pass->positions[k]]; i < f->seen_count[pass->positions[k]]; i++, at++) {
                const size_t here = row + f->seen[row + i];
                f->magnitudes[sizes + starts[f->kinds[at]]++] = (uint8_t)(magnitudes[here] - 1);
                if (negative) f->signs[signs + sign_starts[sign_class(history, here)]++] = negative[here];
            }
        }
        sizes += number, signs += negative ? number : 0;
        if (pass->ends_group) complete(m, f);
    }
    Writer writer = {0, words};
    Symbol half[2];
    halves(half);
    const Symbol *sign_table = history ? m->following_signs : half;
    const Symbol *size_table = history ? m->following_sizes : m->sizes, *zero_table = history ? m->following_zeros : m->zeros;
    for (int32_t s = m->pass_count - 1; s >= 0; s--) {
        const int32_t *counts = f->counts + (size_t)s * COUNTS, *of_signs = counts + CLASSES + TABLES;
        for (int k = SIGNS - 1; k >= 0; k--) /* there are none unless the tensor is signed */
            if (of_signs[k]) write_symbols(&writer, sign_table + 2 * k, f->signs + (signs -= of_signs[k]), of_signs[k]);
        if (m->levels > 2)
            for (int k = TABLES - 1; k >= 0; k--)
                write_symbols(&writer, size_table + (size_t)k * (m->levels - 1), f->magnitudes + (sizes -= counts[CLASSES + k]), counts[CLASSES + k]);
        for (int k = CLASSES - 1; k >= 0; k--)
            write_symbols(&writer, zero_table + 2 * k, f->sorted + (bits -= counts[k]), counts[k]);
    }
    if (writer.state) *writer.words++ = (uint32_t)writer.state;
    if (writer.state >> 32) *writer.words++ = (uint32_t)(writer.state >> 32);
    return writer.words - words;
}

static int32_t decode(
    const Model *m, const uint8_t *words, int64_t count, const History *history, uint8_t *scratch, uint8_t *magnitudes, uint8_t *negative) {
    Frame frame, *f = &frame;
    begin(m, f, scratch);
    const size_t symbols = (size_t)m->rows * m->columns * m->channels;
    memset(magnitudes, 0, symbols);
    if (negative) memset(negative, 0, symbols);
    Reader reader = {0, words, count};
    reader.state = refilled(&reader, refilled(&reader, 0));
    const uint32_t *significance = history ? m->following_significance : m->significance;
    const uint32_t *size_starts = history ? m->following_starts : m->starts;
    for (int32_t s = 0; s < m->pass_count; s++) {
        const Pass *pass = m->passes + s;
        int32_t *counts = f->counts + (size_t)s * COUNTS, *of_signs = counts + CLASSES + TABLES;
        int32_t cursors[4][CLASSES], starts[TABLES], sign_starts[SIGNS];
        classify(m, f, pass, magnitudes, history, cursors, counts);
        uint8_t *sorted = f->sorted;
        for (int k = 0; k < CLASSES; sorted += counts[k++]) read_bits(&reader, significance[k], sorted, counts[k]);
        place_bits(m, f, pass, f->sorted, cursors, magnitudes);
        note_seen(m, f, pass, magnitudes);
        if (m->levels > 2) {
            kinds_of(m, f, pass, magnitudes, history, f->kinds, counts + CLASSES);
            offsets(counts + CLASSES, starts, TABLES);
            for (int k = 0; k < TABLES; k++)
                read_sizes(&reader, size_starts + (size_t)k * m->levels, (uint32_t)m->levels - 1, f->magnitudes + starts[k], counts[CLASSES + k]);
        }
        if (negative) {
            count_signs(m, f, pass, history, of_signs);
            offsets(of_signs, sign_starts, SIGNS);
            for (int k = 0; k < SIGNS; k++)
                read_bits(&reader, history ? m->following_positive[k] : ONE / 2, f->signs + sign_starts[k], of_signs[k]);
        }
        int32_t at = 0;
        for (int32_t k = 0; k < pass->count; k++) {
            const size_t row = (size_t)pass->positions[k] * m->channels;
            for (int32_t i = f->seen_before[pass->positions[k]]; i < f->seen_count[pass->positions[k]]; i++, at++) {
                const size_t here = row + f->seen[row + i];
                if (m->levels > 2) magnitudes[here] = (uint8_t)(1 + f->magnitudes[starts[f->kinds[at]]++]);
                if (negative) negative[here] = f->signs[sign_starts[sign_class(history, here)]++];
            }
        }
        note_larger(m, f, pass, magnitudes);
        if (pass->ends_group) complete(m, f);
    }
    return !reader.state && !reader.left;
}

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
__attribute__((visibility("hidden"))) const Level JOIN(level_, LEVEL) = {quantise, encode, decode, reconstruct, finish, around, tally_values, tally_sizes, remember};

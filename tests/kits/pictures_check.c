/* Resamples made-up pictures by every level of instructions, and prints a hash of the results: the same for all of them. */
#include "pictures.h"
#include <stdio.h>
#include <stdlib.h>

extern int32_t splitdnn_levels(void);
extern const Level *splitdnn_level(int32_t number);

static uint32_t state;
static uint64_t hash;

static uint32_t draw(uint32_t below) {
    state = state * 1664525u + 1013904223u;
    return (uint32_t)(((uint64_t)state * below) >> 32);
}

static void add(uint64_t value) { hash = (hash ^ value) * 1099511628211ull; }

static Axis axis(int32_t length, int32_t count, int32_t most) {
    int32_t *lows = malloc(4 * count), *taps = malloc(4 * count);
    int16_t *weights = malloc(2 * count * most);
    for (int i = 0; i < count; i++) {
        taps[i] = 1 + draw(most);
        lows[i] = draw(length - taps[i] + 1);
        for (int k = 0; k < most; k++) weights[i * most + k] = (int16_t)((int)draw(65536 / most) - 8000 / most);
    }
    return (Axis){lows, taps, weights, count, most, 14};
}

static void release(Axis each) { free((void *)each.lows), free((void *)each.taps), free((void *)each.weights); }

int main(void) {
    for (int level = 0; level < splitdnn_levels(); level++) {
        state = 1, hash = 1469598103934665603ull;
        for (int round = 0; round < 200; round++) {
            const int height = 1 + draw(90), width = 6 + draw(120), columns = 16 + draw(40), rows = 1 + draw(40), pixels = height * width;
            int most = 1 + draw(9);
            most = most > height ? height : most > width ? width : most;
            /* Each as large as pictures.h says and no larger, so that a sanitizer sees what is beyond. */
            uint8_t *picture = malloc(3 * pixels), *scratch = malloc(3 * height * columns + 48 * (width + columns)), *out = malloc(3 * rows * columns);
            for (int i = 0; i < 3 * pixels; i++) picture[i] = draw(256);
            Axis across = axis(width, columns, most), down = axis(height, rows, most);
            splitdnn_level(level)->resample(picture, 3 * width, height, width, &across, &down, scratch, out);
            for (int i = 0; i < 3 * rows * columns; i++) add(out[i]);
            float tables[768], *planes = malloc(12 * pixels);
            const int32_t colours[3] = {2, 0, 1};
            for (int i = 0; i < 768; i++) tables[i] = i;
            splitdnn_level(level)->planes(picture, pixels, tables, colours, 3, planes);
            for (int i = 0; i < 3 * pixels; i++) add((uint64_t)planes[i]);
            release(across), release(down);
            free(picture), free(scratch), free(out), free(planes);
        }
        printf("%016llx\n", (unsigned long long)hash);
    }
    return 0;
}

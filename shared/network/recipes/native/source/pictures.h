/* What the library offers; library.py has the same structures. */
#include <stdint.h>

enum { ABI = 2 };

/* One direction of a resampling: line `i` of the result is the sum of `taps[i]` lines from `lows[i]` on, weighed by row `i` of
 * `weights`, (count, most), whose unit is 2 ** shift; shift is at least 1. */
typedef struct {
    const int32_t *lows, *taps;
    const int16_t *weights;
    int32_t count, most, shift;
} Axis;

typedef struct {
    /* (height, width, 3) bytes, each line `stride` bytes behind the one before -> (down->count, across->count, 3). Width is at least 6,
     * and across->count 16. `scratch` has room for height * across->count * 3 + (width + across->count) * 48 bytes. */
    void (*resample)(const uint8_t *picture, int64_t stride, int32_t height, int32_t width, const Axis *across, const Axis *down, uint8_t *scratch, uint8_t *out);
    /* (pixels, 3) bytes -> (count, pixels); `tables` is (count, 256), and `colours` says which byte of a pixel each plane is of. */
    void (*planes)(const uint8_t *picture, int64_t pixels, const float *tables, const int32_t *colours, int32_t count, float *out);
} Level;

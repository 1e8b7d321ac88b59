/* The native core of the codec `calibrated`: what shared/codecs/calibrated/{quantiser,context_model,symbol_coder,entropy}.py
 * compute, with identical results. shared/wire/WIRE.md is the contract.
 *
 * The library allocates nothing and keeps nothing: whoever calls owns all memory, and a Model is only read. Nothing here is
 * rounded otherwise than in numpy: sums are of whole numbers, and -ffp-contract=off keeps products and sums of binary32 apart.
 */
#ifndef SPLITDNN_CORE_H
#define SPLITDNN_CORE_H

#include <stddef.h>
#include <stdint.h>

#define ABI 4 /* shared/codecs/calibrated/native/library.py refuses another one */

enum {
    CLASSES = 64,
    PREDICTIONS = 512,
    OWN_KINDS = 5,
    NEIGHBOURHOODS = 5,
    SIZES = 8,
    TABLES = 256,
    UNRESTS = 6,   /* how much has changed at a position: known to be little … much, not known */
    CONTEXTS = 54, /* of a symbol whose frame follows a known one */
    PREVIOUS = 8,  /* classes of its previous magnitude */
    SIGNS = 3,     /* and of its previous sign */
    HEAT_STEP = 3,
    NEAR_STEP = 18,
    LATENT_LIMIT = 2047,
    PRECISION = 24, /* bits of a weight */
    RANK_STEP = 16, /* ranks are padded with zeros to a multiple */
    WIDTH_STEP = 32, /* and so are the channels of a pass */
    MOST_INPUT = 127, /* of the corrector, and its largest latent */
    MIDDLE = 64       /* the input that stands for 0 where values have signs */
};

/* One symbol of one table, as the encoder needs it: state / weight is (state * reciprocal + addend) >> (64 + shift). */
typedef struct {
    uint64_t reciprocal, addend;
    uint32_t start, weight, shift, reserved;
} Symbol;

/* One coding pass. `before`: channels of earlier groups; `own`: last - first. */
typedef struct {
    const int16_t *same, *around;  /* (before, rank) */
    const int16_t *beside;         /* (own, rank), of a light pass */
    const int16_t *up;             /* (rank / 2, width, 2) */
    const int32_t *bias;           /* (width,) */
    const uint8_t *classes;        /* (kinds, OWN_KINDS, PREDICTIONS) */
    const uint8_t *following;      /* (UNRESTS, CONTEXTS, CLASSES) of classes that follow a known frame, or NULL */
    const uint8_t *kinds, *tables; /* (count or 1, own) */
    const int32_t *positions;      /* (count,) */
    int32_t kinds_step, tables_step; /* own, or 0 where all positions share one row */
    int32_t first, last, count, light, ends_group;
    int32_t rank, width, latent_shift, shift; /* rank 0: nothing is seen, the bias is all */
} Pass;

typedef struct {
    const Pass *passes;
    const uint32_t *significance; /* (CLASSES,): the weight of zero */
    const uint32_t *starts;       /* (tables, levels): of each magnitude - 1, and 2^24 */
    const Symbol *zeros;          /* (CLASSES, 2) */
    const Symbol *sizes;          /* (tables, levels - 1) */
    const uint32_t *following_significance, *following_starts; /* the same of frames that follow a known one, or NULL */
    const Symbol *following_zeros, *following_sizes;           /* tables: (kinds, PREVIOUS) */
    const uint32_t *following_positive; /* (SIGNS,): the weight of no sign */
    const Symbol *following_signs;      /* (SIGNS, 2) */
    const float *step, *offset;   /* (channels,) */
    const float *position_scale;  /* (positions,) */
    const float *centroids;       /* (channels, NEIGHBOURHOODS, levels) */
    const float *usual;           /* (2, positions, channels) as the tensor is laid out, or NULL: what zeros and others lack */
    const float *inputs;          /* (channels,): what one step size is as an input of the corrector */
    const int8_t *down, *up;      /* (corrector_rank, channels) and (channels, corrector_rank), sizes padded with zeros to multiples of 4 */
    const float *latent;          /* (2, corrector_rank): factors and summands */
    const float *outputs;         /* (2, channels): the same */
    float threshold;              /* 1 - dead zone */
    int32_t pass_count, rows, columns, channels, levels, is_signed, by_size, channel_first, most_rank, most_symbols;
    int32_t corrector_rank; /* a multiple of 4; 0: none */
} Model;

/* What is known of the frames before: grids of the latest one, and of each symbol that follows its context; of each position its unrest. */
typedef struct {
    const uint8_t *magnitudes, *negative, *heat, *contexts, *unrest;
} History;

/* What a level of instructions offers. Grids are (positions, channels); `negative` is NULL unless the tensor is signed.
 * `scratch` is 64-byte aligned. `history` is NULL for a frame by itself; else the Model has what follows. */
typedef struct {
    /* (channels, positions) if channel_first, else (positions, channels) -> symbols. 0 if a value is not finite. Those of the history stay
     * where the value is at most `sticky` of a step beyond their cell. */
    int32_t (*quantise)(const Model *, const float *values, const History *history, float sticky, uint8_t *magnitudes, uint8_t *negative);
    /* Symbols -> words, whose number it gives. `words` has room for 2 a symbol and 4 more. */
    int64_t (*encode)(const Model *, const uint8_t *magnitudes, const uint8_t *negative, const History *history, uint8_t *scratch, uint32_t *words);
    /* Words -> symbols. 0 if they do not end where the symbols do. */
    int32_t (*decode)(const Model *, const uint8_t *words, int64_t count, const History *history, uint8_t *scratch, uint8_t *magnitudes, uint8_t *negative);
    /* Symbols -> values after the corrector of whole numbers, laid out as the tensor is. */
    void (*reconstruct)(const Model *, const uint8_t *magnitudes, const uint8_t *negative, uint8_t *scratch, float *values);
    /* What is done to values after any corrector of real numbers: they get what is usual, and are cut off at 0 unless signed. */
    void (*finish)(const Model *, const uint8_t *magnitudes, float *values);
    /* Magnitudes -> the sums of their eight neighbours, each cut to 2, the four nearest twice: (positions, channels). */
    void (*around)(const Model *, const uint8_t *magnitudes, uint8_t *scratch, uint8_t *sums);
    /* For calibration: tallies.h says what they count. */
    void (*tally_values)(const Model *, const uint8_t *magnitudes, const uint8_t *sums, const float *values, int64_t *counts, double *totals);
    void (*tally_sizes)(const Model *, const uint8_t *magnitudes, const uint8_t *kinds, int32_t kinds_step, int64_t *counts);
    /* What is known after a frame, by what was known before (NULL: it was a keyframe). Zeros lose their signs. `scratch`: what a frame takes. */
    void (*remember)(
        const Model *, const uint8_t *magnitudes, uint8_t *negative, const History *before, uint8_t *scratch, uint8_t *heat, uint8_t *contexts, uint8_t *unrest);
} Level;

#endif

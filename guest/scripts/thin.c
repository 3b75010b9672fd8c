/*
 * thin: decides what really stands in a chunk. A `process` script over the instance table: records come in, fewer and
 * changed ones go out.
 *
 * Kinds are those of a plan with the default scatter rules: 0 to 7 are trees (four broadleaf ones and four conifers), 8 to 11
 * are rocks, and bushes come after them.
 *
 *   - Trees go where it is too steep, go more and more often where it is dry, and leave round clearings.
 *   - Trees around a clearing are small: the edge of the forest.
 *   - Rocks are larger the steeper the ground is.
 *   - Bushes stay as they are.
 *
 * The answer is written over the input: no second table is needed.
 */
#define WASGO_ARENA_BYTES (1024u * 1024u) /* 32,768 records */
#include "../c/wasgo.h"

#define ROCKS_FROM 8u
#define ROCKS_TO 11u

/* Clearings: at most one to each square cell of the ground, always whole inside of it. Metres. */
static const float CELL = 16.0f;
static const float CLEARING_SHARE = 0.3f; /* of the cells */
static const float CLEARING_SMALLEST = 2.5f;
static const float CLEARING_LARGEST = 5.0f;
static const float EDGE = 3.0f; /* width of the ring of small trees; with the largest clearing at most half a cell */
static const float EDGE_SMALLEST_TREE = 0.45f;

static const float STEEPEST_FOREST = 0.35f; /* slope, about 49 degrees */
static const float NO_TREE_BELOW = 0.15f;   /* moisture */
static const float ALL_TREES_ABOVE = 0.4f;

static const float ROCK_GROWTH = 1.5f; /* a rock on a vertical face is 2.5 times as large */
static const float LARGEST_SCALE = 100.0f;

/* The bits of a float: hashing needs them, not its value. */
static int32_t bits(float number) {
    union {
        float number;
        int32_t bits;
    } both = {number};
    return both.bits;
}

/*
 * The table does not say which chunk it is of, and positions begin at each chunk's corner: with a fixed seed every
 * chunk would have the same clearings. So the seed comes from the table's first record, which differs from chunk to
 * chunk and is the same whenever this chunk is made.
 */
static uint32_t seed_of(const wasgo_instance *first) {
    return wasgo_hash(bits(first->x), bits(first->z), wasgo_hash(bits(first->y), bits(first->yaw), 0x7468696eu));
}

/* How much of its size a tree keeps here: 0 inside a clearing, 1 in the forest, less than 1 at the edge. */
static float room_for_tree(const wasgo_instance *tree, uint32_t seed) {
    float cell_x = __builtin_floorf(tree->x / CELL);
    float cell_z = __builtin_floorf(tree->z / CELL);
    uint32_t hash = wasgo_hash((int32_t)cell_x, (int32_t)cell_z, seed);
    if (wasgo_unit(hash) >= CLEARING_SHARE) {
        return 1.0f;
    }
    float radius = CLEARING_SMALLEST + (CLEARING_LARGEST - CLEARING_SMALLEST) * wasgo_unit(wasgo_hash(1, 0, hash));
    float reach = radius + EDGE;
    float spare = CELL - 2.0f * reach;
    float dx = tree->x - (cell_x * CELL + reach + spare * wasgo_unit(wasgo_hash(2, 0, hash)));
    float dz = tree->z - (cell_z * CELL + reach + spare * wasgo_unit(wasgo_hash(3, 0, hash)));
    float distance = __builtin_sqrtf(dx * dx + dz * dz);
    if (distance < radius) {
        return 0.0f;
    }
    if (distance >= reach) {
        return 1.0f;
    }
    return EDGE_SMALLEST_TREE + (1.0f - EDGE_SMALLEST_TREE) * (distance - radius) / EDGE;
}

/* Whether the tree finds enough water: never, always, or by its own luck between the two. */
static int drinks(const wasgo_instance *tree, uint32_t seed) {
    float chance = (tree->moisture - NO_TREE_BELOW) / (ALL_TREES_ABOVE - NO_TREE_BELOW);
    return wasgo_unit(wasgo_hash(bits(tree->x), bits(tree->z), seed)) < chance;
}

/* Changes one thing; 0 when it is to go. */
static int settle(wasgo_instance *thing, uint32_t seed) {
    /* Cells are counted in integers: what is so far off, or not a number, belongs to no chunk. */
    if (!(thing->x > -1e6f && thing->x < 1e6f && thing->z > -1e6f && thing->z < 1e6f)) {
        return 0;
    }
    if (thing->kind < ROCKS_FROM) {
        if (!(thing->slope < STEEPEST_FOREST) || !drinks(thing, seed)) {
            return 0;
        }
        float room = room_for_tree(thing, seed);
        thing->scale *= room;
        return room > 0.0f;
    }
    if (thing->kind <= ROCKS_TO) {
        thing->scale *= 1.0f + ROCK_GROWTH * thing->slope;
        if (thing->scale > LARGEST_SCALE) {
            thing->scale = LARGEST_SCALE;
        }
    }
    return 1;
}

WASGO_EXPORT("process")
wasgo_span process(wasgo_instance *table, uint32_t length) {
    if (length % sizeof(wasgo_instance) != 0) {
        __builtin_trap(); /* not an instance table */
    }
    uint32_t count = length / sizeof(wasgo_instance);
    uint32_t kept = 0;
    uint32_t seed = count > 0 ? seed_of(table) : 0;
    for (uint32_t i = 0; i < count; i++) {
        wasgo_instance thing = table[i];
        if (settle(&thing, seed)) {
            table[kept++] = thing;
        }
    }
    return wasgo_span_of(table, kept * (uint32_t)sizeof(wasgo_instance));
}

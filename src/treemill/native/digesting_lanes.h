/* BLAKE2b of LANES messages at a time, for processors with TARGET. Included once for each width by digesting.c, which
 * names what is defined here.
 *
 * Each number of the algorithm is a row of numbers, one a lane; a lane takes the next message when its own has ended.
 */
typedef uint64_t Row __attribute__((vector_size(8 * LANES)));

typedef struct {
    const Message *message; /* NULL: there is nothing left for this lane */
    size_t done;
    unsigned char rest[BLAKE2B_BLOCK]; /* the last block, filled up with zeros */
} Lane;

#if LANES == 8
#define ACROSS(word) ((Row){word(0), word(1), word(2), word(3), word(4), word(5), word(6), word(7)})
#else
#define ACROSS(word) ((Row){word(0), word(1), word(2), word(3)})
#endif

/* Takes one block of each lane in. The macros are those for one message: rows are added and mixed alike. */
__attribute__((target(TARGET))) static void take_blocks(Row h[8], const unsigned char *const at[LANES], Row count,
                                                         Row last) {
    Row m[16], v[16];
    for (int i = 0; i < 16; i++) {
#define WORD(lane) word_at(at[lane] + 8 * i)
        m[i] = ACROSS(WORD);
#undef WORD
    }
    for (int i = 0; i < 8; i++) {
        v[i] = h[i];
        v[i + 8] = (Row){0} + BLAKE2B_START[i];
    }
    v[12] ^= count;
    v[14] ^= last;
    BLAKE2B_ROUNDS(BLAKE2B_ROUND)
    for (int i = 0; i < 8; i++)
        h[i] ^= v[i] ^ v[i + 8];
}

/* Begins a message in a lane, if there is one. */
__attribute__((target(TARGET))) static void begin_message(Row h[8], Lane *lane, int place, const Message *message) {
    lane->message = message;
    lane->done = 0;
    for (int i = 0; message != NULL && i < 8; i++)
        h[i][place] = BLAKE2B_START[i] ^ (i == 0 ? BLAKE2B_PARAMETERS : 0);
}

/* Takes in all blocks up to where the first lane has but its last one: what is different for that is asked seldom. */
__attribute__((target(TARGET))) static void take_whole_blocks(Row h[8], Lane lanes[LANES]) {
    static const unsigned char nothing[BLAKE2B_BLOCK];
    const unsigned char *at[LANES];
    size_t steps[LANES], whole = SIZE_MAX;
    Row counts = {0};
    for (int i = 0; i < LANES; i++) {
        Lane *lane = &lanes[i];
        size_t left = lane->message == NULL ? 0 : lane->message->size - lane->done;
        if (lane->message != NULL && (left == 0 ? 0 : (left - 1) / BLAKE2B_BLOCK) < whole)
            whole = left == 0 ? 0 : (left - 1) / BLAKE2B_BLOCK;
        at[i] = lane->message == NULL ? nothing : lane->message->data + lane->done;
        steps[i] = lane->message == NULL ? 0 : BLAKE2B_BLOCK;
        counts[i] = lane->done;
    }
    for (int i = 0; i < LANES; i++)
        lanes[i].done += lanes[i].message == NULL ? 0 : whole * BLAKE2B_BLOCK;
    for (; whole > 0; whole--) {
        counts += BLAKE2B_BLOCK;
        take_blocks(h, at, counts, (Row){0});
        for (int i = 0; i < LANES; i++)
            at[i] += steps[i];
    }
}

__attribute__((target(TARGET))) static void digest_in_lanes(const Message *messages, size_t count) {
    static const unsigned char nothing[BLAKE2B_BLOCK];
    Row h[8] = {{0}};
    Lane lanes[LANES];
    size_t begun = 0, busy = 0;
    for (int i = 0; i < LANES; i++) {
        begin_message(h, &lanes[i], i, begun < count ? &messages[begun] : NULL);
        busy += begun < count;
        begun += begun < count;
    }
    while (busy > 0) {
        const unsigned char *at[LANES];
        Row counts = {0}, last = {0};
        take_whole_blocks(h, lanes);
        for (int i = 0; i < LANES; i++) {
            Lane *lane = &lanes[i];
            at[i] = nothing;
            if (lane->message == NULL)
                continue;
            size_t left = lane->message->size - lane->done;
            at[i] = lane->message->data + lane->done;
            if (left <= BLAKE2B_BLOCK) {
                memset(lane->rest, 0, sizeof lane->rest);
                if (left > 0)
                    memcpy(lane->rest, at[i], left);
                at[i] = lane->rest;
                last[i] = ~(uint64_t)0;
            }
            lane->done += left < BLAKE2B_BLOCK ? left : BLAKE2B_BLOCK;
            counts[i] = lane->done;
        }
        take_blocks(h, at, counts, last);
        for (int i = 0; i < LANES; i++) {
            if (last[i] == 0)
                continue;
            uint64_t words[2] = {h[0][i], h[1][i]};
            memcpy(lanes[i].message->digest, words, BLAKE2B_DIGEST);
            begin_message(h, &lanes[i], i, begun < count ? &messages[begun] : NULL);
            busy -= begun == count;
            begun += begun < count;
        }
    }
}

#undef ACROSS

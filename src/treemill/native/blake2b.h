/* BLAKE2b with digests of 16 bytes and no key, as RFC 7693 has it: what `hashlib.blake2b(data, digest_size=16)` gives. */
#ifndef TREEMILL_BLAKE2B_H
#define TREEMILL_BLAKE2B_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define BLAKE2B_DIGEST 16
#define BLAKE2B_BLOCK 128
#define BLAKE2B_PARAMETERS (0x01010000u ^ BLAKE2B_DIGEST)

static const uint64_t BLAKE2B_START[8] = {
    0x6a09e667f3bcc908u, 0xbb67ae8584caa73bu, 0x3c6ef372fe94f82bu, 0xa54ff53a5f1d36f1u,
    0x510e527fade682d1u, 0x9b05688c2b3e6c1fu, 0x1f83d9abfb41bd6bu, 0x5be0cd19137e2179u,
};

/* The message words of each round; the last two rounds are the first two again. */
#define BLAKE2B_ROUNDS(round)                                                                                          \
    round(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)                                                        \
    round(14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3)                                                        \
    round(11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4)                                                        \
    round(7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8)                                                        \
    round(9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13)                                                        \
    round(2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9)                                                        \
    round(12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11)                                                        \
    round(13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10)                                                        \
    round(6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5)                                                        \
    round(10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0)                                                        \
    round(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)                                                        \
    round(14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3)

#define BLAKE2B_TURN(x, by) ((x) >> (by) | (x) << (64 - (by)))

#define BLAKE2B_MIX(a, b, c, d, x, y)                                                                                  \
    v[a] += v[b] + m[x];                                                                                               \
    v[d] = BLAKE2B_TURN(v[d] ^ v[a], 32);                                                                              \
    v[c] += v[d];                                                                                                      \
    v[b] = BLAKE2B_TURN(v[b] ^ v[c], 24);                                                                              \
    v[a] += v[b] + m[y];                                                                                               \
    v[d] = BLAKE2B_TURN(v[d] ^ v[a], 16);                                                                              \
    v[c] += v[d];                                                                                                      \
    v[b] = BLAKE2B_TURN(v[b] ^ v[c], 63);

#define BLAKE2B_ROUND(s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, sa, sb, sc, sd, se, sf)                                  \
    BLAKE2B_MIX(0, 4, 8, 12, s0, s1)                                                                                   \
    BLAKE2B_MIX(1, 5, 9, 13, s2, s3)                                                                                   \
    BLAKE2B_MIX(2, 6, 10, 14, s4, s5)                                                                                  \
    BLAKE2B_MIX(3, 7, 11, 15, s6, s7)                                                                                  \
    BLAKE2B_MIX(0, 5, 10, 15, s8, s9)                                                                                  \
    BLAKE2B_MIX(1, 6, 11, 12, sa, sb)                                                                                  \
    BLAKE2B_MIX(2, 7, 8, 13, sc, sd)                                                                                   \
    BLAKE2B_MIX(3, 4, 9, 14, se, sf)

/* Takes one block in; `count` bytes have been read with it. Little-endian machines only, as all compiled halves. */
static void blake2b_block(uint64_t h[8], const unsigned char *block, uint64_t count, int last) {
    uint64_t m[16], v[16];
    memcpy(m, block, sizeof m);
    for (int i = 0; i < 8; i++) {
        v[i] = h[i];
        v[i + 8] = BLAKE2B_START[i];
    }
    v[12] ^= count;
    if (last)
        v[14] = ~v[14];
    BLAKE2B_ROUNDS(BLAKE2B_ROUND)
    for (int i = 0; i < 8; i++)
        h[i] ^= v[i] ^ v[i + 8];
}

static void blake2b(const unsigned char *data, size_t size, unsigned char digest[BLAKE2B_DIGEST]) {
    uint64_t h[8];
    unsigned char rest[BLAKE2B_BLOCK] = {0};
    memcpy(h, BLAKE2B_START, sizeof h);
    h[0] ^= BLAKE2B_PARAMETERS;
    size_t done = 0;
    for (; size - done > BLAKE2B_BLOCK; done += BLAKE2B_BLOCK)
        blake2b_block(h, data + done, done + BLAKE2B_BLOCK, 0);
    if (size > done)
        memcpy(rest, data + done, size - done);
    blake2b_block(h, rest, size, 1);
    memcpy(digest, h, BLAKE2B_DIGEST);
}

#endif

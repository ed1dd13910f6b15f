/* Texts → tokens: runs of ASCII letters, digits, underscores, and bytes that are not ASCII; 64 bytes are told at once. */
#include "passing.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

uint8_t word_bytes[256];

void fill_word_bytes(void) {
    for (int i = 0; i < 256; i++)
        word_bytes[i] = (i >= '0' && i <= '9') || (i >= 'a' && i <= 'z') || (i >= 'A' && i <= 'Z') || i == '_' || i >= 0x80;
}

#if defined(__SSE2__)
/* Which of 16 bytes are parts of words. */
static inline uint64_t mask_of_16(const unsigned char *at) {
    __m128i bytes = _mm_loadu_si128((const __m128i *)at);
    __m128i small = _mm_or_si128(bytes, _mm_set1_epi8(0x20));
    __m128i letters = _mm_and_si128(_mm_cmpgt_epi8(small, _mm_set1_epi8('a' - 1)), _mm_cmplt_epi8(small, _mm_set1_epi8('z' + 1)));
    __m128i digits = _mm_and_si128(_mm_cmpgt_epi8(bytes, _mm_set1_epi8('0' - 1)), _mm_cmplt_epi8(bytes, _mm_set1_epi8('9' + 1)));
    __m128i marks = _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('_')), bytes);
    /* What is not ASCII has its highest bit set itself. */
    return (uint64_t)(uint32_t)_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(letters, digits), marks));
}
#endif

/* Which of 64 bytes are parts of words, the first of them in the lowest bit. */
static inline uint64_t mask_of(const unsigned char *at) {
#if defined(__SSE2__)
    return mask_of_16(at) | mask_of_16(at + 16) << 16 | mask_of_16(at + 32) << 32 | mask_of_16(at + 48) << 48;
#else
    uint64_t mask = 0;
    for (int i = 0; i < 64; i++)
        mask |= (uint64_t)word_bytes[at[i]] << i;
    return mask;
#endif
}

/* The same of fewer than 64 bytes. */
static uint64_t mask_of_end(const unsigned char *at, size_t size) {
    unsigned char block[64] = {0};
    if (size)
        memcpy(block, at, size);
    return mask_of(block);
}

static inline size_t lowest_bit(uint64_t bits) {
#if defined(__GNUC__)
    return (size_t)__builtin_ctzll(bits);
#else
    size_t place = 0;
    for (; !(bits & 1); bits >>= 1)
        place++;
    return place;
#endif
}

/* Cut a chunk into tokens; `there` bytes may be read from its start. Tokens that are too long are left out, and told. */
size_t cut_chunk(
    const Table *table, size_t longest, const unsigned char *at, size_t size, size_t there, Piece *pieces, int *too_long
) {
    size_t count = 0, start = SIZE_MAX;
    uint64_t before = 0;
    for (size_t block = 0; block < size + 1; block += 64) {
        uint64_t mask = size - block >= 64 ? mask_of(at + block) : mask_of_end(at + block, size - block);
        uint64_t edges = mask ^ (mask << 1 | before);
        before = mask >> 63;
        for (; edges; edges &= edges - 1) {
            size_t place = block + lowest_bit(edges);
            if (start == SIZE_MAX) {
                start = place;
                continue;
            }
            if (place - start <= longest) {
                Piece piece = {(uint32_t)start, (uint32_t)(place - start), 0};
                piece.hash = hash_of(at + start, piece.size, there - start);
                expect(table, piece.hash);
                pieces[count++] = piece;
            } else
                *too_long = 1;
            start = SIZE_MAX;
        }
    }
    return count;
}

/* Digests of many messages at a time: in a quarter of the time that they take one after the other, or less.
 *
 * A digest is a chain: each block waits for the one before. Several messages are several chains, and processors that
 * compute on rows of numbers advance them together; which rows this one has is asked when it runs. Others, and other
 * compilers, do one message after the other.
 */
#include "digesting.h"
#include "blake2b.h"

static void digest_one_by_one(const Message *messages, size_t count) {
    for (size_t i = 0; i < count; i++)
        blake2b(messages[i].data, messages[i].size, messages[i].digest);
}

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

static inline uint64_t word_at(const unsigned char *data) {
    uint64_t word;
    memcpy(&word, data, sizeof word);
    return word;
}

#define LANES 8
#define TARGET "avx512f"
#define Row Row8
#define Lane Lane8
#define take_blocks take_8_blocks
#define take_whole_blocks take_8_whole_blocks
#define begin_message begin_message_of_8
#define digest_in_lanes digest_in_8_lanes
#include "digesting_lanes.h"
#undef LANES
#undef TARGET
#undef Row
#undef Lane
#undef take_blocks
#undef take_whole_blocks
#undef begin_message
#undef digest_in_lanes

/* Processors with AVX2 turn no numbers, but move their bytes about in one step, which is a turn by whole bytes. */
typedef uint64_t Row4 __attribute__((vector_size(32)));

__attribute__((target("avx2"), always_inline)) static inline Row4 turned(Row4 x, const int by) {
    const __m256i by_24 = _mm256_setr_epi8(3, 4, 5, 6, 7, 0, 1, 2, 11, 12, 13, 14, 15, 8, 9, 10, 3, 4, 5, 6, 7, 0, 1, 2,
                                           11, 12, 13, 14, 15, 8, 9, 10);
    const __m256i by_16 = _mm256_setr_epi8(2, 3, 4, 5, 6, 7, 0, 1, 10, 11, 12, 13, 14, 15, 8, 9, 2, 3, 4, 5, 6, 7, 0, 1,
                                           10, 11, 12, 13, 14, 15, 8, 9);
    if (by == 63)
        return x >> 63 | (x + x);
    if (by == 32)
        return (Row4)_mm256_shuffle_epi32((__m256i)x, 0xB1);
    return (Row4)_mm256_shuffle_epi8((__m256i)x, by == 24 ? by_24 : by_16);
}

#undef BLAKE2B_TURN
#define BLAKE2B_TURN(x, by) turned(x, by)
#define LANES 4
#define TARGET "avx2"
#define Row Row4
#define Lane Lane4
#define take_blocks take_4_blocks
#define take_whole_blocks take_4_whole_blocks
#define begin_message begin_message_of_4
#define digest_in_lanes digest_in_4_lanes
#include "digesting_lanes.h"

void digest_all(const Message *messages, size_t count, int lanes) {
    if (lanes >= 8 && __builtin_cpu_supports("avx512f"))
        digest_in_8_lanes(messages, count);
    else if (lanes >= 4 && __builtin_cpu_supports("avx2"))
        digest_in_4_lanes(messages, count);
    else
        digest_one_by_one(messages, count);
}
#else
void digest_all(const Message *messages, size_t count, int lanes) {
    (void)lanes;
    digest_one_by_one(messages, count);
}
#endif

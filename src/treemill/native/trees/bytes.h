/* What Python's `bytes` can do, on a range of a text: `rfind`, `isspace`, `count` and their like.
 *
 * Ranges are half open. All but `at_or` expect them to lie within the text; an empty or reversed range holds nothing.
 */
#ifndef TREEMILL_BYTES_H
#define TREEMILL_BYTES_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

typedef struct {
    const unsigned char *bytes;
    int64_t size;
} Text;

static inline bool is_space(unsigned char byte) { return byte == ' ' || (byte >= '\t' && byte <= '\r'); }

static inline bool is_digit(unsigned char byte) { return byte >= '0' && byte <= '9'; }

static inline bool is_upper(unsigned char byte) { return byte >= 'A' && byte <= 'Z'; }

static inline bool is_alnum(unsigned char byte) {
    return (byte >= 'a' && byte <= 'z') || is_upper(byte) || is_digit(byte);
}

static inline bool is_word(unsigned char byte) { return is_alnum(byte) || byte == '_'; }

static inline int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

static inline int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

/* The byte at an offset, or `other` outside the text. */
static inline int at_or(Text text, int64_t at, int other) {
    return at >= 0 && at < text.size ? text.bytes[at] : other;
}

/* The first place of a byte in a range, or -1. */
static inline int64_t find_byte(Text text, unsigned char byte, int64_t start, int64_t end) {
    if (start >= end)
        return -1;
    const unsigned char *found = memchr(text.bytes + start, byte, (size_t)(end - start));
    return found == NULL ? -1 : found - text.bytes;
}

/* The last place of a byte in a range, or -1. */
static inline int64_t rfind_byte(Text text, unsigned char byte, int64_t start, int64_t end) {
    for (int64_t at = end - 1; at >= start; at--)
        if (text.bytes[at] == byte)
            return at;
    return -1;
}

static inline bool same_at(Text text, int64_t at, int64_t end, const char *word, int64_t length) {
    return at + length <= end && memcmp(text.bytes + at, word, (size_t)length) == 0;
}

/* The first place of a word in a range, or -1. */
static inline int64_t find_word(Text text, const char *word, int64_t length, int64_t start, int64_t end) {
    for (int64_t at = start; (at = find_byte(text, (unsigned char)word[0], at, end - length + 1)) >= 0; at++)
        if (memcmp(text.bytes + at, word, (size_t)length) == 0)
            return at;
    return -1;
}

/* The last place of a word in a range, or -1. */
static inline int64_t rfind_word(Text text, const char *word, int64_t length, int64_t start, int64_t end) {
    for (int64_t at = end - length; at >= start; at--) /* most differ in the first byte, which needs no call */
        if (text.bytes[at] == (unsigned char)word[0] && memcmp(text.bytes + at, word, (size_t)length) == 0)
            return at;
    return -1;
}

static inline int64_t count_byte(Text text, unsigned char byte, int64_t start, int64_t end) {
    int64_t count = 0;
    for (int64_t at = start; (at = find_byte(text, byte, at, end)) >= 0; at++)
        count++;
    return count;
}

/* Whether a range holds whitespace and nothing else; false for an empty one, as `isspace` says. */
static inline bool all_space(Text text, int64_t start, int64_t end) {
    if (start >= end)
        return false;
    for (int64_t at = start; at < end; at++)
        if (!is_space(text.bytes[at]))
            return false;
    return true;
}

/* The first offset in a range that is no whitespace, or its end. */
static inline int64_t lstripped(Text text, int64_t start, int64_t end) {
    while (start < end && is_space(text.bytes[start]))
        start++;
    return start;
}

/* The end of a range without the whitespace at its end. */
static inline int64_t rstripped(Text text, int64_t start, int64_t end) {
    while (end > start && is_space(text.bytes[end - 1]))
        end--;
    return end;
}

#endif

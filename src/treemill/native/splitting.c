/* New tokens in ASCII → their parts and compounds, as `identifiers.split_identifier` cuts them. */
#include "passing.h"

enum { NONE, DIGIT, LOWER, UPPER };

/* The kind of each byte of an identifier. */
static uint8_t kinds[256];
static uint32_t crc_of_byte[256];

static void fill_tables(void) {
    if (kinds['a'] == LOWER)
        return;
    for (int i = 0; i < 256; i++) {
        int digit = i >= '0' && i <= '9', lower = i >= 'a' && i <= 'z', upper = i >= 'A' && i <= 'Z';
        kinds[i] = (uint8_t)(digit ? DIGIT : lower ? LOWER : upper ? UPPER : NONE);
        uint32_t crc = (uint32_t)i;
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? 0xEDB88320u ^ crc >> 1 : crc >> 1;
        crc_of_byte[i] = crc;
    }
}

static inline uint32_t crc_with(uint32_t crc, unsigned char byte) {
    return crc_of_byte[(crc ^ byte) & 0xFF] ^ crc >> 8;
}

uint32_t crc_of(const unsigned char *text, size_t size) {
    fill_tables();
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < size; i++)
        crc = crc_with(crc, text[i]);
    return ~crc;
}

/* Cut a new token in ASCII into parts, as `identifiers.split_identifier` does, and make its compound. */
int split_token(Words *words, const unsigned char *text, size_t size, Room *new_parts, size_t *part_count) {
    fill_tables();
    Token token = {(uint32_t)COUNT(uint32_t, words->stems), 0, 0, NO_COMPOUND};
    unsigned char lowered[LONGEST + 1] = {0};
    uint32_t crc = crc_with(UINT32_MAX, '=');
    size_t start = 0;
    for (size_t i = 0; i < size; i++) {
        uint8_t kind = kinds[text[i]], before = i ? kinds[text[i - 1]] : NONE;
        uint8_t behind = i + 1 < size ? kinds[text[i + 1]] : NONE;
        lowered[i] = kind == UPPER ? text[i] | 0x20 : text[i];
        if (kind == NONE)
            continue;
        crc = crc_with(crc, lowered[i]);
        if ((kind != before && !(kind == LOWER && before == UPPER)) || (kind == UPPER && behind == LOWER))
            start = i;
        int starts_next = behind != kind && !(behind == LOWER && kind == UPPER);
        if (behind == UPPER && !starts_next)
            starts_next = i + 2 < size && kinds[text[i + 2]] == LOWER;
        if (behind != NONE && !starts_next)
            continue;
        int is_new;
        size_t length = i + 1 - start;
        Slot *part = slot_for(&words->part_numbers, hash_of(lowered + start, length, sizeof lowered - start), &is_new);
        if (part == NULL || add_number(&words->stems, part->number) < 0)
            return -1;
        token.count++;
        if (is_new) {
            char *room = room_for(new_parts, length + 1);
            if (room == NULL)
                return -1;
            *room = (char)length;
            memcpy(room + 1, lowered + start, length);
            new_parts->used += length + 1;
            (*part_count)++;
        }
    }
    token.compound_id = ~crc;
    if (token.count > 1) {
        int64_t compound = compound_of(words, token.compound_id);
        if (compound < 0)
            return -1;
        token.compound = (uint32_t)compound;
    }
    return append(&words->tokens, &token, sizeof token);
}

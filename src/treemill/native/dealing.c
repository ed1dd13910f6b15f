/* What was counted of a file, chunk by chunk → its postings, term by term. */
#include "counting.h"

/* Sort what the upper halves of keys say, a byte at a time; few are sorted in place. */
static uint64_t *sorted(uint64_t *keys, uint64_t *spare, size_t count) {
    if (count <= 48) {
        for (size_t i = 1; i < count; i++) {
            uint64_t key = keys[i];
            size_t place = i;
            for (; place > 0 && keys[place - 1] > key; place--)
                keys[place] = keys[place - 1];
            keys[place] = key;
        }
        return keys;
    }
    uint32_t counts[4][256] = {{0}};
    for (size_t i = 0; i < count; i++)
        for (int byte = 0; byte < 4; byte++)
            counts[byte][keys[i] >> (32 + 8 * byte) & 0xFF]++;
    for (int byte = 0; byte < 4; byte++) {
        uint32_t before = 0;
        for (int i = 0; i < 256; i++) {
            uint32_t here = counts[byte][i];
            counts[byte][i] = before;
            before += here;
        }
        for (size_t i = 0; i < count; i++)
            spare[counts[byte][keys[i] >> (32 + 8 * byte) & 0xFF]++] = keys[i];
        uint64_t *other = keys;
        keys = spare;
        spare = other;
    }
    return keys;
}

/* Two words have one id now and then: what was counted of them apart is put together, under the first of them. */
static int unite(Counting *counting, uint64_t *keys, size_t *count) {
    size_t local_count = COUNT(Local, counting->locals), kept = 0;
    Room aliases = {0};
    Local *locals = AS(Local, counting->locals);
    if (zeros_up_to(&aliases, (local_count * 2 + 1) * sizeof(uint32_t)) < 0)
        return -1;
    uint32_t *alias = AS(uint32_t, aliases), *latest = alias + local_count;
    for (size_t i = 0; i < *count; i++) {
        if (kept == 0 || keys[i] >> 32 != keys[kept - 1] >> 32)
            keys[kept++] = keys[i];
        alias[(uint32_t)keys[i]] = (uint32_t)keys[kept - 1];
    }
    for (size_t i = 0; i < local_count; i++)
        locals[i].chunks = 0;
    Entry *entries = AS(Entry, counting->entries);
    for (size_t i = 0; i < COUNT(Entry, counting->entries); i++) {
        uint32_t local = alias[entries[i].local];
        Entry *before = latest[local] ? entries + latest[local] - 1 : NULL;
        if (before != NULL && before->chunk == entries[i].chunk) {
            before->times += entries[i].times;
            before->named += entries[i].named;
            entries[i].local = DROPPED;
            continue;
        }
        entries[i].local = local;
        latest[local] = (uint32_t)i + 1;
        locals[local].chunks++;
    }
    *count = kept;
    give_back(&aliases);
    return 0;
}

int put_postings(Counting *counting) {
    size_t count = COUNT(Local, counting->locals), entry_count = COUNT(Entry, counting->entries);
    const Local *locals = AS(Local, counting->locals);
    counting->order.used = counting->spare.used = counting->places.used = 0;
    uint64_t *keys = (uint64_t *)room_for(&counting->order, count * sizeof(uint64_t));
    uint64_t *spare = (uint64_t *)room_for(&counting->spare, count * sizeof(uint64_t));
    uint32_t *places = (uint32_t *)room_for(&counting->places, count * sizeof(uint32_t));
    if (keys == NULL || spare == NULL || places == NULL)
        return -1;
    for (size_t i = 0; i < count; i++)
        keys[i] = (uint64_t)locals[i].id << 32 | i;
    keys = sorted(keys, spare, count);
    for (size_t i = 1; i < count; i++)
        if (keys[i] >> 32 == keys[i - 1] >> 32) {
            if (unite(counting, keys, &count) < 0)
                return -1;
            break;
        }
    uint32_t total = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t local = (uint32_t)keys[i];
        places[local] = total;
        total += locals[local].chunks;
        if (add_number(&counting->terms, locals[local].id) < 0 || add_half(&counting->counts, locals[local].chunks) < 0)
            return -1;
    }
    uint16_t *chunks = (uint16_t *)room_for(&counting->chunks, total * sizeof(uint16_t));
    uint8_t *weights = (uint8_t *)room_for(&counting->weights, total);
    if (chunks == NULL || weights == NULL)
        return -1;
    for (size_t i = 0; i < entry_count; i++) {
        const Entry *entry = AS(Entry, counting->entries) + i;
        if (entry->local == DROPPED)
            continue;
        uint32_t times = entry->times < TEXT_CAP ? entry->times : TEXT_CAP;
        uint32_t named = entry->named < DEFINITION_CAP ? entry->named : DEFINITION_CAP;
        uint32_t place = places[entry->local]++;
        chunks[place] = (uint16_t)entry->chunk;
        weights[place] = (uint8_t)(named << DEFINITION_SHIFT | times);
    }
    counting->chunks.used += total * sizeof(uint16_t);
    counting->weights.used += total;
    return 0;
}

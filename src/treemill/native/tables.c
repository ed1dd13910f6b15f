/* Room that grows, and tables of hashes: what needs no interpreter in the word pass. */
#include "passing.h"

#define FIRST_BITS 13

/* Odd numbers: multiplying by them loses nothing, so that short tokens of one length never share a hash. */
#define MULTIPLIER 0x9E3779B97F4A7C15u
#define MIXER 0xD6E8FEB86659FD93u

char *more_room(Room *place, size_t bytes) {
    if (bytes > SIZE_MAX / 4 - place->used)
        return NULL;
    if (place->at == NULL || place->room - place->used < bytes) {
        size_t room = place->room * 2 > place->used + bytes ? place->room * 2 : place->used + bytes;
        room = room < 256 ? 256 : room;
        char *at = realloc(place->at, room);
        if (at == NULL)
            return NULL;
        place->at = at;
        place->room = room;
    }
    return place->at + place->used;
}

int zeros_up_to(Room *place, size_t bytes) {
    if (bytes <= place->used)
        return 0;
    char *more = room_for(place, bytes - place->used);
    if (more == NULL)
        return -1;
    memset(more, 0, bytes - place->used);
    place->used = bytes;
    return 0;
}

void give_back(Room *place) {
    free(place->at);
    memset(place, 0, sizeof *place);
}

static inline uint64_t mixed(uint64_t hash) {
    hash *= MULTIPLIER;
    hash ^= hash >> 32;
    hash *= MIXER;
    return hash ^ hash >> 29;
}

/* Up to eight bytes as one number; where the text goes on, they are read at once and the others cut off. */
static inline uint64_t eight(const unsigned char *text, size_t count, size_t there) {
    uint64_t value = 0;
    if (count >= 8) {
        memcpy(&value, text, 8);
        return value;
    }
#if PY_LITTLE_ENDIAN
    if (there >= 8) {
        memcpy(&value, text, 8);
        return value & (((uint64_t)1 << 8 * count) - 1);
    }
#endif
    for (size_t i = 0; i < count; i++)
        value |= (uint64_t)text[i] << 8 * i;
    return value;
}

uint64_t hash_of(const unsigned char *text, size_t size, size_t there) {
    uint64_t hash = mixed(eight(text, size, there) + ((uint64_t)size << 56));
    for (size_t done = 8; done < size; done += 8)
        hash = mixed(hash + eight(text + done, size - done, there - done));
    return hash == 0 ? 1 : hash;
}

static Slot *slot_of(const Table *table, uint64_t hash) {
    size_t mask = ((size_t)1 << table->bits) - 1;
    size_t place = (size_t)(hash >> (64 - table->bits));
    while (table->slots[place].hash != 0 && table->slots[place].hash != hash)
        place = (place + 1) & mask;
    return table->slots + place;
}

static int grow(Table *table) {
    Table wider = {NULL, table->used, table->slots == NULL ? FIRST_BITS : table->bits + 1};
    wider.slots = calloc((size_t)1 << wider.bits, sizeof(Slot));
    if (wider.slots == NULL)
        return -1;
    if (table->slots != NULL) {
        for (size_t i = 0; i < (size_t)1 << table->bits; i++)
            if (table->slots[i].hash != 0)
                *slot_of(&wider, table->slots[i].hash) = table->slots[i];
        free(table->slots);
    }
    *table = wider;
    return 0;
}

Slot *slot_for(Table *table, uint64_t hash, int *is_new) {
    *is_new = 0;
    if (table->slots == NULL && grow(table) < 0)
        return NULL;
    Slot *slot = slot_of(table, hash);
    if (slot->hash == hash)
        return slot;
    if (table->used == UINT32_MAX >> 1)
        return NULL;
    if ((uint64_t)(table->used + 1) * 8 > (uint64_t)5 << table->bits) {
        if (grow(table) < 0)
            return NULL;
        slot = slot_of(table, hash);
    }
    *is_new = 1;
    *slot = (Slot){hash, table->used++, 0};
    return slot;
}

int64_t compound_of(Words *words, uint32_t id) {
    int is_new;
    /* No two ids have one hash, and none has 0. */
    Slot *slot = slot_for(&words->compound_numbers, ((uint64_t)id << 1 | 1) * MULTIPLIER, &is_new);
    if (slot == NULL || (is_new && add_number(&words->compound_ids, id) < 0))
        return -1;
    return slot->number;
}

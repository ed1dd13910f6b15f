/* What the two halves of the word pass share: room that grows, and the words that a worker has met.
 *
 *     tokens.c     text ─▶ where its tokens stand
 *     splitting.c  new tokens in ASCII ─▶ their parts
 *     reading.c    ─▶ the number of each token; new tokens ─▶ parts ─▶ Python, which stems them
 *     counting.c   tokens of a batch ─▶ postings of each file, and what an encoder adds up
 */
#ifndef TREEMILL_PASSING_H
#define TREEMILL_PASSING_H

#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030B0000
#include <Python.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Room that grows at its end; `used` and `room` are in bytes. */
typedef struct {
    char *at;
    size_t used, room;
} Room;

#define AS(type, place) ((type *)(place).at)
#define COUNT(type, place) ((place).used / sizeof(type))

/* Get more room; return where it begins, or NULL where there is no memory. Needs no interpreter. */
char *more_room(Room *place, size_t bytes);

/* Make room for so many bytes more; return where they begin, or NULL where there is no memory. */
static inline char *room_for(Room *place, size_t bytes) {
    return place->at != NULL && place->room - place->used >= bytes ? place->at + place->used : more_room(place, bytes);
}

/* Room for so many bytes, taken, and zeros: what is there already stays. Returns 0, or -1 where there is no memory. */
int zeros_up_to(Room *place, size_t bytes);

void give_back(Room *place);

static inline int append(Room *place, const void *data, size_t bytes) {
    char *at = room_for(place, bytes);
    if (at == NULL)
        return -1;
    memcpy(at, data, bytes);
    place->used += bytes;
    return 0;
}

static inline int add_number(Room *place, uint32_t number) { return append(place, &number, sizeof number); }

/* hash → number, in order of first sight: open addressing, at most five eighths full. No hash is 0.
 *
 * `stamp` is for whoever uses the table: what it was last seen in.
 */
typedef struct {
    uint64_t hash;
    uint32_t number, stamp;
} Slot;

typedef struct {
    Slot *slots;
    uint32_t used;
    unsigned bits;
} Table;

/* Return the slot of a hash, with the next number where it is new (`*is_new`); NULL where there is no memory. */
Slot *slot_for(Table *table, uint64_t hash, int *is_new);

#if defined(__GNUC__)
#define SOON(place) __builtin_prefetch(place)
#else
#define SOON(place) ((void)0)
#endif

/* Have the slot of a hash fetched, which will be asked for. */
static inline void expect(const Table *table, uint64_t hash) {
    if (table->slots != NULL)
        SOON(table->slots + (hash >> (64 - table->bits)));
}

/* The hash of `size` bytes, not none, of a text in which `there` bytes may be read. */
uint64_t hash_of(const unsigned char *text, size_t size, size_t there);

/* A name that the texts of a batch define: the token it is, and the chunk of the batch that defines it. */
typedef struct {
    uint32_t chunk, token;
} Name;

/* What stands in `Seen` of a term: the chunk and the file that it was seen in last, and its places there. */
typedef struct {
    uint32_t chunk, entry, file, local;
} Seen;

/* A token: its stems are `stems[first..first + count]`; its compound's id, and where it has several parts, its number. */
typedef struct {
    uint32_t first, count, compound_id, compound;
} Token;

/* Point at the numbers (uint32) in some bytes; -1 with an error where they are none. */
int numbers_in(PyObject *bytes, const uint32_t **numbers, size_t *count);

#define NO_COMPOUND UINT32_MAX

/* No longer tokens than this can be asked for. */
#define LONGEST 255

enum state { IDLE, READ, LEARNED };

/* The words that a worker has met, and the batch in hand.
 *
 * Between `read` and `learn`, the stems of new tokens are the numbers of their parts. `stem_ids` and `compound_ids` are
 * the ids of both kinds of terms; `seen` has a place for each, stem s at 2 s and compound c at 2 c + 1.
 */
typedef struct {
    PyObject_HEAD
    size_t longest;
    enum state state;
    int busy;
    Table token_numbers, part_numbers, stem_numbers, compound_numbers;
    Room tokens;       /* Token[n] */
    Room stems;        /* uint32: the stems of all tokens */
    Room stem_of_part; /* uint32[parts] */
    Room stem_ids;     /* uint32[stems] */
    Room compound_ids; /* uint32[compounds] */
    Room seen;         /* Seen[n] */
    uint32_t chunk_serial, file_serial, text_serial;
    uint32_t learned;  /* so many of `stems` are stems, the others parts */
    Room others;       /* uint32: the new tokens whose stems Python finds */
    Room batch;        /* uint32: the tokens of the batch */
    Room token_ends;   /* uint32[chunks]: where those of each chunk end */
    Room first_chunks; /* uint32[files + 1]: the first chunk of each file, and how many there are */
    Room names;        /* Name[n] */
} Words;

/* The CRC-32 of some bytes: the id of a term. */
uint32_t crc_of(const unsigned char *text, size_t size);

/* The number of the compound with that id; a new one gets the next. Returns -1 where there is no memory. */
int64_t compound_of(Words *words, uint32_t id);

/* A token of the chunk in hand: where it starts in the chunk, how long it is, and its hash. */
typedef struct {
    uint32_t start, size;
    uint64_t hash;
} Piece;

/* 1 for a byte that is part of a word; to be filled before anything is cut. */
extern uint8_t word_bytes[256];
void fill_word_bytes(void);

/* Cut a chunk into tokens that will be looked for in a table, and return how many; `there` bytes may be read from its start, and there is room for as many
 * pieces as half its size and one more. Tokens that are too long are left out, and told. */
size_t cut_chunk(
    const Table *table, size_t longest, const unsigned char *at, size_t size, size_t there, Piece *pieces, int *too_long
);

/* Make a token of a new one in ASCII: cut it into parts, and make its compound. New parts, each its length in a byte and
 * its bytes, are put behind those in `new_parts`, and counted. Returns -1 where there is no memory. */
int split_token(Words *words, const unsigned char *text, size_t size, Room *new_parts, size_t *part_count);

PyObject *words_read(PyObject *self, PyObject *arguments);
PyObject *words_count(PyObject *self, PyObject *arguments);

#endif

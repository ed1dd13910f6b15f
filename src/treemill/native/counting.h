/* What counting a batch is made of: the file in hand, and what comes out.
 *
 *     counting.c   tokens and names of a chunk ─▶ how often each term stands in it
 *     dealing.c    ─▶ the postings of the file, by term
 */
#ifndef TREEMILL_COUNTING_H
#define TREEMILL_COUNTING_H

#include "passing.h"

#define TEXT_CAP 63
#define DEFINITION_CAP 3
#define DEFINITION_SHIFT 6
#define MOST_WORDS 0xFFFF
#define DROPPED UINT32_MAX

/* How often a term of the file (`local`) stands in a chunk of it: in the text, and in names that the chunk defines. */
typedef struct {
    uint32_t local, chunk, times, named;
} Entry;

/* A term of the file in hand: its place among all, its id, and in how many chunks it stands. */
typedef struct {
    uint32_t term, id, chunks;
} Local;

/* Names that are no tokens, as Python has split them. */
typedef struct {
    const uint32_t *chunks, *counts, *stems, *compound_ids;
    size_t count, stem_count;
} Odd;

/* One call of `count`: what it is given, the file in hand, and what comes out. */
typedef struct {
    Words *words;
    Odd odd;
    Room next_name, first_name; /* uint32: names by chunk, as chains; the odd ones behind the tokens; 0 ends a chain */
    Room odd_firsts;            /* uint32: where the stems of each odd name start */
    Room entries;               /* Entry[n] */
    Room locals;                /* Local[n] */
    Room order, spare;          /* uint64: id << 32 | local */
    Room places;                /* uint32: where the next posting of each local goes */
    Room terms, counts, chunks, weights, lengths, term_edges, posting_edges;
    Room firsts, stems, times, named;
} Counting;

static inline int add_half(Room *place, uint32_t number) {
    uint16_t half = (uint16_t)number;
    return append(place, &half, sizeof half);
}

/* Put the postings of the file in hand: its terms in order of their ids, and for each its chunks. Returns -1 where there
 * is no memory. */
int put_postings(Counting *counting);

#endif

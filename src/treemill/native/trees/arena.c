/* The memory of one file: taken piece by piece, let go of at once.
 *
 * A tree is hundreds of thousands of small pieces that all live as long as the tree: so they are cut from blocks one
 * after the other, and go with the blocks, which costs less than taking them from the heap and walking over the tree to
 * give them back. The first blocks are kept for the next file, warm. What the parser frees on its way is used again.
 *
 * tree-sitter asks one function for memory, whichever thread it runs on, and does not look at what it gets: so the
 * arena of the file at hand is known by thread, and where there is no memory the way out is a jump to `arena_open`'s
 * caller.
 */
#include "trees.h"

#define STEP 8
#define BLOCK_BYTES ((size_t)1 << 18)
#define KEPT_BLOCKS 32
#ifndef LARGE_BYTES /* 0 where a tool is to see every piece */
#define LARGE_BYTES ((size_t)1 << 16)
#endif

/* Sizes up to 1 KB have a list of freed pieces each, those over it one for each power of two. */
#define FINE_BINS 129
#define COARSE_BINS 7

typedef struct Block {
    struct Block *next;
} Block;

/* What stands in front of every piece. */
typedef struct {
    size_t size; /* with this head */
} Head;

typedef struct Large {
    struct Large *next, *before;
    Head head;
} Large;

typedef struct Freed {
    struct Freed *next;
} Freed;

struct Arena {
    char *at, *end;
    Freed *bins[FINE_BINS + COARSE_BINS];
    Block *first, *now;
    Large *large;
    size_t bytes; /* in use, heads apart: as Python's own allocator, which has none, would count them */
    jmp_buf *escape;
    Arena *next; /* unused after this, or used before on this thread: what a signal or a finalizer does may come between */
};

#if defined(_MSC_VER)
#define PER_THREAD __declspec(thread)
#elif defined(__GLIBC__)
/* A pointer fits what the C library sets aside for modules that come late, and asking for it is one instruction. */
#define PER_THREAD static __thread __attribute__((tls_model("initial-exec")))
#else
#define PER_THREAD static __thread
#endif

PER_THREAD Arena *current;

/* Arenas that no file uses; only touched with Python's lock held. */
static Arena *unused;

static void *fail(Arena *arena) { longjmp(*arena->escape, 1); }

static void *from_heap(Arena *arena, size_t size) {
    Large *large = malloc(sizeof(Large) + size);
    if (large == NULL)
        return fail(arena);
    large->before = NULL;
    large->next = arena->large;
    if (large->next != NULL)
        large->next->before = large;
    arena->large = large;
    large->head.size = size;
    return large + 1;
}

static void *from_next_block(Arena *arena, size_t size) {
    Block *block = arena->now == NULL ? arena->first : arena->now->next;
    if (block == NULL) {
        block = malloc(BLOCK_BYTES);
        if (block == NULL)
            return fail(arena);
        block->next = NULL;
        if (arena->now == NULL)
            arena->first = block;
        else
            arena->now->next = block;
    }
    arena->now = block;
    arena->at = (char *)(block + 1);
    arena->end = (char *)block + BLOCK_BYTES;
    Head *head = (Head *)arena->at;
    arena->at += size;
    head->size = size;
    return head + 1;
}

static inline size_t rounded(size_t size) {
    size = (size + sizeof(Head) + STEP - 1) & ~(size_t)(STEP - 1);
    if (size < STEP * FINE_BINS || size > LARGE_BYTES)
        return size;
    size_t whole = 2048;
    while (whole < size)
        whole *= 2;
    return whole;
}

static inline Freed **bin_of(Arena *arena, size_t size) {
    if (size < STEP * FINE_BINS)
        return &arena->bins[size / STEP];
    Freed **bin = &arena->bins[FINE_BINS];
    for (size_t whole = 2048; whole < size; whole *= 2)
        bin++;
    return bin;
}

void *take_memory(size_t wanted) {
    Arena *arena = current;
    if (wanted > SIZE_MAX / 2)
        return fail(arena);
    size_t size = rounded(wanted);
    arena->bytes += size - sizeof(Head);
    if (size > LARGE_BYTES)
        return from_heap(arena, size);
    Freed **bin = bin_of(arena, size);
    if (*bin != NULL) {
        void *piece = *bin;
        *bin = (*bin)->next;
        return piece;
    }
    if ((size_t)(arena->end - arena->at) < size)
        return from_next_block(arena, size);
    Head *head = (Head *)arena->at;
    arena->at += size;
    head->size = size;
    return head + 1;
}

static void give_back(void *piece) {
    if (piece == NULL)
        return;
    Arena *arena = current;
    size_t size = ((Head *)piece - 1)->size;
    arena->bytes -= size - sizeof(Head);
    if (size > LARGE_BYTES) {
        Large *large = (Large *)piece - 1;
        if (large->next != NULL)
            large->next->before = large->before;
        if (large->before != NULL)
            large->before->next = large->next;
        else
            arena->large = large->next;
        free(large);
        return;
    }
    Freed **bin = bin_of(arena, size);
    ((Freed *)piece)->next = *bin;
    *bin = piece;
}

static void *take_zeros(size_t count, size_t size) {
    if (size && count > SIZE_MAX / 2 / size)
        return fail(current);
    void *piece = take_memory(count * size);
    memset(piece, 0, count * size);
    return piece;
}

void *take_more(void *piece, size_t size) {
    if (piece == NULL)
        return take_memory(size);
    size_t had = ((Head *)piece - 1)->size - sizeof(Head);
    if (size <= had)
        return piece;
    void *more = take_memory(size);
    memcpy(more, piece, had);
    give_back(piece);
    return more;
}

void arenas_install(void) { ts_set_allocator(take_memory, take_zeros, take_more, give_back); }

size_t arena_bytes(const Arena *arena) { return arena->bytes; }

Arena *arena_open(jmp_buf *escape) {
    Arena *arena = unused;
    if (arena != NULL)
        unused = arena->next;
    else if ((arena = calloc(1, sizeof(Arena))) == NULL)
        return NULL;
    arena->escape = escape;
    arena->next = current;
    current = arena;
    return arena;
}

void arena_close(Arena *arena) {
    while (arena->large != NULL) {
        Large *next = arena->large->next;
        free(arena->large);
        arena->large = next;
    }
    Block *last = arena->first;
    for (int kept = 1; last != NULL && kept < KEPT_BLOCKS; kept++)
        last = last->next;
    if (last != NULL) {
        Block *rest = last->next;
        last->next = NULL;
        while (rest != NULL) {
            Block *next = rest->next;
            free(rest);
            rest = next;
        }
    }
    memset(arena->bins, 0, sizeof arena->bins);
    arena->at = arena->end = NULL;
    arena->now = NULL;
    arena->bytes = 0;
    current = arena->next;
    arena->next = unused;
    unused = arena;
}

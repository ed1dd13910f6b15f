/* Where nodes begin that may begin a chunk, and the rank of each: what `treemill.chunking.semantic` finds in Python.
 *
 * One cursor goes through the tree, into nodes over the limit only. What a node follows tells whether its beginning is a
 * poor place to cut: see there.
 */
#include "trees.h"

enum { NOTHING, COMMENT, HEAD };

/* Nodes of so many children are entered only if a list of them would fit the memory that the file is allowed: the
 * Python half makes one, and both give up on the same files. */
#define LONG_LIST 20000
#define NODE_BYTES 100

static inline uint8_t kind_flags(const Grammar *grammar, TSSymbol symbol) {
    return symbol < grammar->symbols ? grammar->kinds[symbol] : 0;
}

static bool next_named(TSTreeCursor *cursor, TSNode *node) {
    while (ts_tree_cursor_goto_next_sibling(cursor)) {
        *node = ts_tree_cursor_current_node(cursor);
        if (ts_node_is_named(*node))
            return true;
    }
    return false;
}

static bool first_named(TSTreeCursor *cursor, TSNode *node) {
    if (!ts_tree_cursor_goto_first_child(cursor))
        return false;
    *node = ts_tree_cursor_current_node(cursor);
    return ts_node_is_named(*node) || next_named(cursor, node);
}

static bool list_fits(Run *run, TSNode node) {
    uint32_t count = ts_node_child_count(node);
    if (count <= LONG_LIST)
        return true;
    double taken = run->most_bytes > 0 ? (double)arena_bytes(run->arena) : run->estimate;
    run->needed = (double)count * NODE_BYTES + taken;
    return run->needed <= run->list_bytes;
}

/* Make sure that no more than `room` named nodes stand in one another, the one at the cursor included. */
static Outcome check_depth(Run *run, TSTreeCursor *cursor, TSNode node, int64_t room) {
    int64_t down = 0;
    for (;;) {
        bool entered = false;
        if ((int64_t)ts_node_descendant_count(node) > room - down) {
            if (!list_fits(run, node))
                return LIST_TOO_LARGE;
            if (ts_node_named_child_count(node) > 0) {
                if (down + 1 >= room)
                    return TOO_DEEP;
                entered = first_named(cursor, &node);
                down++;
            }
        }
        while (!entered) {
            if (!down)
                return FINE;
            if (next_named(cursor, &node))
                break;
            ts_tree_cursor_goto_parent(cursor);
            down--;
        }
    }
}

/* Whether a blank line, or after nothing special any line, parts a node from what is before it. */
static inline bool is_apart(Text text, int64_t before, int64_t start, int led) {
    int breaks = 0;
    for (int64_t at = before; (at = find_byte(text, '\n', at, start)) >= 0; at++)
        if (++breaks > led)
            return true;
    return false;
}

Outcome find_beginnings(Run *run, int64_t limit, int64_t max_depth, Beginnings *found) {
    const Grammar *grammar = run->grammar;
    Text text = run->text;
    TSNode node = ts_tree_root_node(run->tree);
    TSTreeCursor cursor = ts_tree_cursor_new(node);
    Offsets ends = {0};
    int64_t end = 0, depth = 1;
    int led = NOTHING;
    for (;;) {
        int64_t start = ts_node_start_byte(node), before = end;
        end = ts_node_end_byte(node);
        uint8_t flags = kind_flags(grammar, ts_node_symbol(node));
        bool large = end - start > limit;
        uint32_t rank = (uint32_t)depth;
        if (led || flags & (LEADING | BODY)) {
            if (led == HEAD || flags & BODY || !is_apart(text, before, start, led))
                rank |= POOR;
            led = flags & LEADING && (led || rank == (uint32_t)depth) ? COMMENT : NOTHING;
            /* A body that fits alone but not with its head: better a head with most of it than a head alone. */
            large = large || (flags & BODY && end - start > limit >> 1);
        }
        PUSH(found, (Beginning){(uint32_t)start, rank});
        if (large) {
            if (!list_fits(run, node))
                return LIST_TOO_LARGE;
            if (ts_node_named_child_count(node) > 0 && first_named(&cursor, &node)) {
                PUSH(&ends, end);
                led = HEAD;
                end = start;
                if (++depth > max_depth)
                    return TOO_DEEP;
                continue;
            }
        } else if ((int64_t)ts_node_descendant_count(node) > max_depth - depth + 1) {
            Outcome outcome = check_depth(run, &cursor, node, max_depth - depth + 1);
            if (outcome != FINE)
                return outcome;
            led = NOTHING;
        }
        while (depth == 1 || !next_named(&cursor, &node)) {
            if (depth == 1)
                return FINE;
            ts_tree_cursor_goto_parent(&cursor);
            end = ends.items[--ends.count];
            led = NOTHING;
            depth--;
        }
    }
}

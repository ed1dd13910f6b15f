/* From beginnings to chunks, taken from the left: what `_take` of `treemill.chunking.semantic`, and `last_break` of
 * `treemill.chunking.spans`, do in Python. */
#include "trees.h"

/* A chunk is filled at least so far before rank counts: one part in this many of the limit. */
#define LEAST_FILL 4

/* How many of the best beginnings are looked at for one that stands at the beginning of a line. */
#define TRIES 8

/* The first beginning from `low` on that is behind an offset, by the halving that Python's `bisect_right` does. */
static uint32_t first_behind(const Beginnings *found, int64_t offset, uint32_t low, uint32_t high) {
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (offset < found->items[middle].start)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* The beginning of the line, if nothing but indentation stands between it and `start`; else -1. */
static int64_t line_start(Text text, int64_t position, int64_t start) {
    int64_t line = rfind_byte(text, '\n', position, start) + 1;
    return line > position && (line == start || all_space(text, line, start)) ? line : -1;
}

/* `start`, or the offset in front of the CRLF that it would part. */
static int64_t whole(Text text, int64_t position, int64_t start) {
    bool parts = start > 0 && at_or(text, start, 0) == '\n' && text.bytes[start - 1] == '\r';
    return parts && start - 1 > position ? start - 1 : start;
}

static int64_t character_break(Text text, int64_t start, int64_t stop) {
    int64_t cut = stop;
    while (cut > stop - 3 && (at_or(text, cut, 0) & 0xC0) == 0x80)
        cut--;
    if ((at_or(text, cut, 0) & 0xC0) == 0x80 || cut <= start) /* four continuation bytes are no character */
        cut = stop;
    if (at_or(text, cut, 0) == '\n' && at_or(text, cut - 1, 0) == '\r' && cut - 1 > start)
        cut--;
    return cut;
}

/* The best offset in `(start, stop]` to break at, where nothing is known of the text. */
static int64_t last_break(Text text, int64_t start, int64_t stop) {
    int64_t cut = rfind_byte(text, '\n', start, stop) + 1;
    if (cut > start && !all_space(text, start, cut))
        return cut;
    bool inside_crlf = text.bytes[stop] == '\n' && text.bytes[stop - 1] == '\r';
    cut = rfind_byte(text, '\r', larger(start, cut), stop - inside_crlf) + 1;
    if (cut > start && text.bytes[cut] != '\n' && !all_space(text, start, cut))
        return cut;
    return character_break(text, start, stop);
}

/* The last of the best ranks that has not been tried. */
static uint32_t best_of(const Beginnings *found, uint32_t first, uint32_t behind, const uint32_t *tried, int count) {
    uint32_t best = behind;
    for (uint32_t each = behind; each-- > first;) {
        bool before = false;
        for (int i = 0; i < count; i++)
            before = before || tried[i] == each;
        if (!before && (best == behind || found->items[each].rank < found->items[best].rank))
            best = each;
    }
    return best;
}

/* Where to cut: at the last of the best ranks that stands at the beginning of a line, if one does. */
static int64_t best_cut(Text text, int64_t position, const Beginnings *found, uint32_t first, uint32_t behind) {
    uint32_t tried[TRIES];
    uint32_t best = best_of(found, first, behind, tried, 0);
    if (find_byte(text, '\n', position, found->items[behind - 1].start) >= 0) {
        for (int count = 0; count < TRIES; count++) {
            uint32_t chosen = count ? best_of(found, first, behind, tried, count) : best;
            if (chosen == behind) /* all have been tried */
                break;
            int64_t line = line_start(text, position, found->items[chosen].start);
            if (line >= 0)
                return line;
            tried[count] = chosen;
        }
    }
    return whole(text, position, found->items[best].start);
}

/* Where to cut in front of, or in, something long that nothing is known of: a literal, a comment. */
static int64_t cut_before_leaf(
    Text text, int64_t position, const Beginnings *found, uint32_t first, uint32_t behind, int64_t high
) {
    if (first < behind && found->items[behind - 1].rank < POOR) {
        int64_t line = line_start(text, position, found->items[behind - 1].start);
        if (line >= 0)
            return line;
    }
    return last_break(text, position, high);
}

/* Where the chunk ends that begins at `position` and may reach to `high`; no beginning before `first` is behind it. */
static inline int64_t next_end(Text text, const Beginnings *found, int64_t position, int64_t high, uint32_t *first) {
    *first = first_behind(found, position, *first, found->count);
    uint32_t beyond = first_behind(found, high, *first, found->count);
    uint32_t filled = first_behind(found, position + (high - position) / LEAST_FILL, *first, beyond);
    return filled < beyond ? best_cut(text, position, found, filled, beyond)
                           : cut_before_leaf(text, position, found, *first, beyond, high);
}

void take_chunks(Text text, const Beginnings *found, int64_t limit, Offsets *ends) {
    int64_t position = 0;
    uint32_t first = 0;
    while (text.size - position > limit) {
        position = next_end(text, found, position, position + limit, &first);
        PUSH(ends, position);
    }
    if (text.size > position)
        PUSH(ends, text.size);
}

/* What `reach` answers for a position, within the text and behind it; -1 with an exception set. */
static int64_t asked(PyObject *reach, int64_t position, int64_t size) {
    PyObject *answer = PyObject_CallFunction(reach, "L", (long long)position);
    if (answer == NULL)
        return -1;
    int64_t high = PyLong_AsLongLong(answer);
    Py_DECREF(answer);
    if (high == -1 && PyErr_Occurred())
        return -1;
    return high <= position ? position + 1 : high > size ? size : high;
}

bool take_chunks_within(Text text, const Beginnings *found, PyObject *reach, Offsets *ends) {
    int64_t position = 0;
    uint32_t first = 0;
    while (position < text.size) {
        int64_t high = asked(reach, position, text.size);
        if (high < 0)
            return false;
        position = high < text.size ? next_end(text, found, position, high, &first) : text.size;
        PUSH(ends, position);
    }
    return true;
}

/* Where a definition's documentation stands in front of it: what `treemill.chunking.documentation` finds in Python.
 *
 * Comments are read from the text backwards, line by line. A blank line ends them.
 */
#include "trees.h"

/* Minified code has lines of megabytes, and a comment that was never opened has no end: how far back is looked. */
#define LINE_BYTES 2000
#define COMMENT_BYTES 50000

static bool begins_with(Text text, int64_t start, int64_t end, Word word) {
    return same_at(text, start, end, word.bytes, word.length);
}

static bool ends_with(Text text, int64_t start, int64_t end, Word word) {
    return end - start >= word.length && begins_with(text, end - word.length, end, word);
}

static bool is_marked(const Words *marks, Text text, int64_t start, int64_t end) {
    for (uint32_t i = 0; i < marks->count; i++)
        if (begins_with(text, start, end, marks->items[i]))
            return true;
    return false;
}

/* Find the comment right in front of a definition, and move `start` to where it begins with its attributes. */
bool comment_before(const Grammar *grammar, Text text, int64_t *start, int64_t *doc, int64_t *doc_end) {
    int64_t at = *start, end = rfind_byte(text, '\n', at > LINE_BYTES ? at - LINE_BYTES : 0, at);
    if (end < 1 || text.bytes[end - 1] == '\n' || !(end + 1 == at || all_space(text, end + 1, at)))
        return false;
    Word attribute = grammar->attribute, opening = grammar->opening, closing = grammar->closing;
    Word bracket = {"]", 1};
    int64_t begin = -1, finish = -1;
    while (end >= 0) {
        int64_t earliest = end > LINE_BYTES ? end - LINE_BYTES : 0;
        int64_t line = rfind_byte(text, '\n', earliest, end) + 1;
        line = line ? line : earliest;
        int64_t first = lstripped(text, line, end), last = rstripped(text, first, end);
        bool attributed = attribute.length && begins_with(text, first, last, attribute);
        if (is_marked(&grammar->marks, text, first, last) && !attributed) {
            begin = first;
            if (finish < 0)
                finish = last;
        } else if (begin >= 0 || first == last) {
            break;
        } else if (attributed && ends_with(text, first, last, bracket)) {
            *start = first;
        } else if (closing.length && ends_with(text, first, last, closing)) {
            int64_t opened = rfind_word(text, opening.bytes, opening.length, larger(0, end - COMMENT_BYTES), end);
            if (opened >= 0) {
                int64_t from = rfind_byte(text, '\n', larger(0, opened - LINE_BYTES), opened) + 1;
                if (lstripped(text, from, opened) == opened) {
                    *doc = opened;
                    *doc_end = rstripped(text, line, end);
                    return true;
                }
            }
            break;
        } else {
            break;
        }
        end = line - 1;
    }
    *doc = begin;
    *doc_end = finish;
    return begin >= 0;
}

static bool opens_heredoc(Text text, int64_t start, int64_t end) {
    static const char *const heads[] = {"", "@doc", "@doc ~S", "@doc raw", "raw", NULL};
    for (const char *const *head = heads; *head != NULL; head++)
        if ((int64_t)strlen(*head) == end - start && same_at(text, start, end, *head, end - start))
            return true;
    return false;
}

/* Find the text in triple quotes in front of a definition. Lines that begin with `@` may stand between the two. */
bool heredoc_before(Text text, int64_t start, int64_t *doc, int64_t *doc_end) {
    int64_t end = rfind_byte(text, '\n', larger(0, start - LINE_BYTES), start);
    while (end > 0) {
        int64_t earliest = larger(0, end - LINE_BYTES), line = rfind_byte(text, '\n', earliest, end) + 1;
        line = line ? line : earliest;
        int64_t first = lstripped(text, line, end), last = rstripped(text, first, end);
        if (same_at(text, first, last, "@doc", 4) && text.bytes[last - 1] == '"' &&
            count_byte(text, '"', first, last) == 2) {
            *doc = find_byte(text, '"', line, end);
            *doc_end = rstripped(text, line, end);
            return true;
        }
        if (last - first == 3 && same_at(text, first, last, "\"\"\"", 3)) {
            int64_t opening = rfind_word(text, "\"\"\"", 3, larger(0, line - COMMENT_BYTES), line);
            if (opening < 0)
                return false;
            int64_t from = rfind_byte(text, '\n', larger(0, opening - LINE_BYTES), opening) + 1;
            int64_t head = lstripped(text, from, opening);
            if (!opens_heredoc(text, head, rstripped(text, head, opening)))
                return false;
            *doc = opening;
            *doc_end = rstripped(text, line, end);
            return true;
        }
        if (!same_at(text, first, last, "@", 1) || same_at(text, first, last, "@moduledoc", 10))
            return false;
        end = line - 1;
    }
    return false;
}

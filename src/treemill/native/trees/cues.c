/* Offsets at which something may be defined: what `treemill.chunking.cues` finds in Python.
 *
 * Words and the cues of scripts are searched for here, in one pass; patterns that have no literal in front stay regular
 * expressions, and are asked for through Python.
 */
#include "trees.h"

/* How far back a line's beginning is looked for: minified code has none. */
#define LINE_BYTES 200

static int ascending(const void *one, const void *other) {
    int64_t a = *(const int64_t *)one, b = *(const int64_t *)other;
    return a < b ? -1 : a > b;
}

static void sort(Offsets *cues) {
    for (uint32_t i = 1; i < cues->count; i++) {
        if (cues->items[i] < cues->items[i - 1]) {
            qsort(cues->items, cues->count, sizeof *cues->items, ascending);
            return;
        }
    }
}

/* Add the last byte of each word. The first line has a line feed in front of it. */
static void add_words(const Words *words, Text text, Offsets *cues) {
    bool begins[256] = {false}, follows[256] = {false};
    for (uint32_t i = 0; i < words->count; i++) {
        const Word *word = &words->items[i];
        begins[(unsigned char)word->bytes[0]] = true;
        follows[(unsigned char)word->bytes[1]] = true;
        if (word->bytes[0] == '\n' && same_at(text, 0, text.size, word->bytes + 1, word->length - 1))
            PUSH(cues, word->length - 2);
    }
    for (int64_t at = 0; at + 1 < text.size; at++) {
        if (!begins[text.bytes[at]] || !follows[text.bytes[at + 1]])
            continue;
        for (uint32_t i = 0; i < words->count; i++)
            if (same_at(text, at, text.size, words->items[i].bytes, words->items[i].length))
                PUSH(cues, at + words->items[i].length - 1);
    }
}

/* Whether a `function` has a name, or is given to one. */
static bool is_function(Text text, int64_t at) {
    int64_t name = at + 8, stop = smaller(at + 12, text.size);
    while (name < stop && (text.bytes[name] == ' ' || text.bytes[name] == '*'))
        name++;
    if (name >= stop || text.bytes[name] != '(')
        return true;
    int64_t from = larger(0, at - 8), end = rstripped(text, from, at);
    if (end - from >= 5 && memcmp(text.bytes + end - 5, "async", 5) == 0)
        end = rstripped(text, from, end - 5);
    return end > from && (text.bytes[end - 1] == '=' || text.bytes[end - 1] == ':');
}

/* Whether an arrow may be given to a name: its line has `=` or `:` in front, or begins with `)` or `}`. */
static bool is_given_arrow(Text text, int64_t at) {
    int64_t line = rfind_byte(text, '\n', at > LINE_BYTES ? at - LINE_BYTES : 0, at) + 1;
    int64_t head = line ? line : larger(0, at - 40);
    if (find_byte(text, '=', head, at) >= 0 || find_byte(text, ':', head, at) >= 0)
        return true;
    int64_t first = lstripped(text, head, at);
    return first < at && (text.bytes[first] == ')' || text.bytes[first] == '}');
}

static bool is_name_byte(unsigned char byte) { return is_word(byte) || byte == '$'; }

/* The end of one of these words at an offset with no word character behind it, or -1. */
static int64_t whole_word(Text text, int64_t at, int64_t end, const char *const *words) {
    for (; *words != NULL; words++) {
        int64_t length = (int64_t)strlen(*words);
        if (same_at(text, at, end, *words, length) && !(at + length < text.size && at + length < end &&
                                                        is_word(text.bytes[at + length])))
            return at + length;
    }
    return -1;
}

/* A method's name without the words in front: `*name?(`, where the name is none of those that only look like one. */
static bool is_method_name(Text text, int64_t at, int64_t end) {
    static const char *const others[] = {"if", "for", "while", "switch", "catch", "with", "return", "function", "await", NULL};
    for (int starred = at < end && text.bytes[at] == '*'; starred >= 0; starred--) {
        int64_t name = at + starred;
        if (whole_word(text, name, end, others) >= 0)
            continue;
        int64_t behind = name;
        while (behind < end && (is_name_byte(text.bytes[behind]) || text.bytes[behind] == '#'))
            behind++;
        if (behind == name)
            continue;
        if (behind < end && text.bytes[behind] == '?')
            behind++;
        behind = lstripped(text, behind, end);
        if (behind < end && (text.bytes[behind] == '(' || text.bytes[behind] == '<'))
            return true;
    }
    return false;
}

/* Whether a line begins like a method: words like `public`, each with a blank behind it, and a name. The words may be
 * names themselves, so each number of them is tried. */
static bool is_method(Text text, int64_t at, int64_t end) {
    static const char *const words[] = {"public", "private", "protected", "async", "get", "set", "static", "override", NULL};
    at = lstripped(text, at, end);
    for (;;) {
        if (is_method_name(text, at, end))
            return true;
        int64_t behind = -1;
        for (const char *const *word = words; *word != NULL && behind < 0; word++)
            if (same_at(text, at, end, *word, (int64_t)strlen(*word)))
                behind = at + (int64_t)strlen(*word);
        if (behind < 0 || behind >= end || !is_space(text.bytes[behind]))
            return false;
        at = lstripped(text, behind, end);
    }
}

static bool begins_otherwise(Text text, int64_t at, int64_t end) {
    static const char *const others[] = {
        "if (", "if(", "} else", "for (", "for(", "while (", "while(", "function", "} catch", "switch", NULL,
    };
    at = lstripped(text, at, end);
    for (const char *const *each = others; *each != NULL; each++)
        if (same_at(text, at, end, *each, (int64_t)strlen(*each)))
            return true;
    return false;
}

/* Whether a name that ends here has `,`, `{` or `}` in front, and perhaps `async`, `get` or `set`. */
static bool is_short_method(Text text, int64_t start, int64_t end) {
    static const char *const others[] = {"if", "for", "while", "switch", "catch", "with", NULL};
    static const char *const words[] = {"", "async ", "get ", "set ", NULL};
    for (int64_t mark = start; mark < end; mark++) {
        unsigned char byte = text.bytes[mark];
        if (byte != ',' && byte != '{' && byte != '}')
            continue;
        for (const char *const *word = words; *word != NULL; word++) {
            if (!same_at(text, mark + 1, end, *word, (int64_t)strlen(*word)))
                continue;
            int64_t name = mark + 1 + (int64_t)strlen(*word);
            if (name < end && text.bytes[name] == '*')
                name++;
            int64_t behind = name;
            while (behind < end && is_name_byte(text.bytes[behind]))
                behind++;
            if (behind == end && behind > name && whole_word(text, name, end, others) < 0)
                return true;
        }
    }
    return false;
}

/* Whether a parenthesis is followed by `{`, ` {`, or `: T {` with a type of one line, 60 bytes at most. */
static bool is_before_body(Text text, int64_t at) {
    if (at_or(text, at + 1, 0) == '{' || same_at(text, at, text.size, ") {", 3))
        return true;
    if (!same_at(text, at, text.size, "): ", 3))
        return false;
    int64_t type = at + 3, brace = type, stop = smaller(type + 62, text.size);
    while (brace < stop && memchr("\n{};=()", text.bytes[brace], 7) == NULL)
        brace++;
    return brace < stop && text.bytes[brace] == '{' && brace - type >= 2 && text.bytes[brace - 1] == ' ';
}

/* Whether what stands in front of a `) {` looks like a method. */
static bool is_opening(Text text, int64_t at) {
    int64_t line = rfind_byte(text, '\n', at > LINE_BYTES ? at - LINE_BYTES : 0, at) + 1;
    if (!line) {
        int64_t opening = rfind_byte(text, '(', larger(0, at - LINE_BYTES), at);
        return opening > 0 && is_short_method(text, larger(0, opening - 40), opening);
    }
    if (begins_otherwise(text, line, at))
        return false;
    return is_method(text, line, at) || all_space(text, line, at);
}

/* Add what JavaScript and TypeScript may define below the top level. */
static void add_script(Text text, Offsets *cues) {
    const unsigned char *bytes = text.bytes;
    bool begins[256] = {['c'] = true, ['f'] = true, ['='] = true, [')'] = true};
    for (int64_t at = 0; at + 1 < text.size; at++) {
        if (!begins[bytes[at]])
            continue;
        unsigned char next = bytes[at + 1];
        switch (bytes[at]) {
        case 'c':
            if (next == 'l' && same_at(text, at, text.size, "class ", 6))
                PUSH(cues, at + 5);
            break;
        case 'f':
            if (next == 'u' && same_at(text, at, text.size, "function", 8) && is_function(text, at))
                PUSH(cues, at + 8);
            break;
        case '=':
            if (next == '>' && is_given_arrow(text, at))
                PUSH(cues, at + 1);
            break;
        case ')':
            if (is_before_body(text, at) && is_opening(text, at))
                PUSH(cues, at + 1);
            break;
        }
    }
}

/* The equals sign of a line that gives a value to a name of a module, or to a constant of a class; else -1. */
static int64_t python_value(Text text, int64_t at) {
    int64_t size = text.size;
    int first = at_or(text, at, 0);
    if (first == ' ') {
        if (!same_at(text, at, size, "    ", 4) || !is_upper((unsigned char)at_or(text, at + 4, 0)))
            return -1;
        at += 5;
        while (at < size && (is_upper(text.bytes[at]) || is_digit(text.bytes[at]) || text.bytes[at] == '_'))
            at++;
        at += at_or(text, at, 0) == ' ';
    } else {
        if (!is_word((unsigned char)first) || is_digit((unsigned char)first))
            return -1;
        unsigned char named = (unsigned char)(same_at(text, at, size, "type ", 5) ? at_or(text, at + 5, 0) : 0);
        if (is_word(named) && !is_digit(named))
            at += 5;
        while (at < size && is_word(text.bytes[at]))
            at++;
        while (at < size && (text.bytes[at] == ' ' || text.bytes[at] == '\t'))
            at++;
        if (at_or(text, at, 0) == ':') {
            int64_t annotation = ++at;
            while (at < size && text.bytes[at] != '=' && text.bytes[at] != '\n')
                at++;
            if (at == annotation)
                return -1;
        }
    }
    return at_or(text, at, 0) == '=' && at_or(text, at + 1, 0) != '=' ? at : -1;
}

static void add_python(Text text, Offsets *cues) {
    for (int64_t line = 0; line < text.size;) {
        int64_t value = python_value(text, line);
        if (value >= 0)
            PUSH(cues, value);
        int64_t end = find_byte(text, '\n', line, text.size);
        line = end < 0 ? text.size : end + 1;
    }
}

/* Add what the patterns of a language find; false with an exception set. */
static bool add_patterns(PyObject *patterns, PyObject *source, Offsets *cues) {
    PyObject *found = PyObject_CallFunctionObjArgs(patterns, source, NULL);
    if (found == NULL)
        return false;
    Py_ssize_t count = PyList_Size(found);
    for (Py_ssize_t i = 0; i < count; i++)
        PUSH(cues, PyLong_AsLongLong(PyList_GetItem(found, i)));
    Py_DECREF(found);
    return !PyErr_Occurred();
}

bool find_cues(const Grammar *grammar, Text text, PyObject *source, Offsets *cues) {
    if (grammar->special == SPECIAL_SCRIPT)
        add_script(text, cues);
    if (grammar->special == SPECIAL_PYTHON)
        add_python(text, cues);
    if (grammar->words.count)
        add_words(&grammar->words, text, cues);
    if (grammar->patterns != NULL && !add_patterns(grammar->patterns, source, cues))
        return false;
    sort(cues);
    return true;
}

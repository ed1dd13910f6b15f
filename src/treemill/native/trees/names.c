/* How a node tells the name of what it defines: what `treemill.chunking.naming` does in Python.
 *
 * Names that take a regular expression are asked for through Python, with offsets. The finders of single languages are
 * in `brace_names.c` and `other_names.c`, each under its name there.
 */
#include "names.h"

/* Copy `start` to `end`, each separator a dot, none at the end. */
Word dotted(Text text, int64_t start, int64_t end, const char *separator) {
    int64_t wide = (int64_t)strlen(separator), length = 0;
    bool two = wide == 2 && separator[0] == separator[1];
    char *copy = take_memory((size_t)larger(1, end - start));
    for (int64_t at = start; at < end;) {
        if (two && same_at(text, at, end, separator, 2)) {
            copy[length++] = '.';
            at += 2;
        } else {
            unsigned char byte = text.bytes[at++];
            copy[length++] = !two && strchr(separator, byte) != NULL && byte ? '.' : (char)byte;
        }
    }
    while (length > 0 && copy[length - 1] == '.')
        length--;
    return (Word){copy, length};
}

static FINDS(field) {
    (void)text;
    TSNode name = CHILD(node, name);
    return NONE(name) ? NAMELESS : as_node(named, name, rule->kind, node);
}

/* The kind is that of the first word in front of the name that has one. `more` is a list of (word, kind). */
FINDS(keyword) {
    TSNode name = CHILD(node, name);
    if (NONE(name))
        return NAMELESS;
    int64_t stop = ts_node_start_byte(name), at = larger(ts_node_start_byte(node), stop - 80);
    while ((at = lstripped(text, at, stop)) < stop) {
        int64_t end = at;
        while (end < stop && !is_space(text.bytes[end]))
            end++;
        for (Py_ssize_t i = 0; i < PyTuple_Size(rule->more); i++) {
            PyObject *pair = PyTuple_GetItem(rule->more, i);
            PyObject *word = PyTuple_GetItem(pair, 0);
            if (PyBytes_Size(word) == end - at && same_at(text, at, end, PyBytes_AsString(word), end - at))
                return as_node(named, name, kind_of(PyTuple_GetItem(pair, 1)), node);
        }
        at = end;
    }
    return as_node(named, name, rule->kind, node);
}

/* The last part of the `name` field is the name, the others are its owner. `more` is `::`, or bytes that part. */
FINDS(qualified) {
    TSNode name = CHILD(node, name);
    if (NONE(name))
        return NAMELESS;
    const char *separator = PyBytes_AsString(rule->more);
    bool two = separator[0] && separator[0] == separator[1];
    int64_t start = ts_node_start_byte(name), end = ts_node_end_byte(name), last = start;
    for (int64_t at = start; at < end;) {
        if (two ? same_at(text, at, end, separator, 2) : text.bytes[at] && strchr(separator, text.bytes[at]) != NULL)
            last = at += two ? 2 : 1;
        else
            at++;
    }
    as(named, last, end, rule->kind, node);
    named->owner = dotted(text, start, last, separator);
    return NAMED;
}

/* Ask Python: `more(text, start, end)` gives beginning and end of the name, kind and owner, or None. */
static Naming by_expression(const Rule *rule, TSNode node, Text text, PyObject *source, Named *named) {
    Py_ssize_t start = ts_node_start_byte(node), end = ts_node_end_byte(node);
    if (rule->needs.length && find_word(text, rule->needs.bytes, rule->needs.length, start, end) < 0)
        return NAMELESS;
    PyObject *found = PyObject_CallFunction(rule->more, "Onn", source, start, end);
    if (found == NULL)
        return FAILED;
    if (found == Py_None) {
        Py_DECREF(found);
        return NAMELESS;
    }
    PyObject *kind;
    char *owner;
    Py_ssize_t length, at, until;
    if (!PyArg_ParseTuple(found, "nnOy#", &at, &until, &kind, &owner, &length)) {
        Py_DECREF(found);
        return FAILED;
    }
    as(named, at, until, kind_of(kind), node);
    if (length) {
        named->owner = (Word){memcpy(take_memory((size_t)length), owner, (size_t)length), length};
    }
    Py_DECREF(found);
    if (named->kind >= 0 && start <= at && at <= until && until <= end)
        return NAMED;
    PyErr_SetString(PyExc_ValueError, "a finder gave a kind or a range that there is not");
    return FAILED;
}

Naming find_name(const Grammar *grammar, const Rule *rule, TSNode node, Text text, PyObject *source, Named *named) {
    switch ((Finder)rule->finder) {
    case find_field:
        return name_by_field(grammar, rule, node, text, named);
    case find_text:
        return by_expression(rule, node, text, source, named);
#define FINDER(finder)                                                                                                 \
    case find_##finder:                                                                                                \
        return name_by_##finder(grammar, rule, node, text, named);
        NATIVE_FINDERS(FINDER)
#undef FINDER
    }
    return NAMELESS;
}

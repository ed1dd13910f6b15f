/* From definitions to symbols: the second pass of `treemill.chunking.definitions`, in C.
 *
 * A stack of those still open tells the parents of each; lines are counted from one name to the next.
 */
#include "trees.h"

#define SIGNATURE_BYTES 500
#define FIELD_COUNT 8      /* of a symbol */
#define MOST_PARENTS 100 /* deeper than this, names add nothing but length */

typedef enum { MODULE, TYPE, FUNCTION, VALUE, OTHER } Scope;

static const Scope scopes[] = {
#define KIND(kind, scope) scope,
    KINDS(KIND)
#undef KIND
};

PyObject *kind_names[kind_count];

typedef struct {
    int64_t end;
    PyObject *parents; /* of what stands in it: a tuple, owned */
    Scope scope;
} Around;

typedef struct {
    PyObject *name, *parents; /* owned */
    int kind;
    int64_t start, end, line, signature, signature_end, doc, doc_end;
} Described;

typedef struct {
    struct {
        Around *items;
        uint32_t count, room;
    } around;
    struct {
        Described *items;
        uint32_t count, room;
    } symbols;
} Second;

int kind_of(PyObject *name) {
    for (int kind = 0; kind < kind_count; kind++)
        if (name == kind_names[kind])
            return kind;
    for (int kind = 0; kind < kind_count; kind++)
        if (PyUnicode_Check(name) && PyUnicode_Compare(name, kind_names[kind]) == 0)
            return kind;
    return -1;
}

static int difference(int64_t a, int64_t b) { return a < b ? -1 : a > b; }

/* The order of Python's tuples of the same. */
static int in_order(const void *one, const void *other) {
    const Definition *a = one, *b = other;
    int unlike = difference(a->start, b->start);
    if (!unlike)
        unlike = difference(b->end, a->end);
    if (!unlike)
        unlike = difference(a->name, b->name);
    if (!unlike)
        unlike = difference(a->name_end, b->name_end);
    if (!unlike)
        unlike = PyUnicode_Compare(kind_names[a->kind], kind_names[b->kind]);
    if (!unlike) {
        int64_t shared = smaller(a->owner.length, b->owner.length);
        unlike = shared ? memcmp(a->owner.bytes, b->owner.bytes, (size_t)shared) : 0;
        if (!unlike)
            unlike = difference(a->owner.length, b->owner.length);
    }
    if (!unlike)
        unlike = difference(a->head, b->head);
    if (!unlike)
        unlike = difference(a->body, b->body);
    return unlike ? unlike : difference(a->order, b->order);
}

static int64_t breaks_between(Text text, int64_t start, int64_t end, bool wide) {
    int64_t breaks = count_byte(text, '\n', start, end);
    if (wide)
        for (int64_t at = start; (at = find_byte(text, '\r', at, end)) >= 0; at++)
            breaks += !(at + 1 < end && text.bytes[at + 1] == '\n');
    return breaks;
}

/* The range from a definition's beginning to its body, or to the end of its first line. */
static void sign(Text text, const Definition *one, int64_t stop, Described *symbol) {
    int64_t start = one->head, at = one->name, until = one->name_end, body = one->body;
    unsigned char first = text.bytes[start];
    if (first == '@' || first == '[' || first == '#') {
        int64_t line = rfind_byte(text, '\n', start, at) + 1;
        if (line)
            start = larger(start, lstripped(text, line, at));
    }
    if (body <= until || body - start > SIGNATURE_BYTES) {
        body = find_byte(text, '\n', until, stop);
        if (body < 0)
            body = stop;
    }
    int64_t end = body;
    while (end > until && strchr(" \t\r\n{", text.bytes[end - 1]) != NULL && text.bytes[end - 1])
        end--;
    if (end < until)
        end = until;
    if (text.bytes[end - 1] == '=' && end > 1 && strchr(" \t\r\n", text.bytes[end - 2]) != NULL && text.bytes[end - 2]) {
        end = rstripped(text, until, end - 1);
        if (end < until)
            end = until;
    }
    symbol->signature = start;
    symbol->signature_end = end;
}

/* `parents` with more names behind, or NULL with an exception set. */
static PyObject *with_owner(PyObject *parents, Word owner) {
    PyObject *whole = PyUnicode_DecodeUTF8(owner.bytes, owner.length, "replace");
    PyObject *dot = PyUnicode_FromString(".");
    PyObject *list = whole == NULL || dot == NULL ? NULL : PyUnicode_Split(whole, dot, -1);
    PyObject *names = list == NULL ? NULL : PyList_AsTuple(list);
    PyObject *all = names == NULL ? NULL : PySequence_Concat(parents, names);
    Py_XDECREF(whole);
    Py_XDECREF(dot);
    Py_XDECREF(list);
    Py_XDECREF(names);
    return all;
}

static PyObject *with_name(PyObject *parents, PyObject *name) {
    if (PyTuple_Size(parents) >= MOST_PARENTS)
        return Py_NewRef(parents);
    PyObject *one = PyTuple_Pack(1, name);
    PyObject *all = one == NULL ? NULL : PySequence_Concat(parents, one);
    Py_XDECREF(one);
    return all;
}

/* Whether a definition goes on with the one before: same name, same parents. */
static bool goes_on(const Second *pass, PyObject *name, PyObject *parents) {
    if (!pass->symbols.count)
        return false;
    const Described *before = &pass->symbols.items[pass->symbols.count - 1];
    return PyUnicode_Compare(before->name, name) == 0 && PyObject_RichCompareBool(before->parents, parents, Py_EQ) == 1;
}

static void document(const Grammar *grammar, Text text, const Definition *one, Described *symbol) {
    symbol->doc = one->doc;
    symbol->doc_end = one->doc_end;
    if (!grammar->commented)
        return;
    symbol->doc = -1;
    bool found = comment_before(grammar, text, &symbol->start, &symbol->doc, &symbol->doc_end);
    if (!found && grammar->quoted && !heredoc_before(text, symbol->start, &symbol->doc, &symbol->doc_end))
        symbol->doc = -1;
}

/* Describe each definition; false with an exception set. `found` is in order. */
static bool describe_all(Run *run, const Definitions *found, Second *pass) {
    const Grammar *grammar = run->grammar;
    Text text = run->text;
    bool wide = find_byte(text, '\r', 0, text.size) >= 0;
    int64_t line = 1, counted = 0;
    for (uint32_t i = 0; i < found->count; i++) {
        const Definition *one = &found->items[i];
        while (pass->around.count > 1 && one->start >= pass->around.items[pass->around.count - 1].end)
            Py_DECREF(pass->around.items[--pass->around.count].parents);
        const Around *around = &pass->around.items[pass->around.count - 1];
        if (around->scope == FUNCTION && scopes[one->kind] == VALUE)
            continue;
        int kind = one->kind == kind_function && around->scope == TYPE ? kind_method : one->kind;
        int64_t end = one->end;
        PyObject *name =
            PyUnicode_DecodeUTF8((const char *)text.bytes + one->name, one->name_end - one->name, "replace");
        if (name == NULL)
            return false;
        PyObject *parents =
            one->owner.length ? with_owner(around->parents, one->owner) : Py_NewRef(around->parents);
        if (parents == NULL) {
            Py_DECREF(name);
            return false;
        }
        Described symbol = {name, parents, kind, one->start, end, 0, 0, 0, -1, -1};
        if (i + 1 < found->count && found->items[i + 1].start < end) { /* most have nothing in them */
            Scope scope = scopes[kind] == VALUE || scopes[kind] == OTHER ? around->scope : scopes[kind];
            PyObject *inner = with_name(parents, name);
            if (inner == NULL) {
                Py_DECREF(name);
                Py_DECREF(parents);
                return false;
            }
            PUSH(&pass->around, (Around){end, inner, scope});
        }
        while (end > 1 && strchr(" \t\r\n", text.bytes[end - 1]) != NULL && text.bytes[end - 1])
            end--;
        symbol.end = end;
        bool merged = kind != kind_impl && grammar->merges && goes_on(pass, name, parents);
        if (kind == kind_impl || merged) {
            if (merged)
                pass->symbols.items[pass->symbols.count - 1].end = end;
            Py_DECREF(name);
            Py_DECREF(parents);
            continue;
        }
        sign(text, one, end, &symbol);
        document(grammar, text, one, &symbol);
        if (one->name >= counted)
            line += breaks_between(text, counted, one->name, wide);
        else
            line -= breaks_between(text, one->name, counted, wide);
        counted = one->name;
        symbol.line = line;
        PUSH(&pass->symbols, symbol);
    }
    return true;
}

static PyObject *range_of(int64_t start, int64_t end) {
    PyObject *range = PyTuple_New(2);
    PyObject *first = PyLong_FromLongLong(start), *last = PyLong_FromLongLong(end);
    if (range == NULL || first == NULL || last == NULL) {
        Py_XDECREF(range);
        Py_XDECREF(first);
        Py_XDECREF(last);
        return NULL;
    }
    PyTuple_SetItem(range, 0, first);
    PyTuple_SetItem(range, 1, last);
    return range;
}

/* One symbol as its type, filled in place: or NULL with an exception set. Takes over what `each` owns. */
static PyObject *made(PyObject *type, Described *each) {
    PyObject *symbol = PyType_GenericAlloc((PyTypeObject *)type, FIELD_COUNT);
    if (symbol == NULL)
        return NULL;
    PyObject *fields[FIELD_COUNT] = {
        each->name,
        Py_NewRef(kind_names[each->kind]),
        each->parents,
        PyLong_FromLongLong(each->start),
        PyLong_FromLongLong(each->end),
        PyLong_FromLongLong(each->line),
        range_of(each->signature, each->signature_end),
        each->doc < 0 ? Py_NewRef(Py_None) : range_of(each->doc, each->doc_end),
    };
    each->name = each->parents = NULL;
    bool whole = true;
    for (int i = 0; i < FIELD_COUNT; i++) {
        whole = whole && fields[i] != NULL;
        PyTuple_SetItem(symbol, i, fields[i] == NULL ? Py_NewRef(Py_None) : fields[i]);
    }
    if (!whole)
        Py_CLEAR(symbol);
    return symbol;
}

PyObject *describe(Run *run, Definitions *found) {
    if (found->count > 1)
        qsort(found->items, found->count, sizeof *found->items, in_order);
    Second pass = {0};
    PyObject *nobody = PyTuple_New(0), *symbols = NULL;
    if (nobody == NULL)
        return NULL;
    PUSH(&pass.around, (Around){run->text.size + 1, nobody, MODULE});
    if (describe_all(run, found, &pass))
        symbols = PyTuple_New(pass.symbols.count);
    for (uint32_t i = 0; i < pass.symbols.count; i++) {
        Described *each = &pass.symbols.items[i];
        PyObject *symbol = symbols == NULL ? NULL : made(run->grammar->symbol, each);
        if (symbol == NULL)
            Py_CLEAR(symbols);
        else
            PyTuple_SetItem(symbols, i, symbol);
        Py_XDECREF(each->name);
        Py_XDECREF(each->parents);
    }
    while (pass.around.count)
        Py_DECREF(pass.around.items[--pass.around.count].parents);
    return symbols;
}

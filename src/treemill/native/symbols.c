/* Symbols <-> bytes: the compiled half of `treemill.chunking.crossing`, which says what the bytes are. */
#include "symbols.h"
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { NAME, KIND, PARENTS, START, END, LINE, SIGNATURE, DOC, FIELD_COUNT }; /* of a symbol */
enum { SYMBOLS, KINDS, LINEAGES, WORDS, HEAD };                              /* numbers that the bytes begin with */

#define NOTHING UINT32_MAX

typedef struct {
    uint32_t kind, lineage, name, start, end, line, head, head_end, doc, doc_end;
} Row;

/* A pair of what it takes over. */
static PyObject *paired(PyObject *one, PyObject *other) {
    PyObject *pair = PyTuple_New(2);
    if (pair == NULL || one == NULL || other == NULL) {
        Py_XDECREF(pair);
        Py_XDECREF(one);
        Py_XDECREF(other);
        return NULL;
    }
    PyTuple_SetItem(pair, 0, one);
    PyTuple_SetItem(pair, 1, other);
    PyObject_GC_UnTrack(pair);
    return pair;
}

PyObject *pair_of(long long first, long long last) {
    return paired(PyLong_FromLongLong(first), PyLong_FromLongLong(last));
}

/* ---- symbols -> bytes ---- */

typedef struct {
    char *at;
    size_t used, room;
} Bytes;

/* What has been met so far, each with its number: values -> int, and the value met last. */
typedef struct {
    PyObject *numbers, *last; /* `last` is borrowed */
    uint32_t last_number;
    Bytes lengths, text;
} Met;

static bool add(Bytes *bytes, const void *data, size_t size) {
    if (bytes->room - bytes->used < size) {
        size_t room = 2 * bytes->room + size + 256;
        char *at = realloc(bytes->at, room);
        if (at == NULL)
            return PyErr_NoMemory() != NULL;
        bytes->at = at;
        bytes->room = room;
    }
    if (size)
        memcpy(bytes->at + bytes->used, data, size);
    bytes->used += size;
    return true;
}

static bool add_number(Bytes *bytes, size_t number) {
    uint32_t narrow = (uint32_t)number;
    if (narrow != number)
        return PyErr_SetString(PyExc_OverflowError, "symbols of this size do not cross"), false;
    return add(bytes, &narrow, sizeof narrow);
}

/* Add a text, lone surrogates included, and tell its length in bytes. */
static bool add_text(Bytes *bytes, PyObject *given, size_t *length) {
    Py_ssize_t size;
    if (!PyUnicode_Check(given))
        return PyErr_SetString(PyExc_TypeError, "a symbol's name, kind and parents are texts"), false;
    const char *text = PyUnicode_AsUTF8AndSize(given, &size);
    PyObject *encoded = NULL;
    if (text == NULL) {
        PyErr_Clear();
        encoded = PyUnicode_AsEncodedString(given, "utf-8", "surrogatepass");
        if (encoded == NULL)
            return false;
        text = PyBytes_AsString(encoded);
        size = PyBytes_Size(encoded);
    }
    bool done = add(bytes, text, (size_t)size);
    *length = (size_t)size;
    Py_XDECREF(encoded);
    return done;
}

static bool add_word(Met *met, PyObject *word) {
    size_t length;
    return add_text(&met->text, word, &length) && add_number(&met->lengths, length);
}

/* The number of a value; `add_new` takes down one that is new. */
static bool number_of(Met *met, PyObject *value, bool (*add_new)(Met *, PyObject *), uint32_t *number) {
    if (value != met->last) {
        PyObject *known = PyDict_GetItemWithError(met->numbers, value);
        if (known != NULL) {
            met->last_number = (uint32_t)PyLong_AsUnsignedLong(known);
        } else {
            if (PyErr_Occurred())
                return false;
            met->last_number = (uint32_t)PyDict_Size(met->numbers);
            known = PyLong_FromUnsignedLong(met->last_number);
            bool put = known != NULL && PyDict_SetItem(met->numbers, value, known) == 0 && add_new(met, value);
            Py_XDECREF(known);
            if (!put)
                return false;
        }
        met->last = value;
    }
    *number = met->last_number;
    return true;
}

/* Parents as a lineage: how many they are goes in front of all words, so it is kept apart. */
typedef struct {
    Met met;
    Bytes depths;
    size_t words;
} Lineages;

static bool add_lineage(Met *met, PyObject *parents) {
    Lineages *lineages = (Lineages *)met;
    if (!PyTuple_Check(parents))
        return PyErr_SetString(PyExc_TypeError, "a symbol's parents are a tuple"), false;
    Py_ssize_t depth = PyTuple_Size(parents);
    for (Py_ssize_t i = 0; i < depth; i++)
        if (!add_word(met, PyTuple_GetItem(parents, i)))
            return false;
    lineages->words += (size_t)depth;
    return add_number(&lineages->depths, (size_t)depth);
}

static bool number_at(PyObject *tuple, Py_ssize_t place, uint32_t *number) {
    PyObject *item = PyTuple_GetItem(tuple, place);
    unsigned long long wide = item == NULL ? 0 : PyLong_AsUnsignedLongLong(item);
    if (PyErr_Occurred())
        return false;
    if (wide >= NOTHING)
        return PyErr_SetString(PyExc_OverflowError, "an offset of 4 GB or more does not cross"), false;
    *number = (uint32_t)wide;
    return true;
}

static bool range_at(PyObject *symbol, Py_ssize_t place, uint32_t *start, uint32_t *end) {
    PyObject *range = PyTuple_GetItem(symbol, place);
    if (!PyTuple_Check(range) || PyTuple_Size(range) != 2)
        return PyErr_SetString(PyExc_TypeError, "a range is a pair of numbers"), false;
    return number_at(range, 0, start) && number_at(range, 1, end);
}

typedef struct {
    Met kinds;
    Lineages lineages;
    Bytes rows, names;
} Packing;

static bool pack_one(Packing *packing, PyObject *symbol) {
    if (!PyTuple_Check(symbol) || PyTuple_Size(symbol) != FIELD_COUNT)
        return PyErr_SetString(PyExc_TypeError, "a symbol is a tuple of eight values"), false;
    Row row = {.doc = NOTHING, .doc_end = NOTHING};
    size_t length = 0;
    bool done = add_text(&packing->names, PyTuple_GetItem(symbol, NAME), &length) &&
                number_of(&packing->kinds, PyTuple_GetItem(symbol, KIND), add_word, &row.kind) &&
                number_of(&packing->lineages.met, PyTuple_GetItem(symbol, PARENTS), add_lineage, &row.lineage) &&
                number_at(symbol, START, &row.start) && number_at(symbol, END, &row.end) &&
                number_at(symbol, LINE, &row.line) && range_at(symbol, SIGNATURE, &row.head, &row.head_end) &&
                (PyTuple_GetItem(symbol, DOC) == Py_None || range_at(symbol, DOC, &row.doc, &row.doc_end));
    row.name = (uint32_t)length;
    return done && add(&packing->rows, &row, sizeof row);
}

/* All that was packed, one behind the other. */
static PyObject *joined(const Packing *packing, Py_ssize_t count) {
    const Lineages *lineages = &packing->lineages;
    Bytes head = {0};
    bool done = add_number(&head, (size_t)count) && add_number(&head, (size_t)PyDict_Size(packing->kinds.numbers)) &&
                add_number(&head, (size_t)PyDict_Size(lineages->met.numbers)) && add_number(&head, lineages->words);
    const Bytes *parts[] = {
        &head,          &lineages->depths,    &packing->kinds.lengths, &lineages->met.lengths,
        &packing->rows, &packing->kinds.text, &lineages->met.text,     &packing->names,
    };
    enum { PARTS = sizeof parts / sizeof *parts };
    size_t size = 0;
    for (int i = 0; i < PARTS; i++)
        size += parts[i]->used;
    PyObject *whole = done ? PyBytes_FromStringAndSize(NULL, (Py_ssize_t)size) : NULL;
    char *at = whole == NULL ? NULL : PyBytes_AsString(whole);
    for (int i = 0; i < PARTS && at != NULL; at += parts[i++]->used)
        if (parts[i]->used)
            memcpy(at, parts[i]->at, parts[i]->used);
    free(head.at);
    return whole;
}

PyObject *symbols_to_bytes(PyObject *module, PyObject *symbols) {
    (void)module;
    if (!PyTuple_Check(symbols))
        return PyErr_Format(PyExc_TypeError, "symbols are a tuple");
    Py_ssize_t count = PyTuple_Size(symbols);
    if (count == 0)
        return PyBytes_FromStringAndSize(NULL, 0);
    Packing packing = {.kinds.numbers = PyDict_New(), .lineages.met.numbers = PyDict_New()};
    bool done = packing.kinds.numbers != NULL && packing.lineages.met.numbers != NULL;
    for (Py_ssize_t i = 0; i < count && done; i++)
        done = pack_one(&packing, PyTuple_GetItem(symbols, i));
    PyObject *result = done ? joined(&packing, count) : NULL;
    Py_XDECREF(packing.kinds.numbers);
    Py_XDECREF(packing.lineages.met.numbers);
    free(packing.kinds.lengths.at);
    free(packing.kinds.text.at);
    free(packing.lineages.met.lengths.at);
    free(packing.lineages.met.text.at);
    free(packing.lineages.depths.at);
    free(packing.rows.at);
    free(packing.names.at);
    return result;
}

/* ---- bytes -> symbols ---- */

typedef struct {
    const char *numbers; /* where the next ones are; not aligned */
    const char *text, *end;
} Reading;

static uint32_t next_number(Reading *from) {
    uint32_t number;
    memcpy(&number, from->numbers, sizeof number);
    from->numbers += sizeof number;
    return number;
}

/* The next text of that length, or NULL with an exception set. */
static PyObject *next_text(Reading *from, uint32_t length) {
    if (length > (size_t)(from->end - from->text))
        return PyErr_Format(PyExc_ValueError, "damaged symbols: a text ends behind them");
    PyObject *text = PyUnicode_DecodeUTF8(from->text, length, "surrogatepass");
    from->text += length;
    return text;
}

/* The kinds, each once in this process, as a tuple. */
static PyObject *kinds_in(Reading *from, uint32_t count) {
    PyObject *kinds = PyTuple_New(count);
    for (uint32_t i = 0; i < count && kinds != NULL; i++) {
        PyObject *kind = next_text(from, next_number(from));
        if (kind == NULL) {
            Py_CLEAR(kinds);
        } else {
            PyUnicode_InternInPlace(&kind);
            PyTuple_SetItem(kinds, i, kind);
        }
    }
    return kinds;
}

/* The lineages, as a tuple of tuples. `depths` are where their sizes stand. */
static PyObject *lineages_in(Reading *from, Reading depths, uint32_t count, uint32_t words) {
    PyObject *lineages = PyTuple_New(count);
    for (uint32_t i = 0; i < count && lineages != NULL; i++) {
        uint32_t depth = next_number(&depths);
        PyObject *names = NULL;
        if (depth <= words)
            names = PyTuple_New(depth);
        else
            PyErr_SetString(PyExc_ValueError, "damaged symbols: there are fewer parents");
        words -= names == NULL ? 0 : depth;
        for (uint32_t j = 0; j < depth && names != NULL; j++) {
            PyObject *name = next_text(from, next_number(from));
            if (name == NULL)
                Py_CLEAR(names);
            else
                PyTuple_SetItem(names, j, name);
        }
        if (names == NULL)
            Py_CLEAR(lineages);
        else
            PyTuple_SetItem(lineages, i, names);
    }
    return lineages;
}

/* A range that often begins where the symbol does: that number is one object then. */
static PyObject *range_of(const Row *row, PyObject *start, uint32_t first, uint32_t last) {
    PyObject *same = first == row->start && start != NULL ? Py_NewRef(start) : PyLong_FromUnsignedLong(first);
    return paired(same, PyLong_FromUnsignedLong(last));
}

/* A symbol as its type, filled in place: or NULL with an exception set. */
static PyObject *symbol_of(PyTypeObject *type, const Row *row, PyObject *name, PyObject *kind, PyObject *lineage) {
    PyObject *symbol = PyType_GenericAlloc(type, FIELD_COUNT);
    if (symbol == NULL) {
        Py_DECREF(name);
        return NULL;
    }
    PyObject *start = PyLong_FromUnsignedLong(row->start);
    PyObject *fields[FIELD_COUNT] = {
        name,
        Py_NewRef(kind),
        Py_NewRef(lineage),
        start,
        PyLong_FromUnsignedLong(row->end),
        PyLong_FromUnsignedLong(row->line),
        range_of(row, start, row->head, row->head_end),
        row->doc == NOTHING ? Py_NewRef(Py_None) : range_of(row, start, row->doc, row->doc_end),
    };
    bool whole = true;
    for (int i = 0; i < FIELD_COUNT; i++) {
        whole = whole && fields[i] != NULL;
        PyTuple_SetItem(symbol, i, fields[i] == NULL ? Py_NewRef(Py_None) : fields[i]);
    }
    if (!whole)
        Py_CLEAR(symbol);
    else
        PyObject_GC_UnTrack(symbol); /* texts, numbers and pairs: there is nothing to be found in it */
    return symbol;
}

static PyObject *next_symbol(PyTypeObject *type, Reading *rows, Reading *names, PyObject *kinds, PyObject *lineages) {
    Row row;
    memcpy(&row, rows->numbers, sizeof row);
    rows->numbers += sizeof row;
    if (row.kind >= (size_t)PyTuple_Size(kinds) || row.lineage >= (size_t)PyTuple_Size(lineages))
        return PyErr_Format(PyExc_ValueError, "damaged symbols: a kind or parents that there are not");
    PyObject *name = next_text(names, row.name);
    return name == NULL ? NULL
                        : symbol_of(type, &row, name, PyTuple_GetItem(kinds, row.kind),
                                    PyTuple_GetItem(lineages, row.lineage));
}

static PyObject *symbols_in(PyTypeObject *type, const char *packed, size_t size) {
    Reading from = {packed, packed, packed + size};
    uint32_t head[HEAD];
    if (size < sizeof head)
        return PyErr_Format(PyExc_ValueError, "damaged symbols: they have no beginning");
    for (int i = 0; i < HEAD; i++)
        head[i] = next_number(&from);
    uint64_t numbers = HEAD + (uint64_t)head[LINEAGES] + head[KINDS] + head[WORDS];
    uint64_t before_text = 4 * numbers + sizeof(Row) * (uint64_t)head[SYMBOLS];
    if (before_text > size)
        return PyErr_Format(PyExc_ValueError, "damaged symbols: they are too short");
    from.text = packed + before_text;
    Reading depths = from, rows = {packed + 4 * numbers, NULL, NULL};
    from.numbers += 4 * (size_t)head[LINEAGES];
    PyObject *kinds = kinds_in(&from, head[KINDS]), *lineages = NULL, *symbols = NULL;
    if (kinds != NULL)
        lineages = lineages_in(&from, depths, head[LINEAGES], head[WORDS]);
    if (lineages != NULL)
        symbols = PyTuple_New(head[SYMBOLS]);
    for (uint32_t i = 0; i < head[SYMBOLS] && symbols != NULL; i++) {
        PyObject *symbol = next_symbol(type, &rows, &from, kinds, lineages);
        if (symbol == NULL)
            Py_CLEAR(symbols);
        else
            PyTuple_SetItem(symbols, i, symbol);
    }
    Py_XDECREF(kinds);
    Py_XDECREF(lineages);
    return symbols;
}

PyObject *symbols_from_bytes(PyObject *module, PyObject *arguments) {
    (void)module;
    PyObject *type;
    const char *packed;
    Py_ssize_t size;
    if (!PyArg_ParseTuple(arguments, "Oy#", &type, &packed, &size))
        return NULL;
    if (!PyType_Check(type) || !PyType_IsSubtype((PyTypeObject *)type, &PyTuple_Type))
        return PyErr_Format(PyExc_TypeError, "symbols have a type, which is one of tuples");
    return size == 0 ? PyTuple_New(0) : symbols_in((PyTypeObject *)type, packed, (size_t)size);
}

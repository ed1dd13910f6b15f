/* From a cutting to chunk objects: the compiled half of `treemill.chunking.build`, which says what is right.
 *
 * Everything goes from front to back once. Text is decoded piece by piece from the bytes, lines are counted in them,
 * and the definitions that are still open wait on a stack, innermost on top.
 */
#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030B0000
#include <Python.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "symbols.h"

/* The fields of a chunk, in order; the first are the same for all chunks of a file. */
#define FIELDS(X)                                                                                                      \
    X(content) X(line_range) X(byte_range) X(path) X(language) X(symbol) X(kind) X(parents) X(symbols) X(source)       \
    X(fallback) X(ordinal) X(overlap_before)

#define FIELD(field) static PyObject *name_of_##field;
FIELDS(FIELD)
#undef FIELD
static PyObject *name_of_dict;

/* Where the fields of a symbol stand in its tuple. */
enum { NAME, KIND, PARENTS, START, END };

typedef struct {
    PyObject *type, *path, *language, *source, *fallback; /* borrowed */
    PyObject *nobody, *arguments, *blank;                 /* `blank` has the fields of a chunk that defines nothing */
    const char *data;
    Py_ssize_t size, bom;
    bool latin;
    Py_ssize_t *ends, count; /* of the pieces */
    PyObject *symbols;
    Py_ssize_t symbol_count, following;
    Py_ssize_t *open; /* indices of definitions around, innermost last */
    Py_ssize_t depth;
    Py_ssize_t first_line;
} Build;

static Py_ssize_t number_in(PyObject *tuple, Py_ssize_t place) {
    PyObject *item = PyTuple_GetItem(tuple, place);
    return item == NULL ? -1 : PyLong_AsSsize_t(item);
}

static PyObject *symbol_at(const Build *build, Py_ssize_t index) { return PyTuple_GetItem(build->symbols, index); }

static PyObject *decoded(const Build *build, Py_ssize_t start, Py_ssize_t end) {
    start = start < build->bom ? build->bom : start;
    end = end < start ? start : end;
    const char *piece = build->data + start;
    return build->latin ? PyUnicode_DecodeLatin1(piece, end - start, NULL)
                        : PyUnicode_DecodeUTF8(piece, end - start, "surrogateescape");
}

/* How often a byte stands in a text, in blocks whose count fits a byte: compilers count many at once then. */
static Py_ssize_t count_of(const char *at, const char *stop, char byte) {
    Py_ssize_t count = 0;
    while (at < stop) {
        Py_ssize_t size = stop - at < UINT8_MAX ? stop - at : UINT8_MAX;
        uint8_t block = 0;
        for (Py_ssize_t i = 0; i < size; i++)
            block = (uint8_t)(block + (at[i] == byte));
        count += block;
        at += size;
    }
    return count;
}

/* The first and last line of a piece. A line ends with LF, CR or CRLF; of a CRLF in two pieces, in the second. */
static PyObject *lines(Build *build, Py_ssize_t start, Py_ssize_t end) {
    const char *data = build->data, *stop = data + end;
    Py_ssize_t breaks = count_of(data + start, stop, '\n'), first = build->first_line;
    for (const char *at = data + start; (at = memchr(at, '\r', (size_t)(stop - at))) != NULL; at++)
        breaks += !(at + 1 < stop && at[1] == '\n');
    char last = data[end - 1];
    bool ends_line = last == '\n' || last == '\r';
    if (last == '\r' && end < build->size && data[end] == '\n') {
        breaks--;
        ends_line = false;
    }
    build->first_line += breaks;
    return pair_of(first, first + breaks - ends_line);
}

/* The main definition of the piece that ends here, or NULL, and the tuple of those that start in it. */
static PyObject *definitions(Build *build, Py_ssize_t start, Py_ssize_t end, PyObject **here) {
    Py_ssize_t first = build->following, largest = -1, main = -1;
    for (; build->following < build->symbol_count; build->following++) {
        PyObject *symbol = symbol_at(build, build->following);
        Py_ssize_t begin = number_in(symbol, START);
        if (begin >= end)
            break;
        Py_ssize_t size = number_in(symbol, END) - begin;
        if (main < 0 || size > largest) {
            largest = size;
            main = build->following;
        }
    }
    if (main < 0) {
        while (build->depth && number_in(symbol_at(build, build->open[build->depth - 1]), END) <= start)
            build->depth--;
        main = build->depth ? build->open[build->depth - 1] : -1;
    }
    for (Py_ssize_t each = first; each < build->following; each++) {
        Py_ssize_t begin = number_in(symbol_at(build, each), START);
        while (build->depth && number_in(symbol_at(build, build->open[build->depth - 1]), END) <= begin)
            build->depth--;
        build->open[build->depth++] = each;
    }
    *here = first < build->following ? PyTuple_GetSlice(build->symbols, first, build->following)
                                     : Py_NewRef(build->nobody);
    return main < 0 ? NULL : symbol_at(build, main);
}

static bool put(PyObject *fields, PyObject *name, PyObject *value) {
    return value != NULL && PyDict_SetItem(fields, name, value) == 0;
}

/* Put a new value, and let go of it. */
static bool put_new(PyObject *fields, PyObject *name, PyObject *value) {
    bool done = put(fields, name, value);
    Py_XDECREF(value);
    return done;
}

/* The fields as most chunks of the file have them. A copy of it is made at its final size, in one go. */
static PyObject *blank_of(const Build *build) {
    PyObject *fields = PyDict_New(), *nothing = PyUnicode_FromStringAndSize(NULL, 0), *zero = PyLong_FromLong(0);
    bool done = fields != NULL && put(fields, name_of_content, nothing) && put(fields, name_of_line_range, build->nobody) &&
                put(fields, name_of_byte_range, build->nobody) && put(fields, name_of_path, build->path) &&
                put(fields, name_of_language, build->language) && put(fields, name_of_symbol, Py_None) &&
                put(fields, name_of_kind, Py_None) && put(fields, name_of_parents, build->nobody) &&
                put(fields, name_of_symbols, build->nobody) && put(fields, name_of_source, build->source) &&
                put(fields, name_of_fallback, build->fallback) && put(fields, name_of_ordinal, zero) &&
                put(fields, name_of_overlap_before, nothing);
    Py_XDECREF(nothing);
    Py_XDECREF(zero);
    if (!done)
        Py_CLEAR(fields);
    return fields;
}

/* Put what differs from the blank. */
static bool fill(Build *build, PyObject *fields, PyObject *content, Py_ssize_t start, Py_ssize_t end, long ordinal) {
    PyObject *here = NULL, *main = definitions(build, start, end, &here);
    bool done = put(fields, name_of_content, content) &&
                put_new(fields, name_of_line_range, lines(build, start, end)) &&
                put_new(fields, name_of_byte_range, pair_of(start, end)) &&
                (here == build->nobody || put(fields, name_of_symbols, here));
    if (done && main != NULL)
        done = put(fields, name_of_symbol, PyTuple_GetItem(main, NAME)) &&
               put(fields, name_of_kind, PyTuple_GetItem(main, KIND)) &&
               put(fields, name_of_parents, PyTuple_GetItem(main, PARENTS));
    if (done && ordinal)
        done = put_new(fields, name_of_ordinal, PyLong_FromLong(ordinal));
    Py_XDECREF(here);
    return done && !PyErr_Occurred();
}

/* A chunk whose attributes are a dictionary at once: a frozen dataclass would set them one by one. It is set by way of
 * the type's own descriptor, since from Python 3.13 on only that tells the object to look there. */
static PyObject *chunk_of(Build *build, newfunc make, PyObject *content, Py_ssize_t start, Py_ssize_t end, long ordinal) {
    PyObject *fields = PyDict_Copy(build->blank);
    PyObject *chunk = NULL;
    if (fields != NULL && fill(build, fields, content, start, end, ordinal))
        chunk = make((PyTypeObject *)build->type, build->arguments, NULL);
    if (chunk != NULL && PyObject_GenericSetAttr(chunk, name_of_dict, fields) < 0)
        Py_CLEAR(chunk);
    Py_XDECREF(fields);
    return chunk;
}

static int ascending(const void *one, const void *other) {
    Py_ssize_t a = *(const Py_ssize_t *)one, b = *(const Py_ssize_t *)other;
    return a < b ? -1 : a > b;
}

static bool is_repeated(const Py_ssize_t *lengths, Py_ssize_t count, Py_ssize_t length) {
    const Py_ssize_t *found = bsearch(&length, lengths, (size_t)count, sizeof length, ascending);
    return (found > lengths && found[-1] == length) || (found + 1 < lengths + count && found[1] == length);
}

/* How many pieces of this content stand before it: asked only where there is another one of its length. */
static long ordinal_of(PyObject *seen, PyObject *content) {
    PyObject *before = PyDict_GetItemWithError(seen, content);
    long ordinal = before == NULL ? 0 : PyLong_AsLong(before) + 1;
    PyObject *number = PyErr_Occurred() ? NULL : PyLong_FromLong(ordinal);
    if (number == NULL || PyDict_SetItem(seen, content, number) < 0)
        ordinal = -1;
    Py_XDECREF(number);
    return ordinal;
}

/* The contents of all pieces, and their lengths in ascending order. NULL with an exception set. */
static PyObject *contents_of(const Build *build, Py_ssize_t *lengths) {
    PyObject *contents = PyList_New(build->count);
    Py_ssize_t start = 0;
    for (Py_ssize_t i = 0; i < build->count && contents != NULL; i++) {
        Py_ssize_t end = build->ends[i];
        PyObject *content = NULL;
        if (end > start && end <= build->size)
            content = decoded(build, start, end);
        else
            PyErr_SetString(PyExc_ValueError, "the ends do not ascend within the text");
        if (content == NULL) {
            Py_CLEAR(contents);
        } else {
            lengths[i] = PyUnicode_GetLength(content);
            PyList_SetItem(contents, i, content);
        }
        start = end;
    }
    qsort(lengths, (size_t)build->count, sizeof *lengths, ascending);
    return contents;
}

static PyObject *chunks_of(Build *build, PyObject *contents, const Py_ssize_t *lengths) {
    Py_ssize_t count = PyList_Size(contents), start = 0;
    newfunc make = (newfunc)PyType_GetSlot(&PyBaseObject_Type, Py_tp_new);
    PyObject *chunks = PyList_New(count), *seen = PyDict_New();
    for (Py_ssize_t i = 0; i < count && chunks != NULL && seen != NULL; i++) {
        PyObject *content = PyList_GetItem(contents, i);
        Py_ssize_t end = build->ends[i];
        long ordinal = is_repeated(lengths, count, PyUnicode_GetLength(content)) ? ordinal_of(seen, content) : 0;
        PyObject *chunk = ordinal < 0 ? NULL : chunk_of(build, make, content, start, end, ordinal);
        if (chunk == NULL)
            Py_CLEAR(chunks);
        else
            PyList_SetItem(chunks, i, chunk);
        start = end;
    }
    if (seen == NULL)
        Py_CLEAR(chunks);
    Py_XDECREF(seen);
    return chunks;
}

/* Take down where the pieces end: a tuple of numbers, or bytes of numbers of 4 bytes. False with an exception set. */
static bool take_ends(Build *build, PyObject *ends) {
    bool packed = PyBytes_Check(ends);
    if (!packed && !PyTuple_Check(ends))
        return PyErr_SetString(PyExc_TypeError, "ends are a tuple, or bytes"), false;
    const char *numbers = packed ? PyBytes_AsString(ends) : NULL;
    build->count = packed ? PyBytes_Size(ends) / (Py_ssize_t)sizeof(uint32_t) : PyTuple_Size(ends);
    build->ends = malloc(((size_t)build->count + 1) * sizeof *build->ends);
    if (build->ends == NULL)
        return PyErr_NoMemory() != NULL;
    for (Py_ssize_t i = 0; i < build->count; i++) {
        uint32_t number = 0;
        if (packed)
            memcpy(&number, numbers + i * (Py_ssize_t)sizeof number, sizeof number);
        build->ends[i] = packed ? (Py_ssize_t)number : number_in(ends, i);
    }
    return !PyErr_Occurred();
}

PyDoc_STRVAR(build_doc, "build(type, data: bytes, latin: bool, bom: int, ends: tuple[int, ...] | bytes, symbols: tuple[Symbol, ...], "
                        "path, language, source, fallback) -> list[CodeChunk]\n\n"
                        "Return the chunks of a file in UTF-8 or Latin-1, in order, without overlap. Ends are numbers, or bytes of numbers "
                        "of 4 bytes.");

static PyObject *build(PyObject *module, PyObject *arguments) {
    (void)module;
    Build build = {.first_line = 1};
    PyObject *ends;
    int latin;
    if (!PyArg_ParseTuple(arguments, "Oy#pnOO!OOOO", &build.type, &build.data, &build.size, &latin, &build.bom, &ends,
                          &PyTuple_Type, &build.symbols, &build.path, &build.language, &build.source, &build.fallback))
        return NULL;
    if (!PyType_Check(build.type) || build.bom < 0 || build.bom > build.size)
        return PyErr_Format(PyExc_ValueError, "a BOM lies within its text, and chunks have a type");
    build.latin = latin;
    build.symbol_count = PyTuple_Size(build.symbols);
    if (!take_ends(&build, ends)) {
        free(build.ends);
        return NULL;
    }
    Py_ssize_t *lengths = malloc(((size_t)build.count + 1) * sizeof *lengths);
    build.open = malloc(((size_t)build.symbol_count + 1) * sizeof *build.open);
    build.nobody = PyTuple_New(0);
    build.arguments = PyTuple_New(0);
    build.blank = build.nobody == NULL ? NULL : blank_of(&build);
    PyObject *contents = NULL, *chunks = NULL;
    if (lengths == NULL || build.open == NULL)
        PyErr_NoMemory();
    else if (build.arguments != NULL && build.blank != NULL)
        contents = contents_of(&build, lengths);
    if (contents != NULL)
        chunks = chunks_of(&build, contents, lengths);
    Py_XDECREF(contents);
    Py_XDECREF(build.nobody);
    Py_XDECREF(build.arguments);
    Py_XDECREF(build.blank);
    free(lengths);
    free(build.open);
    free(build.ends);
    return chunks;
}

PyDoc_STRVAR(untrack_doc, "untrack(objects: list[object]) -> None\n\n"
                          "Keep the collector of cycles from looking at objects that hold texts and numbers alone.");

static PyObject *untrack(PyObject *module, PyObject *objects) {
    (void)module;
    Py_ssize_t count = PyList_Size(objects);
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *each = PyList_GetItem(objects, i);
        if (PyObject_GC_IsTracked(each))
            PyObject_GC_UnTrack(each);
    }
    return count < 0 ? NULL : Py_NewRef(Py_None);
}

PyDoc_STRVAR(to_bytes_doc, "symbols_to_bytes(symbols: tuple[Symbol, ...]) -> bytes\n\n"
                           "Return symbols in the form in which they cross to another process.");

PyDoc_STRVAR(from_bytes_doc, "symbols_from_bytes(type, packed: bytes) -> tuple[Symbol, ...]\n\n"
                             "Return the symbols, of that type, that `symbols_to_bytes` packed.");

static PyMethodDef methods[] = {
    {"build", build, METH_VARARGS, build_doc},
    {"symbols_to_bytes", symbols_to_bytes, METH_O, to_bytes_doc},
    {"symbols_from_bytes", symbols_from_bytes, METH_VARARGS, from_bytes_doc},
    {"untrack", untrack, METH_O, untrack_doc},
    {NULL, NULL, 0, NULL},
};

static int prepare(PyObject *module) {
    (void)module;
#define FIELD(field)                                                                                                   \
    if (name_of_##field == NULL && (name_of_##field = PyUnicode_InternFromString(#field)) == NULL)                     \
        return -1;
    FIELDS(FIELD)
#undef FIELD
    if (name_of_dict == NULL && (name_of_dict = PyUnicode_InternFromString("__dict__")) == NULL)
        return -1;
    return 0;
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, prepare}, {0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "treemill.native._building",
    .m_size = 0,
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__building(void) { return PyModuleDef_Init(&definition); }

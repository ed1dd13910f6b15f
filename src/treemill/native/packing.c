/* What is stored of a file, as bytes: the planes of its postings, and its symbols as JSON.
 *
 * Each function does exactly what its namesake in Python does.
 */
#include "squeezing.h"
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NARROW 256

/* A file's postings: terms uint32, counts uint16, chunks uint16, weights uint8. */
typedef struct {
    Py_buffer terms, counts, chunks, weights;
    size_t term_count, posting_count;
} Postings;

static uint8_t *put(uint8_t *at, uint32_t number, int wide) {
    *at++ = (uint8_t)number;
    if (wide)
        *at++ = (uint8_t)(number >> 8);
    return at;
}

/* Whether the counts add up to the postings. */
static int add_up(const Postings *postings) {
    uint64_t total = 0;
    for (size_t i = 0; i < postings->term_count; i++)
        total += ((const uint16_t *)postings->counts.buf)[i];
    return total == postings->posting_count && postings->counts.len == postings->terms.len / 2
        && postings->chunks.len == postings->weights.len * 2;
}

/* The highest byte of each difference of terms, the counts, the differences of chunks within a term, the weights. */
static void fill_small(const Postings *postings, int wide, uint8_t *at) {
    const uint32_t *terms = (const uint32_t *)postings->terms.buf;
    const uint16_t *counts = (const uint16_t *)postings->counts.buf, *chunks = (const uint16_t *)postings->chunks.buf;
    for (size_t i = 0; i < postings->term_count; i++)
        *at++ = (uint8_t)((terms[i] - (i ? terms[i - 1] : 0)) >> 24);
    for (size_t i = 0; i < postings->term_count; i++)
        at = put(at, counts[i], wide);
    for (size_t i = 0; i < postings->term_count; i++) {
        uint16_t before = 0;
        for (size_t j = 0; j < counts[i]; j++, chunks++) {
            at = put(at, (uint16_t)(*chunks - before), wide);
            before = *chunks;
        }
    }
    memcpy(at, postings->weights.buf, postings->posting_count);
}

/* The header, and the three low bytes of the differences of terms, a plane each. */
static void fill_low(const Postings *postings, int wide, uint8_t *at) {
    const uint32_t *terms = (const uint32_t *)postings->terms.buf;
    uint32_t header[2] = {(uint32_t)postings->term_count << 1 | (uint32_t)wide, (uint32_t)postings->posting_count};
    for (int number = 0; number < 2; number++)
        for (int byte = 0; byte < 4; byte++)
            *at++ = (uint8_t)(header[number] >> 8 * byte);
    for (int byte = 0; byte < 3; byte++)
        for (size_t i = 0; i < postings->term_count; i++)
            *at++ = (uint8_t)((terms[i] - (i ? terms[i - 1] : 0)) >> 8 * byte);
}

PyDoc_STRVAR(
    planes_doc,
    "planes(terms: uint32, counts: uint16, chunks: uint16, weights: uint8) -> (bytes, bytes)\n\n"
    "Return what is kept of postings as it is, and what is squeezed."
);

static PyObject *planes_of(const Postings *postings) {
    int wide = 0;
    for (size_t i = 0; i < postings->posting_count && !wide; i++)
        wide = ((const uint16_t *)postings->chunks.buf)[i] + 1 >= NARROW;
    size_t width = wide ? 2 : 1;
    size_t small = postings->term_count * (1 + width) + postings->posting_count * (width + 1);
    PyObject *low = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)(8 + 3 * postings->term_count));
    PyObject *rest = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)small);
    PyObject *result = NULL;
    if (low != NULL && rest != NULL) {
        fill_low(postings, wide, (uint8_t *)PyBytes_AsString(low));
        fill_small(postings, wide, (uint8_t *)PyBytes_AsString(rest));
        result = PyTuple_Pack(2, low, rest);
    }
    Py_XDECREF(low);
    Py_XDECREF(rest);
    return result;
}

static PyObject *planes(PyObject *module, PyObject *arguments) {
    Postings postings;
    PyObject *result = NULL;
    if (!PyArg_ParseTuple(
            arguments, "y*y*y*y*", &postings.terms, &postings.counts, &postings.chunks, &postings.weights
        ))
        return NULL;
    postings.term_count = (size_t)postings.counts.len / sizeof(uint16_t);
    postings.posting_count = (size_t)postings.weights.len;
    if (postings.term_count < UINT32_MAX >> 1 && postings.posting_count < UINT32_MAX && add_up(&postings))
        result = planes_of(&postings);
    else
        PyErr_SetString(PyExc_ValueError, "the arrays of the postings do not fit each other");
    PyBuffer_Release(&postings.terms);
    PyBuffer_Release(&postings.counts);
    PyBuffer_Release(&postings.chunks);
    PyBuffer_Release(&postings.weights);
    return result;
}

/* Packed postings: the planes of the low bytes, what was squeezed, and what the header says of both. */
typedef struct {
    const uint8_t *low, *small;
    size_t term_count, posting_count, chunk_count;
    int wide;
} Packed;

/* Fill in the terms; what is wrong with them, or NULL. */
static const char *fill_terms(const Packed *packed, uint32_t *terms) {
    uint64_t term = 0;
    for (size_t i = 0; i < packed->term_count; i++) {
        const uint8_t *low = packed->low + i;
        uint32_t step = low[0] | (uint32_t)low[packed->term_count] << 8 | (uint32_t)low[2 * packed->term_count] << 16
            | (uint32_t)packed->small[i] << 24;
        term += step;
        if ((i && step == 0) || term > UINT32_MAX)
            return "the terms are not in ascending order";
        terms[i] = (uint32_t)term;
    }
    return NULL;
}

static uint16_t small_number(const Packed *packed, const uint8_t *from, size_t place) {
    return packed->wide ? (uint16_t)(from[2 * place] | from[2 * place + 1] << 8) : from[place];
}

/* Fill in counts and chunks; what is wrong with them, or NULL. */
static const char *fill_chunks(const Packed *packed, uint16_t *counts, uint16_t *chunks) {
    size_t width = packed->wide ? 2 : 1;
    const uint8_t *of_counts = packed->small + packed->term_count, *gaps = of_counts + packed->term_count * width;
    uint64_t total = 0;
    for (size_t i = 0; i < packed->term_count; i++) {
        counts[i] = small_number(packed, of_counts, i);
        total += counts[i];
        if (counts[i] == 0)
            return "the counts do not add up";
    }
    if (total != packed->posting_count)
        return "the counts do not add up";
    size_t place = 0;
    int beyond = 0;  // told last, as in Python, whatever else is wrong
    for (size_t i = 0; i < packed->term_count; i++) {
        uint64_t chunk = 0;
        for (size_t j = 0; j < counts[i]; j++, place++) {
            uint16_t gap = small_number(packed, gaps, place);
            chunk += gap;
            if (j && gap == 0)
                return "the chunks are not in ascending order";
            beyond |= chunk >= packed->chunk_count;
            chunks[place] = (uint16_t)chunk;
        }
    }
    return beyond ? "a chunk that there is not" : NULL;
}

PyDoc_STRVAR(
    unplaned_doc,
    "unplaned(low: bytes, small: bytes, terms: int, postings: int, wide: bool, chunk_count: int)\n"
    "    -> terms, counts, chunks, weights\n\nReturn the arrays behind `planes`, without its header."
);

static PyObject *unplaned(PyObject *module, PyObject *arguments) {
    Packed packed;
    const char *low, *small;
    Py_ssize_t low_size, small_size, terms, postings, chunk_count;
    if (!PyArg_ParseTuple(
            arguments, "y#y#nnpn", &low, &low_size, &small, &small_size, &terms, &postings, &packed.wide, &chunk_count
        ))
        return NULL;
    Py_ssize_t width = packed.wide ? 2 : 1;
    if (terms < 0 || postings < 0 || chunk_count < 0 || chunk_count > UINT16_MAX + 1 || low_size / 3 != terms
        || low_size % 3 || small_size / 5 > PY_SSIZE_T_MAX / 8 || terms > small_size || postings > small_size
        || small_size != terms * (1 + width) + postings * (width + 1))
        return PyErr_SetString(PyExc_ValueError, "damaged postings: the length does not match the header"), NULL;
    packed = (Packed){
        (const uint8_t *)low, (const uint8_t *)small, (size_t)terms, (size_t)postings, (size_t)chunk_count, packed.wide,
    };
    PyObject *of_terms = PyBytes_FromStringAndSize(NULL, 4 * terms);
    PyObject *counts = PyBytes_FromStringAndSize(NULL, 2 * terms);
    PyObject *chunks = PyBytes_FromStringAndSize(NULL, 2 * postings);
    PyObject *weights = PyBytes_FromStringAndSize(small + small_size - postings, postings);
    PyObject *result = NULL;
    if (of_terms != NULL && counts != NULL && chunks != NULL && weights != NULL) {
        const char *wrong = fill_terms(&packed, (uint32_t *)PyBytes_AsString(of_terms));
        if (wrong == NULL)
            wrong = fill_chunks(
                &packed, (uint16_t *)PyBytes_AsString(counts), (uint16_t *)PyBytes_AsString(chunks)
            );
        if (wrong == NULL)
            result = PyTuple_Pack(4, of_terms, counts, chunks, weights);
        else
            PyErr_Format(PyExc_ValueError, "damaged postings: %s", wrong);
    }
    Py_XDECREF(of_terms);
    Py_XDECREF(counts);
    Py_XDECREF(chunks);
    Py_XDECREF(weights);
    return result;
}

/* Text that grows; `failed` once there was no memory, or something that JSON of symbols has no place for. */
typedef struct {
    char *at;
    size_t used, room;
    int failed;
} Text;

static void add(Text *text, const char *more, size_t size) {
    if (text->failed)
        return;
    if (text->room - text->used < size) {
        size_t room = 2 * text->room + size;
        char *at = realloc(text->at, room);
        if (at == NULL) {
            PyErr_NoMemory();
            text->failed = 1;
            return;
        }
        text->at = at;
        text->room = room;
    }
    memcpy(text->at + text->used, more, size);
    text->used += size;
}

static void add_string(Text *text, PyObject *given) {
    Py_ssize_t size;
    const char *at = PyUnicode_Check(given) ? PyUnicode_AsUTF8AndSize(given, &size) : NULL;
    if (at == NULL) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_TypeError, "a symbol's name, kind and parents are texts");
        text->failed = 1;
        return;
    }
    add(text, "\"", 1);
    Py_ssize_t start = 0;
    for (Py_ssize_t i = 0; i < size; i++) {
        unsigned char byte = (unsigned char)at[i];
        if (byte >= 0x20 && byte != '"' && byte != '\\')
            continue;
        add(text, at + start, (size_t)(i - start));
        start = i + 1;
        const char *marks = "\"\\\b\f\n\r\t", *letters = "\"\\bfnrt", *mark = byte ? strchr(marks, byte) : NULL;
        char escaped[8];
        int length = mark ? snprintf(escaped, sizeof escaped, "\\%c", letters[mark - marks])
                          : snprintf(escaped, sizeof escaped, "\\u%04x", byte);
        add(text, escaped, (size_t)length);
    }
    add(text, at + start, (size_t)(size - start));
    add(text, "\"", 1);
}

static void add_number(Text *text, long long number) {
    char digits[24];
    size_t place = sizeof digits;
    unsigned long long rest = number < 0 ? 0 - (unsigned long long)number : (unsigned long long)number;
    do
        digits[--place] = (char)('0' + rest % 10);
    while ((rest /= 10) > 0);
    if (number < 0)
        digits[--place] = '-';
    add(text, digits + place, sizeof digits - place);
}

/* A number of a tuple; where it is none, the text fails. */
static long long number_at(Text *text, PyObject *tuple, Py_ssize_t place) {
    PyObject *item = text->failed || !PyTuple_Check(tuple) ? NULL : PyTuple_GetItem(tuple, place);
    long long number = item == NULL ? -1 : PyLong_AsLongLong(item);
    if (number == -1 && (item == NULL || PyErr_Occurred())) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_TypeError, "a range is a pair of numbers");
        text->failed = 1;
    }
    return number;
}

/* What lies between two places; numbers that are none give some number. */
static long long difference(long long end, long long start) {
    return (long long)((unsigned long long)end - (unsigned long long)start);
}

/* A range as [start, length], counted from the symbol's start. */
static void add_range(Text *text, PyObject *range, long long from) {
    long long start = number_at(text, range, 0), end = number_at(text, range, 1);
    add(text, "[", 1);
    add_number(text, difference(start, from));
    add(text, ",", 1);
    add_number(text, difference(end, start));
    add(text, "]", 1);
}

static void add_symbol(Text *text, PyObject *symbol) {
    PyObject *parents = PyTuple_GetItem(symbol, 2), *doc = PyTuple_GetItem(symbol, 7);
    long long start = number_at(text, symbol, 3), end = number_at(text, symbol, 4), line = number_at(text, symbol, 5);
    add(text, "[", 1);
    add_string(text, PyTuple_GetItem(symbol, 0));
    add(text, ",", 1);
    add_string(text, PyTuple_GetItem(symbol, 1));
    add(text, ",[", 2);
    for (Py_ssize_t i = 0; i < PyTuple_Size(parents); i++) {
        if (i)
            add(text, ",", 1);
        add_string(text, PyTuple_GetItem(parents, i));
    }
    add(text, "],", 2);
    add_number(text, start);
    add(text, ",", 1);
    add_number(text, difference(end, start));
    add(text, ",", 1);
    add_number(text, line);
    add(text, ",", 1);
    add_range(text, PyTuple_GetItem(symbol, 6), start);
    if (doc == Py_None)
        add(text, ",null]", 6);
    else {
        add(text, ",", 1);
        add_range(text, doc, start);
        add(text, "]", 1);
    }
}

PyDoc_STRVAR(symbols_json_doc, "symbols_json(symbols: Sequence[Symbol]) -> bytes\n\nReturn what is kept of symbols.");

static PyObject *symbols_json(PyObject *module, PyObject *symbols) {
    Text text = {0};
    Py_ssize_t count = PySequence_Size(symbols);
    text.failed = count < 0;
    add(&text, "[", 1);
    for (Py_ssize_t i = 0; i < count && !text.failed; i++) {
        PyObject *symbol = PySequence_GetItem(symbols, i);
        if (i)
            add(&text, ",", 1);
        if (symbol != NULL && PyTuple_Check(symbol) && PyTuple_Size(symbol) == 8
            && PyTuple_Check(PyTuple_GetItem(symbol, 2)))
            add_symbol(&text, symbol);
        else
            text.failed = 1;
        Py_XDECREF(symbol);
    }
    add(&text, "]", 1);
    PyObject *result = text.failed ? NULL : PyBytes_FromStringAndSize(text.at, (Py_ssize_t)text.used);
    free(text.at);
    if (result == NULL && !PyErr_Occurred())
        PyErr_SetString(PyExc_TypeError, "a symbol is a tuple of eight values");
    return result;
}

static PyMethodDef methods[] = {
    {"planes", planes, METH_VARARGS, planes_doc},
    {"unplaned", unplaned, METH_VARARGS, unplaned_doc},
    {"squeezed", squeezed, METH_VARARGS, squeezed_doc},
    {"unsqueezed", unsqueezed, METH_VARARGS, unsqueezed_doc},
    {"symbols_json", symbols_json, METH_O, symbols_json_doc},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "treemill.native._packing",
    .m_size = 0,
    .m_methods = methods,
};

PyMODINIT_FUNC PyInit__packing(void) { return PyModuleDef_Init(&definition); }

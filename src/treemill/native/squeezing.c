/* The postings of a small segment, as its file has them and back: see `treemill.storage.squeezing`. */
#include "squeezing.h"
#include <stdint.h>
#include <string.h>

/* A code is the class of a weight (three bits) and that of a gap (five). */
#define GAP_BITS 5
#define NEAR 16
#define FAR 31
#define FARTHEST (NEAR + 256 * (FAR - NEAR))
#define OTHER 7
#define CODES 256

static const uint8_t COMMON[OTHER] = {1, 2, 3, 4, 5, 6, 65};

/* What a code says: a gap (sixteen bits), a weight (eight), and whether bytes behind the codes say the rest of them. */
typedef uint32_t Meaning;

static inline uint32_t gap_of(Meaning meaning) { return meaning & 0xFFFF; }
static inline uint32_t weight_of(Meaning meaning) { return meaning >> 16 & 0xFF; }
static inline uint32_t has_low(Meaning meaning) { return meaning >> 24 & 1; }
static inline uint32_t has_high(Meaning meaning) { return meaning >> 25 & 1; }
static inline uint32_t has_other(Meaning meaning) { return meaning >> 26; }

static void fill_meanings(Meaning *meanings) {
    for (uint32_t code = 0; code < CODES; code++) {
        uint32_t gap = code & ((1 << GAP_BITS) - 1), weight = code >> GAP_BITS;
        uint32_t least = gap < NEAR ? gap : gap == FAR ? 0 : NEAR + ((gap - NEAR) << 8);
        meanings[code] = least | (weight == OTHER ? 1u << 26 : (uint32_t)COMMON[weight] << 16)
            | (uint32_t)(gap >= NEAR) << 24 | (uint32_t)(gap == FAR) << 25;
    }
}

/* Where the rest of what codes do not say stands. */
typedef struct {
    size_t low, high, others, end;
} Places;

static Places places_of(const uint8_t *codes, size_t count, const Meaning *meanings) {
    size_t times[CODES] = {0};
    Places places = {.low = count, .high = count, .others = count, .end = count};
    for (size_t i = 0; i < count; i++)
        times[codes[i]]++;
    for (int code = 0; code < CODES; code++) {
        size_t low = has_low(meanings[code]) ? times[code] : 0, high = has_high(meanings[code]) ? times[code] : 0;
        places.high += low;
        places.others += low + high;
        places.end += low + high + (has_other(meanings[code]) ? times[code] : 0);
    }
    return places;
}

const char squeezed_doc[] =
    "squeezed(counts: uint16[t], chunks: uint16[p], weights: uint8[p]) -> bytes\n\n"
    "Return what a file has of postings.";

/* The code of each posting, and its gap in the place of its chunk. */
static void fill_codes(
    const uint16_t *counts, size_t terms, const uint16_t *chunks, const uint8_t *weights, uint16_t *gaps, uint8_t *codes
) {
    uint8_t of_weight[256];
    memset(of_weight, OTHER << GAP_BITS, sizeof of_weight);
    for (int i = 0; i < OTHER; i++)
        of_weight[COMMON[i]] = (uint8_t)(i << GAP_BITS);
    for (size_t i = 0; i < terms; i++) {
        uint16_t next = 0;
        for (size_t left = counts[i]; left > 0; left--) {
            uint16_t gap = (uint16_t)(*chunks - next);
            next = (uint16_t)(*chunks++ + 1);
            *gaps++ = gap;
            *codes++ = of_weight[*weights++]
                | (uint8_t)(gap < NEAR ? gap : gap >= FARTHEST ? FAR : NEAR + ((gap - NEAR) >> 8));
        }
    }
}

static PyObject *squeeze(const Py_buffer *counts, const Py_buffer *chunks, const Py_buffer *weights) {
    Meaning meanings[CODES];
    size_t count = (size_t)weights->len;
    uint8_t *codes = PyMem_Malloc(count + 1);
    uint16_t *gaps = PyMem_Malloc(2 * count + 1);
    PyObject *result = NULL;
    if (codes == NULL || gaps == NULL)
        PyErr_NoMemory();
    else {
        fill_meanings(meanings);
        fill_codes(counts->buf, (size_t)counts->len / 2, chunks->buf, weights->buf, gaps, codes);
        Places places = places_of(codes, count, meanings);
        result = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)places.end + 1);
        uint8_t *into = result == NULL ? NULL : (uint8_t *)PyBytes_AsString(result);
        if (into != NULL) {
            memcpy(into, codes, count);
            into[places.end] = 0;
            for (size_t i = 0; i < count; i++) {
                Meaning meaning = meanings[codes[i]];
                uint32_t rest = gaps[i] - gap_of(meaning);
                if (has_low(meaning))
                    into[places.low++] = (uint8_t)rest;
                if (has_high(meaning))
                    into[places.high++] = (uint8_t)(rest >> 8);
                if (has_other(meaning))
                    into[places.others++] = ((const uint8_t *)weights->buf)[i];
            }
        }
    }
    PyMem_Free(codes);
    PyMem_Free(gaps);
    return result;
}

PyObject *squeezed(PyObject *module, PyObject *arguments) {
    Py_buffer counts, chunks, weights;
    PyObject *result = NULL;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "y*y*y*", &counts, &chunks, &weights))
        return NULL;
    uint64_t total = 0;
    for (Py_ssize_t i = 0; i < counts.len / 2; i++)
        total += ((const uint16_t *)counts.buf)[i];
    if (counts.len % 2 == 0 && total == (uint64_t)weights.len && chunks.len / 2 == weights.len && chunks.len % 2 == 0)
        result = squeeze(&counts, &chunks, &weights);
    else
        PyErr_SetString(PyExc_ValueError, "the arrays of the postings do not fit each other");
    PyBuffer_Release(&counts);
    PyBuffer_Release(&chunks);
    PyBuffer_Release(&weights);
    return result;
}

const char unsqueezed_doc[] =
    "unsqueezed(counts: uint16[t], squeezed: uint8, chunk_count: int) -> chunks: uint16[p], weights: uint8[p]\n\n"
    "Return the postings behind `squeezed`.";

/* Fill in chunks and weights; what is wrong with them, or NULL. Hardly a branch depends on a code: none is foretold. */
static const char *fill(
    const uint16_t *restrict counts, size_t terms, const uint8_t *restrict codes, size_t size, uint32_t chunk_count,
    uint16_t *restrict chunks, uint8_t *restrict weights, size_t total
) {
    Meaning meanings[CODES];
    fill_meanings(meanings);
    Places places = places_of(codes, total, meanings);
    /* One byte more than is needed: whatever comes next is looked at before it is known whether it is. */
    if (size != places.end + 1)
        return "the length does not match the codes";
    const uint8_t *low = codes + places.low, *high = codes + places.high, *others = codes + places.others;
    for (size_t i = 0; i < terms; i++) {
        uint32_t next = 0;
        for (size_t left = counts[i]; left > 0; left--) {
            Meaning meaning = meanings[*codes++];
            uint32_t other = has_other(meaning);
            next += 1 + gap_of(meaning) + (*low & (0 - has_low(meaning)));
            low += has_low(meaning);
            *weights++ = (uint8_t)(weight_of(meaning) | (*others & (0 - other)));
            others += other;
            if (has_high(meaning))
                next += (uint32_t)*high++ << 8;
            if (next > chunk_count)
                return "a chunk that there is not";
            *chunks++ = (uint16_t)(next - 1);
        }
    }
    return NULL;
}

PyObject *unsqueezed(PyObject *module, PyObject *arguments) {
    Py_buffer counts, data;
    Py_ssize_t chunk_count;
    PyObject *chunks = NULL, *weights = NULL, *result = NULL;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "y*y*n", &counts, &data, &chunk_count))
        return NULL;
    uint64_t total = 0;
    for (Py_ssize_t i = 0; i < counts.len / 2; i++)
        total += ((const uint16_t *)counts.buf)[i];
    if (counts.len % 2 || total >= (uint64_t)data.len || chunk_count < 0 || chunk_count > UINT16_MAX + 1)
        PyErr_SetString(PyExc_ValueError, "damaged postings: the length does not match the codes");
    else {
        chunks = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)(2 * total));
        weights = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)total);
    }
    if (chunks != NULL && weights != NULL) {
        const char *wrong = fill(
            counts.buf, (size_t)counts.len / 2, data.buf, (size_t)data.len, (uint32_t)chunk_count,
            (uint16_t *)PyBytes_AsString(chunks), (uint8_t *)PyBytes_AsString(weights), (size_t)total
        );
        if (wrong == NULL)
            result = PyTuple_Pack(2, chunks, weights);
        else
            PyErr_Format(PyExc_ValueError, "damaged postings: %s", wrong);
    }
    Py_XDECREF(chunks);
    Py_XDECREF(weights);
    PyBuffer_Release(&counts);
    PyBuffer_Release(&data);
    return result;
}

/* Vectors of chunks: rows of a table, weighed and added up in whole numbers, so that every order gives the same sum.
 *
 * Each function does exactly what its namesake in Python does.
 */
#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030B0000
#include <Python.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#if defined(__GNUC__)
#define SOON(place) __builtin_prefetch(place)
#else
#define SOON(place) ((void)0)
#endif

/* With factors that come to no more than this, no sum of int16 passes what int32 holds. */
#define SMALL 0xFFFF

/* The terms of a batch, as `Occurrences` has them, and the rows they stand for. */
typedef struct {
    Py_buffer firsts, terms, times, named, factors, rows;
    Py_ssize_t chunks, dimension, name_times;
} Pooling;

#define ROWS(pooling) ((const int16_t *)(pooling)->rows.buf)

/* What a term counts at a place of the occurrences. */
static inline uint16_t factor_at(const Pooling *pooling, size_t place) {
    uint64_t times = ((const uint32_t *)pooling->times.buf)[place]
        + (uint64_t)((const uint32_t *)pooling->named.buf)[place] * (uint64_t)pooling->name_times;
    uint64_t last = (uint64_t)pooling->factors.len / sizeof(uint16_t) - 1;
    return ((const uint16_t *)pooling->factors.buf)[times < last ? times : last];
}

/* Add one row, so many times, to 32-bit sums. */
static void add_row(int32_t *sums, const int16_t *row, int16_t factor, Py_ssize_t dimension) {
    for (Py_ssize_t i = 0; i < dimension; i++)
        sums[i] += (int32_t)row[i] * factor;
}

/* Add two rows; together they take as long as one. */
static void add_rows(
    int32_t *sums, const int16_t *row, int16_t factor, const int16_t *other, int16_t other_factor, Py_ssize_t dimension
) {
    Py_ssize_t i = 0;
#if defined(__SSE2__)
    const __m128i factors = _mm_set1_epi32((int)((uint32_t)(uint16_t)other_factor << 16 | (uint16_t)factor));
    for (; i + 8 <= dimension; i += 8) {
        __m128i here = _mm_loadu_si128((const __m128i *)(row + i));
        __m128i there = _mm_loadu_si128((const __m128i *)(other + i));
        __m128i *low = (__m128i *)(sums + i), *high = low + 1;
        __m128i of_low = _mm_madd_epi16(_mm_unpacklo_epi16(here, there), factors);
        __m128i of_high = _mm_madd_epi16(_mm_unpackhi_epi16(here, there), factors);
        _mm_storeu_si128(low, _mm_add_epi32(_mm_loadu_si128(low), of_low));
        _mm_storeu_si128(high, _mm_add_epi32(_mm_loadu_si128(high), of_high));
    }
#endif
    add_row(sums + i, row + i, factor, dimension - i);
    add_row(sums + i, other + i, other_factor, dimension - i);
}

/* Sum the rows of the places from `first` up to `last`, whose factors come to little. */
static void pool_small(const Pooling *pooling, size_t first, size_t last, int32_t *sums, float *into) {
    const uint32_t *terms = (const uint32_t *)pooling->terms.buf;
    Py_ssize_t dimension = pooling->dimension;
    memset(sums, 0, (size_t)dimension * sizeof *sums);
    size_t place = first;
    for (; place + 2 <= last; place += 2) {
        if (place + 8 <= last)
            for (Py_ssize_t i = 0; i < dimension; i += 32) {
                SOON(ROWS(pooling) + (size_t)terms[place + 6] * (size_t)dimension + i);
                SOON(ROWS(pooling) + (size_t)terms[place + 7] * (size_t)dimension + i);
            }
        const int16_t *row = ROWS(pooling) + (size_t)terms[place] * (size_t)dimension;
        const int16_t *other = ROWS(pooling) + (size_t)terms[place + 1] * (size_t)dimension;
        int16_t factor = (int16_t)factor_at(pooling, place), other_factor = (int16_t)factor_at(pooling, place + 1);
        add_rows(sums, row, factor, other, other_factor, dimension);
    }
    if (place < last)
        add_row(
            sums, ROWS(pooling) + (size_t)terms[place] * (size_t)dimension, (int16_t)factor_at(pooling, place), dimension
        );
    for (Py_ssize_t i = 0; i < dimension; i++)
        into[i] = (float)sums[i];
}

/* The same for any factors. */
static void pool_large(const Pooling *pooling, size_t first, size_t last, float *into) {
    const uint32_t *terms = (const uint32_t *)pooling->terms.buf;
    for (Py_ssize_t i = 0; i < pooling->dimension; i++) {
        int64_t sum = 0;
        for (size_t place = first; place < last; place++)
            sum += (int64_t)ROWS(pooling)[(size_t)terms[place] * (size_t)pooling->dimension + (size_t)i]
                * factor_at(pooling, place);
        into[i] = (float)sum;
    }
}

static void pool_all(const Pooling *pooling, int32_t *sums, float *into) {
    const int64_t *firsts = (const int64_t *)pooling->firsts.buf;
    for (Py_ssize_t chunk = 0; chunk < pooling->chunks; chunk++, into += pooling->dimension) {
        size_t first = (size_t)firsts[chunk], last = (size_t)firsts[chunk + 1];
        uint64_t total = 0, greatest = 0;
        for (size_t place = first; place < last; place++) {
            uint16_t factor = factor_at(pooling, place);
            total += factor;
            greatest = factor > greatest ? factor : greatest;
        }
        if (total <= SMALL && greatest <= INT16_MAX)
            pool_small(pooling, first, last, sums, into);
        else
            pool_large(pooling, first, last, into);
    }
}

/* Whether every place lies within the occurrences, and every term has a row. */
static int is_sound(const Pooling *pooling) {
    Py_ssize_t places = pooling->terms.len / (Py_ssize_t)sizeof(uint32_t);
    const int64_t *firsts = (const int64_t *)pooling->firsts.buf;
    if (pooling->dimension < 1 || pooling->dimension > UINT16_MAX || pooling->chunks < 0 || pooling->name_times < 0
        || pooling->name_times > UINT16_MAX || pooling->factors.len < (Py_ssize_t)sizeof(uint16_t)
        || pooling->times.len != pooling->terms.len || pooling->named.len != pooling->terms.len || firsts[0] < 0)
        return 0;
    for (Py_ssize_t i = 0; i < pooling->chunks; i++)
        if (firsts[i] > firsts[i + 1] || firsts[i + 1] > places)
            return 0;
    uint64_t rows = (uint64_t)pooling->rows.len / sizeof(int16_t) / (uint64_t)pooling->dimension;
    for (Py_ssize_t i = 0; i < places; i++)
        if (((const uint32_t *)pooling->terms.buf)[i] >= rows)
            return 0;
    return 1;
}

PyDoc_STRVAR(
    pooled_doc,
    "pooled(firsts: int64[n + 1], terms: uint32, times: uint32, named: uint32, factors: uint16, name_times: int,\n"
    "       rows: int16[m, dimension], dimension: int) -> float32[n, dimension], as bytes"
);

static PyObject *pooled(PyObject *module, PyObject *arguments) {
    Pooling pooling;
    PyObject *result = NULL;
    if (!PyArg_ParseTuple(
            arguments, "y*y*y*y*y*ny*n", &pooling.firsts, &pooling.terms, &pooling.times, &pooling.named,
            &pooling.factors, &pooling.name_times, &pooling.rows, &pooling.dimension
        ))
        return NULL;
    pooling.chunks = pooling.firsts.len / (Py_ssize_t)sizeof(int64_t) - 1;
    if (pooling.chunks < 0 || !is_sound(&pooling)) {
        PyErr_SetString(PyExc_ValueError, "the occurrences do not fit each other or the rows");
    } else {
        int32_t *sums = malloc((size_t)pooling.dimension * sizeof *sums);
        result = PyBytes_FromStringAndSize(NULL, pooling.chunks * pooling.dimension * (Py_ssize_t)sizeof(float));
        if (sums == NULL || result == NULL) {
            PyErr_NoMemory();
            Py_CLEAR(result);
        } else {
            float *into = (float *)PyBytes_AsString(result);
            Py_BEGIN_ALLOW_THREADS
            pool_all(&pooling, sums, into);
            Py_END_ALLOW_THREADS
        }
        free(sums);
    }
    Py_buffer *buffers[] = {
        &pooling.firsts, &pooling.terms, &pooling.times, &pooling.named, &pooling.factors, &pooling.rows,
    };
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++)
        PyBuffer_Release(buffers[i]);
    return result;
}

/* Rows of a table, int8, behind which stand those that other terms share; and what is wanted of it. */
typedef struct {
    Py_buffer places, weights, rows;
    PyObject *texts;
    Py_ssize_t dimension, vocabulary, fallbacks, fallback_weight, count;
} Weighing;

static uint32_t crc_of_trigram(const unsigned char *text) {
    uint32_t crc = UINT32_MAX;
    for (int i = 0; i < 3; i++) {
        crc ^= text[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? 0xEDB88320u ^ crc >> 1 : crc >> 1;
    }
    return ~crc;
}

/* Sum the rows of the trigrams of `<text>`, each with its share of the weight; -1 with an error where that fails. */
static int weigh_trigrams(const Weighing *weighing, PyObject *text, int16_t *into) {
    char *at, *framed;
    Py_ssize_t size;
    if (PyBytes_AsStringAndSize(text, &at, &size) < 0)
        return -1;
    if (size < 1)
        return PyErr_SetString(PyExc_ValueError, "a term is not empty"), -1;
    if ((framed = malloc((size_t)size + 2)) == NULL)
        return PyErr_NoMemory(), -1;
    framed[0] = '<';
    memcpy(framed + 1, at, (size_t)size);
    framed[size + 1] = '>';
    Py_ssize_t share = weighing->fallback_weight / size > 1 ? weighing->fallback_weight / size : 1;
    for (Py_ssize_t gram = 0; gram < size; gram++) {
        uint32_t number = crc_of_trigram((const unsigned char *)framed + gram) % (uint32_t)weighing->fallbacks;
        const int8_t *row = (const int8_t *)weighing->rows.buf + (weighing->vocabulary + number) * weighing->dimension;
        for (Py_ssize_t i = 0; i < weighing->dimension; i++)
            into[i] = (int16_t)(uint16_t)((uint16_t)into[i] + (uint16_t)row[i]);
    }
    for (Py_ssize_t i = 0; i < weighing->dimension; i++)
        into[i] = (int16_t)(uint16_t)((uint32_t)(uint16_t)into[i] * (uint32_t)share);
    free(framed);
    return 0;
}

static int weigh_rows(const Weighing *weighing, int16_t *into) {
    const int64_t *places = (const int64_t *)weighing->places.buf;
    for (Py_ssize_t term = 0; term < weighing->count; term++, into += weighing->dimension) {
        if (places[term] < 0) {
            if (weighing->fallbacks && weigh_trigrams(weighing, PyList_GetItem(weighing->texts, term), into) < 0)
                return -1;
            continue;
        }
        const int8_t *row = (const int8_t *)weighing->rows.buf + places[term] * weighing->dimension;
        int16_t weight = ((const uint8_t *)weighing->weights.buf)[places[term]];
        for (Py_ssize_t i = 0; i < weighing->dimension; i++)
            into[i] = (int16_t)(row[i] * weight);
    }
    return 0;
}

/* Whether every place is one of the table, or says that the term has none. */
static int fits(const Weighing *weighing) {
    Py_ssize_t rows = weighing->vocabulary + weighing->fallbacks;
    if (weighing->dimension < 1 || weighing->dimension > UINT16_MAX || weighing->vocabulary < 0
        || weighing->fallbacks < 0 || weighing->vocabulary > INT32_MAX || weighing->fallbacks > INT32_MAX
        || weighing->fallback_weight < 0 || weighing->fallback_weight > UINT8_MAX
        || weighing->weights.len != weighing->vocabulary || weighing->rows.len != rows * weighing->dimension
        || PyList_Size(weighing->texts) != weighing->count)
        return 0;
    for (Py_ssize_t i = 0; i < weighing->count; i++)
        if (((const int64_t *)weighing->places.buf)[i] >= weighing->vocabulary)
            return 0;
    return 1;
}

PyDoc_STRVAR(
    weighed_doc,
    "weighed(places: int64[n], -1 for none, texts: list[bytes], weights: uint8[vocabulary],\n"
    "        rows: int8[vocabulary + fallbacks, dimension], fallbacks: int, fallback_weight: int, dimension: int)\n"
    "    -> int16[n, dimension], as bytes"
);

static PyObject *weighed(PyObject *module, PyObject *arguments) {
    Weighing weighing;
    PyObject *result = NULL;
    if (!PyArg_ParseTuple(
            arguments, "y*O!y*y*nnn", &weighing.places, &PyList_Type, &weighing.texts, &weighing.weights,
            &weighing.rows, &weighing.fallbacks, &weighing.fallback_weight, &weighing.dimension
        ))
        return NULL;
    weighing.count = weighing.places.len / (Py_ssize_t)sizeof(int64_t);
    weighing.vocabulary = weighing.weights.len;
    if (!fits(&weighing)) {
        PyErr_SetString(PyExc_ValueError, "the terms do not fit the table");
    } else {
        Py_ssize_t size = weighing.count * weighing.dimension * (Py_ssize_t)sizeof(int16_t);
        result = PyBytes_FromStringAndSize(NULL, size);
        if (result != NULL) {
            memset(PyBytes_AsString(result), 0, (size_t)size);
            if (weigh_rows(&weighing, (int16_t *)PyBytes_AsString(result)) < 0)
                Py_CLEAR(result);
        }
    }
    PyBuffer_Release(&weighing.places);
    PyBuffer_Release(&weighing.weights);
    PyBuffer_Release(&weighing.rows);
    return result;
}

static PyMethodDef methods[] = {
    {"pooled", pooled, METH_VARARGS, pooled_doc},
    {"weighed", weighed, METH_VARARGS, weighed_doc},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "treemill.native._vectors",
    .m_size = 0,
    .m_methods = methods,
};

PyMODINIT_FUNC PyInit__vectors(void) { return PyModuleDef_Init(&definition); }

/* Groups of postings in order of their source → in order of their terms: what laying out and merging segments is. */
#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030B0000
#include <Python.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(__GNUC__)
#define SOON(place) __builtin_prefetch(place)
#else
#define SOON(place) ((void)0)
#endif

/* So many groups ahead their postings are fetched. */
#define AHEAD 12

#define DIGIT_BITS 11
#define DIGITS (1 << DIGIT_BITS)

/* Group i is `counts[i]` postings of `terms[i]`, which begin at `starts[i]`. */
typedef struct {
    Py_buffer terms, counts, chunks, weights;
    size_t groups, postings, distinct;
    uint64_t *order, *spare; /* term << 32 | group */
    uint32_t *starts;
    int narrow;
} Grouping;

typedef struct {
    uint32_t *terms;
    int64_t *offsets;
    void *chunks;
    uint8_t *weights;
} Laid;

/* Bring `order` into the order of terms, groups of one term in theirs. */
static void sort(Grouping *grouping) {
    static const int shifts[] = {32, 32 + DIGIT_BITS, 32 + 2 * DIGIT_BITS};
    for (int pass = 0; pass < 3; pass++) {
        size_t places[DIGITS] = {0}, before = 0;
        for (size_t i = 0; i < grouping->groups; i++)
            places[grouping->order[i] >> shifts[pass] & (DIGITS - 1)]++;
        for (int digit = 0; digit < DIGITS; digit++) {
            size_t here = places[digit];
            places[digit] = before;
            before += here;
        }
        for (size_t i = 0; i < grouping->groups; i++)
            grouping->spare[places[grouping->order[i] >> shifts[pass] & (DIGITS - 1)]++] = grouping->order[i];
        uint64_t *other = grouping->order;
        grouping->order = grouping->spare;
        grouping->spare = other;
    }
}

/* Find out where groups begin, and sort them; -1 where the counts do not add up to the postings. */
static int prepare(Grouping *grouping) {
    const uint32_t *terms = (const uint32_t *)grouping->terms.buf;
    const int64_t *counts = (const int64_t *)grouping->counts.buf;
    uint64_t total = 0;
    for (size_t i = 0; i < grouping->groups; i++) {
        if (counts[i] < 0 || (uint64_t)counts[i] > grouping->postings - total)
            return -1;
        grouping->order[i] = (uint64_t)terms[i] << 32 | i;
        grouping->starts[i] = (uint32_t)total;
        total += (uint64_t)counts[i];
    }
    if (total != grouping->postings)
        return -1;
    sort(grouping);
    grouping->distinct = 0;
    for (size_t i = 0; i < grouping->groups; i++)
        grouping->distinct += i == 0 || grouping->order[i] >> 32 != grouping->order[i - 1] >> 32;
    return 0;
}

static void deal_out(const Grouping *grouping, const Laid *laid) {
    const int64_t *counts = (const int64_t *)grouping->counts.buf;
    const uint32_t *chunks = (const uint32_t *)grouping->chunks.buf;
    const uint8_t *weights = (const uint8_t *)grouping->weights.buf;
    size_t place = 0, term = 0;
    for (size_t i = 0; i < grouping->groups; i++) {
        if (i + AHEAD < grouping->groups) {
            uint32_t ahead = grouping->starts[(uint32_t)grouping->order[i + AHEAD]];
            SOON(chunks + ahead);
            SOON(weights + ahead);
        }
        if (i + 2 * AHEAD < grouping->groups)
            SOON(grouping->starts + (uint32_t)grouping->order[i + 2 * AHEAD]);
        uint32_t group = (uint32_t)grouping->order[i];
        if (i == 0 || grouping->order[i] >> 32 != grouping->order[i - 1] >> 32) {
            laid->terms[term] = (uint32_t)(grouping->order[i] >> 32);
            laid->offsets[term++] = (int64_t)place;
        }
        size_t first = grouping->starts[group], count = (size_t)counts[group];
        for (size_t j = first; j < first + count; j++, place++) {
            if (grouping->narrow)
                ((uint16_t *)laid->chunks)[place] = (uint16_t)chunks[j];
            else
                ((uint32_t *)laid->chunks)[place] = chunks[j];
            laid->weights[place] = weights[j];
        }
    }
    laid->offsets[term] = (int64_t)place;
}

/* Lay out sorted groups, as (terms, offsets, chunks, weights). */
static PyObject *laid_out(const Grouping *grouping) {
    size_t width = grouping->narrow ? sizeof(uint16_t) : sizeof(uint32_t);
    PyObject *terms = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)(grouping->distinct * sizeof(uint32_t)));
    PyObject *offsets = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)((grouping->distinct + 1) * sizeof(int64_t)));
    PyObject *chunks = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)(grouping->postings * width));
    PyObject *weights = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)grouping->postings);
    PyObject *result = NULL;
    if (terms != NULL && offsets != NULL && chunks != NULL && weights != NULL) {
        Laid laid = {
            (uint32_t *)PyBytes_AsString(terms), (int64_t *)PyBytes_AsString(offsets), PyBytes_AsString(chunks),
            (uint8_t *)PyBytes_AsString(weights),
        };
        Py_BEGIN_ALLOW_THREADS
        deal_out(grouping, &laid);
        Py_END_ALLOW_THREADS
        result = PyTuple_Pack(4, terms, offsets, chunks, weights);
    }
    Py_XDECREF(terms);
    Py_XDECREF(offsets);
    Py_XDECREF(chunks);
    Py_XDECREF(weights);
    return result;
}

/* Sort and lay out, with the room that this takes. */
static PyObject *regroup(Grouping *grouping) {
    PyObject *result = NULL;
    /* One more than needed: no room at all may be no memory. */
    uint64_t *order = malloc((grouping->groups + 1) * sizeof *order);
    uint64_t *spare = malloc((grouping->groups + 1) * sizeof *spare);
    grouping->order = order;
    grouping->spare = spare;
    grouping->starts = malloc((grouping->groups + 1) * sizeof *grouping->starts);
    if (order == NULL || spare == NULL || grouping->starts == NULL) {
        PyErr_NoMemory();
    } else {
        int failed;
        Py_BEGIN_ALLOW_THREADS
        failed = prepare(grouping);
        Py_END_ALLOW_THREADS
        if (failed)
            PyErr_SetString(PyExc_ValueError, "the counts do not add up to the postings");
        else
            result = laid_out(grouping);
    }
    free(order);
    free(spare);
    free(grouping->starts);
    return result;
}

PyDoc_STRVAR(
    regrouped_doc,
    "regrouped(terms: uint32[n], counts: int64[n], chunks: uint32[m], weights: uint8[m], narrow: bool)\n"
    "    -> terms: uint32[t], offsets: int64[t + 1], chunks: uint16[m] if narrow else uint32[m], weights: uint8[m]"
);

static PyObject *regrouped(PyObject *module, PyObject *arguments) {
    Grouping grouping = {.narrow = 0};
    PyObject *result = NULL;
    if (!PyArg_ParseTuple(
            arguments, "y*y*y*y*p", &grouping.terms, &grouping.counts, &grouping.chunks, &grouping.weights,
            &grouping.narrow
        ))
        return NULL;
    grouping.groups = (size_t)grouping.terms.len / sizeof(uint32_t);
    grouping.postings = (size_t)grouping.weights.len;
    if (grouping.groups < UINT32_MAX && grouping.postings < UINT32_MAX
        && grouping.counts.len == grouping.terms.len * 2 && grouping.chunks.len == grouping.weights.len * 4)
        result = regroup(&grouping);
    else
        PyErr_SetString(PyExc_ValueError, "the arrays of the postings do not fit each other");
    PyBuffer_Release(&grouping.terms);
    PyBuffer_Release(&grouping.counts);
    PyBuffer_Release(&grouping.chunks);
    PyBuffer_Release(&grouping.weights);
    return result;
}

static PyMethodDef methods[] = {
    {"regrouped", regrouped, METH_VARARGS, regrouped_doc},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "treemill.native._layout",
    .m_size = 0,
    .m_methods = methods,
};

PyMODINIT_FUNC PyInit__layout(void) { return PyModuleDef_Init(&definition); }

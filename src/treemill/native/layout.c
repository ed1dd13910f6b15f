/* Groups of postings in order of their sources → in order of their terms: what laying out and merging segments is.
 *
 * The terms of a source ascend. So all sources are gone through at one pace, a slice of the terms at a time: what is
 * sorted, and where it comes from, stays in a core's cache, and nothing is copied but postings to where they belong.
 */
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

/* About so many groups are sorted at a time, in at most so many slices. */
#define SLICE_GROUPS ((size_t)1 << 16)
#define MOST_SLICE_BITS 6

#define DIGIT_BITS 11
#define DIGITS (1 << DIGIT_BITS)

enum { TERMS, COUNTS, CHUNKS, WEIGHTS, FIELDS };

/* Where groups come from: group i is `counts[i]` postings of `terms[i]`; chunks are numbered from `base` on.
 *
 * `group` and `posting` are the next ones.
 */
typedef struct {
    const uint32_t *terms;
    const void *counts, *chunks;
    const uint8_t *weights;
    uint32_t base, groups, postings, group, posting;
    uint8_t wide_counts, wide_chunks;
} Source;

/* A group of the slice in hand: its postings in its source. */
typedef struct {
    uint32_t source, first, count;
} Group;

typedef struct {
    Py_buffer *views; /* of each source's fields, one behind the other */
    size_t viewed;
    Source *sources;
    size_t count, groups, postings;
    int narrow;
    unsigned slice_bits;
    /* The slice in hand. */
    Group *slice;
    uint64_t *order, *spare; /* term << 32 | group of the slice */
    size_t used, room;
    /* What comes out. */
    uint32_t *terms;
    int64_t *offsets;
    size_t distinct, distinct_room, placed;
    void *chunks;
    uint8_t *weights;
} Grouping;

static inline uint32_t count_at(const Source *source, uint32_t group) {
    return source->wide_counts ? ((const uint32_t *)source->counts)[group] : ((const uint16_t *)source->counts)[group];
}

/* Decide how many slices there are: one where the terms of a source do not ascend. -1 where counts do not add up. */
static int look_through(Grouping *grouping) {
    int ascending = 1;
    for (size_t i = 0; i < grouping->count; i++) {
        const Source *source = grouping->sources + i;
        uint64_t total = 0;
        for (uint32_t group = 0; group < source->groups; group++) {
            total += count_at(source, group);
            ascending &= group == 0 || source->terms[group - 1] < source->terms[group];
        }
        if (total != source->postings)
            return -1;
    }
    while (ascending && grouping->slice_bits < MOST_SLICE_BITS && grouping->groups >> grouping->slice_bits > SLICE_GROUPS)
        grouping->slice_bits++;
    return 0;
}

/* Make room in the slice for as many groups again; -1 where there is no memory. */
static int more_groups(Grouping *grouping) {
    size_t room = grouping->room ? 2 * grouping->room : 1024;
    Group *slice = realloc(grouping->slice, room * sizeof *slice);
    if (slice != NULL)
        grouping->slice = slice;
    uint64_t *order = realloc(grouping->order, room * sizeof *order);
    if (order != NULL)
        grouping->order = order;
    uint64_t *spare = realloc(grouping->spare, room * sizeof *spare);
    if (spare != NULL)
        grouping->spare = spare;
    if (slice == NULL || order == NULL || spare == NULL)
        return -1;
    grouping->room = room;
    return 0;
}

/* Take the groups of a slice, whose terms are at most `last`, in order of source; -1 where there is no memory. */
static int take_slice(Grouping *grouping, uint32_t last) {
    grouping->used = 0;
    for (size_t i = 0; i < grouping->count; i++) {
        Source *source = grouping->sources + i;
        while (source->group < source->groups && source->terms[source->group] <= last) {
            if (grouping->used == grouping->room && more_groups(grouping) < 0)
                return -1;
            uint32_t count = count_at(source, source->group);
            grouping->slice[grouping->used] = (Group){(uint32_t)i, source->posting, count};
            grouping->order[grouping->used] = (uint64_t)source->terms[source->group] << 32 | grouping->used;
            grouping->used++;
            source->group++;
            source->posting += count;
        }
    }
    return 0;
}

/* Bring `order` into the order of terms, groups of one term in theirs. */
static void sort_slice(Grouping *grouping) {
    static const int shifts[] = {32, 32 + DIGIT_BITS, 32 + 2 * DIGIT_BITS};
    for (int pass = 0; pass < 3; pass++) {
        size_t places[DIGITS] = {0}, before = 0;
        for (size_t i = 0; i < grouping->used; i++)
            places[grouping->order[i] >> shifts[pass] & (DIGITS - 1)]++;
        for (int digit = 0; digit < DIGITS; digit++) {
            size_t here = places[digit];
            places[digit] = before;
            before += here;
        }
        for (size_t i = 0; i < grouping->used; i++)
            grouping->spare[places[grouping->order[i] >> shifts[pass] & (DIGITS - 1)]++] = grouping->order[i];
        uint64_t *other = grouping->order;
        grouping->order = grouping->spare;
        grouping->spare = other;
    }
}

/* Note that the postings of another term begin; -1 where there is no memory. There is room for one offset more. */
static int begin_term(Grouping *grouping, uint32_t term) {
    if (grouping->distinct == grouping->distinct_room) {
        size_t room = grouping->distinct_room ? 2 * grouping->distinct_room : 1024;
        uint32_t *terms = realloc(grouping->terms, room * sizeof *terms);
        if (terms != NULL)
            grouping->terms = terms;
        int64_t *offsets = realloc(grouping->offsets, (room + 1) * sizeof *offsets);
        if (offsets != NULL)
            grouping->offsets = offsets;
        if (terms == NULL || offsets == NULL)
            return -1;
        grouping->distinct_room = room;
    }
    grouping->terms[grouping->distinct] = term;
    grouping->offsets[grouping->distinct++] = (int64_t)grouping->placed;
    return 0;
}

static inline void put_postings(Grouping *grouping, const Group *group) {
    const Source *source = grouping->sources + group->source;
    size_t place = grouping->placed;
    for (size_t j = group->first; j < (size_t)group->first + group->count; j++, place++) {
        uint32_t chunk = source->wide_chunks ? ((const uint32_t *)source->chunks)[j] : ((const uint16_t *)source->chunks)[j];
        if (grouping->narrow)
            ((uint16_t *)grouping->chunks)[place] = (uint16_t)(chunk + source->base);
        else
            ((uint32_t *)grouping->chunks)[place] = chunk + source->base;
        grouping->weights[place] = source->weights[j];
    }
    grouping->placed = place;
}

static int deal_out(Grouping *grouping) {
    for (size_t i = 0; i < grouping->used; i++) {
        if (i + AHEAD < grouping->used) {
            const Group *ahead = grouping->slice + (uint32_t)grouping->order[i + AHEAD];
            const Source *source = grouping->sources + ahead->source;
            SOON((const char *)source->chunks + ((size_t)ahead->first << (1 + source->wide_chunks)));
            SOON(source->weights + ahead->first);
        }
        if (i + 2 * AHEAD < grouping->used)
            SOON(grouping->slice + (uint32_t)grouping->order[i + 2 * AHEAD]);
        uint32_t term = (uint32_t)(grouping->order[i] >> 32);
        if ((i == 0 || term != grouping->order[i - 1] >> 32) && begin_term(grouping, term) < 0)
            return -1;
        put_postings(grouping, grouping->slice + (uint32_t)grouping->order[i]);
    }
    return 0;
}

/* Go through all slices; -1 where there is no memory. */
static int regroup(Grouping *grouping) {
    uint64_t step = (uint64_t)1 << (32 - grouping->slice_bits);
    for (uint64_t end = step; end <= (uint64_t)1 << 32; end += step) {
        if (take_slice(grouping, (uint32_t)(end - 1)) < 0)
            return -1;
        sort_slice(grouping);
        if (deal_out(grouping) < 0)
            return -1;
    }
    return 0;
}

/* Take in the fields of a source; -1 with an error where they do not fit each other. */
static int take_source(Grouping *grouping, PyObject *item) {
    PyObject *fields[FIELDS];
    unsigned long base;
    if (!PyTuple_Check(item))
        return PyErr_SetString(PyExc_TypeError, "a source is a tuple"), -1;
    if (!PyArg_ParseTuple(item, "OOOOk", &fields[TERMS], &fields[COUNTS], &fields[CHUNKS], &fields[WEIGHTS], &base))
        return -1;
    Py_buffer *views = grouping->views + grouping->viewed;
    for (int i = 0; i < FIELDS; i++, grouping->viewed++)
        if (PyObject_GetBuffer(fields[i], views + i, PyBUF_SIMPLE) < 0)
            return -1;
    size_t groups = (size_t)views[TERMS].len / sizeof(uint32_t), postings = (size_t)views[WEIGHTS].len;
    int wide_counts = (size_t)views[COUNTS].len == groups * 4, wide_chunks = (size_t)views[CHUNKS].len == postings * 4;
    if ((size_t)views[TERMS].len % sizeof(uint32_t) || (!wide_counts && (size_t)views[COUNTS].len != groups * 2)
        || (!wide_chunks && (size_t)views[CHUNKS].len != postings * 2) || groups >= UINT32_MAX || postings >= UINT32_MAX
        || base > UINT32_MAX)
        return PyErr_SetString(PyExc_ValueError, "the arrays of the postings do not fit each other"), -1;
    grouping->sources[grouping->count++] = (Source){
        views[TERMS].buf, views[COUNTS].buf, views[CHUNKS].buf, views[WEIGHTS].buf, (uint32_t)base,
        (uint32_t)groups, (uint32_t)postings, 0, 0, (uint8_t)wide_counts, (uint8_t)wide_chunks,
    };
    grouping->groups += groups;
    grouping->postings += postings;
    return 0;
}

/* Regroup what was taken in, as (terms, offsets, chunks, weights). */
static PyObject *laid_out(Grouping *grouping) {
    size_t width = grouping->narrow ? sizeof(uint16_t) : sizeof(uint32_t);
    PyObject *chunks = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)(grouping->postings * width));
    PyObject *weights = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)grouping->postings);
    PyObject *result = NULL;
    if (chunks != NULL && weights != NULL) {
        grouping->chunks = PyBytes_AsString(chunks);
        grouping->weights = (uint8_t *)PyBytes_AsString(weights);
        int unsound, failed = 0;
        Py_BEGIN_ALLOW_THREADS
        unsound = look_through(grouping);
        if (!unsound)
            failed = regroup(grouping);
        Py_END_ALLOW_THREADS
        int64_t end = (int64_t)grouping->placed;
        if (unsound)
            PyErr_SetString(PyExc_ValueError, "the counts do not add up to the postings");
        else if (failed)
            PyErr_NoMemory();
        else if (grouping->distinct == 0)
            result = Py_BuildValue("y#y#OO", "", (Py_ssize_t)0, &end, (Py_ssize_t)sizeof end, chunks, weights);
        else {
            grouping->offsets[grouping->distinct] = end;
            result = Py_BuildValue(
                "y#y#OO", grouping->terms, (Py_ssize_t)(grouping->distinct * sizeof(uint32_t)), grouping->offsets,
                (Py_ssize_t)((grouping->distinct + 1) * sizeof(int64_t)), chunks, weights
            );
        }
    }
    Py_XDECREF(chunks);
    Py_XDECREF(weights);
    return result;
}

PyDoc_STRVAR(
    regrouped_doc,
    "regrouped(sources: list[tuple[terms: uint32[n], counts: uint16[n] or uint32[n], chunks: uint16[m] or uint32[m],\n"
    "                              weights: uint8[m], base: int]], narrow: bool)\n"
    "    -> terms: uint32[t], offsets: int64[t + 1], chunks: uint16[p] if narrow else uint32[p], weights: uint8[p]"
);

static PyObject *regrouped(PyObject *module, PyObject *arguments) {
    Grouping grouping = {.narrow = 0};
    PyObject *sources, *result = NULL;
    if (!PyArg_ParseTuple(arguments, "O!p", &PyList_Type, &sources, &grouping.narrow))
        return NULL;
    size_t count = (size_t)PyList_Size(sources);
    /* One more than needed: no room at all may be no memory. */
    grouping.views = malloc((count + 1) * FIELDS * sizeof *grouping.views);
    grouping.sources = malloc((count + 1) * sizeof *grouping.sources);
    if (grouping.views == NULL || grouping.sources == NULL) {
        PyErr_NoMemory();
    } else {
        int failed = 0;
        for (size_t i = 0; i < count && !failed; i++)
            failed = take_source(&grouping, PyList_GetItem(sources, (Py_ssize_t)i)) < 0;
        if (!failed)
            result = laid_out(&grouping);
    }
    for (size_t i = 0; i < grouping.viewed; i++)
        PyBuffer_Release(grouping.views + i);
    free(grouping.views);
    free(grouping.sources);
    free(grouping.slice);
    free(grouping.order);
    free(grouping.spare);
    free(grouping.terms);
    free(grouping.offsets);
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

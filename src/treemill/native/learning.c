/* The stems that Python found, taken over; and the module itself. */
#include "passing.h"

/* uint32: the stems of new parts; the ids of new stems; of each token that Python splits how many stems it has, those
 * one behind the other, and the ids of their compounds. */
enum { OF_PARTS, IDS, COUNTS, OTHER_STEMS, COMPOUNDS, KINDS };

typedef struct {
    const uint32_t *at[KINDS];
    size_t count[KINDS];
} Stems;

int numbers_in(PyObject *bytes, const uint32_t **numbers, size_t *count) {
    char *at;
    Py_ssize_t size;
    if (PyBytes_AsStringAndSize(bytes, &at, &size) < 0)
        return -1;
    if (size % (Py_ssize_t)sizeof(uint32_t) || (uintptr_t)at % sizeof(uint32_t))
        return PyErr_SetString(PyExc_ValueError, "bytes that are no numbers of 32 bits"), -1;
    *numbers = (const uint32_t *)at;
    *count = (size_t)size / sizeof(uint32_t);
    return 0;
}

static int all_below(const uint32_t *numbers, size_t count, size_t limit) {
    for (size_t i = 0; i < count; i++)
        if (numbers[i] >= limit)
            return 0;
    return 1;
}

static int add_all(Room *place, const uint32_t *numbers, size_t count) {
    char *room = room_for(place, count * sizeof(uint32_t));
    if (room == NULL)
        return -1;
    if (count)
        memcpy(room, numbers, count * sizeof(uint32_t));
    place->used += count * sizeof(uint32_t);
    return 0;
}

/* Whether the stems are those of all that was asked for. */
static int complete(const Words *words, const Stems *given) {
    size_t known = COUNT(uint32_t, words->stem_ids) + given->count[IDS], total = 0;
    for (size_t i = 0; i < given->count[COUNTS]; i++)
        total += given->at[COUNTS][i];
    return COUNT(uint32_t, words->stem_of_part) + given->count[OF_PARTS] == words->part_numbers.used
        && given->count[COUNTS] == COUNT(uint32_t, words->others) && given->count[COMPOUNDS] == given->count[COUNTS]
        && total == given->count[OTHER_STEMS] && all_below(given->at[OF_PARTS], given->count[OF_PARTS], known)
        && all_below(given->at[OTHER_STEMS], given->count[OTHER_STEMS], known);
}

static int take_over(Words *words, const Stems *given) {
    if (add_all(&words->stem_of_part, given->at[OF_PARTS], given->count[OF_PARTS]) < 0
        || add_all(&words->stem_ids, given->at[IDS], given->count[IDS]) < 0)
        return -1;
    size_t first = COUNT(uint32_t, words->stems);
    for (size_t i = words->learned; i < first; i++)
        AS(uint32_t, words->stems)[i] = AS(uint32_t, words->stem_of_part)[AS(uint32_t, words->stems)[i]];
    if (add_all(&words->stems, given->at[OTHER_STEMS], given->count[OTHER_STEMS]) < 0)
        return -1;
    for (size_t i = 0; i < given->count[COUNTS]; i++) {
        uint32_t id = given->at[COMPOUNDS][i], count = given->at[COUNTS][i];
        int64_t compound = count > 1 ? compound_of(words, id) : (int64_t)NO_COMPOUND;
        if (compound < 0)
            return -1;
        AS(Token, words->tokens)[AS(uint32_t, words->others)[i]] = (Token){(uint32_t)first, count, id, (uint32_t)compound};
        first += count;
    }
    if (first > UINT32_MAX)
        return -1;
    words->learned = (uint32_t)first;
    return 0;
}

static PyObject *words_learn(PyObject *self, PyObject *arguments) {
    Words *words = (Words *)self;
    PyObject *bytes[KINDS];
    Stems given;
    if (!PyArg_ParseTuple(arguments, "OOOOO", &bytes[0], &bytes[1], &bytes[2], &bytes[3], &bytes[4]))
        return NULL;
    for (int i = 0; i < KINDS; i++)
        if (numbers_in(bytes[i], &given.at[i], &given.count[i]) < 0)
            return NULL;
    if (words->busy || words->state != READ)
        return PyErr_SetString(PyExc_RuntimeError, "there is no batch to learn from"), NULL;
    if (!complete(words, &given))
        return PyErr_SetString(PyExc_ValueError, "the stems are not those of what is new"), NULL;
    if (take_over(words, &given) < 0)
        return PyErr_NoMemory();
    words->state = LEARNED;
    Py_INCREF(Py_None);
    return Py_None;
}

static PyObject *words_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords) {
    Py_ssize_t longest;
    if (keywords != NULL && PyDict_Size(keywords) > 0)
        return PyErr_SetString(PyExc_TypeError, "Words takes no keywords"), NULL;
    if (!PyArg_ParseTuple(arguments, "n", &longest))
        return NULL;
    if (longest < 1 || longest > LONGEST)
        return PyErr_Format(PyExc_ValueError, "tokens of at most 1 to %d bytes, not %zd", LONGEST, longest), NULL;
    allocfunc make = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    Words *words = (Words *)make(type, 0);
    if (words != NULL)
        words->longest = (size_t)longest;
    return (PyObject *)words;
}

static void words_dealloc(PyObject *self) {
    Words *words = (Words *)self;
    Room *places[] = {
        &words->tokens, &words->stems, &words->stem_of_part, &words->stem_ids,     &words->compound_ids, &words->seen,
        &words->others, &words->batch, &words->token_ends,   &words->first_chunks, &words->names,
    };
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        give_back(places[i]);
    free(words->token_numbers.slots);
    free(words->part_numbers.slots);
    free(words->compound_numbers.slots);
    PyTypeObject *type = Py_TYPE(self);
    freefunc drop = (freefunc)PyType_GetSlot(type, Py_tp_free);
    drop(self);
    Py_DECREF(type);
}

static Py_ssize_t words_length(PyObject *self) { return (Py_ssize_t)((Words *)self)->token_numbers.used; }

PyDoc_STRVAR(
    read_doc,
    "read(texts: tuple[bytes], ends: tuple[Sequence[int]], names: tuple[Iterable[tuple[int, str]]])\n"
    "    -> (new parts, new tokens that are not ASCII, [(chunk of the batch, name)] that are no tokens in ASCII,\n"
    "        the distinct tokens of each text, each before a line feed, or None)"
);
PyDoc_STRVAR(learn_doc, "learn(stems of parts, ids of new stems, counts, stems and compound ids of other tokens)");
PyDoc_STRVAR(
    count_doc,
    "count(chunks, counts, stems, compound ids of odd names)\n    -> terms, counts, chunks, weights, lengths, edges of "
    "terms and of postings by file; firsts, stems, times, named by chunk"
);

static PyMethodDef methods[] = {
    {"read", words_read, METH_VARARGS, read_doc},
    {"learn", words_learn, METH_VARARGS, learn_doc},
    {"count", words_count, METH_VARARGS, count_doc},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "Words(longest: int): the words that a worker has met; `len` is how many tokens."},
    {Py_tp_new, words_new},
    {Py_tp_dealloc, words_dealloc},
    {Py_tp_methods, methods},
    {Py_sq_length, words_length},
    {0, NULL},
};

static PyType_Spec spec = {
    .name = "treemill.native._passing.Words",
    .basicsize = sizeof(Words),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = slots,
};

static int fill(PyObject *module) {
    PyObject *type = PyType_FromModuleAndSpec(module, &spec, NULL);
    int failed = type == NULL ? -1 : PyModule_AddObjectRef(module, "Words", type);
    Py_XDECREF(type);
    return failed;
}

static PyModuleDef_Slot module_slots[] = {{Py_mod_exec, fill}, {0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "treemill.native._passing",
    .m_size = 0,
    .m_slots = module_slots,
};

PyMODINIT_FUNC PyInit__passing(void) { return PyModuleDef_Init(&definition); }

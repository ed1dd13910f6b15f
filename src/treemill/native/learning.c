/* The stems that Python found, taken over; and the module itself. */
#include "passing.h"

/* uint32: the stems of new parts; of each token that Python splits how many stems it has, those one behind the other,
 * and the ids of their compounds. */
enum { OF_PARTS, COUNTS, OTHER_STEMS, COMPOUNDS, KINDS };

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
    size_t known = COUNT(uint32_t, words->stem_ids), total = 0;
    for (size_t i = 0; i < given->count[COUNTS]; i++)
        total += given->at[COUNTS][i];
    return COUNT(uint32_t, words->stem_of_part) + given->count[OF_PARTS] == words->part_numbers.used
        && given->count[COUNTS] == COUNT(uint32_t, words->others) && given->count[COMPOUNDS] == given->count[COUNTS]
        && total == given->count[OTHER_STEMS] && all_below(given->at[OF_PARTS], given->count[OF_PARTS], known)
        && all_below(given->at[OTHER_STEMS], given->count[OTHER_STEMS], known);
}

static int take_over(Words *words, const Stems *given) {
    if (add_all(&words->stem_of_part, given->at[OF_PARTS], given->count[OF_PARTS]) < 0)
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
    if (!PyArg_ParseTuple(arguments, "OOOO", &bytes[0], &bytes[1], &bytes[2], &bytes[3]))
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

/* The number of a stem; a new one gets the next, and is put into a list. -1 with an error where that fails. */
static int64_t number_of_stem(Words *words, PyObject *stem, PyObject *into) {
    char *at;
    Py_ssize_t size;
    int is_new;
    if (PyBytes_AsStringAndSize(stem, &at, &size) < 0)
        return -1;
    const unsigned char *text = (const unsigned char *)at;
    uint64_t hash = size ? hash_of(text, (size_t)size, (size_t)size) : 1;
    Slot *slot = slot_for(&words->stem_numbers, hash, &is_new);
    if (slot == NULL)
        return PyErr_NoMemory(), -1;
    if (!is_new)
        return slot->number;
    if (add_number(&words->stem_ids, crc_of(text, (size_t)size)) < 0)
        return PyErr_NoMemory(), -1;
    return PyList_Append(into, stem) < 0 ? -1 : (int64_t)slot->number;
}

static PyObject *words_number(PyObject *self, PyObject *arguments) {
    Words *words = (Words *)self;
    PyObject *stems, *into;
    if (!PyArg_ParseTuple(arguments, "O!O!", &PyList_Type, &stems, &PyList_Type, &into))
        return NULL;
    if (words->busy || (size_t)PyList_Size(into) != COUNT(uint32_t, words->stem_ids))
        return PyErr_SetString(PyExc_RuntimeError, "the list does not hold the stems that are known"), NULL;
    Py_ssize_t count = PyList_Size(stems);
    PyObject *result = PyBytes_FromStringAndSize(NULL, count * (Py_ssize_t)sizeof(uint32_t));
    for (Py_ssize_t i = 0; result != NULL && i < count; i++) {
        int64_t number = number_of_stem(words, PyList_GetItem(stems, i), into);
        if (number < 0)
            Py_CLEAR(result);
        else
            ((uint32_t *)PyBytes_AsString(result))[i] = (uint32_t)number;
    }
    return result;
}

static PyObject *words_ids(PyObject *self, PyObject *arguments) {
    Words *words = (Words *)self;
    Py_ssize_t first;
    if (!PyArg_ParseTuple(arguments, "n", &first))
        return NULL;
    if (first < 0 || (size_t)first > COUNT(uint32_t, words->stem_ids))
        return PyErr_SetString(PyExc_ValueError, "there are not so many stems"), NULL;
    size_t from = (size_t)first * sizeof(uint32_t);
    return PyBytes_FromStringAndSize(words->stem_ids.at + from, (Py_ssize_t)(words->stem_ids.used - from));
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
    free(words->stem_numbers.slots);
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
PyDoc_STRVAR(learn_doc, "learn(stems of parts, counts, stems and compound ids of other tokens)");
PyDoc_STRVAR(
    number_doc, "number(stems: list[bytes], into: list[bytes]) -> uint32[n] as bytes\n\n"
                "Return the number of each stem; new ones get the next, and are put behind those known in a list."
);
PyDoc_STRVAR(ids_doc, "ids(first: int) -> uint32 as bytes\n\nReturn the ids of the stems from one on.");
PyDoc_STRVAR(
    count_doc,
    "count(chunks, counts, stems, compound ids of odd names)\n    -> for each file (terms, counts, chunks, weights, "
    "lengths); firsts, stems, times, named by chunk"
);

static PyMethodDef methods[] = {
    {"read", words_read, METH_VARARGS, read_doc},
    {"number", words_number, METH_VARARGS, number_doc},
    {"ids", words_ids, METH_VARARGS, ids_doc},
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

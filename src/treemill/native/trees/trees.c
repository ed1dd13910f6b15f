/* The compiled half of semantic chunking: one call from a text to the ends of its chunks and what they define.
 *
 * Python's lock is let go of while the text is parsed and cut, nineteen parts in twenty of the time: threads gain. It is
 * held while definitions are collected, because names may be asked for in Python.
 */
#include "trees.h"

static PyObject *tuple_of(const Offsets *offsets) {
    PyObject *tuple = PyTuple_New(offsets->count);
    for (uint32_t i = 0; i < offsets->count && tuple != NULL; i++) {
        PyObject *offset = PyLong_FromLongLong(offsets->items[i]);
        if (offset == NULL)
            Py_CLEAR(tuple);
        else
            PyTuple_SetItem(tuple, i, offset);
    }
    return tuple;
}

static PyObject *stopped(const Run *run, Outcome outcome) {
    switch (outcome) {
    case TOO_SLOW:
        return Py_BuildValue("(sd)", "time", run->spent);
    case TOO_LARGE:
        return Py_BuildValue("(sd)", "memory", 0.0);
    case LIST_TOO_LARGE:
        return Py_BuildValue("(sd)", "memory", run->needed);
    case TOO_DEEP:
        return Py_BuildValue("(sd)", "depth", 0.0);
    case INTERRUPTED:
        return NULL;
    default:
        return Py_BuildValue("(sd)", "tree", 0.0);
    }
}

static PyObject *symbols_in(Run *run, PyObject *source) {
    if (!run->grammar->defines)
        return PyTuple_New(0);
    Definitions found = {0};
    if (!find_definitions(run, source, &found))
        return NULL;
    return describe(run, &found);
}

/* Parse, walk and, unless `reach` has to be asked, take chunks without the lock. */
static Outcome cut_apart(Run *run, int64_t limit, int64_t max_depth, PyObject *reach, Offsets *ends) {
    run->apart = PyEval_SaveThread();
    Beginnings found = {0};
    Outcome outcome = parse_text(run);
    if (outcome == FINE)
        outcome = find_beginnings(run, limit, max_depth, &found);
    if (outcome == FINE && reach == Py_None)
        take_chunks(run->text, &found, limit, ends);
    PyEval_RestoreThread(run->apart);
    run->apart = NULL;
    if (outcome == FINE && reach != Py_None && !take_chunks_within(run->text, &found, reach, ends))
        return INTERRUPTED;
    return outcome;
}

static PyObject *cut_in(Run *run, PyObject *source, int64_t limit, int64_t max_depth, PyObject *reach) {
    Offsets offsets = {0};
    Outcome outcome = cut_apart(run, limit, max_depth, reach, &offsets);
    if (outcome != FINE)
        return stopped(run, outcome);
    PyObject *ends = tuple_of(&offsets);
    PyObject *symbols = ends == NULL ? NULL : symbols_in(run, source);
    PyObject *result = symbols == NULL ? NULL : PyTuple_Pack(2, ends, symbols);
    Py_XDECREF(ends);
    Py_XDECREF(symbols);
    return result;
}

PyDoc_STRVAR(cut_doc,
             "cut(grammar, text: bytes, limit: int, max_depth: int, timeout: float, most_bytes: float, "
             "list_bytes: float, estimate: float, reach: Callable[[int], int] | None) "
             "-> tuple[tuple[int, ...], tuple[Symbol, ...]] | tuple[str, float]\n\n"
             "Return the ends of chunks of at most `limit` bytes, or as far as `reach` says of where each begins, and "
             "what the text defines; or what kept it from that: time and the seconds spent, memory and the bytes needed or 0, depth, tree.");

static PyObject *cut(PyObject *module, PyObject *arguments) {
    (void)module;
    PyObject *capsule, *source, *reach;
    Py_ssize_t limit, max_depth;
    double timeout, most_bytes, list_bytes, estimate;
    if (!PyArg_ParseTuple(arguments, "OSnnddddO", &capsule, &source, &limit, &max_depth, &timeout, &most_bytes,
                          &list_bytes, &estimate, &reach))
        return NULL;
    const Grammar *grammar = grammar_in(capsule);
    if (grammar == NULL)
        return NULL;
    Text text = {(const unsigned char *)PyBytes_AsString(source), PyBytes_Size(source)};
    if (limit < 4 || text.size > INT32_MAX)
        return PyErr_Format(PyExc_ValueError, "chunks have 4 bytes at least, and a text 2 GB at most");
    jmp_buf escape;
    Arena *arena = arena_open(&escape);
    if (arena == NULL)
        return PyErr_NoMemory();
    Run *volatile run = NULL;
    PyObject *result;
    if (setjmp(escape) == 0) {
        run = take_memory(sizeof *run);
        *run = (Run){.arena = arena, .grammar = grammar, .text = text, .timeout = timeout, .most_bytes = most_bytes,
                     .list_bytes = list_bytes, .estimate = estimate};
        result = cut_in(run, source, limit, max_depth, reach);
    } else {
        if (run != NULL && run->apart != NULL)
            PyEval_RestoreThread(run->apart);
        result = PyErr_NoMemory();
    }
    arena_close(arena);
    return result;
}

PyDoc_STRVAR(kinds_doc, "kinds(language) -> list[tuple[str, bool]] | None\n\n"
                        "Return the name of each kind of node and whether it is a named one, in order of its number; "
                        "None where this runtime does not know the grammar's format.");

PyDoc_STRVAR(compile_doc, "compile(language, kinds: bytes, definitions: tuple | None) -> Grammar\n\n"
                          "Return a language's tables, from a byte of flags for each kind of node and a vocabulary.");

static PyMethodDef methods[] = {
    {"kinds", kinds_of, METH_O, kinds_doc},
    {"compile", compile_grammar, METH_VARARGS, compile_doc},
    {"cut", cut, METH_VARARGS, cut_doc},
    {NULL, NULL, 0, NULL},
};

static int prepare(PyObject *module) {
    (void)module;
    static const char *const names[] = {
#define KIND(kind, scope) #kind,
        KINDS(KIND)
#undef KIND
    };
    for (int kind = 0; kind < kind_count; kind++)
        if (kind_names[kind] == NULL && (kind_names[kind] = PyUnicode_InternFromString(names[kind])) == NULL)
            return -1;
    arenas_install();
    return 0;
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, prepare}, {0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "treemill.native._trees",
    .m_size = 0,
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__trees(void) { return PyModuleDef_Init(&definition); }

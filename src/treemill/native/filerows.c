/* Rows of the table of files: their sums, and what differs in those of many files of which the same is said.
 *
 * See `treemill.storage.statements` and `treemill.storage.sums`, which say what is right.
 */
#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030B0000
#include <Python.h>
#include <stdlib.h>
#include <string.h>
#include "sums.h"

enum { COLUMNS = 9 };

/* Writes a row as `repr` does and gives its sum; 0 where the row is not so simple. */
static int sum_of(Text *text, PyObject *row, unsigned long long *sum) {
    char *path;
    Py_ssize_t length;
    long long content = 0, other;
    text->used = 0;
    if (!PyTuple_CheckExact(row) || PyTuple_Size(row) < COLUMNS || !PyBytes_CheckExact(PyTuple_GetItem(row, 0)) ||
        PyBytes_AsStringAndSize(PyTuple_GetItem(row, 0), &path, &length) != 0 || !has_room(text, 1))
        return 0;
    put(text, "(", 1);
    if (!write_bytes(text, path, (size_t)length))
        return 0;
    for (int i = 1; i < COLUMNS; i++) {
        PyObject *value = PyTuple_GetItem(row, i);
        if (!has_room(text, 8))
            return 0;
        put(text, ", ", 2);
        if (i == 1 && value == Py_None)
            put(text, "None", 4);
        else if (i < 7 ? !write_number(text, value, i == 1 ? &content : &other) : !write_plain(text, value))
            return 0;
    }
    if (!has_room(text, 1))
        return 0;
    put(text, ")", 1);
    *sum = (unsigned long long)(crc_of(text->at, text->used, 0) >> 1) << 32 |
           crc_of(path, (size_t)length, (uint32_t)(unsigned long long)content);
    return 1;
}

const char file_sums_doc[] = "file_sums(rows: Sequence[tuple]) -> list[int | None]\n\n"
                             "Return the sums of rows of the table of files, of their first nine columns.\n\n"
                             "None of a row in which something else stands than bytes, numbers of 64 bits and plain"
                             " text.";

static PyObject *file_sum(PyObject *row, Text *text) {
    unsigned long long sum;
    return sum_of(text, row, &sum) ? PyLong_FromUnsignedLongLong(sum) : Py_NewRef(Py_None);
}

PyObject *file_sums(PyObject *module, PyObject *rows) { return summed(rows, file_sum); }

/* The attributes of a file that its row is made of, and where they stand among the values. */
enum { PATH, CONTENT, SIZE, STAMP, CHANGED, SUM, VALUES };
static const char *const attributes[] = {"path", "key", "size", "stamp", "changed_ns"};

/* Writes the text of a row up to its path, and puts the bytes of the path into a new object; NULL with an exception. */
static PyObject *path_of(Text *text, PyObject *path, PyObject **raw) {
    *raw = PyUnicode_EncodeFSDefault(path);
    char *data;
    Py_ssize_t size;
    text->used = 0;
    if (*raw == NULL || PyBytes_AsStringAndSize(*raw, &data, &size) != 0)
        return NULL;
    if (!has_room(text, 1))
        return PyErr_NoMemory();
    put(text, "(", 1);
    return write_bytes(text, data, (size_t)size) ? PyByteArray_FromStringAndSize(data, size) : PyErr_NoMemory();
}

/* Makes what is a file's own in its row, whose text ends like that of others; 0 with an exception set, or without where
 * something is not so simple. */
static int values_of(PyObject *file, PyObject **names, PyObject *contents, const char *end, Py_ssize_t size, Text *text,
                     PyObject **values) {
    PyObject *raw = NULL;
    long long content = 0, other;
    int done = 1;
    for (int i = PATH; done && i < SUM; i++) {
        PyObject *value = PyObject_GetAttr(file, names[i]);
        if (i == PATH && value != NULL)
            values[i] = path_of(text, value, &raw);
        else if (i == CONTENT && value != NULL) {
            if ((values[i] = PyDict_GetItemWithError(contents, value)) == NULL && !PyErr_Occurred())
                PyErr_SetObject(PyExc_KeyError, value);
            Py_XINCREF(values[i]);
        } else
            values[i] = Py_XNewRef(value);
        Py_XDECREF(value);
        done = values[i] != NULL && has_room(text, 8);
        if (done && i != PATH) {
            put(text, ", ", 2);
            if (i == CONTENT && values[i] == Py_None)
                put(text, "None", 4);
            else
                done = write_number(text, values[i], i == CONTENT ? &content : &other);
        }
    }
    if ((done = done && has_room(text, (size_t)size + 2))) {
        put(text, ", ", 2);
        put(text, end, (size_t)size);
        char *path = PyBytes_AsString(raw);
        unsigned long long whole = crc_of(text->at, text->used, 0) >> 1;
        uint32_t entry = crc_of(path, (size_t)PyBytes_Size(raw), (uint32_t)(unsigned long long)content);
        done = (values[SUM] = PyLong_FromUnsignedLongLong(whole << 32 | entry)) != NULL;
    }
    Py_XDECREF(raw);
    return done;
}

const char own_values_doc[] =
    "own_values(files: Sequence[PreparedFile | RecordedFile], contents: dict[bytes, int | None], end: bytes)"
    " -> list | None\n\n"
    "Return path, content, size, times of modification and change, and sum of the row for each file.\n\n"
    "The text of each row ends as that of the others. None where a number is none of 64 bits.";

PyObject *own_values(PyObject *module, PyObject *arguments) {
    PyObject *given, *contents;
    const char *end;
    Py_ssize_t size;
    if (!PyArg_ParseTuple(arguments, "OO!y#", &given, &PyDict_Type, &contents, &end, &size))
        return NULL;
    PyObject *names[SUM], *files = PySequence_Tuple(given);
    int named = files != NULL;
    for (int i = PATH; i < SUM; i++)
        named = (names[i] = named ? PyUnicode_InternFromString(attributes[i]) : NULL) != NULL && named;
    Py_ssize_t count = named ? PyTuple_Size(files) : 0;
    PyObject *result = named ? PyList_New(count * VALUES) : NULL;
    Text text = {NULL, 0, 0};
    for (Py_ssize_t i = 0; result != NULL && i < count; i++) {
        PyObject *values[VALUES] = {NULL};
        int done = values_of(PyTuple_GetItem(files, i), names, contents, end, size, &text, values);
        for (int j = 0; j < VALUES; j++)
            if (!done)
                Py_XDECREF(values[j]);
            else if (PyList_SetItem(result, i * VALUES + j, values[j]) != 0)
                done = 0;
        if (!done)
            Py_CLEAR(result);
    }
    free(text.at);
    for (int i = PATH; i < SUM; i++)
        Py_XDECREF(names[i]);
    Py_XDECREF(files);
    return result != NULL || PyErr_Occurred() ? result : Py_NewRef(Py_None);
}

/* Columns of the table of files, each in one text → records: the compiled half of `treemill.storage.recorded`.
 *
 * A number comes as the digits that SQLite writes of it, which are those that `repr` does: so the text that a row's sum
 * is over is put together from what stands there. Anything that is not just as it was written is left to the half in
 * Python, which says what it is.
 */
#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030B0000
#include <Python.h>
#include <stdlib.h>
#include <string.h>
#include "sums.h"

/* The columns of numbers, in the order of the row; an indexed file has a content, and no other one. */
enum { CONTENT, SIZE, STAMP, CHANGED, SEEN, STATUS, OWN_SUM, NUMBER_COLUMNS };
enum { RECORD = 9, STATUSES = 3, DIGITS = 19 }; /* the last: no more digits are sure to fit 64 bits */

/* What is left of a column, or what stands in one place of it. Behind the last place of a column is a NUL, which belongs
 * to it as the commas do. */
typedef struct {
    const char *at, *end;
} Column;

/* What is read of one file. */
typedef struct {
    const char *path;
    Py_ssize_t size;
    Column numbers[NUMBER_COLUMNS];
    unsigned long long values[NUMBER_COLUMNS];
    int negative[NUMBER_COLUMNS];
} Row;

/* Takes the next number off a column; 0 where none stands there as it is written. */
static int take_number(Column *column, Column *number, unsigned long long *value, int *negative, int may_lack) {
    if (column->at == column->end)
        return 0;
    const char *at = column->at, *comma = memchr(at, ',', (size_t)(column->end - at));
    number->at = at;
    number->end = comma == NULL ? column->end - 1 : comma;
    column->at = number->end + 1;
    *value = 0;
    *negative = at < number->end && *at == '-';
    at += *negative;
    if (at == number->end)
        return may_lack && !*negative;
    if (number->end - at > DIGITS || (*at == '0' && (number->end - at > 1 || *negative)))
        return 0;
    for (; at < number->end; at++) {
        if (*at < '0' || *at > '9')
            return 0;
        *value = 10 * *value + (unsigned long long)(*at - '0');
    }
    return *value <= 0x7FFFFFFFFFFFFFFFULL;
}

static void put_number(Text *text, const Column *number) {
    put(text, ", ", 2);
    if (number->at == number->end)
        put(text, "None", 4);
    else
        put(text, number->at, (size_t)(number->end - number->at));
}

/* Whether a row has the sum that it was written with. */
static int is_whole(Text *text, const Row *row, PyObject *reason, PyObject *detail) {
    text->used = 0;
    if (!has_room(text, 1))
        return 0;
    put(text, "(", 1);
    if (!write_bytes(text, row->path, (size_t)row->size) || !has_room(text, STATUS * (NUMBERS + 2) + NUMBERS + 16))
        return 0;
    for (int i = 0; i < OWN_SUM; i++)
        put_number(text, &row->numbers[i]);
    if (reason == NULL)
        put(text, ", '', '')", 9);
    else {
        put(text, ", ", 2);
        if (!write_plain(text, reason) || !has_room(text, 2))
            return 0;
        put(text, ", ", 2);
        if (!write_plain(text, detail) || !has_room(text, 1))
            return 0;
        put(text, ")", 1);
    }
    unsigned long long whole = crc_of(text->at, text->used, 0) >> 1;
    uint32_t entry = crc_of(row->path, (size_t)row->size, (uint32_t)row->values[CONTENT]);
    return row->values[OWN_SUM] == (whole << 32 | entry);
}

static PyObject *number_of(const Row *row, int column) {
    long long value = (long long)row->values[column];
    return PyLong_FromLongLong(row->negative[column] ? -value : value);
}

/* The record of a row, of a type of tuples; NULL with an exception set. */
static PyObject *record_of(PyTypeObject *type, const Row *row, PyObject *status, PyObject *reason, PyObject *detail,
                           PyObject *nothing[2]) {
    PyObject *values[RECORD] = {
        PyUnicode_DecodeFSDefaultAndSize(row->path, row->size),
        number_of(row, SIZE),
        number_of(row, STAMP),
        Py_NewRef(nothing[0]),
        number_of(row, SEEN),
        Py_NewRef(status),
        Py_NewRef(reason == NULL ? nothing[1] : reason),
        Py_NewRef(detail == NULL ? nothing[1] : detail),
        number_of(row, CHANGED),
    };
    PyObject *record = PyType_GenericAlloc(type, RECORD);
    for (int i = 0; i < RECORD; i++)
        if (record == NULL || values[i] == NULL) {
            Py_XDECREF(values[i]);
            Py_CLEAR(record);
        } else if (PyTuple_SetItem(record, i, values[i]) != 0)
            Py_CLEAR(record);
    return record;
}

/* Takes the next row off the columns; 0 where it is none that could have been written. */
static int take_row(Column *paths, Column columns[NUMBER_COLUMNS], Row *row) {
    const char *end = memchr(paths->at, 0, (size_t)(paths->end - paths->at));
    if (end == NULL)
        return 0;
    /* In the order of the table, in which each path comes once. */
    Py_ssize_t size = end - paths->at, least = size < row->size ? size : row->size;
    int order = row->path == NULL ? -1 : memcmp(row->path, paths->at, (size_t)least);
    if (order > 0 || (order == 0 && row->size >= size))
        return 0;
    row->path = paths->at;
    row->size = size;
    paths->at = end + 1;
    for (int i = 0; i < NUMBER_COLUMNS; i++)
        if (!take_number(&columns[i], &row->numbers[i], &row->values[i], &row->negative[i], i == CONTENT))
            return 0;
    return row->values[STATUS] < STATUSES && !row->negative[STATUS] && !row->negative[OWN_SUM] &&
           (row->numbers[CONTENT].at == row->numbers[CONTENT].end) == (row->values[STATUS] != 0);
}

/* The pair of texts of a file that is not indexed; 0 where there is none. */
static int texts_of(PyObject *texts, Py_ssize_t place, PyObject **reason, PyObject **detail) {
    PyObject *pair = place < PyList_Size(texts) ? PyList_GetItem(texts, place) : NULL;
    if (pair == NULL || !PyTuple_Check(pair) || PyTuple_Size(pair) != 2)
        return 0;
    *reason = PyTuple_GetItem(pair, 0);
    *detail = PyTuple_GetItem(pair, 1);
    return 1;
}

/* Returns the list of records; NULL where a row is left to the half in Python, or with an exception set. */
static PyObject *records(Column *paths, Column columns[NUMBER_COLUMNS], Py_ssize_t count, PyObject *texts,
                         PyObject *statuses, PyTypeObject *type) {
    PyObject *nothing[2] = {PyBytes_FromStringAndSize("", 0), PyUnicode_FromStringAndSize("", 0)};
    PyObject *result = nothing[0] == NULL || nothing[1] == NULL ? NULL : PyList_New(count);
    Row row = {0};
    Text text = {NULL, 0, 0};
    Py_ssize_t told = 0;
    for (Py_ssize_t i = 0; result != NULL && i < count; i++) {
        PyObject *reason = NULL, *detail = NULL, *record = NULL;
        if (take_row(paths, columns, &row) &&
            (row.values[STATUS] == 0 || texts_of(texts, told++, &reason, &detail)) &&
            is_whole(&text, &row, reason, detail))
            record = record_of(type, &row, PyTuple_GetItem(statuses, (Py_ssize_t)row.values[STATUS]), reason, detail,
                               nothing);
        if (record == NULL || PyList_SetItem(result, i, record) != 0)
            Py_CLEAR(result);
    }
    free(text.at);
    Py_XDECREF(nothing[0]);
    Py_XDECREF(nothing[1]);
    int all = paths->at == paths->end && told == PyList_Size(texts);
    for (int i = 0; i < NUMBER_COLUMNS; i++)
        all = all && columns[i].at == columns[i].end;
    if (!all)
        Py_CLEAR(result);
    return result;
}

const char records_doc[] =
    "records(count: int, paths: bytes, columns: tuple[str, ...], texts: list[tuple[str, str]],"
    " statuses: tuple[Status, ...], record: type[RecordedFile]) -> list[RecordedFile] | None\n\n"
    "Return the record of each of `count` rows of the table of files, keys left empty.\n\n"
    "`paths` stand between NULs, in order; `columns` are content, size, times of modification, of change and of seeing,"
    " status and sum, with commas between; `texts` are reason and detail of each file that is not indexed. None where a"
    " row is not what was written, or not so simple.";

PyObject *file_records(PyObject *module, PyObject *arguments) {
    Py_ssize_t count, size;
    const char *data;
    PyObject *given, *texts, *statuses, *type;
    if (!PyArg_ParseTuple(arguments, "ny#O!O!O!O!", &count, &data, &size, &PyTuple_Type, &given, &PyList_Type, &texts,
                          &PyTuple_Type, &statuses, &PyType_Type, &type))
        return NULL;
    if (count < 1 || PyTuple_Size(given) != NUMBER_COLUMNS || PyTuple_Size(statuses) != STATUSES ||
        !PyType_IsSubtype((PyTypeObject *)type, &PyTuple_Type))
        return PyErr_SetString(PyExc_ValueError, "there are seven columns, three statuses and a type of tuples"), NULL;
    Column paths = {data, data + size + 1}, columns[NUMBER_COLUMNS]; /* bytes and texts have a NUL behind them */
    for (int i = 0; i < NUMBER_COLUMNS; i++) {
        Py_ssize_t length;
        columns[i].at = PyUnicode_AsUTF8AndSize(PyTuple_GetItem(given, i), &length);
        if (columns[i].at == NULL)
            return NULL;
        columns[i].end = columns[i].at + length + 1;
    }
    PyObject *result = records(&paths, columns, count, texts, statuses, (PyTypeObject *)type);
    return result != NULL || PyErr_Occurred() ? result : Py_NewRef(Py_None);
}

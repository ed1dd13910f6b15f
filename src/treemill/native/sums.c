/* Rows → their sums: the compiled half of `treemill.storage.sums`.
 *
 * A sum is over the text that Python's `repr` gives of a row; here that text is written without an object a number. A
 * row in which something stands that is not written so simply is left to the half in Python: its sum is None.
 */
#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030B0000
#include <Python.h>
#include "sums.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static uint32_t crc_table[8][256];

static void fill_crc_table(void) {
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t crc = i;
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? 0xEDB88320u ^ crc >> 1 : crc >> 1;
        crc_table[0][i] = crc;
    }
    for (int step = 1; step < 8; step++)
        for (int i = 0; i < 256; i++)
            crc_table[step][i] = crc_table[0][crc_table[step - 1][i] & 0xFF] ^ crc_table[step - 1][i] >> 8;
}

uint32_t crc_of(const char *data, size_t size, uint32_t start) {
    uint32_t crc = ~start;
    for (; size >= 8; data += 8, size -= 8) {
        uint32_t low, high;
        memcpy(&low, data, 4);
        memcpy(&high, data + 4, 4);
        low ^= crc;
        crc = crc_table[7][low & 0xFF] ^ crc_table[6][low >> 8 & 0xFF] ^ crc_table[5][low >> 16 & 0xFF] ^
              crc_table[4][low >> 24] ^ crc_table[3][high & 0xFF] ^ crc_table[2][high >> 8 & 0xFF] ^
              crc_table[1][high >> 16 & 0xFF] ^ crc_table[0][high >> 24];
    }
    for (; size > 0; data++, size--)
        crc = crc_table[0][(crc ^ (unsigned char)*data) & 0xFF] ^ crc >> 8;
    return ~crc;
}

int has_room(Text *text, size_t more) {
    if (text->room - text->used >= more)
        return 1;
    size_t room = 2 * text->room > text->used + more ? 2 * text->room : text->used + more;
    char *at = realloc(text->at, room);
    if (at == NULL)
        return 0;
    text->at = at;
    text->room = room;
    return 1;
}

void put(Text *text, const char *what, size_t size) {
    memcpy(text->at + text->used, what, size);
    text->used += size;
}

int write_bytes(Text *text, const char *data, size_t size) {
    static const char digits[] = "0123456789abcdef";
    if (!has_room(text, 4 * size + 3))
        return 0;
    char quote = memchr(data, '\'', size) != NULL && memchr(data, '"', size) == NULL ? '"' : '\'';
    char *to = text->at + text->used;
    *to++ = 'b';
    *to++ = quote;
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)data[i];
        if (c == (unsigned char)quote || c == '\\') {
            *to++ = '\\';
            *to++ = (char)c;
        } else if (c == '\t' || c == '\n' || c == '\r') {
            *to++ = '\\';
            *to++ = c == '\t' ? 't' : c == '\n' ? 'n' : 'r';
        } else if (c < ' ' || c >= 0x7F) {
            *to++ = '\\';
            *to++ = 'x';
            *to++ = digits[c >> 4];
            *to++ = digits[c & 15];
        } else {
            *to++ = (char)c;
        }
    }
    *to++ = quote;
    text->used = (size_t)(to - text->at);
    return 1;
}

int write_number(Text *text, PyObject *value, long long *number) {
    char digits[NUMBERS];
    int beyond;
    if (!PyLong_CheckExact(value) || !has_room(text, NUMBERS))
        return 0;
    *number = PyLong_AsLongLongAndOverflow(value, &beyond);
    if (beyond)
        return 0;
    unsigned long long left = *number < 0 ? 0ULL - (unsigned long long)*number : (unsigned long long)*number;
    char *from = digits + sizeof digits;
    do {
        *--from = (char)('0' + left % 10);
        left /= 10;
    } while (left > 0);
    if (*number < 0)
        *--from = '-';
    put(text, from, (size_t)(digits + sizeof digits - from));
    return 1;
}

int write_plain(Text *text, PyObject *value) {
    Py_ssize_t size;
    if (!PyUnicode_CheckExact(value))
        return 0;
    const char *data = PyUnicode_AsUTF8AndSize(value, &size);
    if (data == NULL) {
        PyErr_Clear(); /* half a surrogate pair */
        return 0;
    }
    for (Py_ssize_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)data[i];
        if (c < ' ' || c >= 0x7F || c == '\'' || c == '\\')
            return 0;
    }
    if (!has_room(text, (size_t)size + 2))
        return 0;
    put(text, "'", 1);
    put(text, data, (size_t)size);
    put(text, "'", 1);
    return 1;
}

PyObject *summed(PyObject *given, Summing one_of) {
    PyObject *rows = PySequence_Tuple(given);
    if (rows == NULL)
        return NULL;
    Py_ssize_t count = PyTuple_Size(rows);
    Text text = {NULL, 0, 0};
    PyObject *result = PyList_New(count);
    for (Py_ssize_t i = 0; result != NULL && i < count; i++) {
        PyObject *one = one_of(PyTuple_GetItem(rows, i), &text);
        if (one == NULL || PyList_SetItem(result, i, one) != 0)
            Py_CLEAR(result);
    }
    free(text.at);
    Py_DECREF(rows);
    return result;
}

/* Writes the small columns of a content as `repr` does; 0 where they are not so simple. */
static int write_columns(Text *text, PyObject *row) {
    long long number;
    text->used = 0;
    Py_ssize_t count = PyTuple_CheckExact(row) ? PyTuple_Size(row) : 0;
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *value = PyTuple_GetItem(row, i);
        if (!has_room(text, 8))
            return 0;
        put(text, i == 0 ? "(" : ", ", i == 0 ? 1 : 2);
        if (value == Py_None)
            put(text, "None", 4);
        else if (PyBytes_CheckExact(value)) {
            char *data;
            Py_ssize_t size;
            if (PyBytes_AsStringAndSize(value, &data, &size) != 0 || !write_bytes(text, data, (size_t)size))
                return 0;
        } else if (!write_plain(text, value) && !write_number(text, value, &number))
            return 0;
    }
    if (count < 2 || !has_room(text, 1))
        return 0;
    put(text, ")", 1);
    return 1;
}

PyDoc_STRVAR(head_sums_doc, "head_sums(rows: Sequence[tuple]) -> list[int | None]\n\n"
                            "Return the CRC-32 of the text that `repr` gives of each row.\n\n"
                            "None of a row in which something else stands than bytes, numbers of 64 bits, plain text"
                            " and None.");

static PyObject *head_sum(PyObject *row, Text *text) {
    return write_columns(text, row) ? PyLong_FromUnsignedLong(crc_of(text->at, text->used, 0)) : Py_NewRef(Py_None);
}

static PyObject *head_sums(PyObject *module, PyObject *rows) { return summed(rows, head_sum); }

/* Gives the sum of a row of a number and bytes; -1 with an error where it is another. */
static int bulk_sum_of(PyObject *row, uint32_t *sum) {
    char *data;
    Py_ssize_t size;
    unsigned char number[8];
    Py_ssize_t count = PyTuple_CheckExact(row) ? PyTuple_Size(row) : 0;
    if (count == 0)
        return PyErr_SetString(PyExc_TypeError, "a row is a tuple of a number and bytes"), -1;
    long long content = PyLong_AsLongLong(PyTuple_GetItem(row, 0));
    if (content == -1 && PyErr_Occurred())
        return -1;
    *sum = 0;
    for (Py_ssize_t i = 0; i < count; i++) {
        if (i > 0 && PyBytes_AsStringAndSize(PyTuple_GetItem(row, i), &data, &size) != 0)
            return -1;
        unsigned long long value = (unsigned long long)(i == 0 ? content : size);
        for (int byte = 0; byte < 8; byte++)
            number[byte] = (unsigned char)(value >> 8 * byte);
        *sum = crc_of((const char *)number, sizeof number, *sum);
    }
    for (Py_ssize_t i = 1; i < count; i++) {
        if (PyBytes_AsStringAndSize(PyTuple_GetItem(row, i), &data, &size) != 0)
            return -1;
        *sum = crc_of(data, (size_t)size, *sum);
    }
    return 0;
}

PyDoc_STRVAR(bulk_sums_doc, "bulk_sums(rows: Sequence[tuple]) -> list[int]\n\n"
                            "Return the sums of rows of a content's number and bulk columns.");

static PyObject *bulk_sum(PyObject *row, Text *text) {
    uint32_t sum;
    return bulk_sum_of(row, &sum) == 0 ? PyLong_FromUnsignedLong(sum) : NULL;
}

static PyObject *bulk_sums(PyObject *module, PyObject *rows) { return summed(rows, bulk_sum); }

static PyMethodDef methods[] = {
    {"file_sums", file_sums, METH_O, file_sums_doc},
    {"own_values", own_values, METH_VARARGS, own_values_doc},
    {"records", file_records, METH_VARARGS, records_doc},
    {"head_sums", head_sums, METH_O, head_sums_doc},
    {"bulk_sums", bulk_sums, METH_O, bulk_sums_doc},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "treemill.native._sums",
    .m_size = 0,
    .m_methods = methods,
};

PyMODINIT_FUNC PyInit__sums(void) {
    fill_crc_table();
    return PyModuleDef_Init(&definition);
}

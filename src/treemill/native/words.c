/* Words and lines: the compiled half of what is asked of every byte of a text.
 *
 * Each function does exactly what its namesake in Python does, which stays: it is what runs where this is not built,
 * and what this is tested against. Bytes are read within the bounds of their buffer only; nothing is kept of them.
 */
#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030B0000
#include <Python.h>
#include <stdint.h>
#include <string.h>

static int32_t breaks_in(const char *text, Py_ssize_t start, Py_ssize_t end) {
    int32_t found = 0;
    for (const char *at = text + start; (at = memchr(at, '\n', (size_t)(text + end - at))) != NULL; at++)
        found++;
    return found;
}

PyDoc_STRVAR(first_lines_doc, "first_lines(text: bytes, ends: Sequence[int]) -> bytes\n\n"
                              "Return uint32[len(ends)], the line on which each piece of a UTF-8 text starts.");

static PyObject *first_lines(PyObject *module, PyObject *arguments) {
    const char *text;
    Py_ssize_t size;
    PyObject *given;
    if (!PyArg_ParseTuple(arguments, "y#O", &text, &size, &given))
        return NULL;
    Py_ssize_t count = PySequence_Size(given);
    if (count < 0)
        return NULL;
    PyObject *result = PyBytes_FromStringAndSize(NULL, count * (Py_ssize_t)sizeof(uint32_t));
    if (result == NULL)
        return NULL;
    char *lines = PyBytes_AsString(result);
    int odd = memchr(text, '\r', (size_t)size) != NULL;
    uint32_t line = 1;
    Py_ssize_t start = 0;
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *item = PySequence_GetItem(given, i);
        Py_ssize_t end = item == NULL ? -1 : PyLong_AsSsize_t(item);
        Py_XDECREF(item);
        if (end < start || end > size) {
            if (!PyErr_Occurred())
                PyErr_SetString(PyExc_ValueError, "the ends do not ascend within the text");
            Py_DECREF(result);
            return NULL;
        }
        memcpy(lines + i * (Py_ssize_t)sizeof(uint32_t), &line, sizeof(uint32_t));
        line += (uint32_t)breaks_in(text, start, end);
        if (odd) {
            for (Py_ssize_t at = start; at < end; at++)
                line += text[at] == '\r' && !(at + 1 < size && text[at + 1] == '\n');
        }
        start = end;
    }
    return result;
}

static PyMethodDef methods[] = {
    {"first_lines", first_lines, METH_VARARGS, first_lines_doc},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "treemill.native._words",
    .m_size = 0,
    .m_methods = methods,
};

PyMODINIT_FUNC PyInit__words(void) { return PyModuleDef_Init(&definition); }

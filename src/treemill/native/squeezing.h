#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030B0000
#include <Python.h>

extern const char squeezed_doc[], unsqueezed_doc[];

PyObject *squeezed(PyObject *module, PyObject *arguments);
PyObject *unsqueezed(PyObject *module, PyObject *arguments);

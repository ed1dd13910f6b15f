/* Symbols in the form in which they cross to another process: see `treemill.chunking.crossing`. */
#ifndef TREEMILL_SYMBOLS_H
#define TREEMILL_SYMBOLS_H

#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030B0000
#include <Python.h>

/* A pair of numbers, or NULL with an exception set. Takes nothing over, and has nothing that could be part of a cycle:
 * the collector is not told of it. */
PyObject *pair_of(long long first, long long last);

PyObject *symbols_to_bytes(PyObject *module, PyObject *symbols);
PyObject *symbols_from_bytes(PyObject *module, PyObject *arguments);

#endif

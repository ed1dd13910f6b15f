/* See `slots.h`. */
#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030B0000
#include <Python.h>
#include "slots.h"

int take_slots(PyObject *type, PyObject *slots, Made *made) {
    int fits = PyType_Check(type) && PyTuple_Check(slots) && PyTuple_Size(slots) == FIELDS;
    made->type = (PyTypeObject *)type;
    for (int i = 0; fits && i < FIELDS; i++) {
        made->slots[i] = PyTuple_GetItem(slots, i);
        made->put[i] = (descrsetfunc)PyType_GetSlot(Py_TYPE(made->slots[i]), Py_tp_descr_set);
        fits = made->put[i] != NULL;
    }
    if (!fits)
        PyErr_SetString(PyExc_TypeError, "files are made from a type and its six slots");
    return fits;
}

PyObject *instance_of(const Made *made, PyObject **values) {
    PyObject *instance = PyType_GenericAlloc(made->type, 0);
    for (int i = 0; i < FIELDS; i++) {
        if (instance != NULL && (values[i] == NULL || made->put[i](made->slots[i], instance, values[i]) != 0))
            Py_CLEAR(instance);
        Py_XDECREF(values[i]);
    }
    return instance;
}

/* Instances of classes with slots, made without a call of their `__init__`, which puts each value into its slot. */
#ifndef TREEMILL_SLOTS_H
#define TREEMILL_SLOTS_H

enum { FIELDS = 6 }; /* that files have, before and after they are read */

typedef struct {
    PyTypeObject *type; /* borrowed, as are the slots */
    PyObject *slots[FIELDS];
    descrsetfunc put[FIELDS];
} Made;

/* Takes in a type and the tuple of its slots; 0 with an exception set where they are none. */
int take_slots(PyObject *type, PyObject *slots, Made *made);

/* Makes an instance of values, which it takes over; NULL with an exception set, as where there is none of a value. */
PyObject *instance_of(const Made *made, PyObject **values);
#endif

/* What a walk has found → the objects that discovery goes on with: the compiled half of `treemill.plain_walk`.
 *
 * Each file becomes the object that discovery yields, filled slot by slot as its own `__init__` does it.
 *
 * Only Linux is walked this way; elsewhere the half in Python does it.
 */
#ifdef __linux__
#define _DEFAULT_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030B0000
#include <Python.h>
#include "slots.h"
#include "walking.h"

#ifdef __linux__
#include <fcntl.h>
#include <stdlib.h>

enum { TABLES = 7 };

/* What files are made of. */
typedef struct {
    PyObject *root, *by_name, *by_ending, *ask;
    Made file;
} Making;

/* The language of a name; a new reference, NULL with an exception set. */
static PyObject *language_of(const Making *making, const char *name, size_t length) {
    PyObject *text = PyUnicode_DecodeFSDefaultAndSize(name, (Py_ssize_t)length);
    PyObject *found = text == NULL ? NULL : PyDict_GetItemWithError(making->by_name, text);
    Py_XINCREF(found);
    size_t dot = length;
    while (dot > 0 && name[dot - 1] != '.')
        dot--;
    if (text != NULL && found == NULL && !PyErr_Occurred() && dot > 1) {
        PyObject *ending = PyUnicode_DecodeFSDefaultAndSize(name + dot - 1, (Py_ssize_t)(length - dot + 1));
        found = ending == NULL ? NULL : PyDict_GetItemWithError(making->by_ending, ending);
        Py_XINCREF(found);
        Py_XDECREF(ending);
    }
    if (text != NULL && found == NULL && !PyErr_Occurred())
        found = PyObject_CallFunctionObjArgs(making->ask, text, NULL);
    Py_XDECREF(text);
    return found;
}

static PyObject *file_of(const Making *making, const char *path, const Record *record) {
    PyObject *values[FIELDS] = {
        PyUnicode_DecodeFSDefaultAndSize(path, (Py_ssize_t)record->length),
        Py_NewRef(making->root),
        language_of(making, path + record->base, record->length - record->base),
        PyLong_FromLongLong(record->entry.size),
        PyLong_FromLongLong(record->entry.modified),
        PyLong_FromLongLong(record->entry.changed),
    };
    return instance_of(&making->file, values);
}

static PyObject *told(const Walk *walk, const Making *making, const Record *record) {
    const char *path = walk->paths + record->path;
    if (record->kind == FILES)
        return file_of(making, path, record);
    if (record->kind == FOLDERS)
        return PyUnicode_DecodeFSDefaultAndSize(path, (Py_ssize_t)record->length);
    PyObject *folder = PyUnicode_DecodeFSDefaultAndSize(path, (Py_ssize_t)record->base);
    PyObject *listed = listed_of(path + record->base, record->length - record->base, &record->entry);
    PyObject *both = folder == NULL || listed == NULL ? NULL : PyTuple_Pack(2, folder, listed);
    Py_XDECREF(folder);
    Py_XDECREF(listed);
    return both;
}

static PyObject *all_told(const Walk *walk, const Making *making) {
    PyObject *result = PyList_New((Py_ssize_t)walk->count);
    for (size_t i = 0; result != NULL && i < walk->count; i++) {
        PyObject *one = told(walk, making, &walk->records[i]);
        if (one == NULL || PyList_SetItem(result, (Py_ssize_t)i, one) != 0)
            Py_CLEAR(result);
    }
    return result;
}
#endif

const char walk_plain_doc[] =
    "walk_plain(place: bytes, folder: bytes, most: int, enough: int, marks: tuple[bytes, bytes],"
    " rules: tuple[bytes, bytes, bytes, bytes, bytes], languages: tuple[dict, dict, Callable[[str], str | None]],"
    " files: tuple[type, tuple, str]) -> list[DiscoveredFile | str | tuple[str, Listed]] | None\n\n"
    "Walk the folder at `place`, which has the path `folder` below a root, and return what is below it in order of"
    " path.\n\n"
    "Files of at most `most` bytes come as they are discovered; what rules may say something about as (its folder,"
    " what is listed of it); a folder that is not walked as its path, with a slash behind: one in which there is one of"
    " the names or endings `marks`, or that comes behind `enough` of all. `rules` are names, beginnings, endings and"
    " pieces of names, and names of folders that are not walked; each is ended by a NUL, and names are in order. None:"
    " this platform has no half.";

PyObject *walk_plain(PyObject *module, PyObject *arguments) {
#ifdef __linux__
    Walk walk = {0};
    Making making;
    PyObject *type, *slots, *result = NULL;
    const char *place, *folder, *texts[TABLES];
    Py_ssize_t size, sizes[TABLES], enough;
    if (!PyArg_ParseTuple(arguments, "yy#Ln(y#y#)(y#y#y#y#y#)(O!O!O)(OOO)", &place, &folder, &size, &walk.most, &enough,
                          &texts[0], &sizes[0], &texts[1], &sizes[1], &texts[2], &sizes[2], &texts[3], &sizes[3],
                          &texts[4], &sizes[4], &texts[5], &sizes[5], &texts[6], &sizes[6], &PyDict_Type,
                          &making.by_name, &PyDict_Type, &making.by_ending, &making.ask, &type, &slots,
                          &making.root) ||
        !take_slots(type, slots, &making.file))
        return NULL;
    walk.enough = (size_t)enough;
    Texts *tables[TABLES] = {&walk.marks,   &walk.mark_endings, &walk.names,  &walk.beginnings,
                             &walk.endings, &walk.pieces,       &walk.folders};
    int done = begin_walk(&walk, place, folder, size);
    for (int i = 0; done && i < TABLES; i++)
        done = take_texts(texts[i], sizes[i], tables[i]);
    Py_BEGIN_ALLOW_THREADS
    done = done && walk_open(&walk, open_folder(AT_FDCWD, place), 0);
    Py_END_ALLOW_THREADS
    if (done)
        result = all_told(&walk, &making);
    else
        PyErr_NoMemory();
    for (int i = 0; i < TABLES; i++)
        free_texts(tables[i]);
    free(walk.records);
    free(walk.paths);
    free(walk.way);
    return result;
#else
    (void)module, (void)arguments;
    Py_RETURN_NONE;
#endif
}

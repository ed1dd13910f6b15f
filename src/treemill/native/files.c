/* Files → their bytes: the compiled half of `treemill.reading.read_file`, for files about which there is nothing to say.
 *
 * A regular file of ordinary size, inside the root, that holds still while it is read. Whatever else a path may be is
 * left to the half in Python, which knows how to say it: its place in the result is None.
 *
 * Only Linux tells where an open file lies without a second look at its name; elsewhere every place is None.
 */
#ifdef __linux__
#define _DEFAULT_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030B0000
#include <Python.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    const char *path;
    char *data; /* NULL: there is something to say about it */
    Py_ssize_t size;
    long long stamp, changed;
} Plain;

#ifdef __linux__
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static long long nanoseconds(struct timespec time) { return (long long)time.tv_sec * 1000000000 + time.tv_nsec; }

/* Whether an open file lies where paths begin like that: the kernel knows, whatever was swapped on the way. */
static int lies_below(int descriptor, const char *prefix, size_t length) {
    char link[32], place[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t size = readlink(link, place, sizeof place);
    return size > 0 && (size_t)size < sizeof place && (size_t)size >= length && memcmp(place, prefix, length) == 0;
}

/* Reads up to one byte more than a file is said to have, which shows one that grew; returns how many, or -1. */
static Py_ssize_t read_all(int descriptor, char *room, Py_ssize_t size) {
    Py_ssize_t got = 0;
    while (got <= size) {
        ssize_t more = read(descriptor, room + got, (size_t)(size + 1 - got));
        if (more < 0)
            return -1;
        if (more == 0)
            break;
        got += more;
    }
    return got;
}

static void read_open(int descriptor, Plain *file, const char *prefix, size_t length, long long most) {
    struct stat before, after;
    if (fstat(descriptor, &before) != 0 || !S_ISREG(before.st_mode) || (long long)before.st_size > most ||
        !lies_below(descriptor, prefix, length))
        return;
    char *room = malloc((size_t)before.st_size + 1);
    if (room == NULL)
        return;
    Py_ssize_t got = read_all(descriptor, room, (Py_ssize_t)before.st_size);
    if (got != (Py_ssize_t)before.st_size || fstat(descriptor, &after) != 0 || after.st_size != before.st_size ||
        nanoseconds(after.st_mtim) != nanoseconds(before.st_mtim) ||
        nanoseconds(after.st_ctim) != nanoseconds(before.st_ctim)) {
        free(room);
        return;
    }
    file->data = room;
    file->size = got;
    file->stamp = nanoseconds(after.st_mtim);
    file->changed = nanoseconds(after.st_ctim);
}

static void read_one(Plain *file, const char *prefix, size_t length, long long most) {
    int descriptor = open(file->path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (descriptor < 0)
        return;
    read_open(descriptor, file, prefix, length, most);
    close(descriptor);
}
#else
static void read_one(Plain *file, const char *prefix, size_t length, long long most) {
    (void)file, (void)prefix, (void)length, (void)most;
}
#endif

/* Returns the list of what was read and lets go of the bytes, also where it fails. */
static PyObject *told(Plain *files, Py_ssize_t count) {
    PyObject *result = PyList_New(count);
    for (Py_ssize_t i = 0; i < count; i++) {
        Plain *file = &files[i];
        if (result != NULL) {
            PyObject *one = file->data == NULL ? Py_NewRef(Py_None)
                                               : Py_BuildValue("(y#LL)", file->data, file->size, file->stamp,
                                                               file->changed);
            if (one == NULL || PyList_SetItem(result, i, one) != 0)
                Py_CLEAR(result);
        }
        free(file->data);
    }
    return result;
}

PyDoc_STRVAR(read_plain_doc,
             "read_plain(paths: Sequence[bytes], prefix: bytes, most: int) -> list[tuple[bytes, int, int] | None]\n\n"
             "Read regular files of at most `most` bytes whose resolved paths begin with a prefix.\n\n"
             "Gives (bytes, time of modification, of change) of each, None where there is something to say about it.");

static PyObject *read_plain(PyObject *module, PyObject *arguments) {
    PyObject *given;
    const char *prefix;
    Py_ssize_t length;
    long long most;
    if (!PyArg_ParseTuple(arguments, "Oy#L", &given, &prefix, &length, &most))
        return NULL;
    PyObject *paths = PySequence_Tuple(given);
    if (paths == NULL)
        return NULL;
    Py_ssize_t count = PyTuple_Size(paths);
    Plain *files = calloc((size_t)count + 1, sizeof *files);
    PyObject *result = NULL;
    if (files == NULL) {
        PyErr_NoMemory();
        goto end;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        char *path;
        Py_ssize_t size;
        if (PyBytes_AsStringAndSize(PyTuple_GetItem(paths, i), &path, &size) != 0)
            goto end;
        files[i].path = (size_t)size == strlen(path) ? path : NULL; /* no file has a NUL in its name */
    }
    Py_BEGIN_ALLOW_THREADS
    for (Py_ssize_t i = 0; i < count; i++)
        if (files[i].path != NULL)
            read_one(&files[i], prefix, (size_t)length, most);
    Py_END_ALLOW_THREADS
    result = told(files, count);
end:
    free(files);
    Py_DECREF(paths);
    return result;
}

static PyMethodDef methods[] = {
    {"read_plain", read_plain, METH_VARARGS, read_plain_doc},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "treemill.native._files",
    .m_size = 0,
    .m_methods = methods,
};

PyMODINIT_FUNC PyInit__files(void) { return PyModuleDef_Init(&definition); }

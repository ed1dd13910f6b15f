/* Files → their bytes, or the keys of their contents: the compiled half of `treemill.reading.read_file`, and of what
 * `treemill.work` asks about files whose contents may be known, for files about which there is nothing to say.
 *
 * A regular file of ordinary size, inside the root, that holds still while it is read. Whatever else a path may be is
 * left to the half in Python, which knows how to say it: its place in the result is None.
 *
 * And paths → what tells one state of them from another, the compiled half of `treemill.stamps`: ten thousand questions
 * to the file system, during which the interpreter goes on with something else.
 *
 * Only Linux tells where an open file lies without a second look at its name; elsewhere every place is None, and stamps
 * are left to the half in Python.
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
#include "blake2b.h"

typedef struct {
    const char *path;
    char *data; /* NULL: there is something to say about it */
    Py_ssize_t size;
    long long stamp, changed;
    const char *made; /* what stands behind the digest in the text that the key is a digest of */
    Py_ssize_t made_size;
    int named; /* whether the name tells the language: else the first line may */
    unsigned char key[BLAKE2B_DIGEST];
} Plain;

enum { STAMP = 5 }; /* numbers in the stamp of an entry */

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

/* Writes what tells one state of an entry from another; the marks of node and device without their sign. */
static void stamp(const struct stat *entry, long long *into) {
    into[0] = (long long)entry->st_size;
    into[1] = nanoseconds(entry->st_mtim);
    into[2] = nanoseconds(entry->st_ctim);
    into[3] = (long long)((unsigned long long)entry->st_ino & LLONG_MAX);
    into[4] = (long long)((unsigned long long)entry->st_dev & LLONG_MAX);
}

/* Stamps paths below a folder, each ended by a NUL, up to `end`; an empty one is the folder itself. Returns whether all
 * are there. */
static int stamp_all(const char *root, const char *path, const char *end, long long *into) {
    struct stat entry;
    int folder = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC), found = folder >= 0;
    for (; found && path < end; path += strlen(path) + 1, into += STAMP) {
        found = *path == 0 ? fstat(folder, &entry) == 0 : fstatat(folder, path, &entry, AT_SYMLINK_NOFOLLOW) == 0;
        if (found)
            stamp(&entry, into);
    }
    if (folder >= 0)
        close(folder);
    return found;
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

static int stamp_all(const char *root, const char *path, const char *end, long long *into) {
    (void)root, (void)path, (void)end, (void)into;
    return 0;
}
#endif

/* Whether a file without a language by its name may have one by its first line, or bytes before that line. */
static int may_name_language(const unsigned char *data, Py_ssize_t size) {
    return size >= 2 && ((data[0] == '#' && data[1] == '!') || data[0] == 0xEF || data[0] >= 0xFE);
}

/* Turns what was read into the key of its content, where name and bytes say all that it depends on. */
static void make_key(Plain *file) {
    const unsigned char *data = (const unsigned char *)file->data;
    size_t length = BLAKE2B_DIGEST + (size_t)file->made_size;
    unsigned char *text = NULL;
    if (file->named || !may_name_language(data, file->size))
        text = malloc(length);
    if (text != NULL) {
        blake2b(data, (size_t)file->size, text);
        memcpy(text + BLAKE2B_DIGEST, file->made, (size_t)file->made_size);
        blake2b(text, length, file->key);
    }
    free(file->data);
    file->data = (char *)text; /* not NULL: there is a key */
}

static PyObject *bytes_and_stamps(const Plain *file) {
    return Py_BuildValue("(y#LL)", file->data, file->size, file->stamp, file->changed);
}

static PyObject *key_and_stamps(const Plain *file) {
    return Py_BuildValue("(y#nLL)", (const char *)file->key, (Py_ssize_t)BLAKE2B_DIGEST, file->size, file->stamp,
                         file->changed);
}

/* Returns the list of what is said of each file and lets go of the bytes, also where it fails. */
static PyObject *told(Plain *files, Py_ssize_t count, PyObject *(*say)(const Plain *)) {
    PyObject *result = PyList_New(count);
    for (Py_ssize_t i = 0; i < count; i++) {
        Plain *file = &files[i];
        if (result != NULL) {
            PyObject *one = file->data == NULL ? Py_NewRef(Py_None) : say(file);
            if (one == NULL || PyList_SetItem(result, i, one) != 0)
                Py_CLEAR(result);
        }
        free(file->data);
    }
    return result;
}

/* Returns places for files with these paths, which live as long as `paths` does; NULL where one is no path. */
static Plain *places_for(PyObject *paths, Py_ssize_t count) {
    Plain *files = calloc((size_t)count + 1, sizeof *files);
    if (files == NULL)
        PyErr_NoMemory();
    for (Py_ssize_t i = 0; files != NULL && i < count; i++) {
        char *path;
        Py_ssize_t size;
        if (PyBytes_AsStringAndSize(PyTuple_GetItem(paths, i), &path, &size) != 0) {
            free(files);
            return NULL;
        }
        files[i].path = (size_t)size == strlen(path) ? path : NULL; /* no file has a NUL in its name */
    }
    return files;
}

PyDoc_STRVAR(read_plain_doc,
             "read_plain(paths: Sequence[bytes], prefix: bytes, most: int) -> list[tuple[bytes, int, int] | None]\n\n"
             "Read regular files of at most `most` bytes whose resolved paths begin with a prefix.\n\n"
             "Gives (bytes, time of modification, of change) of each, None where there is something to say about it.");

static PyObject *read_plain(PyObject *module, PyObject *arguments) {
    PyObject *given, *result = NULL;
    const char *prefix;
    Py_ssize_t length;
    long long most;
    if (!PyArg_ParseTuple(arguments, "Oy#L", &given, &prefix, &length, &most))
        return NULL;
    PyObject *paths = PySequence_Tuple(given);
    if (paths == NULL)
        return NULL;
    Py_ssize_t count = PyTuple_Size(paths);
    Plain *files = places_for(paths, count);
    if (files != NULL) {
        Py_BEGIN_ALLOW_THREADS
        for (Py_ssize_t i = 0; i < count; i++)
            if (files[i].path != NULL)
                read_one(&files[i], prefix, (size_t)length, most);
        Py_END_ALLOW_THREADS
        result = told(files, count, bytes_and_stamps);
        free(files);
    }
    Py_DECREF(paths);
    return result;
}

/* Takes in what stands behind the digest in the text of each key: (bytes, whether the name tells the language). */
static int take_made(Plain *files, PyObject *made, Py_ssize_t count) {
    if (PyTuple_Size(made) != count) {
        PyErr_SetString(PyExc_ValueError, "as many texts as paths are needed");
        return -1;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *one = PyTuple_GetItem(made, i);
        if (!PyTuple_Check(one)) {
            PyErr_SetString(PyExc_TypeError, "each text stands in a tuple");
            return -1;
        }
        if (!PyArg_ParseTuple(one, "y#p", &files[i].made, &files[i].made_size, &files[i].named))
            return -1;
    }
    return 0;
}

PyDoc_STRVAR(keys_of_plain_doc,
             "keys_of_plain(paths: Sequence[bytes], made: Sequence[tuple[bytes, bool]], prefix: bytes, most: int)"
             " -> list[tuple[bytes, int, int, int] | None]\n\n"
             "Read files as `read_plain` does, and digest each one's digest and the bytes `made` that belong to it.\n\n"
             "Gives (key, size, time of modification, of change); None also where the name does not tell the language"
             " and the first line might.");

static PyObject *keys_of_plain(PyObject *module, PyObject *arguments) {
    PyObject *given, *given_made, *made = NULL, *result = NULL;
    const char *prefix;
    Py_ssize_t length;
    long long most;
    if (!PyArg_ParseTuple(arguments, "OOy#L", &given, &given_made, &prefix, &length, &most))
        return NULL;
    PyObject *paths = PySequence_Tuple(given);
    if (paths != NULL)
        made = PySequence_Tuple(given_made);
    Plain *files = made == NULL ? NULL : places_for(paths, PyTuple_Size(paths));
    if (files != NULL) {
        Py_ssize_t count = PyTuple_Size(paths);
        if (take_made(files, made, count) == 0) {
            Py_BEGIN_ALLOW_THREADS
            for (Py_ssize_t i = 0; i < count; i++) {
                if (files[i].path != NULL)
                    read_one(&files[i], prefix, (size_t)length, most);
                if (files[i].data != NULL)
                    make_key(&files[i]);
            }
            Py_END_ALLOW_THREADS
            result = told(files, count, key_and_stamps);
        }
        free(files);
    }
    Py_XDECREF(paths);
    Py_XDECREF(made);
    return result;
}

PyDoc_STRVAR(stamps_doc,
             "stamps(root: bytes, paths: bytes) -> bytes | None\n\n"
             "Return five numbers of 64 bits for each of some paths below a folder, which stand between NULs.\n\n"
             "They are size, times of modification and change in ns, inode and device of the entry itself, links not\n"
             "followed; of the folder for an empty path. None: something is not there, or this platform has no half.");

static PyObject *stamps(PyObject *module, PyObject *arguments) {
    const char *root, *paths;
    Py_ssize_t size, count = 1;
    int found;
    if (!PyArg_ParseTuple(arguments, "yy#", &root, &paths, &size))
        return NULL;
    for (const char *at = paths; (at = memchr(at, 0, (size_t)(paths + size - at))) != NULL; at++)
        count++;
    PyObject *result = PyBytes_FromStringAndSize(NULL, count * STAMP * (Py_ssize_t)sizeof(long long));
    if (result == NULL)
        return NULL;
    long long *into = (long long *)PyBytes_AsString(result);
    Py_BEGIN_ALLOW_THREADS
    found = stamp_all(root, paths, paths + size + 1, into); /* bytes have a NUL behind them */
    Py_END_ALLOW_THREADS
    if (!found) {
        Py_DECREF(result);
        Py_RETURN_NONE;
    }
    return result;
}

static PyMethodDef methods[] = {
    {"read_plain", read_plain, METH_VARARGS, read_plain_doc},
    {"keys_of_plain", keys_of_plain, METH_VARARGS, keys_of_plain_doc},
    {"stamps", stamps, METH_VARARGS, stamps_doc},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "treemill.native._files",
    .m_size = 0,
    .m_methods = methods,
};

PyMODINIT_FUNC PyInit__files(void) { return PyModuleDef_Init(&definition); }

/* Files → their bytes, or what they are with the keys of their contents: the compiled half of `treemill.reading.read_file`, and of what
 * `treemill.work` asks about files whose contents may be known, for files about which there is nothing to say.
 *
 * A regular file of ordinary size, inside the root, that holds still while it is read. Whatever else a path may be is
 * left to the half in Python, which knows how to say it: its place in the result is None.
 *
 * And paths → what tells one state of them from another, the compiled half of `treemill.stamps`: ten thousand questions
 * to the file system, during which the interpreter goes on with something else.
 *
 * Only Linux opens what lies below a folder and nothing else, or tells where an open file lies without a second look at
 * its name; elsewhere every place is None, and stamps are left to the half in Python.
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
#include "digesting.h"
#include "slots.h"

typedef struct {
    const char *path; /* below the root */
    PyObject *name; /* the same as it is told; borrowed */
    char *data; /* NULL: there is something to say about it, or it is digested */
    Py_ssize_t size;
    long long stamp, changed;
    const char *made; /* what stands behind the digest in the text that the key is a digest of */
    Py_ssize_t made_size;
    int named; /* whether the name tells the language: else the first line may */
    int owned; /* whether the data is freed by itself: else it stands in a room */
    int digested; /* whether there is a key, or it is evidently no text */
    int binary; /* whether it is evidently no text: then there is no key */
    unsigned char key[DIGEST];
} Plain;

enum { STAMP = 5 }; /* numbers in the stamp of an entry */

/* Where files are read to that are only digested: pages that are there already, file after file. NULL: to places of
 * their own. */
typedef struct {
    char *at;
    size_t used;
} Room;

enum { ROOM = 512 << 10 };

#ifdef __linux__
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static long long nanoseconds(struct timespec time) { return (long long)time.tv_sec * 1000000000 + time.tv_nsec; }

/* Whether an open file lies where paths begin like that: the kernel knows, whatever was swapped on the way. */
static int lies_below(int descriptor, const char *prefix) {
    char link[32], place[PATH_MAX];
    size_t length = strlen(prefix);
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t size = readlink(link, place, sizeof place);
    return size > 0 && (size_t)size < sizeof place && (size_t)size >= length && memcmp(place, prefix, length) == 0;
}

/* Where files are read from: a folder without links in its path and with a slash behind, and as it is open. `asks` says
 * that the kernel is to be asked where an open file lies, since it could not be told to open nothing elsewhere. */
typedef struct {
    const char *prefix;
    int folder, asks, flags;
} Root;

/* Who reads all files leaves no times of access behind: they say nothing then, and to write them takes as long as to
 * look a file up. Only the owner of a file may leave them out. */
enum { FLAGS = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, NO_TIMES = 01000000, OPENAT2 = 437, BENEATH = 8 };

/* Opens a path below a root, -1 where it leads out of it. Kernels before 5.6, and some that confine programs, do not
 * know the call that does so in one step. */
static int open_below(Root *root, const char *path) {
    struct {
        uint64_t flags, mode, resolve;
    } how = {(uint64_t)root->flags, 0, BENEATH};
    if (!root->asks) {
        int descriptor = (int)syscall(OPENAT2, root->folder, path, &how, sizeof how);
        if (descriptor < 0 && errno == EPERM && root->flags != FLAGS) {
            root->flags = FLAGS;
            return open_below(root, path);
        }
        if (descriptor >= 0 || (errno != ENOSYS && errno != EPERM && errno != EINVAL))
            return descriptor;
        root->asks = 1;
    }
    int descriptor = openat(root->folder, path, FLAGS);
    if (descriptor >= 0 && !lies_below(descriptor, root->prefix)) {
        close(descriptor);
        return -1;
    }
    return descriptor;
}

/* Reads as many bytes as a file is said to have, and one more where there is one; returns how many, or -1. */
static Py_ssize_t read_all(int descriptor, char *room, Py_ssize_t size) {
    Py_ssize_t got = 0;
    do {
        ssize_t more = read(descriptor, room + got, (size_t)(size + 1 - got));
        if (more < 0)
            return -1;
        if (more == 0)
            break;
        got += more;
    } while (got < size);
    return got;
}

static void read_open(int descriptor, Plain *file, long long most, Room *room) {
    struct stat before, after;
    if (fstat(descriptor, &before) != 0 || !S_ISREG(before.st_mode) || (long long)before.st_size > most)
        return;
    size_t needed = (size_t)before.st_size + 1;
    file->owned = room->at == NULL || needed > ROOM - room->used;
    char *to = file->owned ? malloc(needed) : room->at + room->used;
    if (to == NULL)
        return;
    /* One that grew meanwhile has another size behind the reading. */
    Py_ssize_t got = read_all(descriptor, to, (Py_ssize_t)before.st_size);
    if (got != (Py_ssize_t)before.st_size || fstat(descriptor, &after) != 0 || after.st_size != before.st_size ||
        nanoseconds(after.st_mtim) != nanoseconds(before.st_mtim) ||
        nanoseconds(after.st_ctim) != nanoseconds(before.st_ctim)) {
        if (file->owned)
            free(to);
        return;
    }
    if (!file->owned)
        room->used += needed;
    file->data = to;
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

static int open_root(const char *prefix, int asks, Root *root) {
    root->prefix = prefix;
    root->asks = asks;
    root->flags = FLAGS | NO_TIMES;
    root->folder = open(prefix, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return root->folder >= 0;
}

static void close_root(Root *root) { close(root->folder); }

static void read_one(Plain *file, Root *root, long long most, Room *room) {
    int descriptor = open_below(root, file->path);
    if (descriptor < 0)
        return;
    read_open(descriptor, file, most, room);
    close(descriptor);
}
#else
typedef int Root;

static int open_root(const char *prefix, int asks, Root *root) {
    (void)prefix, (void)asks, (void)root;
    return 0;
}

static void close_root(Root *root) { (void)root; }

static void read_one(Plain *file, Root *root, long long most, Room *room) {
    (void)file, (void)root, (void)most, (void)room;
}

static int stamp_all(const char *root, const char *path, const char *end, long long *into) {
    (void)root, (void)path, (void)end, (void)into;
    return 0;
}
#endif

/* So much of a file is looked at for the pattern of UTF-16. */
enum { SNIFFED = 4096 };

/* Whether a file without a language by its name may have one by its first line, or bytes before that line. */
static int may_name_language(const unsigned char *data, Py_ssize_t size) {
    return size >= 2 && ((data[0] == '#' && data[1] == '!') || data[0] == 0xEF || data[0] >= 0xFE);
}

/* Whether bytes are evidently no text, as `treemill.reading.detect_encoding` has it: there is a NUL among them, no mark of
 * an encoding in front, and not the pattern of UTF-16. */
static int is_binary(const unsigned char *data, Py_ssize_t size) {
    if (size == 0 || memchr(data, 0, (size_t)size) == NULL || data[0] == 0xEF || data[0] >= 0xFE)
        return 0;
    Py_ssize_t zeros[2] = {0, 0}, head = size < SNIFFED ? size : SNIFFED, half = head < 2 ? 1 : head / 2;
    for (Py_ssize_t i = 0; i < head; i++)
        zeros[i & 1] += data[i] == 0;
    return !((double)zeros[1] > 0.7 * (double)half && (double)zeros[0] < 0.05 * (double)half) &&
           !((double)zeros[0] > 0.7 * (double)half && (double)zeros[1] < 0.05 * (double)half);
}

static void let_go(Plain *file) {
    if (file->owned)
        free(file->data);
    file->data = NULL;
    file->owned = 0;
}

/* Files are read until there are so many, or so many bytes; then their keys are made together. */
enum { TOGETHER = 64, TOGETHER_BYTES = ROOM / 4 * 3 };

/* Turns what was read into the keys of contents, where name and bytes say all that those depend on. */
static void make_keys(Plain *files, Py_ssize_t count, int lanes) {
    Message messages[TOGETHER];
    Plain *those[TOGETHER];
    size_t some = 0, texts = 0;
    for (Plain *file = files; file < files + count; file++) {
        if (file->data == NULL)
            continue;
        const unsigned char *data = (unsigned char *)file->data;
        if (!file->named && may_name_language(data, file->size))
            let_go(file);
        else if (is_binary(data, file->size)) {
            file->binary = file->digested = 1;
            let_go(file);
        } else {
            messages[some] = (Message){data, (size_t)file->size, file->key};
            those[some++] = file;
        }
    }
    digest_all(messages, some, lanes);
    for (size_t i = 0; i < some; i++) {
        Plain *file = those[i];
        size_t length = DIGEST + (size_t)file->made_size;
        unsigned char *text = malloc(length);
        let_go(file);
        if (text != NULL) {
            memcpy(text, file->key, DIGEST);
            memcpy(text + DIGEST, file->made, (size_t)file->made_size);
            messages[texts++] = (Message){text, length, file->key};
            file->digested = 1;
        }
    }
    digest_all(messages, texts, lanes);
    for (size_t i = 0; i < texts; i++)
        free((void *)messages[i].data);
}

static PyObject *bytes_and_stamps(const Plain *file, const Made *how) {
    (void)how;
    return Py_BuildValue("(y#LL)", file->data, file->size, file->stamp, file->changed);
}

/* The file as it is committed if its content is known; `how` are its type and slots. */
static PyObject *prepared(const Plain *file, const Made *how) {
    PyObject *values[FIELDS] = {
        Py_NewRef(file->name),
        PyLong_FromSsize_t(file->size),
        PyLong_FromLongLong(file->stamp),
        PyBytes_FromStringAndSize((const char *)file->key, file->binary ? 0 : DIGEST),
        Py_NewRef(Py_None),
        PyLong_FromLongLong(file->changed),
    };
    return instance_of(how, values);
}

/* Returns the list of what is said of each file and lets go of the bytes, also where it fails. */
static PyObject *told(Plain *files, Py_ssize_t count, PyObject *(*say)(const Plain *, const Made *), const Made *how) {
    PyObject *result = PyList_New(count);
    for (Py_ssize_t i = 0; i < count; i++) {
        Plain *file = &files[i];
        if (result != NULL) {
            PyObject *one = file->data == NULL && !file->digested ? Py_NewRef(Py_None) : say(file, how);
            if (one == NULL || PyList_SetItem(result, i, one) != 0)
                Py_CLEAR(result);
        }
        let_go(file);
    }
    return result;
}

/* Returns places for so many files, whose paths stand one behind the other, each ended by a NUL; NULL where they are
 * fewer or more. */
static Plain *places_for(const char *paths, Py_ssize_t size, Py_ssize_t count) {
    const char *end = paths + size + 1, *path = paths; /* bytes have a NUL behind them */
    Py_ssize_t there = 0;
    for (const char *at = paths; count > 0 && at < end; at += strlen(at) + 1)
        there++;
    if (there != count) {
        PyErr_SetString(PyExc_ValueError, "there are not as many paths as files");
        return NULL;
    }
    Plain *files = calloc((size_t)count + 1, sizeof *files);
    if (files == NULL)
        PyErr_NoMemory();
    for (Py_ssize_t i = 0; files != NULL && i < count; i++, path += strlen(path) + 1)
        files[i].path = path;
    return files;
}

/* Reads files, and makes the keys of their contents in so many lanes, if in any; without the interpreter's lock. */
static void read_files(Plain *files, Py_ssize_t count, const char *prefix, int asks, long long most, int lanes) {
    Root root;
    if (!open_root(prefix, asks, &root))
        return;
    Room room = {lanes > 0 ? malloc(ROOM) : NULL, 0};
    Py_ssize_t done = 0, bytes = 0;
    for (Py_ssize_t i = 0; i < count; i++) {
        read_one(&files[i], &root, most, &room);
        bytes += files[i].size;
        if (lanes > 0 && (i + 1 == count || i + 1 - done == TOGETHER || bytes >= TOGETHER_BYTES)) {
            make_keys(&files[done], i + 1 - done, lanes);
            done = i + 1;
            bytes = 0;
            room.used = 0;
        }
    }
    free(room.at);
    close_root(&root);
}

PyDoc_STRVAR(read_plain_doc,
             "read_plain(root: bytes, paths: bytes, count: int, most: int, asks: bool = False)"
             " -> list[tuple[bytes, int, int] | None]\n\n"
             "Read `count` regular files of at most `most` bytes that lie below a root.\n\n"
             "The root has no links in its path and a slash behind it; paths below it stand between NULs. Gives (bytes,"
             " time of modification, of change) of each, None where there is something to say about it. With `asks`, the"
             " kernel is asked where each lies, as where it cannot be told to open nothing elsewhere.");

static PyObject *read_plain(PyObject *module, PyObject *arguments) {
    const char *root, *paths;
    Py_ssize_t size, count;
    long long most;
    int asks = 0;
    if (!PyArg_ParseTuple(arguments, "yy#nL|p", &root, &paths, &size, &count, &most, &asks))
        return NULL;
    Plain *files = places_for(paths, size, count);
    if (files == NULL)
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    read_files(files, count, root, asks, most, 0);
    Py_END_ALLOW_THREADS
    PyObject *result = told(files, count, bytes_and_stamps, NULL);
    free(files);
    return result;
}

/* Takes in each file's name, and what stands behind the digest in the text of its key: (bytes, whether the name tells
 * the language). */
static int take_made(Plain *files, PyObject *names, PyObject *made, Py_ssize_t count) {
    if (PyTuple_Size(names) != count) {
        PyErr_SetString(PyExc_ValueError, "there are not as many names as files");
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
        files[i].name = PyTuple_GetItem(names, i);
    }
    return 0;
}

PyDoc_STRVAR(prepare_plain_doc,
             "prepare_plain(root: bytes, paths: bytes, names: Sequence[str], made: Sequence[tuple[bytes, bool]],"
             " most: int, files: tuple[type[PreparedFile], tuple], lanes: int = 8) -> list[PreparedFile | None]\n\n"
             "Read files as `read_plain` does, and digest each one's digest and the bytes `made` that belong to it.\n\n"
             "Gives each as it is committed if there is a content with that key, which is empty for what is evidently"
             " binary; None also where the name does not tell the language and the first line might. `files` are their"
             " type and its slots. So many at most are digested at a time.");

static PyObject *prepare_plain(PyObject *module, PyObject *arguments) {
    PyObject *given_names, *given, *type, *slots, *result = NULL;
    const char *root, *paths;
    Py_ssize_t size;
    long long most;
    int lanes = MOST_LANES;
    Made how;
    if (!PyArg_ParseTuple(arguments, "yy#OOL(OO)|i", &root, &paths, &size, &given_names, &given, &most, &type, &slots,
                          &lanes) ||
        !take_slots(type, slots, &how))
        return NULL;
    PyObject *names = PySequence_Tuple(given_names), *made = names == NULL ? NULL : PySequence_Tuple(given);
    Py_ssize_t count = made == NULL ? 0 : PyTuple_Size(made);
    Plain *files = made == NULL ? NULL : places_for(paths, size, count);
    if (files != NULL && take_made(files, names, made, count) == 0) {
        Py_BEGIN_ALLOW_THREADS
        read_files(files, count, root, 0, most, lanes < 1 ? 1 : lanes);
        Py_END_ALLOW_THREADS
        result = told(files, count, prepared, &how);
    }
    free(files);
    Py_XDECREF(names);
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
    {"prepare_plain", prepare_plain, METH_VARARGS, prepare_plain_doc},
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

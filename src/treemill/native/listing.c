/* Folders → their entries and what the file system says of them: the compiled half of `treemill.listing.list_plainly`.
 *
 * The system is asked without the interpreter's lock, into pieces of memory; then each entry becomes a tuple. Only
 * Linux is asked this way; elsewhere the half in Python does it.
 */
#ifdef __linux__
#define _DEFAULT_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030B0000
#include <Python.h>
#include "listing.h"

#ifdef __linux__
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static long long nanoseconds(struct timespec time) { return (long long)time.tv_sec * 1000000000 + time.tv_nsec; }

/* Adds a name, with a slash behind it; NULL where there is no memory. */
static Entry *added(Listing *listing, const char *name, size_t length) {
    if (listing->count == listing->entry_room) {
        size_t room = listing->entry_room ? 2 * listing->entry_room : 32;
        Entry *entries = realloc(listing->entries, room * sizeof *entries);
        if (entries == NULL)
            return NULL;
        listing->entries = entries;
        listing->entry_room = room;
    }
    if (listing->name_room - listing->used < length + 1) {
        size_t room = 2 * listing->name_room + length + 512;
        char *names = realloc(listing->names, room);
        if (names == NULL)
            return NULL;
        listing->names = names;
        listing->name_room = room;
    }
    Entry *entry = &listing->entries[listing->count++];
    memset(entry, 0, sizeof *entry);
    entry->name = listing->used;
    entry->length = length;
    memcpy(listing->names + listing->used, name, length);
    listing->names[listing->used + length] = '/';
    listing->used += length + 1;
    return entry;
}

/* Says of an entry what the system says of it; 0 where it is gone. */
static int look_at(int folder, const char *name, unsigned char type, Entry *entry) {
    struct stat said;
    if (type == DT_DIR)
        return 1;
    if (fstatat(folder, name, &said, AT_SYMLINK_NOFOLLOW) != 0) {
        entry->mode = -errno;
        return errno != ENOENT;
    }
    if (S_ISDIR(said.st_mode))
        return 1;
    entry->mode = said.st_mode;
    entry->size = said.st_size;
    entry->modified = nanoseconds(said.st_mtim);
    entry->changed = nanoseconds(said.st_ctim);
    entry->inode = (long long)((unsigned long long)said.st_ino & LLONG_MAX);
    entry->device = (long long)((unsigned long long)said.st_dev & LLONG_MAX);
    return 1;
}

/* What the system writes of an entry; the C library's way to it asks three things more of each folder. */
typedef struct {
    uint64_t inode;
    int64_t next;
    unsigned short size;
    unsigned char type;
    char name[];
} Told;

enum { BYTES = 1 << 15 };

/* Adds what the system told of some entries; 0, or the number of the error. */
static int add_told(int folder, const char *at, const char *end, Listing *listing) {
    for (const Told *next; at < end; at += next->size) {
        next = (const Told *)at;
        if (strcmp(next->name, ".") == 0 || strcmp(next->name, "..") == 0)
            continue;
        Entry *entry = added(listing, next->name, strlen(next->name));
        if (entry == NULL)
            return ENOMEM;
        if (!look_at(folder, next->name, next->type, entry))
            listing->count--;
    }
    return 0;
}

int list_open(int folder, Listing *listing) {
    _Alignas(Told) char told[BYTES];
    for (;;) {
        long size = syscall(SYS_getdents64, folder, told, sizeof told);
        if (size <= 0)
            return size == 0 || errno == ENOENT ? 0 : errno; /* in one that is gone there is nothing */
        int error = add_told(folder, told, told + size, listing);
        if (error != 0)
            return error;
    }
}

static int list(const char *path, Listing *listing) {
    int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK);
    if (folder < 0)
        return errno;
    int error = list_open(folder, listing);
    close(folder);
    return error;
}

void free_listing(Listing *listing) {
    free(listing->entries);
    free(listing->names);
}

PyObject *listed_of(const char *name, size_t length, const Entry *entry) {
    PyObject *text = PyUnicode_DecodeFSDefaultAndSize(name, (Py_ssize_t)length);
    PyObject *place = text;
    if (text == NULL)
        return NULL;
    if (entry->mode == 0)
        place = PyUnicode_DecodeFSDefaultAndSize(name, (Py_ssize_t)length + 1);
    else
        Py_INCREF(place);
    return Py_BuildValue("(NNLLLLLL)", place, text, entry->mode, entry->size, entry->modified, entry->changed,
                         entry->inode, entry->device);
}

/* Returns what a folder holds, or the number of the error for which that is not known; None where it was not asked. */
static PyObject *all_told(const Listing *listing) {
    if (listing->error == LATER)
        Py_RETURN_NONE;
    if (listing->error != 0)
        return PyLong_FromLong(listing->error);
    PyObject *result = PyList_New((Py_ssize_t)listing->count);
    for (size_t i = 0; result != NULL && i < listing->count; i++) {
        const Entry *entry = &listing->entries[i];
        PyObject *one = listed_of(listing->names + entry->name, entry->length, entry);
        if (one == NULL || PyList_SetItem(result, (Py_ssize_t)i, one) != 0)
            Py_CLEAR(result);
    }
    return result;
}
#endif

PyDoc_STRVAR(list_folders_doc,
             "list_folders(paths: bytes, count: int, enough: int)"
             " -> list[list[tuple[str, str, int, int, int, int, int, int]] | int | None] | None\n\n"
             "Return (place, name, mode, size, times of modification and change in ns, inode, device) of what `count`"
             " folders hold, whose paths stand between NULs.\n\nFolders in them have zeros; a negative mode is an error."
             " The number of an error stands for a folder that cannot be listed, None for one that comes behind `enough`"
             " entries. None instead of all: this platform has no half.");

static PyObject *list_folders(PyObject *module, PyObject *arguments) {
    const char *paths;
    Py_ssize_t size, count, enough;
    if (!PyArg_ParseTuple(arguments, "y#nn", &paths, &size, &count, &enough))
        return NULL;
#ifdef __linux__
    Py_ssize_t there = 0;
    for (const char *at = paths; count > 0 && at <= paths + size; at += strlen(at) + 1)
        there++; /* bytes have a NUL behind them */
    if (there != count) {
        PyErr_SetString(PyExc_ValueError, "there are not as many paths as folders");
        return NULL;
    }
    Listing *listings = calloc((size_t)count + 1, sizeof *listings);
    if (listings == NULL)
        return PyErr_NoMemory();
    Py_BEGIN_ALLOW_THREADS
    const char *path = paths;
    Py_ssize_t entries = 0;
    for (Py_ssize_t i = 0; i < count; i++, path += strlen(path) + 1) {
        listings[i].error = i == 0 || entries < enough ? list(path, &listings[i]) : LATER;
        entries += (Py_ssize_t)listings[i].count;
    }
    Py_END_ALLOW_THREADS
    PyObject *result = PyList_New(count);
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *one = result == NULL ? NULL : all_told(&listings[i]);
        if (result != NULL && (one == NULL || PyList_SetItem(result, i, one) != 0))
            Py_CLEAR(result);
        free_listing(&listings[i]);
    }
    free(listings);
    return result;
#else
    Py_RETURN_NONE;
#endif
}

static PyMethodDef methods[] = {
    {"list_folders", list_folders, METH_VARARGS, list_folders_doc},
    {"walk_plain", walk_plain, METH_VARARGS, walk_plain_doc},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "treemill.native._listing",
    .m_size = 0,
    .m_methods = methods,
};

PyMODINIT_FUNC PyInit__listing(void) { return PyModuleDef_Init(&definition); }

/* A folder → its entries and what the file system says of them: the compiled half of `treemill.listing.list_plainly`.
 *
 * The system is asked without the interpreter's lock, into one piece of memory; then each entry becomes a tuple. Only
 * Linux is asked this way; elsewhere the half in Python does it.
 */
#ifdef __linux__
#define _DEFAULT_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030B0000
#include <Python.h>

#ifdef __linux__
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct {
    size_t name, length; /* where the name begins among all names, which are each followed by a slash */
    long long mode, size, modified, changed, inode, device;
} Entry;

typedef struct {
    Entry *entries;
    size_t count, entry_room;
    char *names;
    size_t used, name_room;
} Listing;

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

/* Lists a folder; returns 0, or the number of the error. */
static int list(const char *path, Listing *listing) {
    DIR *folder = opendir(path);
    if (folder == NULL)
        return errno;
    int error = 0;
    while (error == 0) {
        errno = 0;
        struct dirent *next = readdir(folder);
        if (next == NULL) {
            error = errno;
            break;
        }
        const char *name = next->d_name;
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
            continue;
        Entry *entry = added(listing, name, strlen(name));
        if (entry == NULL)
            error = ENOMEM;
        else if (!look_at(dirfd(folder), name, next->d_type, entry))
            listing->count--;
    }
    closedir(folder);
    return error;
}

static PyObject *told(const Listing *listing, const Entry *entry) {
    const char *name = listing->names + entry->name;
    PyObject *text = PyUnicode_DecodeFSDefaultAndSize(name, (Py_ssize_t)entry->length);
    PyObject *place = text;
    if (text == NULL)
        return NULL;
    if (entry->mode == 0)
        place = PyUnicode_DecodeFSDefaultAndSize(name, (Py_ssize_t)entry->length + 1);
    else
        Py_INCREF(place);
    return Py_BuildValue("(NNLLLLLL)", place, text, entry->mode, entry->size, entry->modified, entry->changed,
                         entry->inode, entry->device);
}
#endif

PyDoc_STRVAR(list_folder_doc,
             "list_folder(path: bytes) -> list[tuple[str, str, int, int, int, int, int, int]] | None\n\n"
             "Return (place, name, mode, size, times of modification and change in ns, inode, device) of what a folder"
             " holds.\n\nFolders have zeros; a negative mode is an error. None: this platform has no half.");

static PyObject *list_folder(PyObject *module, PyObject *arguments) {
    const char *path;
    if (!PyArg_ParseTuple(arguments, "y", &path))
        return NULL;
#ifdef __linux__
    Listing listing = {NULL, 0, 0, NULL, 0, 0};
    int error;
    Py_BEGIN_ALLOW_THREADS
    error = list(path, &listing);
    Py_END_ALLOW_THREADS
    PyObject *result = NULL;
    if (error == 0) {
        result = PyList_New((Py_ssize_t)listing.count);
        for (size_t i = 0; result != NULL && i < listing.count; i++) {
            PyObject *one = told(&listing, &listing.entries[i]);
            if (one == NULL || PyList_SetItem(result, (Py_ssize_t)i, one) != 0)
                Py_CLEAR(result);
        }
    } else {
        errno = error;
        PyErr_SetFromErrno(PyExc_OSError);
    }
    free(listing.entries);
    free(listing.names);
    return result;
#else
    Py_RETURN_NONE;
#endif
}

static PyMethodDef methods[] = {
    {"list_folder", list_folder, METH_VARARGS, list_folder_doc},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "treemill.native._listing",
    .m_size = 0,
    .m_methods = methods,
};

PyMODINIT_FUNC PyInit__listing(void) { return PyModuleDef_Init(&definition); }

/* What is known of the entries of a folder: what `listing.c` finds and `walking.c` goes by. */
#ifndef TREEMILL_LISTING_H
#define TREEMILL_LISTING_H
#ifdef __linux__
#include <stddef.h>

typedef struct {
    size_t name, length; /* where the name begins among all names, which are each followed by a slash */
    long long mode, size, modified, changed, inode, device; /* mode: 0 is a folder, less the number of an error */
} Entry;

typedef struct {
    Entry *entries;
    size_t count, entry_room;
    char *names;
    size_t used, name_room;
    int error; /* 0: it is all there; LATER: it was not begun */
} Listing;

enum { LATER = -1 };

/* Lists an open folder; returns 0, or the number of the error. */
int list_open(int folder, Listing *listing);

/* Lets go of what a listing holds. */
void free_listing(Listing *listing);

/* The tuple that `treemill.listing.Listed` describes; behind the name stands a slash. */
PyObject *listed_of(const char *name, size_t length, const Entry *entry);
#endif

/* See `walking.c`. */
extern const char walk_plain_doc[];
PyObject *walk_plain(PyObject *module, PyObject *arguments);
#endif

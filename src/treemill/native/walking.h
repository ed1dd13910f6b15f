/* What a walk is asked, and what it finds: see `walking.c`, which walks, and `telling.c`, which tells. */
#ifndef TREEMILL_WALKING_H
#define TREEMILL_WALKING_H
#include "listing.h"
#ifdef __linux__
#include <time.h>

/* Texts, each ended by a NUL. */
typedef struct {
    const char **texts;
    size_t *lengths, count;
} Texts;

typedef enum { FILES, ASKED, FOLDERS } Kind;

typedef struct {
    Kind kind;
    size_t path, length, base; /* where the path begins among all paths, and the name in it */
    Entry entry;
} Record;

typedef struct {
    /* what is asked */
    Texts marks, mark_endings; /* a folder that holds such a name is left to the half in Python */
    Texts names, beginnings, endings, pieces; /* rules may say something of what is called so */
    Texts folders; /* and of what lies in such folders; these, names and marks are in order */
    long long most; /* bytes of a file */
    size_t enough, longest; /* records; bytes of a path below the root that can be opened by the whole of it */
    struct timespec until;
    /* what is found */
    Record *records;
    size_t count, record_room;
    char *paths;
    size_t used, path_room;
    /* the way: the path of the folder that is walked, with a slash behind */
    char *way;
    size_t way_length, way_room;
} Walk;

/* Takes in texts that stand one behind the other; 0 where there is no memory. */
int take_texts(const char *joined, Py_ssize_t size, Texts *texts);

void free_texts(Texts *texts);

/* Starts the way at a folder, which has that path below a root, and the clock; 0 where there is no memory. */
int begin_walk(Walk *walk, const char *place, const char *folder, Py_ssize_t size);

/* Opens a folder by its name in another one, links not followed; -1 where it cannot be opened. */
int open_folder(int parent, const char *name);

/* Walks the folder that the way leads to, and closes it; one that is not open is told. 0 where there is no memory. */
int walk_open(Walk *walk, int descriptor, int depth);
#endif
#endif

/* A folder → the files below it, as far as nobody has to think about them: the compiled half of a walk.
 *
 * Most of a tree are folders in which no rule is written, and names of which no rule can say anything. Those are walked
 * here, depth first and in order of path, without the interpreter's lock. What there is something to say about is told
 * as it was listed, and a folder that brings rules, holds what shows that something was generated, cannot be listed or
 * has names that are no UTF-8 is told unlisted.
 */
#ifdef __linux__
#define _DEFAULT_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030B0000
#include <Python.h>
#include "walking.h"

#ifdef __linux__
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* No deeper, since each folder on the way is open; and no longer at a time, since nobody sees what is found before. */
enum { DEEPEST = 48, NANOSECONDS = 20 * 1000 * 1000 };

/* Makes room for so many in all, of so many bytes each; 0 where there is no memory. */
static int has_room(void **at, size_t *room, size_t wanted, size_t size) {
    if (*room >= wanted)
        return 1;
    size_t more = 2 * *room > wanted ? 2 * *room : wanted + 64;
    void *moved = realloc(*at, more * size);
    if (moved == NULL)
        return 0;
    *at = moved;
    *room = more;
    return 1;
}

int take_texts(const char *joined, Py_ssize_t size, Texts *texts) {
    size_t count = 0;
    for (const char *at = joined; at < joined + size; at += strlen(at) + 1)
        count++;
    texts->texts = calloc(count + 1, sizeof *texts->texts);
    texts->lengths = calloc(count + 1, sizeof *texts->lengths);
    texts->count = count;
    if (texts->texts == NULL || texts->lengths == NULL)
        return 0;
    const char *at = joined;
    for (size_t i = 0; i < count; i++, at += strlen(at) + 1) {
        texts->texts[i] = at;
        texts->lengths[i] = strlen(at);
    }
    return 1;
}

void free_texts(Texts *texts) {
    free((void *)texts->texts);
    free(texts->lengths);
}

static int is_among(const Texts *texts, const char *name, size_t length) {
    size_t low = 0, high = texts->count;
    while (low < high) {
        size_t middle = (low + high) / 2, other = texts->lengths[middle];
        int order = memcmp(name, texts->texts[middle], length < other ? length : other);
        if (order == 0 && length == other)
            return 1;
        if (order < 0 || (order == 0 && length < other))
            high = middle;
        else
            low = middle + 1;
    }
    return 0;
}

static int begins_with_any(const Texts *texts, const char *name, size_t length) {
    for (size_t i = 0; i < texts->count; i++)
        if (texts->lengths[i] <= length && memcmp(name, texts->texts[i], texts->lengths[i]) == 0)
            return 1;
    return 0;
}

static int has_any(const Texts *texts, const char *name, size_t length) {
    for (size_t i = 0; i < texts->count; i++)
        for (size_t at = 0; at + texts->lengths[i] <= length; at++)
            if (memcmp(name + at, texts->texts[i], texts->lengths[i]) == 0)
                return 1;
    return 0;
}

static int ends_with_any(const Texts *texts, const char *name, size_t length) {
    for (size_t i = 0; i < texts->count; i++) {
        size_t size = texts->lengths[i];
        if (size <= length && memcmp(name + length - size, texts->texts[i], size) == 0)
            return 1;
    }
    return 0;
}

/* Whether bytes are UTF-8 as Python reads it; nothing else has the same order as text and as bytes. */
static int is_utf8(const unsigned char *at, size_t length) {
    for (const unsigned char *end = at + length; at < end;) {
        size_t more = *at < 0x80 ? 0 : *at < 0xC2 ? 9 : *at < 0xE0 ? 1 : *at < 0xF0 ? 2 : *at < 0xF5 ? 3 : 9;
        if (more >= (size_t)(end - at))
            return 0;
        unsigned char lead = *at++;
        for (size_t i = 0; i < more; i++, at++) {
            unsigned char least = i > 0 ? 0x80 : lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
            unsigned char most = i > 0 ? 0xBF : lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
            if (*at < least || *at > most)
                return 0;
        }
    }
    return 1;
}

/* Adds what lies on the way under a name; an empty one is the folder that the way leads to. */
static int add(Walk *walk, Kind kind, const char *name, size_t length, const Entry *entry) {
    size_t size = walk->way_length + length;
    if (!has_room((void **)&walk->records, &walk->record_room, walk->count + 1, sizeof *walk->records) ||
        !has_room((void **)&walk->paths, &walk->path_room, walk->used + size + 1, 1))
        return 0;
    Record *record = &walk->records[walk->count++];
    *record = (Record){.kind = kind, .path = walk->used, .length = size, .base = walk->way_length};
    if (entry != NULL)
        record->entry = *entry;
    memcpy(walk->paths + walk->used, walk->way, walk->way_length);
    memcpy(walk->paths + walk->used + walk->way_length, name, length);
    walk->paths[walk->used + size] = '/';
    walk->used += size + 1;
    return 1;
}

static int is_enough(const Walk *walk) {
    struct timespec now;
    if (walk->count >= walk->enough)
        return 1;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec > walk->until.tv_sec ||
           (now.tv_sec == walk->until.tv_sec && now.tv_nsec >= walk->until.tv_nsec);
}

/* Whether a folder has to be looked at by who knows the rules. */
static int is_marked(const Walk *walk, const Listing *listing) {
    for (size_t i = 0; i < listing->count; i++) {
        const char *name = listing->names + listing->entries[i].name;
        size_t length = listing->entries[i].length;
        if (is_among(&walk->marks, name, length) || ends_with_any(&walk->mark_endings, name, length) ||
            !is_utf8((const unsigned char *)name, length))
            return 1;
    }
    return 0;
}

/* Whether there may be more to say of an entry than that it is a file that belongs, or a folder to walk. */
static int is_asked(const Walk *walk, const char *name, const Entry *entry) {
    if (name[0] == '.' || (entry->mode != 0 && (entry->mode < 0 || !S_ISREG(entry->mode) || entry->size > walk->most)))
        return 1;
    return is_among(&walk->names, name, entry->length) || ends_with_any(&walk->endings, name, entry->length) ||
           begins_with_any(&walk->beginnings, name, entry->length) || has_any(&walk->pieces, name, entry->length);
}

typedef struct {
    const char *place;
    size_t length; /* with the slash of a folder */
    const Entry *entry;
} Place;

static int by_place(const void *one, const void *other) {
    const Place *a = one, *b = other;
    int order = memcmp(a->place, b->place, a->length < b->length ? a->length : b->length);
    return order != 0 ? order : (a->length > b->length) - (a->length < b->length);
}

/* Returns the entries of a listing in order of path; NULL where there is no memory. */
static Place *in_order(const Listing *listing) {
    Place *places = malloc((listing->count + 1) * sizeof *places);
    for (size_t i = 0; places != NULL && i < listing->count; i++) {
        const Entry *entry = &listing->entries[i];
        places[i] = (Place){listing->names + entry->name, entry->length + (entry->mode == 0), entry};
    }
    if (places != NULL)
        qsort(places, listing->count, sizeof *places, by_place);
    return places;
}

int open_folder(int parent, const char *name) {
    return openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
}

/* Walks the folder of that name on the way, or tells it where it is enough. */
static int walk_below(Walk *walk, int folder, const char *name, size_t length, int depth) {
    size_t before = walk->way_length;
    if (!has_room((void **)&walk->way, &walk->way_room, before + length + 1, 1))
        return 0;
    memcpy(walk->way + before, name, length);
    walk->way[before + length] = 0; /* the name alone, to open it by */
    int stops = depth >= DEEPEST || before + length > walk->longest || is_enough(walk) ||
                is_among(&walk->folders, name, length);
    int descriptor = stops ? -1 : open_folder(folder, walk->way + before);
    walk->way[before + length] = '/';
    walk->way_length = before + length + 1;
    int done = walk_open(walk, descriptor, depth);
    walk->way_length = before;
    return done;
}

static int walk_listed(Walk *walk, int folder, const Listing *listing, int depth) {
    Place *places = in_order(listing);
    int done = places != NULL;
    for (size_t i = 0; done && i < listing->count; i++) {
        const Entry *entry = places[i].entry;
        const char *name = places[i].place;
        if (is_asked(walk, name, entry))
            done = add(walk, ASKED, name, entry->length, entry);
        else if (entry->mode == 0)
            done = walk_below(walk, folder, name, entry->length, depth + 1);
        else
            done = add(walk, FILES, name, entry->length, entry);
    }
    free(places);
    return done;
}

int walk_open(Walk *walk, int descriptor, int depth) {
    Listing listing = {0};
    int done;
    if (descriptor < 0 || list_open(descriptor, &listing) != 0 || is_marked(walk, &listing))
        done = add(walk, FOLDERS, "", 0, NULL);
    else
        done = walk_listed(walk, descriptor, &listing, depth);
    free_listing(&listing);
    if (descriptor >= 0)
        close(descriptor);
    return done;
}

int begin_walk(Walk *walk, const char *place, const char *folder, Py_ssize_t size) {
    size_t above = strlen(place) + 1 > (size_t)size ? strlen(place) + 1 - (size_t)size : 0;
    walk->longest = above < PATH_MAX ? PATH_MAX - 1 - above : 0;
    clock_gettime(CLOCK_MONOTONIC, &walk->until);
    long nanoseconds = walk->until.tv_nsec + NANOSECONDS;
    walk->until.tv_sec += nanoseconds / 1000000000;
    walk->until.tv_nsec = nanoseconds % 1000000000;
    if (!has_room((void **)&walk->way, &walk->way_room, (size_t)size + 1, 1))
        return 0;
    memcpy(walk->way, folder, (size_t)size);
    walk->way_length = (size_t)size;
    return 1;
}
#endif

/* Semantic chunking in C: what its parts share.
 *
 *     bytes.h       what Python's `bytes` can do
 *     arena.c       memory of one file: all that is taken is let go of at once
 *     parse.c       text -> tree, in time and within memory
 *     walk.c        tree -> where nodes begin, and the rank of each
 *     take.c        beginnings -> ends of chunks
 *     cues.c        text -> where something may be defined
 *     names.c       node -> the name of what it defines
 *     define.c      tree and cues -> definitions
 *     document.c    text -> documentation in front of a definition
 *     describe.c    definitions -> symbols
 *     compile.c     vocabulary -> tables
 *     trees.c       the module
 *
 * Each does what its namesake in `treemill.chunking` does, which is what says what is right. Nothing here calls itself
 * by the depth of a tree, and no offset is followed that was not held against the size of the text.
 */
#ifndef TREEMILL_TREES_H
#define TREEMILL_TREES_H

#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030B0000
#include <Python.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tree_sitter/api.h"

#include "bytes.h"

/* ---- memory: arena.c ---- */

typedef struct Arena Arena;

void arenas_install(void);
Arena *arena_open(jmp_buf *escape); /* NULL where there is no memory */
void arena_close(Arena *arena);
size_t arena_bytes(const Arena *arena);
void *take_memory(size_t size);
void *take_more(void *memory, size_t size);

/* A growing array: `struct { T *items; uint32_t count, room; }`. */
#define PUSH(array, ...)                                                                                               \
    do {                                                                                                               \
        if ((array)->count == (array)->room) {                                                                         \
            (array)->room = (array)->room ? (array)->room * 2 : 64;                                                    \
            (array)->items = take_more((array)->items, (array)->room * sizeof(*(array)->items));                       \
        }                                                                                                              \
        (array)->items[(array)->count++] = (__VA_ARGS__);                                                              \
    } while (0)

typedef struct {
    int64_t *items;
    uint32_t count, room;
} Offsets;

/* ---- a language, compiled from its vocabulary ---- */

/* Kinds of nodes: to the walk; to a definition without a field; to a wrapper. */
enum { LEADING = 1, BODY = 2, ENDING = 4, BLOCK = 8 };
enum { OPENS = 1, WRAPS = 2, CLIMBS = 4 };    /* see `_Rule` */

typedef struct {
    const char *bytes;
    int64_t length;
} Word;

typedef struct {
    uint8_t flags;
    uint8_t finder;       /* one of `Finder`, or 0 */
    int16_t kind;         /* what it defines, or -1 */
    PyObject *more;       /* what the finder needs besides, or NULL */
    Word needs;           /* what has to stand in a node's text for it to have a name, or nothing */
} Rule;

typedef struct {
    Word *items;
    uint32_t count;
} Words;

enum { SPECIAL_NONE, SPECIAL_SCRIPT, SPECIAL_PYTHON };
enum { BODY_FIELD, BODY_LAST, BODY_NONE };

#define FIELDS(X)                                                                                                      \
    X(name) X(value) X(key) X(property) X(left) X(right) X(object) X(declarator) X(scope) X(body) X(type) X(receiver)  \
    X(operator) X(heading_content)

typedef struct {
#define FIELD(field) TSFieldId field##_field;
    FIELDS(FIELD)
#undef FIELD
} Fields;

typedef struct {
    const TSLanguage *language;
    uint32_t symbols;
    uint8_t *kinds;       /* LEADING | BODY | ENDING | BLOCK of each */
    bool defines;
    Rule *rules;          /* of each symbol, and of errors behind the last */
    Fields fields;
    int body;             /* BODY_FIELD, BODY_LAST or BODY_NONE */
    TSFieldId body_field;
    int special;          /* which cues it has that only `cues.c` knows */
    Words words;
    PyObject *patterns;   /* text -> offsets, or NULL */
    bool commented;       /* else documentation is a string at the beginning of the body */
    Words marks;
    Word attribute, opening, closing, group;
    bool quoted, merges, decorated, wraps;
    PyObject *symbol;     /* the type of what is handed out */
    PyObject *kept;       /* what owns the words above, and all other objects */
} Grammar;

/* compile.c */
PyObject *kinds_of(PyObject *module, PyObject *language);
PyObject *compile_grammar(PyObject *module, PyObject *arguments);
const Grammar *grammar_in(PyObject *capsule); /* NULL with an exception set */

/* ---- one file ---- */

typedef enum { FINE, TOO_SLOW, TOO_LARGE, TOO_DEEP, LIST_TOO_LARGE, INTERRUPTED, NO_TREE } Outcome;

typedef struct {
    Arena *arena;
    const Grammar *grammar;
    Text text;
    double timeout;       /* seconds of this thread's processor time */
    double spent;
    double most_bytes;    /* what the tree may take, or 0 where that is not watched */
    double list_bytes;    /* what tree and list of children may take together */
    double estimate;      /* what trees of code take for a text of this size */
    double needed;
    PyThreadState *apart; /* the state of this thread while it holds no lock, or NULL */
    TSTree *tree;
} Run;

/* parse.c: without the lock. Leaves the tree in `run`. */
Outcome parse_text(Run *run);

/* walk.c and take.c: without the lock. */
typedef struct {
    uint32_t start, rank;
} Beginning;

typedef struct {
    Beginning *items;
    uint32_t count, room;
} Beginnings;

#define POOR ((uint32_t)1 << 30)

Outcome find_beginnings(Run *run, int64_t limit, int64_t max_depth, Beginnings *found);
void take_chunks(Text text, const Beginnings *found, int64_t limit, Offsets *ends);

/* take.c, with the lock: chunks as long as a function in Python says. Returns false with an exception set. */
bool take_chunks_within(Text text, const Beginnings *found, PyObject *reach, Offsets *ends);

/* cues.c: with the lock where the language has patterns. Returns false with an exception set. */
bool find_cues(const Grammar *grammar, Text text, PyObject *source, Offsets *cues);

/* names.c */
#define FINDERS(X) X(text) NATIVE_FINDERS(X)
#define NATIVE_FINDERS(X)                                                                                              \
    X(keyword) X(qualified) X(script_variable) X(script_pair) X(script_assignment) X(script_type)             \
    X(script_module) X(c_function) X(c_typedef) X(c_body) X(c_macro) X(go_method) X(go_type) X(python_assignment)     \
    X(lua_assignment) X(lua_field) X(haskell_equation) X(ocaml_binding) X(heading)

typedef enum {
    find_field,
#define FINDER(finder) find_##finder,
    FINDERS(FINDER)
#undef FINDER
} Finder;

#define KINDS(X)                                                                                                       \
    X(function, FUNCTION) X(method, FUNCTION) X(constructor, FUNCTION) X(macro, FUNCTION) X(test, FUNCTION)            \
    X(class, TYPE) X(struct, TYPE) X(interface, TYPE) X(trait, TYPE) X(enum, TYPE) X(record, TYPE) X(object, TYPE)     \
    X(protocol, TYPE) X(extension, TYPE) X(union, TYPE) X(impl, TYPE) X(module, MODULE) X(heading, MODULE)             \
    X(constant, VALUE) X(variable, VALUE) X(type, OTHER) X(property, OTHER) X(table, OTHER) X(view, OTHER)             \
    X(index, OTHER) X(procedure, OTHER) X(trigger, OTHER) X(schema, OTHER)

typedef enum {
#define KIND(kind, scope) kind_##kind,
    KINDS(KIND)
#undef KIND
    kind_count,
} Kind;

int kind_of(PyObject *name); /* -1 where there is none of that name */

typedef struct {
    int64_t start, end;   /* of the name */
    int kind;
    Word owner;           /* the names in front, joined by dots */
    TSNode inside;        /* the node that holds the body */
} Named;

typedef enum { NAMED, NAMELESS, FAILED } Naming;

Naming find_name(const Grammar *grammar, const Rule *rule, TSNode node, Text text, PyObject *source, Named *named);

/* define.c: with the lock. */
typedef struct {
    int64_t start, end, name, name_end;
    int kind;
    Word owner;
    int64_t head, body, doc, doc_end; /* -1 where there is none */
    uint32_t order;
} Definition;

typedef struct {
    Definition *items;
    uint32_t count, room;
} Definitions;

bool find_definitions(Run *run, PyObject *source, Definitions *found);

/* document.c */
bool comment_before(const Grammar *grammar, Text text, int64_t *start, int64_t *doc, int64_t *doc_end);
bool heredoc_before(Text text, int64_t start, int64_t *doc, int64_t *doc_end);

/* describe.c: with the lock. */
extern PyObject *kind_names[kind_count];
PyObject *describe(Run *run, Definitions *found);

#endif

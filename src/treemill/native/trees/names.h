/* How a node tells the name of what it defines: what the finders of `names.c` and its neighbours share. */
#ifndef TREEMILL_NAMES_H
#define TREEMILL_NAMES_H

#include "trees.h"

#define CHILD(node, field) ts_node_child_by_field_id(node, grammar->fields.field##_field)
#define NONE(node) ts_node_is_null(node)

/* A finder: reads a node, and fills `named` where it says NAMED. */
#define FINDS(finder)                                                                                                  \
    Naming name_by_##finder(const Grammar *grammar, const Rule *rule, TSNode node, Text text, Named *named)
#define FINDER(finder) FINDS(finder);
NATIVE_FINDERS(FINDER)
#undef FINDER

static inline bool is_type(TSNode node, const char *type) { return strcmp(ts_node_type(node), type) == 0; }

static inline bool is_one_of(const char *type, const char *const *types) {
    for (; *types != NULL; types++)
        if (strcmp(type, *types) == 0)
            return true;
    return false;
}

static inline Naming as(Named *named, int64_t start, int64_t end, int kind, TSNode inside) {
    *named = (Named){start, end, kind, {NULL, 0}, inside};
    return NAMED;
}

static inline Naming as_node(Named *named, TSNode name, int kind, TSNode inside) {
    return as(named, ts_node_start_byte(name), ts_node_end_byte(name), kind, inside);
}

Word dotted(Text text, int64_t start, int64_t end, const char *separator);

#endif

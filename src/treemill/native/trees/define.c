/* The nodes that define something: the first pass of `treemill.chunking.definitions`, in C.
 *
 * The tree is asked for the smallest node around each cue, and containers are looked at child by child, each with a
 * cursor of its own on a stack. With Python's lock, because names may be asked for there.
 */
#include "trees.h"

/* How far back a decorator or a word like `export` is looked for. */
#define LINE_BYTES 200

/* Nodes that have been taken down, by address: a table of twice as many places at least, 0 where there is none. */
typedef struct {
    uintptr_t *places;
    uint32_t count, room;
} Seen;

typedef struct {
    Run *run;
    const Grammar *grammar;
    Text text;
    PyObject *source;
    TSNode root;
    Seen seen;
    Definitions *found;
    bool failed;
} Search;

typedef struct {
    TSTreeCursor cursor;
    bool begun;
    int64_t outer;
} Level;

typedef struct {
    Level *items;
    uint32_t count, room;
} Levels;

typedef struct {
    TSNode *items;
    uint32_t count, room;
} Nodes;

static uint32_t place_of(const Seen *seen, uintptr_t id) {
    uint32_t place = (uint32_t)((id >> 3) * 2654435769u) & (seen->room - 1);
    while (seen->places[place] && seen->places[place] != id)
        place = (place + 1) & (seen->room - 1);
    return place;
}

static void make_room(Seen *seen) {
    Seen more = {NULL, seen->count, seen->room ? seen->room * 2 : 256};
    more.places = take_memory(more.room * sizeof *more.places);
    memset(more.places, 0, more.room * sizeof *more.places);
    for (uint32_t i = 0; i < seen->room; i++)
        if (seen->places[i])
            more.places[place_of(&more, seen->places[i])] = seen->places[i];
    *seen = more;
}

static bool was_seen(const Seen *seen, TSNode node) {
    return seen->room && seen->places[place_of(seen, (uintptr_t)node.id)] != 0;
}

static void see(Seen *seen, TSNode node) {
    if (seen->count * 2 >= seen->room)
        make_room(seen);
    seen->places[place_of(seen, (uintptr_t)node.id)] = (uintptr_t)node.id;
    seen->count++;
}

/* What to do with a node, or NULL. */
static const Rule *rule_of(const Grammar *grammar, TSNode node) {
    TSSymbol symbol = ts_node_symbol(node);
    const Rule *rule = &grammar->rules[symbol < grammar->symbols ? symbol : grammar->symbols];
    return rule->flags || rule->kind >= 0 ? rule : NULL;
}

static bool has_group(const Search *search, int64_t start, int64_t end) {
    Word group = search->grammar->group;
    return group.length && find_word(search->text, group.bytes, group.length, start, end) >= 0;
}

/* What comes after a definition's signature: the grammar's field for it, or the last child. Null if nothing does. */
static TSNode body_of(const Search *search, TSNode node) {
    const Grammar *grammar = search->grammar;
    if (grammar->body == BODY_FIELD)
        return ts_node_child_by_field_id(node, grammar->body_field);
    uint32_t count = grammar->body == BODY_LAST ? ts_node_named_child_count(node) : 0;
    TSNode last = count ? ts_node_named_child(node, count - 1) : (TSNode){0};
    TSSymbol symbol = count ? ts_node_symbol(last) : 0;
    return count && symbol < grammar->symbols && grammar->kinds[symbol] & ENDING ? last : (TSNode){0};
}

/* The string that a body begins with, where a string of Python may begin there. */
static bool docstring(Text text, TSNode body, int64_t *doc, int64_t *doc_end) {
    int64_t start = ts_node_start_byte(body);
    int first = at_or(text, start, 0), second = at_or(text, start + 1, 0);
    if (first != '"' && first != '\'' && second != '"' && second != '\'')
        return false;
    TSNode statement = ts_node_named_child(body, 0);
    if (ts_node_is_null(statement) || ts_node_named_child_count(statement) != 1)
        return false;
    TSNode string = ts_node_named_child(statement, 0);
    if (ts_node_is_null(string) || strcmp(ts_node_type(string), "string") != 0)
        return false;
    *doc = ts_node_start_byte(string);
    *doc_end = ts_node_end_byte(string);
    return true;
}

/* Take down a definition; return the container that holds more, null if there is none or it is not new. */
static TSNode add(Search *search, TSNode node, const Rule *rule, int64_t start, int64_t outer) {
    const TSNode nothing = {0};
    Text text = search->text;
    if (was_seen(&search->seen, node))
        return nothing;
    see(&search->seen, node);
    Named named = {.start = -1, .end = -1, .kind = rule->kind, .inside = node};
    Naming naming = find_name(search->grammar, rule, node, text, search->source, &named);
    if (naming == FAILED) {
        search->failed = true;
        return nothing;
    }
    TSNode body = body_of(search, named.inside);
    bool bodied = !ts_node_is_null(body);
    if (naming == NAMED && named.start < named.end) {
        Definition one = {outer, ts_node_end_byte(node), named.start, named.end, named.kind, named.owner, start, -1, -1,
                          -1, search->found->count};
        if (outer < start && find_byte(text, '\n', outer, start) < 0)
            one.head = outer;
        if (bodied) {
            one.body = ts_node_start_byte(body);
            if (!search->grammar->commented)
                docstring(text, body, &one.doc, &one.doc_end);
        }
        PUSH(search->found, one);
    }
    if (bodied) {
        const Rule *opened = rule_of(search->grammar, body);
        if ((opened != NULL && opened->flags & OPENS) || named.kind == kind_module)
            return body;
    }
    if (named.inside.id != node.id) {
        const Rule *inner = rule_of(search->grammar, named.inside);
        rule = inner == NULL ? rule : inner;
    }
    return rule->flags & OPENS ? named.inside : nothing;
}

static bool next_named(Level *level, TSNode *node) {
    bool more = level->begun ? ts_tree_cursor_goto_next_sibling(&level->cursor)
                             : ts_tree_cursor_goto_first_child(&level->cursor);
    level->begun = true;
    while (more) {
        *node = ts_tree_cursor_current_node(&level->cursor);
        if (ts_node_is_named(*node))
            return true;
        more = ts_tree_cursor_goto_next_sibling(&level->cursor);
    }
    return false;
}

/* Whether a node is a container where a wrapper holds it. */
static bool is_block(const Grammar *grammar, TSNode node) {
    TSSymbol symbol = ts_node_symbol(node);
    return symbol < grammar->symbols && grammar->kinds[symbol] & BLOCK;
}

/* Find the definitions among the children of a container, and of the containers in it. Where it is a wrapper, `outer` is
 * where it begins, else -1. */
static void look_at_children(Search *search, TSNode node, int64_t outer) {
    Levels levels = {0};
    PUSH(&levels, (Level){ts_tree_cursor_new(node), false, outer});
    while (levels.count && !search->failed) {
        Level *level = &levels.items[levels.count - 1];
        TSNode child;
        if (!next_named(level, &child)) {
            ts_tree_cursor_delete(&level->cursor);
            levels.count--;
            continue;
        }
        const Rule *rule = rule_of(search->grammar, child);
        if (rule == NULL) {
            if (level->outer >= 0 && is_block(search->grammar, child))
                PUSH(&levels, (Level){ts_tree_cursor_new(child), false, -1});
            continue;
        }
        int64_t start = ts_node_start_byte(child), first = start;
        if (level->outer >= 0 && !has_group(search, level->outer, start))
            first = level->outer;
        TSNode container = child;
        if (rule->kind >= 0) {
            container = add(search, child, rule, start, first);
            level->outer = -1;
            if (ts_node_is_null(container))
                continue;
        } else if (!(rule->flags & OPENS)) {
            continue;
        }
        PUSH(&levels, (Level){ts_tree_cursor_new(container), false, rule->flags & WRAPS ? first : -1});
    }
}

/* What a value is given to, where that is a definition; else the value. */
static TSNode climbed(const Search *search, TSNode node, const Rule **rule) {
    for (TSNode parent = ts_node_parent(node); !ts_node_is_null(parent); parent = ts_node_parent(parent)) {
        const Rule *outer = rule_of(search->grammar, parent);
        if (outer == NULL)
            break;
        if (outer->kind >= 0) {
            *rule = outer;
            return parent;
        }
        if (!(outer->flags & CLIMBS))
            break;
    }
    return node;
}

/* Where a definition begins with its decorators, or with words like `export`. */
static int64_t wrapped(const Search *search, TSNode node, int64_t start) {
    Text text = search->text;
    int64_t from = larger(0, start - LINE_BYTES), end = rstripped(text, from, start);
    unsigned char last = end > from ? text.bytes[end - 1] : 0;
    if (is_alnum(last)) {
        int64_t line = lstripped(text, larger(from, rfind_byte(text, '\n', from, end) + 1), end);
        if (search->grammar->decorated && !(line < end && text.bytes[line] == '@'))
            return start;
    } else if (last != ')' && last != '>') {
        return start;
    }
    int64_t outer = start;
    for (TSNode parent = ts_node_parent(node); !ts_node_is_null(parent); parent = ts_node_parent(parent)) {
        const Rule *rule = rule_of(search->grammar, parent);
        if (rule == NULL || !(rule->flags & WRAPS))
            break;
        outer = ts_node_start_byte(parent);
    }
    return has_group(search, outer, start) ? start : outer;
}

static bool is_blank_or_break(unsigned char byte) { return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n'; }

/* Find the definitions that have a cue in their text. Cues ascend: a node found for one is where the next is looked for,
 * until it ends. */
static void look_at_cues(Search *search, const Offsets *cues) {
    const Grammar *grammar = search->grammar;
    Text text = search->text;
    Nodes around = {0};
    int64_t last = 0;
    for (uint32_t i = 0; i < cues->count && !search->failed; i++) {
        int64_t cue = cues->items[i];
        while (around.count && cue >= ts_node_end_byte(around.items[around.count - 1]))
            around.count--;
        TSNode from = around.count ? around.items[around.count - 1] : search->root;
        TSNode node = ts_node_descendant_for_byte_range(from, (uint32_t)(cue - 1), (uint32_t)(cue + 2));
        const Rule *rule = ts_node_is_null(node) ? NULL : rule_of(grammar, node);
        if (rule == NULL)
            continue;
        if (was_seen(&search->seen, node)) {
            PUSH(&around, node);
            continue;
        }
        if (rule->flags & CLIMBS)
            node = climbed(search, node, &rule);
        int64_t start = ts_node_start_byte(node), outer = start;
        if (grammar->wraps && start && is_blank_or_break(text.bytes[start - 1])) {
            /* No definition stands in a decorator: since the one before there has to be the sign of this one's. */
            if (!grammar->decorated || find_byte(text, '@', smaller(last, start), start) >= 0)
                outer = wrapped(search, node, start);
            last = start;
        }
        if (rule->kind < 0) {
            if (rule->flags & OPENS)
                look_at_children(search, node, rule->flags & WRAPS ? outer : -1);
            continue;
        }
        TSNode container = add(search, node, rule, start, outer);
        if (!ts_node_is_null(container))
            look_at_children(search, container, -1);
        PUSH(&around, node);
    }
}

bool find_definitions(Run *run, PyObject *source, Definitions *found) {
    TSNode root = ts_tree_root_node(run->tree);
    Search search = {run, run->grammar, run->text, source, root, {0}, found, false};
    const Rule *rule = rule_of(run->grammar, root);
    if (rule != NULL && rule->flags & OPENS)
        look_at_children(&search, root, -1);
    Offsets cues = {0};
    if (search.failed || !find_cues(run->grammar, run->text, source, &cues))
        return false;
    look_at_cues(&search, &cues);
    return !search.failed;
}

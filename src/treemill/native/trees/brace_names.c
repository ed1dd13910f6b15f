/* How definitions tell their names in the languages with braces: what `vocabularies/brace_names.py` does in Python. */
#include "names.h"

static bool ends_with(const char *type, const char *ending) {
    size_t length = strlen(type), last = strlen(ending);
    return length >= last && strcmp(type + length - last, ending) == 0;
}

static Naming as_unquoted(Named *named, Text text, TSNode name, int kind, TSNode inside) {
    int64_t start = ts_node_start_byte(name), end = ts_node_end_byte(name);
    if (end - start > 2 && strchr("\"'`", text.bytes[start]) != NULL && text.bytes[start])
        start++, end--;
    return as(named, start, end, kind, inside);
}

static int script_kind(TSNode value) {
    static const char *const functions[] = {
        "arrow_function", "function_expression", "generator_function", "function", "function_definition", NULL,
    };
    const char *type = ts_node_type(value);
    if (is_one_of(type, functions))
        return kind_function;
    return strcmp(type, "class") == 0 ? kind_class : kind_variable;
}

FINDS(script_variable) {
    (void)rule;
    TSNode name = CHILD(node, name), value = CHILD(node, value);
    if (NONE(name) || !is_type(name, "identifier"))
        return NAMELESS;
    int kind = NONE(value) ? kind_variable : script_kind(value);
    if (kind == kind_variable && !NONE(value)) {
        int64_t at = ts_node_start_byte(value), start = ts_node_start_byte(name);
        if (same_at(text, at, text.size, "require(", 8) || same_at(text, at, text.size, "await import(", 13))
            return NAMELESS;
        if (same_at(text, larger(0, start - 6), start, "const", 5))
            kind = kind_constant;
    }
    return as_node(named, name, kind, NONE(value) ? node : value);
}

FINDS(script_pair) {
    (void)rule;
    TSNode name = CHILD(node, key), value = CHILD(node, value);
    if (NONE(name))
        name = CHILD(node, property);
    if (NONE(name))
        name = CHILD(node, name);
    if (NONE(name) || NONE(value))
        return NAMELESS;
    int kind = script_kind(value);
    return kind == kind_variable ? NAMELESS : as_unquoted(named, text, name, kind, value);
}

static bool is_exports(Text text, TSNode node) {
    int64_t start = ts_node_start_byte(node), size = ts_node_end_byte(node) - start;
    return (size == 7 && same_at(text, start, start + size, "exports", size))
        || (size == 14 && same_at(text, start, start + size, "module.exports", size));
}

FINDS(script_assignment) {
    (void)rule;
    static const char *const nobody[] = {"exports", "module.exports", "module", "this", "self", "window", "global", NULL};
    TSNode left = CHILD(node, left), value = CHILD(node, right);
    if (NONE(left) || NONE(value))
        return NAMELESS;
    int kind = script_kind(value);
    if (kind == kind_variable)
        return NAMELESS;
    TSNode own = CHILD(value, name);
    if (!NONE(own) && is_exports(text, left))
        return as_node(named, own, kind, value);
    if (is_type(left, "identifier"))
        return as_node(named, left, kind, value);
    TSNode name = CHILD(left, property), scope = CHILD(left, object);
    if (NONE(name) || NONE(scope))
        return NAMELESS;
    int64_t start = ts_node_start_byte(scope), end = ts_node_end_byte(scope);
    if (end - start >= 10 && same_at(text, end - 10, end, ".prototype", 10))
        end -= 10;
    bool owned = end > start;
    for (int64_t at = start; at < end && owned; at++)
        owned = is_word(text.bytes[at]) || text.bytes[at] == '$' || text.bytes[at] == '.';
    for (const char *const *each = nobody; *each != NULL && owned; each++)
        owned = !((int64_t)strlen(*each) == end - start && same_at(text, start, end, *each, end - start));
    as_node(named, name, owned && kind == kind_function ? kind_method : kind, value);
    if (owned)
        named->owner = (Word){(const char *)text.bytes + start, end - start};
    return NAMED;
}

FINDS(script_type) {
    (void)rule, (void)text;
    TSNode name = CHILD(node, name), value = CHILD(node, value);
    return NONE(name) ? NAMELESS : as_node(named, name, kind_type, NONE(value) ? node : value);
}

FINDS(script_module) {
    (void)rule;
    TSNode name = CHILD(node, name);
    return NONE(name) ? NAMELESS : as_unquoted(named, text, name, kind_module, node);
}

/* Where a name ends, without template arguments and a conversion's parameters. */
static int64_t c_name_end(const Grammar *grammar, TSNode name, Text text) {
    if (is_type(name, "template_function")) {
        TSNode inner = CHILD(name, name);
        name = NONE(inner) ? name : inner;
    }
    int64_t end = ts_node_end_byte(name);
    if (is_type(name, "operator_cast")) {
        int64_t paren = find_byte(text, '(', ts_node_start_byte(name), end);
        return paren > 0 ? paren : end;
    }
    return end;
}

/* Split `shop::Shape<int>::area` into its owner, without template arguments, and its name. */
static Naming c_qualified(const Grammar *grammar, TSNode node, TSNode declarator, Text text, Named *named) {
    struct {
        char *items;
        uint32_t count, room;
    } owner = {0};
    bool several = false;
    while (is_type(declarator, "qualified_identifier")) {
        TSNode scope = CHILD(declarator, scope), name = CHILD(declarator, name);
        if (NONE(name))
            return NAMELESS;
        if (!NONE(scope)) {
            int64_t start = ts_node_start_byte(scope), end = ts_node_end_byte(scope);
            int64_t arguments = find_byte(text, '<', start, end);
            end = arguments < 0 ? end : arguments;
            start = lstripped(text, start, end);
            end = rstripped(text, start, end);
            if (several)
                PUSH(&owner, '.');
            while (start < end)
                PUSH(&owner, (char)text.bytes[start++]);
            several = true;
        }
        declarator = name;
    }
    as(named, ts_node_start_byte(declarator), c_name_end(grammar, declarator, text), kind_method, node);
    named->owner = (Word){owner.items, owner.count};
    return NAMED;
}

FINDS(c_function) {
    (void)rule;
    static const char *const names[] = {"operator_cast", "template_function", NULL};
    static const char *const values[] = {"parenthesized_declarator", "init_declarator", "array_declarator", NULL};
    static const char *const around[] = {"reference_declarator", "attributed_declarator", NULL};
    TSNode declarator = CHILD(node, declarator);
    bool function = is_type(node, "function_declarator"); /* on its own, where macros have confused the parser */
    while (!NONE(declarator)) {
        const char *type = ts_node_type(declarator);
        if (strcmp(type, "function_declarator") == 0)
            function = true;
        else if (strcmp(type, "qualified_identifier") == 0)
            return c_qualified(grammar, node, declarator, text, named);
        else if (ends_with(type, "identifier") || ends_with(type, "_name") || is_one_of(type, names))
            break;
        else if (is_one_of(type, values))
            return NAMELESS;
        TSNode inner = CHILD(declarator, declarator);
        if (NONE(inner) && is_one_of(type, around))
            inner = ts_node_named_child(declarator, ts_node_named_child_count(declarator) - 1);
        declarator = inner;
    }
    if (NONE(declarator) || !(function || is_type(declarator, "operator_cast")))
        return NAMELESS;
    return as(named, ts_node_start_byte(declarator), c_name_end(grammar, declarator, text), kind_function, node);
}

FINDS(c_typedef) {
    (void)rule, (void)text;
    TSNode name = CHILD(node, declarator);
    while (!NONE(name) && !is_type(name, "type_identifier")) {
        TSNode inner = CHILD(name, declarator);
        name = !NONE(inner) || !is_type(name, "parenthesized_declarator") ? inner : ts_node_named_child(name, 0);
    }
    return NONE(name) ? NAMELESS : as_node(named, name, kind_type, node);
}

FINDS(c_body) {
    TSNode name = CHILD(node, name);
    if (NONE(name) || NONE(CHILD(node, body)))
        return NAMELESS;
    int64_t first = ts_node_start_byte(name), end = ts_node_end_byte(name), start = first;
    if (is_type(name, "type_identifier"))
        return as(named, start, end, rule->kind, node);
    int64_t scope = rfind_word(text, "::", 2, start, end);
    start = scope >= 0 ? scope + 2 : start;
    int64_t arguments = find_byte(text, '<', start, end);
    as(named, start, arguments > start ? arguments : end, rule->kind, node);
    named->owner = dotted(text, first, start, "::");
    return NAMED;
}

FINDS(c_macro) {
    (void)rule, (void)text;
    TSNode name = CHILD(node, name);
    return NONE(name) || NONE(CHILD(node, value)) ? NAMELESS : as_node(named, name, kind_macro, node);
}

/* The receiver's type is the last word in front of the parenthesis, type arguments apart. */
FINDS(go_method) {
    (void)rule;
    TSNode name = CHILD(node, name), receiver = CHILD(node, receiver);
    if (NONE(name) || NONE(receiver))
        return NAMELESS;
    as_node(named, name, kind_method, node);
    int64_t first = ts_node_start_byte(receiver), end = ts_node_end_byte(receiver);
    if (end <= first || text.bytes[end - 1] != ')')
        return NAMED;
    end = rstripped(text, first, end - 1);
    if (end > first && text.bytes[end - 1] == ']') {
        int64_t opening = rfind_byte(text, '[', first, end - 1);
        int64_t other = rfind_byte(text, ']', first, end - 1);
        /* The first bracket that no other closes opens the arguments. */
        for (int64_t at = opening; at >= 0 && at > other; at = rfind_byte(text, '[', first, at)) {
            int64_t behind = rstripped(text, first, at);
            if (behind > first && is_word(text.bytes[behind - 1]))
                opening = at;
        }
        if (opening < 0 || opening < other)
            return NAMED;
        end = rstripped(text, first, opening);
    }
    int64_t start = end;
    while (start > first && is_word(text.bytes[start - 1]))
        start--;
    if (start < end)
        named->owner = (Word){(const char *)text.bytes + start, end - start};
    return NAMED;
}

FINDS(go_type) {
    (void)rule, (void)text;
    TSNode name = CHILD(node, name), what = CHILD(node, type);
    if (NONE(name) || NONE(what))
        return NAMELESS;
    if (is_type(what, "interface_type"))
        return as_node(named, name, kind_interface, what);
    return as_node(named, name, is_type(what, "struct_type") ? kind_struct : kind_type, node);
}

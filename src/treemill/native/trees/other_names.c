/* How definitions tell their names in the languages without braces: what `vocabularies/other_names.py` does in Python. */
#include "names.h"

FINDS(python_assignment) {
    (void)rule;
    TSNode left = CHILD(node, left);
    if (NONE(left) || !is_type(left, "identifier"))
        return NAMELESS;
    int64_t start = ts_node_start_byte(left), end = ts_node_end_byte(left), at = start;
    while (at < end && text.bytes[at] == '_')
        at++;
    bool constant = at < end && is_upper(text.bytes[at]);
    for (; at < end && constant; at++)
        constant = is_upper(text.bytes[at]) || is_digit(text.bytes[at]) || text.bytes[at] == '_';
    return as(named, start, end, constant ? kind_constant : kind_variable, node);
}

FINDS(lua_assignment) {
    (void)rule;
    TSNode names = ts_node_named_child(node, 0), values = ts_node_named_child(node, 1);
    if (NONE(names) || NONE(values) || !ts_node_named_child_count(names) || !ts_node_named_child_count(values))
        return NAMELESS;
    TSNode name = ts_node_named_child(names, 0), value = ts_node_named_child(values, 0);
    if (!is_type(value, "function_definition"))
        return NAMELESS;
    int64_t start = ts_node_start_byte(name), end = ts_node_end_byte(name);
    int64_t last = larger(rfind_byte(text, '.', start, end), rfind_byte(text, ':', start, end)) + 1;
    if (last <= start)
        return as(named, start, end, kind_function, value);
    as(named, last, end, kind_function, value);
    named->owner = (Word){(const char *)text.bytes + start, last - 1 - start};
    return NAMED;
}

FINDS(lua_field) {
    (void)rule, (void)text;
    TSNode name = CHILD(node, name), value = CHILD(node, value);
    if (NONE(name) || NONE(value) || !is_type(value, "function_definition"))
        return NAMELESS;
    return as_node(named, name, kind_function, value);
}

FINDS(haskell_equation) {
    (void)rule;
    TSNode name = CHILD(node, name);
    if (NONE(name)) {
        TSNode infix = ts_node_named_child(node, 0);
        if (NONE(infix) || !is_type(infix, "infix"))
            return NAMELESS;
        name = CHILD(infix, operator);
        if (NONE(name))
            return NAMELESS;
    }
    int64_t start = ts_node_start_byte(name), end = ts_node_end_byte(name);
    if (at_or(text, start, 0) == '(' && at_or(text, end - 1, 0) == ')' && end - start > 2)
        start++, end--;
    bool constant = is_type(node, "bind") || (is_type(node, "signature") &&
                                              find_word(text, "->", 2, end, ts_node_end_byte(node)) < 0);
    return as(named, start, end, constant ? kind_constant : kind_function, node);
}

static bool ml_function(TSNode node, bool parameter) {
    static const char *const functions[] = {"fun_expression", "function_expression", NULL};
    return !NONE(node) && (is_one_of(ts_node_type(node), functions) || (parameter && is_type(node, "parameter")));
}

FINDS(ocaml_binding) {
    (void)rule;
    int64_t start = ts_node_start_byte(node), stop = ts_node_end_byte(node), end = start;
    if (start >= stop)
        return NAMELESS;
    if (text.bytes[start] == '(') {
        int64_t first = lstripped(text, start + 1, stop), behind = first;
        while (behind < stop && !is_space(text.bytes[behind]) && !is_word(text.bytes[behind]) &&
               text.bytes[behind] != '(' && text.bytes[behind] != ')')
            behind++;
        end = lstripped(text, behind, stop);
        if (behind == first || end >= stop || text.bytes[end] != ')')
            return NAMELESS;
        start = first;
        end = behind;
    } else if (is_word(text.bytes[start])) {
        while (end < stop && (is_word(text.bytes[end]) || (end > start && text.bytes[end] == '\'')))
            end++;
    } else {
        return NAMELESS;
    }
    bool function = ml_function(ts_node_named_child(node, 1), true) || ml_function(CHILD(node, body), false);
    return as(named, start, end, function ? kind_function : kind_constant, node);
}

FINDS(heading) {
    (void)rule;
    TSNode titled = node;
    if (is_type(node, "section")) {
        titled = ts_node_named_child(node, 0);
        if (NONE(titled) || !is_type(titled, "atx_heading"))
            return NAMELESS;
    }
    TSNode name = CHILD(titled, heading_content);
    if (NONE(name))
        return NAMELESS;
    int64_t start = ts_node_start_byte(name), end = rstripped(text, start, ts_node_end_byte(name));
    return end > start ? as(named, start, end, kind_heading, node) : NAMELESS;
}

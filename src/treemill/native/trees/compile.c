/* A language's vocabulary as tables of the grammar's numbers. Made once a language, and kept for good. */
#include "trees.h"

#define CAPSULE "treemill.native._trees.Grammar"

static const char *const finder_names[] = {
    "field",
#define FINDER(finder) #finder,
    FINDERS(FINDER)
#undef FINDER
};

static void forget(PyObject *capsule) {
    Grammar *grammar = PyCapsule_GetPointer(capsule, CAPSULE);
    if (grammar == NULL)
        return;
    Py_XDECREF(grammar->kept);
    free(grammar->words.items);
    free(grammar->marks.items);
    free(grammar->rules);
    free(grammar->kinds);
    free(grammar);
}

const Grammar *grammar_in(PyObject *capsule) { return PyCapsule_GetPointer(capsule, CAPSULE); }

/* The grammar that a package gives out, or NULL with an exception set. */
static const TSLanguage *language_in(PyObject *given) {
    if (PyCapsule_CheckExact(given))
        return PyCapsule_GetPointer(given, "tree_sitter.Language");
    return PyLong_AsVoidPtr(given);
}

static bool refuse(const char *why) {
    if (!PyErr_Occurred())
        PyErr_SetString(PyExc_ValueError, why);
    return false;
}

static bool read_words(PyObject *given, Words *words) {
    Py_ssize_t count = PyTuple_Size(given);
    words->items = count < 0 ? NULL : calloc((size_t)count + 1, sizeof *words->items);
    if (words->items == NULL)
        return refuse("words come as a tuple");
    for (Py_ssize_t i = 0; i < count; i++) {
        char *bytes;
        Py_ssize_t length;
        if (PyBytes_AsStringAndSize(PyTuple_GetItem(given, i), &bytes, &length) < 0 || length < 1)
            return refuse("a word is bytes, one at least");
        words->items[words->count++] = (Word){bytes, length};
    }
    return true;
}

static bool read_rule(Grammar *grammar, PyObject *given) {
    unsigned int symbol, flags;
    PyObject *kind, *more;
    const char *finder, *needs;
    Py_ssize_t length;
    if (!PyArg_ParseTuple(given, "IIOsOy#", &symbol, &flags, &kind, &finder, &more, &needs, &length))
        return false;
    Rule *rule = &grammar->rules[symbol < grammar->symbols ? symbol : grammar->symbols];
    *rule = (Rule){(uint8_t)flags, find_field, -1, more == Py_None ? NULL : more, {needs, length}};
    if (kind == Py_None)
        return true;
    rule->kind = (int16_t)kind_of(kind);
    for (size_t i = 0; i < sizeof finder_names / sizeof *finder_names; i++) {
        if (strcmp(finder, finder_names[i]) == 0) {
            rule->finder = (uint8_t)i;
            return rule->kind >= 0 ? true : refuse("a rule has a kind that there is not");
        }
    }
    return refuse("a rule has a finder that there is not");
}

static bool read_rules(Grammar *grammar, PyObject *given) {
    grammar->rules = calloc(grammar->symbols + 1, sizeof *grammar->rules);
    if (grammar->rules == NULL)
        return PyErr_NoMemory() != NULL;
    for (uint32_t i = 0; i <= grammar->symbols; i++)
        grammar->rules[i].kind = -1;
    for (Py_ssize_t i = 0; i < PyTuple_Size(given); i++)
        if (!read_rule(grammar, PyTuple_GetItem(given, i)))
            return false;
    return true;
}

static TSFieldId field_of(const Grammar *grammar, const char *name) {
    return ts_language_field_id_for_name(grammar->language, name, (uint32_t)strlen(name));
}

static bool read_comments(Grammar *grammar, PyObject *given) {
    if (given == Py_None)
        return true;
    PyObject *marks;
    Py_ssize_t attribute, opening, closing;
    if (!PyArg_ParseTuple(given, "Oy#(y#y#)", &marks, &grammar->attribute.bytes, &attribute, &grammar->opening.bytes,
                          &opening, &grammar->closing.bytes, &closing))
        return false;
    grammar->attribute.length = attribute;
    grammar->opening.length = opening;
    grammar->closing.length = closing;
    grammar->commented = true;
    return read_words(marks, &grammar->marks);
}

static bool read_definitions(Grammar *grammar, PyObject *given) {
    PyObject *rules, *words, *patterns, *comments;
    const char *body, *special;
    Py_ssize_t group;
    int last, quoted, merges, decorated, wraps;
    if (!PyArg_ParseTuple(given, "OOspOsOOy#pppp", &grammar->symbol, &rules, &body, &last, &words, &special, &patterns,
                          &comments, &grammar->group.bytes, &group, &quoted, &merges, &decorated, &wraps))
        return false;
    grammar->defines = true;
    grammar->group.length = group;
    grammar->body_field = field_of(grammar, body);
    grammar->body = grammar->body_field ? BODY_FIELD : last ? BODY_LAST : BODY_NONE;
    grammar->special = strcmp(special, "script") == 0 ? SPECIAL_SCRIPT
                       : strcmp(special, "python") == 0 ? SPECIAL_PYTHON
                                                        : SPECIAL_NONE;
    if (*special && grammar->special == SPECIAL_NONE)
        return refuse("there are no special cues of that name");
    grammar->patterns = patterns == Py_None ? NULL : patterns;
    grammar->quoted = quoted;
    grammar->merges = merges;
    grammar->decorated = decorated;
    grammar->wraps = wraps;
#define FIELD(field) grammar->fields.field##_field = field_of(grammar, #field);
    FIELDS(FIELD)
#undef FIELD
    return read_rules(grammar, rules) && read_words(words, &grammar->words) && read_comments(grammar, comments);
}

static bool is_known(const TSLanguage *language) {
    uint32_t version = ts_language_abi_version(language);
    return version >= TREE_SITTER_MIN_COMPATIBLE_LANGUAGE_VERSION && version <= TREE_SITTER_LANGUAGE_VERSION;
}

PyObject *kinds_of(PyObject *module, PyObject *given) {
    (void)module;
    const TSLanguage *language = language_in(given);
    if (language == NULL)
        return PyErr_Occurred() ? NULL : PyErr_Format(PyExc_ValueError, "there is no grammar in what was given");
    if (!is_known(language))
        Py_RETURN_NONE;
    uint32_t count = ts_language_symbol_count(language);
    PyObject *kinds = PyList_New(count);
    for (uint32_t i = 0; i < count && kinds != NULL; i++) {
        const char *name = ts_language_symbol_name(language, (TSSymbol)i);
        bool named = ts_language_symbol_type(language, (TSSymbol)i) == TSSymbolTypeRegular;
        PyObject *kind = Py_BuildValue("(sO)", name == NULL ? "" : name, named ? Py_True : Py_False);
        if (kind == NULL)
            Py_CLEAR(kinds);
        else
            PyList_SetItem(kinds, i, kind);
    }
    return kinds;
}

PyObject *compile_grammar(PyObject *module, PyObject *arguments) {
    (void)module;
    PyObject *given, *definitions;
    const char *kinds;
    Py_ssize_t count;
    if (!PyArg_ParseTuple(arguments, "Oy#O", &given, &kinds, &count, &definitions))
        return NULL;
    const TSLanguage *language = language_in(given);
    if (language == NULL)
        return PyErr_Occurred() ? NULL : PyErr_Format(PyExc_ValueError, "there is no grammar in what was given");
    if (!is_known(language) || (uint32_t)count != ts_language_symbol_count(language))
        return PyErr_Format(PyExc_ValueError, "these are not the kinds of nodes of that grammar");
    Grammar *grammar = calloc(1, sizeof *grammar);
    uint8_t *copy = malloc((size_t)count + 1);
    PyObject *capsule = grammar == NULL || copy == NULL ? NULL : PyCapsule_New(grammar, CAPSULE, forget);
    if (capsule == NULL) {
        free(grammar);
        free(copy);
        return PyErr_Occurred() ? NULL : PyErr_NoMemory();
    }
    memcpy(copy, kinds, (size_t)count);
    *grammar = (Grammar){.language = language, .symbols = (uint32_t)count, .kinds = copy};
    grammar->kept = Py_NewRef(definitions);
    if (definitions != Py_None && !read_definitions(grammar, definitions))
        Py_CLEAR(capsule);
    return capsule;
}

/* Spellings: the compiled half of finding the distinct words of a text.
 *
 * It does exactly what its namesake in Python does, which stays: it is what runs where this is not built, and what
 * this is tested against. Words are compared where they stand; nothing is kept of the text.
 */
#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030B0000
#include <Python.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    uint32_t hash;
    uint32_t size; /* 0: a free slot, as no word is empty */
    size_t start;
} Slot;

typedef struct {
    Slot *slots;
    size_t mask, used;
} Table;

enum { FIRST_SLOTS = 1024 };

/* 1 for a byte of a word: ASCII letters, digits, the underscore, and all that is not ASCII. */
static unsigned char word_bytes[256];

static int is_word(unsigned char byte) { return word_bytes[byte]; }

/* Doubles the table; returns 0 where there is no memory. */
static int grow(Table *table) {
    size_t mask = table->slots == NULL ? FIRST_SLOTS - 1 : table->mask * 2 + 1;
    Slot *slots = calloc(mask + 1, sizeof(Slot));
    if (slots == NULL)
        return 0;
    for (size_t i = 0; table->slots != NULL && i <= table->mask; i++) {
        if (table->slots[i].size) {
            size_t place = table->slots[i].hash & mask;
            while (slots[place].size)
                place = (place + 1) & mask;
            slots[place] = table->slots[i];
        }
    }
    free(table->slots);
    table->slots = slots;
    table->mask = mask;
    return 1;
}

/* Enters a word; returns 1 if it is new, 0 if it is known, -1 where there is no memory. */
static int enter(Table *table, const unsigned char *text, size_t start, size_t size, uint32_t hash) {
    if (table->used * 2 >= table->mask && !grow(table))
        return -1;
    size_t place = hash & table->mask;
    for (; table->slots[place].size; place = (place + 1) & table->mask) {
        Slot *slot = &table->slots[place];
        if (slot->hash == hash && slot->size == size && memcmp(text + slot->start, text + start, size) == 0)
            return 0;
    }
    table->slots[place] = (Slot){hash, (uint32_t)size, start};
    table->used++;
    return 1;
}

/* Writes the distinct words into `out`; returns the end, NULL where there is no memory, `out - 1` for one too long. */
static unsigned char *distinct(const unsigned char *text, size_t size, size_t longest, unsigned char *out) {
    Table table = {NULL, 0, 0};
    unsigned char *end = grow(&table) ? out : NULL;
    for (size_t at = 0; end != NULL && at < size;) {
        if (!is_word(text[at])) {
            at++;
            continue;
        }
        size_t start = at;
        uint32_t hash = 2166136261u;
        for (; at < size && is_word(text[at]); at++)
            hash = (hash ^ text[at]) * 16777619u;
        hash ^= hash >> 15;
        if (at - start > longest) {
            end = out - 1;
            break;
        }
        int new = enter(&table, text, start, at - start, hash);
        if (new < 0)
            end = NULL;
        else if (new) {
            memcpy(end, text + start, at - start);
            end += at - start;
            *end++ = '\n';
        }
    }
    free(table.slots);
    return end;
}

PyDoc_STRVAR(distinct_words_doc,
             "distinct_words(text: bytes, longest: int) -> bytes | None\n\n"
             "Return the distinct words of a text, each before a line feed; None if one has more bytes than `longest`.");

static PyObject *distinct_words(PyObject *module, PyObject *arguments) {
    const char *text;
    Py_ssize_t size;
    unsigned int longest;
    if (!PyArg_ParseTuple(arguments, "y#I", &text, &size, &longest))
        return NULL;
    /* A word and its line feed take no more than the word and what ends it; only the last may have nothing behind. */
    unsigned char *room = malloc((size_t)size + 2);
    if (room == NULL)
        return PyErr_NoMemory();
    unsigned char *out = room + 1, *end;
    Py_BEGIN_ALLOW_THREADS
    end = distinct((const unsigned char *)text, (size_t)size, longest, out);
    Py_END_ALLOW_THREADS
    PyObject *result;
    if (end == NULL)
        result = PyErr_NoMemory();
    else if (end < out)
        result = Py_NewRef(Py_None);
    else
        result = PyBytes_FromStringAndSize((const char *)out, (Py_ssize_t)(end - out));
    free(room);
    return result;
}

static PyMethodDef methods[] = {
    {"distinct_words", distinct_words, METH_VARARGS, distinct_words_doc},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "treemill.native._spellings",
    .m_size = 0,
    .m_methods = methods,
};

PyMODINIT_FUNC PyInit__spellings(void) {
    for (int byte = 0; byte < 256; byte++)
        word_bytes[byte] = byte >= 0x80 || (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                           (byte >= '0' && byte <= '9') || byte == '_';
    return PyModuleDef_Init(&definition);
}

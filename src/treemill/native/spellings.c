/* Spellings: the compiled half of finding the distinct words of a text.
 *
 * It does exactly what its namesake in Python does, which stays: it is what runs where this is not built, and what
 * this is tested against. Words are known by their hashes; nothing is kept of the text.
 */
#include "passing.h"

/* So much of a text is cut at a time: its pieces stay in the nearest cache. */
enum { BLOCK = 4096 };

/* Where a block that starts at `at` ends: not inside a word, unless that fills it. */
static size_t end_of_block(const unsigned char *text, size_t at, size_t size) {
    size_t end = size - at <= BLOCK ? size : at + BLOCK;
    while (end < size && end > at && word_bytes[text[end - 1]] && word_bytes[text[end]])
        end--;
    return end;
}

/* Writes the distinct words into `out`; returns the end, NULL where there is no memory, `out - 1` for one too long. */
static unsigned char *distinct(const unsigned char *text, size_t size, size_t longest, unsigned char *out) {
    Table table = {NULL, 0, 0};
    Piece pieces[BLOCK / 2 + 1];
    unsigned char *end = out;
    for (size_t at = 0; end != NULL && at < size;) {
        size_t next = end_of_block(text, at, size);
        int too_long = next == at;
        size_t count = cut_chunk(&table, longest, text + at, next - at, size - at, pieces, &too_long);
        if (too_long) {
            end = out - 1;
            break;
        }
        for (size_t i = 0; i < count; i++) {
            int is_new;
            if (slot_for(&table, pieces[i].hash, &is_new) == NULL) {
                end = NULL;
                break;
            }
            if (is_new) {
                memcpy(end, text + at + pieces[i].start, pieces[i].size);
                end += pieces[i].size;
                *end++ = '\n';
            }
        }
        at = next;
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
    if (longest > LONGEST)
        return PyErr_Format(PyExc_ValueError, "words of at most %d bytes, not %u", LONGEST, longest);
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
    fill_word_bytes();
    return PyModuleDef_Init(&definition);
}

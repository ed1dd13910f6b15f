/* Spellings: the compiled half of finding the distinct words of texts.
 *
 * It does exactly what its namesake in Python does, which stays: it is what runs where this is not built, and what
 * this is tested against. Words are known by their hashes; nothing is kept of a text.
 */
#include "passing.h"

/* So much of a text is cut at a time: its pieces stay in the nearest cache. So many words ahead, their places are
 * fetched. */
enum { BLOCK = 4096, AHEAD = 8, FIRST_BITS = 10 };

/* Where a block that starts at `at` ends: not inside a word, unless that fills it. */
static size_t end_of_block(const unsigned char *text, size_t at, size_t size) {
    size_t end = size - at <= BLOCK ? size : at + BLOCK;
    while (end < size && end > at && word_bytes[text[end - 1]] && word_bytes[text[end]])
        end--;
    return end;
}

/* The hashes of the words that there are already, in open addressing, at most five eighths full; none is 0. */
typedef struct {
    uint64_t *hashes;
    size_t used;
    unsigned bits;
} Known;

static uint64_t *place_of(const Known *known, uint64_t hash) {
    size_t mask = ((size_t)1 << known->bits) - 1, place = (size_t)(hash >> (64 - known->bits));
    while (known->hashes[place] != 0 && known->hashes[place] != hash)
        place = (place + 1) & mask;
    return known->hashes + place;
}

/* Make room for so many hashes more; -1 where there is no memory. */
static int make_room(Known *known, size_t more) {
    Known wider = {NULL, known->used, known->hashes == NULL ? FIRST_BITS : known->bits};
    while ((known->used + more) * 8 > (size_t)5 << wider.bits)
        wider.bits++;
    if (known->hashes != NULL && wider.bits == known->bits)
        return 0;
    wider.hashes = calloc((size_t)1 << wider.bits, sizeof *wider.hashes);
    if (wider.hashes == NULL)
        return -1;
    for (size_t i = 0; known->hashes != NULL && i < (size_t)1 << known->bits; i++)
        if (known->hashes[i] != 0)
            *place_of(&wider, known->hashes[i]) = known->hashes[i];
    free(known->hashes);
    *known = wider;
    return 0;
}

/* Put the words of a block behind the others, but those that are known; -1 where there is no memory. */
static int take_block(Known *known, const unsigned char *at, const Piece *pieces, size_t count, Room *words) {
    if (make_room(known, count) < 0)
        return -1;
    for (size_t i = 0; i < count; i++) {
        if (i + AHEAD < count)
            SOON(known->hashes + (pieces[i + AHEAD].hash >> (64 - known->bits)));
        uint64_t *place = place_of(known, pieces[i].hash);
        if (*place != 0)
            continue;
        *place = pieces[i].hash;
        known->used++;
        char *room = room_for(words, (size_t)pieces[i].size + 1);
        if (room == NULL)
            return -1;
        memcpy(room, at + pieces[i].start, pieces[i].size);
        room[pieces[i].size] = '\n';
        words->used += (size_t)pieces[i].size + 1;
    }
    return 0;
}

/* The same for a text; 1 where it has a word that is too long. */
static int take_text(Known *known, const unsigned char *text, size_t size, size_t longest, Room *words) {
    static const Table nothing = {NULL, 0, 0};
    Piece pieces[BLOCK / 2 + 1];
    for (size_t at = 0; at < size;) {
        size_t next = end_of_block(text, at, size);
        int too_long = next == at;
        size_t count = cut_chunk(&nothing, longest, text + at, next - at, size - at, pieces, &too_long);
        if (too_long)
            return 1;
        if (take_block(known, text + at, pieces, count, words) < 0)
            return -1;
        at = next;
    }
    return 0;
}

PyDoc_STRVAR(distinct_words_doc,
             "distinct_words(texts: Iterable[bytes], longest: int) -> bytes | None\n\n"
             "Return the distinct words of texts, each before a line feed; None if one has more bytes than `longest`.");

/* The words of a tuple of texts. */
static PyObject *words_of(PyObject *texts, size_t longest) {
    Known known = {NULL, 0, 0};
    Room words = {NULL, 0, 0};
    int failed = 0;
    PyObject *result = NULL;
    for (Py_ssize_t i = 0; i < PyTuple_Size(texts) && failed == 0; i++) {
        char *at;
        Py_ssize_t size;
        if (PyBytes_AsStringAndSize(PyTuple_GetItem(texts, i), &at, &size) < 0) {
            failed = -2;
            break;
        }
        Py_BEGIN_ALLOW_THREADS
        failed = take_text(&known, (const unsigned char *)at, (size_t)size, longest, &words);
        Py_END_ALLOW_THREADS
    }
    free(known.hashes);
    if (failed == 1)
        result = Py_NewRef(Py_None);
    else if (failed == 0)
        result = PyBytes_FromStringAndSize(words.at, (Py_ssize_t)words.used);
    else if (failed == -1)
        PyErr_NoMemory();
    give_back(&words);
    return result;
}

static PyObject *distinct_words(PyObject *module, PyObject *arguments) {
    PyObject *given;
    unsigned int longest;
    if (!PyArg_ParseTuple(arguments, "OI", &given, &longest))
        return NULL;
    if (longest > LONGEST)
        return PyErr_Format(PyExc_ValueError, "words of at most %d bytes, not %u", LONGEST, longest);
    PyObject *texts = PySequence_Tuple(given);
    if (texts == NULL)
        return NULL;
    PyObject *result = words_of(texts, longest);
    Py_DECREF(texts);
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

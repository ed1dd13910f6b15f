/* Texts of a batch → the numbers of their tokens. New tokens in ASCII are cut into parts here; Python stems new parts. */
#include "passing.h"

/* A new token that is not all ASCII. */
typedef struct {
    const unsigned char *at;
    size_t size;
} Other;

/* One call of `read`: what it is given, and the new parts and tokens that it hands back. */
typedef struct {
    Words *words;
    PyObject *names, *odd;
    Room texts;     /* Text[n] */
    Room ends;      /* size_t[chunks] */
    Room new_parts; /* for each its length in a byte, and its bytes */
    Room others;    /* Other[n] */
    Room pieces;    /* Piece[n]: the chunk in hand */
    Room spellings; /* the distinct tokens of each text, each before a line feed */
    Room spelled;   /* size_t[texts]: where those of each text end; SIZE_MAX where they are incomplete */
    int incomplete;
    size_t part_count;
} Reading;

typedef struct {
    const unsigned char *at;
    size_t size, chunks;
} Text;

/* Note a new token that is not all ASCII, for Python to split. */
static int note_other(Reading *reading, const unsigned char *text, size_t size, uint32_t number) {
    Other other = {text, size};
    if (append(&reading->others, &other, sizeof other) < 0 || add_number(&reading->words->others, number) < 0)
        return -1;
    return zeros_up_to(&reading->words->tokens, reading->words->tokens.used + sizeof(Token));
}

/* The slot of a token, not longer than the longest; NULL where there is no memory. */
static Slot *slot_of_token(Reading *reading, const unsigned char *text, size_t size, uint64_t hash) {
    int is_new;
    Slot *slot = slot_for(&reading->words->token_numbers, hash, &is_new);
    if (slot == NULL || !is_new)
        return slot;
    unsigned char high = 0;
    for (size_t i = 0; i < size; i++)
        high |= text[i];
    int failed = high & 0x80 ? note_other(reading, text, size, slot->number) : split_token(reading->words, text, size, &reading->new_parts, &reading->part_count);
    return failed ? NULL : slot;
}

/* Write down a token that the text has not had before. */
static int spell(Reading *reading, const unsigned char *token, size_t size) {
    char *room = room_for(&reading->spellings, size + 1);
    if (room == NULL)
        return -1;
    memcpy(room, token, size);
    room[size] = '\n';
    reading->spellings.used += size + 1;
    return 0;
}

/* Number the tokens of a chunk. */
static int read_chunk(Reading *reading, const unsigned char *at, size_t size, size_t there) {
    Words *words = reading->words;
    /* As many tokens at most as every other byte is one. */
    size_t most = size / 2 + 1;
    reading->pieces.used = 0;
    Piece *pieces = (Piece *)room_for(&reading->pieces, most * sizeof(Piece));
    uint32_t *tokens = (uint32_t *)room_for(&words->batch, most * sizeof(uint32_t));
    if (pieces == NULL || tokens == NULL)
        return -1;
    size_t count = cut_chunk(&words->token_numbers, words->longest, at, size, there, pieces, &reading->incomplete);
    for (size_t i = 0; i < count; i++) {
        Slot *slot = slot_of_token(reading, at + pieces[i].start, pieces[i].size, pieces[i].hash);
        if (slot == NULL)
            return -1;
        tokens[i] = slot->number;
        if (slot->stamp == words->text_serial)
            continue;
        slot->stamp = words->text_serial;
        if (spell(reading, at + pieces[i].start, pieces[i].size) < 0)
            return -1;
    }
    words->batch.used += count * sizeof(uint32_t);
    size_t total = COUNT(uint32_t, words->batch);
    return total > UINT32_MAX ? -1 : add_number(&words->token_ends, (uint32_t)total);
}

static int read_text(Reading *reading, const Text *text, const size_t *ends) {
    Words *words = reading->words;
    size_t start = 0, spelled = reading->spellings.used;
    reading->incomplete = 0;
    words->text_serial++;
    for (size_t chunk = 0; chunk < text->chunks; chunk++) {
        size_t end = ends[chunk];
        if (read_chunk(reading, text->at + start, end - start, text->size - start) < 0)
            return -1;
        /* A word that two chunks share is one that the index does not have whole. */
        if (end < text->size && word_bytes[text->at[end ? end - 1 : 0]] && word_bytes[text->at[end]])
            reading->incomplete = 1;
        start = end;
    }
    if (reading->incomplete)
        reading->spellings.used = spelled;
    spelled = reading->incomplete ? SIZE_MAX : reading->spellings.used;
    return append(&reading->spelled, &spelled, sizeof spelled);
}

static int read_texts(Reading *reading) {
    const size_t *ends = AS(size_t, reading->ends);
    for (size_t i = 0; i < COUNT(Text, reading->texts); i++) {
        const Text *text = AS(Text, reading->texts) + i;
        if (read_text(reading, text, ends) < 0)
            return -1;
        ends += text->chunks;
    }
    return 0;
}

/* Take in a file of the batch: its text, and the ends of its chunks. */
static int take_file(Reading *reading, PyObject *text, PyObject *ends) {
    char *at;
    Py_ssize_t size, count = PySequence_Size(ends);
    if (count < 0 || PyBytes_AsStringAndSize(text, &at, &size) < 0)
        return -1;
    if (count > UINT16_MAX + 1)
        return PyErr_SetString(PyExc_ValueError, "a file has more chunks than sixteen bits can number"), -1;
    if ((uint64_t)size > UINT32_MAX)
        return PyErr_SetString(PyExc_ValueError, "a file has more bytes than 32 bits can number"), -1;
    size_t *places = (size_t *)room_for(&reading->ends, (size_t)count * sizeof(size_t));
    Text *entry = (Text *)room_for(&reading->texts, sizeof(Text));
    if (places == NULL || entry == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    Py_ssize_t before = 0;
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *item = PySequence_GetItem(ends, i);
        Py_ssize_t end = item == NULL ? -1 : PyLong_AsSsize_t(item);
        Py_XDECREF(item);
        if (end < before || end > size) {
            if (!PyErr_Occurred())
                PyErr_SetString(PyExc_ValueError, "the ends do not ascend within the text");
            return -1;
        }
        places[i] = (size_t)(before = end);
    }
    *entry = (Text){(const unsigned char *)at, (size_t)size, (size_t)count};
    reading->ends.used += (size_t)count * sizeof(size_t);
    reading->texts.used += sizeof(Text);
    uint32_t chunks = (uint32_t)COUNT(size_t, reading->ends);
    if (COUNT(size_t, reading->ends) > UINT32_MAX >> 1 || add_number(&reading->words->first_chunks, chunks) < 0) {
        PyErr_NoMemory();
        return -1;
    }
    return 0;
}

/* Take in what a chunk of the batch defines: a name that is a token in ASCII by its number, others into `odd`. */
static int take_name(Reading *reading, uint32_t chunk, PyObject *name) {
    Words *words = reading->words;
    Py_ssize_t size;
    const char *text = PyUnicode_Check(name) ? PyUnicode_AsUTF8AndSize(name, &size) : NULL;
    if (text == NULL && !(PyErr_Occurred() && PyErr_ExceptionMatches(PyExc_UnicodeEncodeError)))
        return PyErr_Occurred() ? -1 : (PyErr_SetString(PyExc_TypeError, "a name is a text"), -1);
    PyErr_Clear();
    int plain = text != NULL && size > 0 && (size_t)size <= words->longest;
    for (Py_ssize_t i = 0; plain && i < size; i++)
        plain = word_bytes[(unsigned char)text[i]] && !((unsigned char)text[i] & 0x80);
    if (!plain) {
        PyObject *pair = Py_BuildValue("(IO)", (unsigned)chunk, name);
        int failed = pair == NULL ? -1 : PyList_Append(reading->odd, pair);
        Py_XDECREF(pair);
        return failed;
    }
    uint64_t hash = hash_of((const unsigned char *)text, (size_t)size, (size_t)size);
    const Slot *token = slot_of_token(reading, (const unsigned char *)text, (size_t)size, hash);
    Name *entry = (Name *)room_for(&words->names, sizeof(Name));
    if (token == NULL || entry == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    *entry = (Name){chunk, token->number};
    words->names.used += sizeof(Name);
    return 0;
}

static int take_names(Reading *reading, size_t file, PyObject *names) {
    const uint32_t *first = AS(uint32_t, reading->words->first_chunks) + file;
    PyObject *each = PyObject_GetIter(names), *pair;
    if (each == NULL)
        return -1;
    while ((pair = PyIter_Next(each)) != NULL) {
        Py_ssize_t chunk = -1;
        PyObject *name;
        int failed = !PyTuple_Check(pair) || !PyArg_ParseTuple(pair, "nU", &chunk, &name);
        if (!failed && (chunk < 0 || (size_t)chunk >= first[1] - first[0])) {
            PyErr_SetString(PyExc_ValueError, "a name in a chunk that there is not");
            failed = 1;
        }
        failed = failed || take_name(reading, first[0] + (uint32_t)chunk, name) < 0;
        Py_DECREF(pair);
        if (failed) {
            Py_DECREF(each);
            if (!PyErr_Occurred())
                PyErr_SetString(PyExc_TypeError, "a name is a pair of chunk and text");
            return -1;
        }
    }
    Py_DECREF(each);
    return PyErr_Occurred() ? -1 : 0;
}

static PyObject *list_of_parts(const Reading *reading) {
    PyObject *list = PyList_New((Py_ssize_t)reading->part_count);
    const char *at = reading->new_parts.at;
    for (size_t i = 0; list != NULL && i < reading->part_count; i++) {
        size_t size = (unsigned char)*at;
        PyObject *part = PyBytes_FromStringAndSize(at + 1, (Py_ssize_t)size);
        if (part == NULL || PyList_SetItem(list, (Py_ssize_t)i, part) < 0)
            Py_CLEAR(list);
        at += size + 1;
    }
    return list;
}

static PyObject *list_of_others(const Reading *reading) {
    size_t count = COUNT(Other, reading->others);
    PyObject *list = PyList_New((Py_ssize_t)count);
    for (size_t i = 0; list != NULL && i < count; i++) {
        const Other *other = AS(Other, reading->others) + i;
        PyObject *token = PyBytes_FromStringAndSize((const char *)other->at, (Py_ssize_t)other->size);
        if (token == NULL || PyList_SetItem(list, (Py_ssize_t)i, token) < 0)
            Py_CLEAR(list);
    }
    return list;
}

/* The spellings of each text, None where they are incomplete. */
static PyObject *list_of_spellings(const Reading *reading) {
    size_t count = COUNT(size_t, reading->spelled), start = 0;
    PyObject *list = PyList_New((Py_ssize_t)count);
    for (size_t i = 0; list != NULL && i < count; i++) {
        size_t end = AS(size_t, reading->spelled)[i];
        PyObject *text = Py_None;
        if (end == SIZE_MAX)
            Py_INCREF(text);
        else
            text = PyBytes_FromStringAndSize(reading->spellings.at + start, (Py_ssize_t)(end - start));
        if (text == NULL || PyList_SetItem(list, (Py_ssize_t)i, text) < 0)
            Py_CLEAR(list);
        start = end == SIZE_MAX ? start : end;
    }
    return list;
}

/* Read the files of a batch; -1 with an error where that fails. The tuples hold alive what is pointed into. */
static int read_batch(Reading *reading, PyObject *texts, PyObject *ends, PyObject *names) {
    Words *words = reading->words;
    Py_ssize_t count = PyTuple_Size(texts);
    words->batch.used = words->token_ends.used = words->names.used = words->first_chunks.used = words->others.used = 0;
    if (add_number(&words->first_chunks, 0) < 0)
        return PyErr_NoMemory(), -1;
    if (count != PyTuple_Size(ends) || count != PyTuple_Size(names))
        return PyErr_SetString(PyExc_ValueError, "as many texts as ends and names"), -1;
    for (Py_ssize_t i = 0; i < count; i++)
        if (take_file(reading, PyTuple_GetItem(texts, i), PyTuple_GetItem(ends, i)) < 0)
            return -1;
    int failed;
    Py_BEGIN_ALLOW_THREADS
    failed = read_texts(reading);
    Py_END_ALLOW_THREADS
    if (failed)
        return PyErr_NoMemory(), -1;
    for (Py_ssize_t i = 0; i < count; i++)
        if (take_names(reading, (size_t)i, PyTuple_GetItem(names, i)) < 0)
            return -1;
    return 0;
}

PyObject *words_read(PyObject *self, PyObject *arguments) {
    Words *words = (Words *)self;
    PyObject *texts, *ends, *names, *result = NULL;
    if (!PyArg_ParseTuple(arguments, "O!O!O!", &PyTuple_Type, &texts, &PyTuple_Type, &ends, &PyTuple_Type, &names))
        return NULL;
    if (words->busy || words->state == READ)
        return PyErr_SetString(PyExc_RuntimeError, "a batch is in hand"), NULL;
    fill_word_bytes();
    Reading reading = {.words = words, .odd = PyList_New(0)};
    words->busy = 1;
    words->state = READ;
    if (reading.odd != NULL && read_batch(&reading, texts, ends, names) == 0) {
        PyObject *parts = list_of_parts(&reading), *others = list_of_others(&reading);
        PyObject *spellings = list_of_spellings(&reading);
        if (parts != NULL && others != NULL && spellings != NULL)
            result = PyTuple_Pack(4, parts, others, reading.odd, spellings);
        Py_XDECREF(spellings);
        Py_XDECREF(parts);
        Py_XDECREF(others);
    }
    words->busy = 0;
    Py_XDECREF(reading.odd);
    give_back(&reading.texts);
    give_back(&reading.ends);
    give_back(&reading.new_parts);
    give_back(&reading.others);
    give_back(&reading.pieces);
    give_back(&reading.spellings);
    give_back(&reading.spelled);
    return result;
}

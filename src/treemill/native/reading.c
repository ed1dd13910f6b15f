/* Texts of a batch → the numbers of their tokens. New tokens in ASCII are cut into parts here; Python stems new parts. */
#include "passing.h"

enum { NONE, DIGIT, LOWER, UPPER };

/* The kind of each byte, and whether it is part of a word. */
static uint8_t kinds[256], in_words[256];
static uint32_t crc_of_byte[256];

static void fill_tables(void) {
    if (in_words['_'])
        return;
    for (int i = 0; i < 256; i++) {
        int digit = i >= '0' && i <= '9', lower = i >= 'a' && i <= 'z', upper = i >= 'A' && i <= 'Z';
        kinds[i] = (uint8_t)(digit ? DIGIT : lower ? LOWER : upper ? UPPER : NONE);
        uint32_t crc = (uint32_t)i;
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? 0xEDB88320u ^ crc >> 1 : crc >> 1;
        crc_of_byte[i] = crc;
    }
    for (int i = 0; i < 256; i++)
        in_words[i] = kinds[i] != NONE || i >= 0x80 || i == '_';
}

static inline uint32_t crc_with(uint32_t crc, unsigned char byte) {
    return crc_of_byte[(crc ^ byte) & 0xFF] ^ crc >> 8;
}

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
    size_t part_count;
} Reading;

typedef struct {
    const unsigned char *at;
    size_t size, chunks;
} Text;

/* Cut a new token in ASCII into parts, as `words.split_identifier` does, and make its compound. */
static int learn_token(Reading *reading, const unsigned char *text, size_t size) {
    Words *words = reading->words;
    Token token = {(uint32_t)COUNT(uint32_t, words->stems), 0, 0, NO_COMPOUND};
    unsigned char lowered[LONGEST + 1] = {0};
    uint32_t crc = crc_with(UINT32_MAX, '=');
    size_t start = 0;
    for (size_t i = 0; i < size; i++) {
        uint8_t kind = kinds[text[i]], before = i ? kinds[text[i - 1]] : NONE;
        uint8_t behind = i + 1 < size ? kinds[text[i + 1]] : NONE;
        lowered[i] = kind == UPPER ? text[i] | 0x20 : text[i];
        if (kind == NONE)
            continue;
        crc = crc_with(crc, lowered[i]);
        if ((kind != before && !(kind == LOWER && before == UPPER)) || (kind == UPPER && behind == LOWER))
            start = i;
        int starts_next = behind != kind && !(behind == LOWER && kind == UPPER);
        if (behind == UPPER && !starts_next)
            starts_next = i + 2 < size && kinds[text[i + 2]] == LOWER;
        if (behind != NONE && !starts_next)
            continue;
        int is_new;
        size_t length = i + 1 - start;
        int64_t part = number_of(&words->part_numbers, hash_of(lowered + start, length, sizeof lowered - start), &is_new);
        if (part < 0 || add_number(&words->stems, (uint32_t)part) < 0)
            return -1;
        token.count++;
        if (is_new) {
            char *room = room_for(&reading->new_parts, length + 1);
            if (room == NULL)
                return -1;
            *room = (char)length;
            memcpy(room + 1, lowered + start, length);
            reading->new_parts.used += length + 1;
            reading->part_count++;
        }
    }
    token.compound_id = ~crc;
    if (token.count > 1) {
        int64_t compound = compound_of(words, token.compound_id);
        if (compound < 0)
            return -1;
        token.compound = (uint32_t)compound;
    }
    char *room = room_for(&words->tokens, sizeof token);
    if (room == NULL)
        return -1;
    memcpy(room, &token, sizeof token);
    words->tokens.used += sizeof token;
    return 0;
}

/* Note a new token that is not all ASCII, for Python to split. */
static int note_other(Reading *reading, const unsigned char *text, size_t size, uint32_t number) {
    Other other = {text, size};
    char *room = room_for(&reading->others, sizeof other);
    if (room == NULL || add_number(&reading->words->others, number) < 0)
        return -1;
    memcpy(room, &other, sizeof other);
    reading->others.used += sizeof other;
    return zeros_up_to(&reading->words->tokens, reading->words->tokens.used + sizeof(Token));
}

/* The number of a token, not longer than the longest, in a text in which `there` bytes may be read. */
static int64_t token_number(Reading *reading, const unsigned char *text, size_t size, size_t there) {
    int is_new;
    int64_t number = number_of(&reading->words->token_numbers, hash_of(text, size, there), &is_new);
    if (number < 0 || !is_new)
        return number;
    unsigned char high = 0;
    for (size_t i = 0; i < size; i++)
        high |= text[i];
    int failed = high & 0x80 ? note_other(reading, text, size, (uint32_t)number) : learn_token(reading, text, size);
    return failed ? -1 : number;
}

static int read_text(Reading *reading, const Text *text, const size_t *ends) {
    Words *words = reading->words;
    size_t start = 0;
    for (size_t chunk = 0; chunk < text->chunks; chunk++) {
        const unsigned char *at = text->at + start, *end = text->at + ends[chunk];
        /* As many tokens at most as every other byte is one. */
        if (room_for(&words->batch, ((size_t)(end - at) / 2 + 1) * sizeof(uint32_t)) == NULL)
            return -1;
        uint32_t *tokens = (uint32_t *)(words->batch.at + words->batch.used), *next = tokens;
        while (at < end) {
            if (!in_words[*at]) {
                at++;
                continue;
            }
            const unsigned char *first = at++;
            while (at < end && in_words[*at])
                at++;
            size_t size = (size_t)(at - first);
            if (size > words->longest)
                continue;
            int64_t number = token_number(reading, first, size, (size_t)(text->at + text->size - first));
            if (number < 0)
                return -1;
            *next++ = (uint32_t)number;
        }
        words->batch.used += (size_t)(next - tokens) * sizeof(uint32_t);
        if (words->batch.used / sizeof(uint32_t) > UINT32_MAX
            || add_number(&words->token_ends, (uint32_t)COUNT(uint32_t, words->batch)) < 0)
            return -1;
        start = ends[chunk];
    }
    return 0;
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
    if (count > UINT16_MAX + 1) {
        PyErr_SetString(PyExc_ValueError, "a file has more chunks than sixteen bits can number");
        return -1;
    }
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
        plain = in_words[(unsigned char)text[i]] && !((unsigned char)text[i] & 0x80);
    if (!plain) {
        PyObject *pair = Py_BuildValue("(IO)", (unsigned)chunk, name);
        int failed = pair == NULL ? -1 : PyList_Append(reading->odd, pair);
        Py_XDECREF(pair);
        return failed;
    }
    int64_t token = token_number(reading, (const unsigned char *)text, (size_t)size, (size_t)size);
    Name *entry = (Name *)room_for(&words->names, sizeof(Name));
    if (token < 0 || entry == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    *entry = (Name){chunk, (uint32_t)token};
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
    fill_tables();
    Reading reading = {.words = words, .odd = PyList_New(0)};
    words->busy = 1;
    words->state = READ;
    if (reading.odd != NULL && read_batch(&reading, texts, ends, names) == 0) {
        PyObject *parts = list_of_parts(&reading), *others = list_of_others(&reading);
        if (parts != NULL && others != NULL)
            result = PyTuple_Pack(3, parts, others, reading.odd);
        Py_XDECREF(parts);
        Py_XDECREF(others);
    }
    words->busy = 0;
    Py_XDECREF(reading.odd);
    give_back(&reading.texts);
    give_back(&reading.ends);
    give_back(&reading.new_parts);
    give_back(&reading.others);
    return result;
}

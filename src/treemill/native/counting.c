/* The tokens of a batch → the postings of each file, and how often each stem stands in each chunk.
 *
 * A chunk's words are counted where they are first seen; a file's distinct terms are then sorted by their ids, and what
 * was counted is dealt out to them, which keeps the chunks of each in order.
 */
#include "counting.h"

/* The entry of a term in the chunk in hand, NULL where there is no memory; the room for it is there already. */
static inline Entry *entry_of(Counting *counting, uint32_t term, uint32_t chunk) {
    Words *words = counting->words;
    Seen *seen = AS(Seen, words->seen) + term;
    if (seen->chunk == words->chunk_serial)
        return AS(Entry, counting->entries) + seen->entry;
    if (seen->file != words->file_serial) {
        uint32_t id = AS(uint32_t, term & 1 ? words->compound_ids : words->stem_ids)[term >> 1];
        Local *local = (Local *)room_for(&counting->locals, sizeof(Local));
        if (local == NULL)
            return NULL;
        *local = (Local){term, id, 0};
        seen->file = words->file_serial;
        seen->local = (uint32_t)COUNT(Local, counting->locals);
        counting->locals.used += sizeof(Local);
    }
    Entry *entry = (Entry *)room_for(&counting->entries, sizeof(Entry));
    if (entry == NULL)
        return NULL;
    *entry = (Entry){seen->local, chunk, 0, 0};
    seen->chunk = words->chunk_serial;
    seen->entry = (uint32_t)COUNT(Entry, counting->entries);
    counting->entries.used += sizeof(Entry);
    AS(Local, counting->locals)[seen->local].chunks++;
    return entry;
}

/* Count stems and, where there is one, a compound, as words of the text or of a name. */
static int count_words(
    Counting *counting, const uint32_t *stems, size_t count, uint32_t compound, uint32_t chunk, int of_name
) {
    for (size_t i = 0; i < count + (compound != NO_COMPOUND); i++) {
        Entry *entry = entry_of(counting, i < count ? stems[i] << 1 : compound << 1 | 1, chunk);
        if (entry == NULL)
            return -1;
        if (of_name)
            entry->named++;
        else
            entry->times++;
    }
    return 0;
}

/* Count the names that a chunk of the batch defines. */
static int count_names(Counting *counting, size_t chunk_of_batch, uint32_t chunk) {
    Words *words = counting->words;
    size_t plain = COUNT(Name, words->names);
    const uint32_t *next = AS(uint32_t, counting->next_name);
    for (size_t each = AS(uint32_t, counting->first_name)[chunk_of_batch]; each; each = next[each - 1]) {
        const uint32_t *stems;
        size_t count;
        uint32_t id;
        if (each <= plain) {
            const Token *token = AS(Token, words->tokens) + AS(Name, words->names)[each - 1].token;
            stems = AS(uint32_t, words->stems) + token->first;
            count = token->count;
            id = token->compound_id;
        } else {
            size_t place = each - 1 - plain;
            stems = counting->odd.stems + AS(uint32_t, counting->odd_firsts)[place];
            count = counting->odd.counts[place];
            id = counting->odd.compound_ids[place];
        }
        int64_t compound = compound_of(words, id);
        if (compound < 0 || zeros_up_to(&words->seen, ((size_t)compound * 2 + 2) * sizeof(Seen)) < 0
            || count_words(counting, stems, count, (uint32_t)compound, chunk, 1) < 0)
            return -1;
    }
    return 0;
}

/* Hand the stems of a chunk, entries from `first` on, to whoever adds them up. */
static int put_stems(Counting *counting, size_t first) {
    size_t last = COUNT(Entry, counting->entries);
    const Local *locals = AS(Local, counting->locals);
    for (size_t i = first; i < last; i++) {
        const Entry *entry = AS(Entry, counting->entries) + i;
        uint32_t term = locals[entry->local].term;
        if (term & 1)
            continue;
        if (add_number(&counting->stems, term >> 1) < 0 || add_number(&counting->times, entry->times) < 0
            || add_number(&counting->named, entry->named) < 0)
            return -1;
    }
    return add_number(&counting->firsts, (uint32_t)COUNT(uint32_t, counting->stems));
}

static int count_chunk(Counting *counting, size_t chunk_of_batch, uint32_t chunk, uint32_t first, uint32_t last) {
    Words *words = counting->words;
    size_t entries = COUNT(Entry, counting->entries), length = 0;
    const uint32_t *tokens = AS(uint32_t, words->batch);
    words->chunk_serial++;
    for (uint32_t i = first; i < last; i++) {
        Token token = AS(Token, words->tokens)[tokens[i]];
        if (count_words(counting, AS(uint32_t, words->stems) + token.first, token.count, token.compound, chunk, 0) < 0)
            return -1;
        length += token.count + (token.count > 1);
    }
    if (count_names(counting, chunk_of_batch, chunk) < 0 || put_stems(counting, entries) < 0)
        return -1;
    return add_half(&counting->lengths, length < MOST_WORDS ? (uint32_t)length : MOST_WORDS);
}

/* Chain the names of each chunk together. The odd ones have been checked against the batch. */
static int chain_names(Counting *counting, size_t chunks) {
    Words *words = counting->words;
    size_t plain = COUNT(Name, words->names), odd = counting->odd.count;
    uint32_t stems = 0;
    if (plain + odd >= UINT32_MAX || zeros_up_to(&counting->first_name, chunks * sizeof(uint32_t)) < 0
        || zeros_up_to(&counting->next_name, (plain + odd) * sizeof(uint32_t)) < 0)
        return -1;
    uint32_t *first = AS(uint32_t, counting->first_name), *next = AS(uint32_t, counting->next_name);
    for (size_t i = 0; i < plain + odd; i++) {
        uint32_t chunk = i < plain ? AS(Name, words->names)[i].chunk : counting->odd.chunks[i - plain];
        next[i] = first[chunk];
        first[chunk] = (uint32_t)i + 1;
    }
    for (size_t i = 0; i < odd; i++) {
        if (add_number(&counting->odd_firsts, stems) < 0)
            return -1;
        stems += counting->odd.counts[i];
    }
    return 0;
}

/* Serial numbers tell what was seen in which chunk and file; long before they repeat, all is forgotten. */
static void start_serials(Words *words, size_t chunks) {
    if (words->chunk_serial < UINT32_MAX / 2 && words->file_serial < UINT32_MAX / 2 && chunks < UINT32_MAX / 2)
        return;
    memset(words->seen.at, 0, words->seen.used);
    words->chunk_serial = words->file_serial = 0;
}

static int count_batch(Counting *counting) {
    Words *words = counting->words;
    const uint32_t *first_chunks = AS(uint32_t, words->first_chunks), *ends = AS(uint32_t, words->token_ends);
    size_t files = COUNT(uint32_t, words->first_chunks) - 1, chunks = first_chunks[files];
    size_t stems = COUNT(uint32_t, words->stem_ids), compounds = COUNT(uint32_t, words->compound_ids);
    size_t terms = 2 * (stems > compounds ? stems : compounds);
    if (zeros_up_to(&words->seen, terms * sizeof(Seen)) < 0 || chain_names(counting, chunks) < 0
        || add_number(&counting->firsts, 0) < 0)
        return -1;
    start_serials(words, chunks);
    for (size_t file = 0; file < files; file++) {
        words->file_serial++;
        counting->entries.used = counting->locals.used = 0;
        if (add_number(&counting->term_edges, (uint32_t)COUNT(uint32_t, counting->terms)) < 0
            || add_number(&counting->posting_edges, (uint32_t)counting->weights.used) < 0)
            return -1;
        for (uint32_t chunk = first_chunks[file]; chunk < first_chunks[file + 1]; chunk++)
            if (count_chunk(counting, chunk, chunk - first_chunks[file], chunk ? ends[chunk - 1] : 0, ends[chunk]) < 0)
                return -1;
        if (put_postings(counting) < 0)
            return -1;
    }
    if (add_number(&counting->term_edges, (uint32_t)COUNT(uint32_t, counting->terms)) < 0)
        return -1;
    return add_number(&counting->posting_edges, (uint32_t)counting->weights.used);
}

/* Whether the odd names fit each other and the batch. */
static int is_sound(const Words *words, const Odd *odd) {
    size_t stems = 0, files = COUNT(uint32_t, words->first_chunks) - 1;
    for (size_t i = 0; i < odd->count; i++) {
        if (odd->chunks[i] >= AS(uint32_t, words->first_chunks)[files])
            return 0;
        stems += odd->counts[i];
    }
    for (size_t i = 0; i < odd->stem_count; i++)
        if (odd->stems[i] >= COUNT(uint32_t, words->stem_ids))
            return 0;
    return stems == odd->stem_count;
}

/* Put the bytes from `first` up to `last` of some room into a tuple; -1 with an error where that fails. */
static int put_bytes(PyObject *tuple, Py_ssize_t place, const Room *room, size_t first, size_t last) {
    PyObject *bytes = PyBytes_FromStringAndSize(room->at == NULL ? NULL : room->at + first, (Py_ssize_t)(last - first));
    return bytes == NULL ? -1 : PyTuple_SetItem(tuple, place, bytes);
}

/* What was counted of one file: terms, counts, chunks, weights, lengths. */
static PyObject *file_of(const Counting *counting, size_t file) {
    const uint32_t *terms = AS(uint32_t, counting->term_edges) + file;
    const uint32_t *postings = AS(uint32_t, counting->posting_edges) + file;
    const uint32_t *chunks = AS(uint32_t, counting->words->first_chunks) + file;
    PyObject *tuple = PyTuple_New(5);
    if (tuple != NULL
        && (put_bytes(tuple, 0, &counting->terms, terms[0] * (size_t)4, terms[1] * (size_t)4) < 0
            || put_bytes(tuple, 1, &counting->counts, terms[0] * (size_t)2, terms[1] * (size_t)2) < 0
            || put_bytes(tuple, 2, &counting->chunks, postings[0] * (size_t)2, postings[1] * (size_t)2) < 0
            || put_bytes(tuple, 3, &counting->weights, postings[0], postings[1]) < 0
            || put_bytes(tuple, 4, &counting->lengths, chunks[0] * (size_t)2, chunks[1] * (size_t)2) < 0))
        Py_CLEAR(tuple);
    return tuple;
}

static PyObject *result_of(const Counting *counting) {
    const Room *rooms[] = {&counting->firsts, &counting->stems, &counting->times, &counting->named};
    size_t files = COUNT(uint32_t, counting->words->first_chunks) - 1;
    PyObject *list = PyList_New((Py_ssize_t)files), *result = PyTuple_New(5);
    int failed = list == NULL || result == NULL;
    for (size_t i = 0; i < files && !failed; i++) {
        PyObject *file = file_of(counting, i);
        failed = file == NULL || PyList_SetItem(list, (Py_ssize_t)i, file) < 0;
    }
    for (Py_ssize_t i = 0; i < 4 && !failed; i++)
        failed = put_bytes(result, i + 1, rooms[i], 0, rooms[i]->used) < 0;
    if (failed || PyTuple_SetItem(result, 0, list) < 0) {
        if (failed)
            Py_XDECREF(list);
        Py_CLEAR(result);
    }
    return result;
}

PyObject *words_count(PyObject *self, PyObject *arguments) {
    Words *words = (Words *)self;
    Counting counting = {.words = words};
    Odd *odd = &counting.odd;
    PyObject *bytes[4];
    size_t counts, compounds;
    if (!PyArg_ParseTuple(arguments, "OOOO", &bytes[0], &bytes[1], &bytes[2], &bytes[3])
        || numbers_in(bytes[0], &odd->chunks, &odd->count) < 0 || numbers_in(bytes[1], &odd->counts, &counts) < 0
        || numbers_in(bytes[2], &odd->stems, &odd->stem_count) < 0
        || numbers_in(bytes[3], &odd->compound_ids, &compounds) < 0)
        return NULL;
    if (words->busy || words->state != LEARNED)
        return PyErr_SetString(PyExc_RuntimeError, "there is no batch whose words are learned"), NULL;
    if (counts != odd->count || compounds != odd->count || !is_sound(words, odd))
        return PyErr_SetString(PyExc_ValueError, "the odd names do not fit the batch"), NULL;
    words->busy = 1;
    words->state = IDLE;
    int failed;
    Py_BEGIN_ALLOW_THREADS
    failed = count_batch(&counting);
    Py_END_ALLOW_THREADS
    words->busy = 0;
    PyObject *result = failed ? PyErr_NoMemory() : result_of(&counting);
    Room *places[] = {
        &counting.next_name,  &counting.first_name,    &counting.odd_firsts, &counting.entries, &counting.locals,
        &counting.order,      &counting.spare,         &counting.places,     &counting.terms,   &counting.counts,
        &counting.chunks,     &counting.weights,       &counting.lengths,    &counting.term_edges,
        &counting.posting_edges, &counting.firsts,     &counting.stems,      &counting.times,   &counting.named,
    };
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        give_back(places[i]);
    return result;
}

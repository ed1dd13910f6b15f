/* The tokens of a batch → the postings of each file, and how often each stem stands in each chunk.
 *
 * A chunk's words are counted where they are first seen; a file's distinct terms are then sorted by their ids, and what
 * was counted is dealt out to them, which keeps the chunks of each in order.
 */
#include "passing.h"

#define TEXT_CAP 63
#define DEFINITION_CAP 3
#define DEFINITION_SHIFT 6
#define MOST_WORDS 0xFFFF
#define DROPPED UINT32_MAX

/* How often a term of the file (`local`) stands in a chunk of it: in the text, and in names that the chunk defines. */
typedef struct {
    uint32_t local, chunk, times, named;
} Entry;

/* A term of the file in hand: its place among all, its id, and in how many chunks it stands. */
typedef struct {
    uint32_t term, id, chunks;
} Local;

/* Names that are no tokens, as Python has split them. */
typedef struct {
    const uint32_t *chunks, *counts, *stems, *compound_ids;
    size_t count, stem_count;
} Odd;

/* One call of `count`: what it is given, the file in hand, and what comes out. */
typedef struct {
    Words *words;
    Odd odd;
    Room next_name, first_name; /* uint32: names by chunk, as chains; the odd ones behind the tokens; 0 ends a chain */
    Room odd_firsts;            /* uint32: where the stems of each odd name start */
    Room entries;               /* Entry[n] */
    Room locals;                /* Local[n] */
    Room order, spare;          /* uint64: id << 32 | local */
    Room places;                /* uint32: where the next posting of each local goes */
    Room terms, counts, chunks, weights, lengths, term_edges, posting_edges;
    Room firsts, stems, times, named;
} Counting;

static int add_half(Room *place, uint32_t number) {
    uint16_t half = (uint16_t)number;
    char *at = room_for(place, sizeof half);
    if (at == NULL)
        return -1;
    memcpy(at, &half, sizeof half);
    place->used += sizeof half;
    return 0;
}

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

/* Sort what the upper halves of keys say, a byte at a time; few are sorted in place. */
static uint64_t *sorted(uint64_t *keys, uint64_t *spare, size_t count) {
    if (count <= 48) {
        for (size_t i = 1; i < count; i++) {
            uint64_t key = keys[i];
            size_t place = i;
            for (; place > 0 && keys[place - 1] > key; place--)
                keys[place] = keys[place - 1];
            keys[place] = key;
        }
        return keys;
    }
    uint32_t counts[4][256] = {{0}};
    for (size_t i = 0; i < count; i++)
        for (int byte = 0; byte < 4; byte++)
            counts[byte][keys[i] >> (32 + 8 * byte) & 0xFF]++;
    for (int byte = 0; byte < 4; byte++) {
        uint32_t before = 0;
        for (int i = 0; i < 256; i++) {
            uint32_t here = counts[byte][i];
            counts[byte][i] = before;
            before += here;
        }
        for (size_t i = 0; i < count; i++)
            spare[counts[byte][keys[i] >> (32 + 8 * byte) & 0xFF]++] = keys[i];
        uint64_t *other = keys;
        keys = spare;
        spare = other;
    }
    return keys;
}

/* Two words have one id now and then: what was counted of them apart is put together, under the first of them. */
static int unite(Counting *counting, uint64_t *keys, size_t *count) {
    size_t local_count = COUNT(Local, counting->locals), kept = 0;
    Room aliases = {0};
    Local *locals = AS(Local, counting->locals);
    if (zeros_up_to(&aliases, (local_count * 2 + 1) * sizeof(uint32_t)) < 0)
        return -1;
    uint32_t *alias = AS(uint32_t, aliases), *latest = alias + local_count;
    for (size_t i = 0; i < *count; i++) {
        if (kept == 0 || keys[i] >> 32 != keys[kept - 1] >> 32)
            keys[kept++] = keys[i];
        alias[(uint32_t)keys[i]] = (uint32_t)keys[kept - 1];
    }
    for (size_t i = 0; i < local_count; i++)
        locals[i].chunks = 0;
    Entry *entries = AS(Entry, counting->entries);
    for (size_t i = 0; i < COUNT(Entry, counting->entries); i++) {
        uint32_t local = alias[entries[i].local];
        Entry *before = latest[local] ? entries + latest[local] - 1 : NULL;
        if (before != NULL && before->chunk == entries[i].chunk) {
            before->times += entries[i].times;
            before->named += entries[i].named;
            entries[i].local = DROPPED;
            continue;
        }
        entries[i].local = local;
        latest[local] = (uint32_t)i + 1;
        locals[local].chunks++;
    }
    *count = kept;
    give_back(&aliases);
    return 0;
}

/* Put the postings of the file in hand: its terms in order of their ids, and for each its chunks. */
static int put_postings(Counting *counting) {
    size_t count = COUNT(Local, counting->locals), entry_count = COUNT(Entry, counting->entries);
    const Local *locals = AS(Local, counting->locals);
    counting->order.used = counting->spare.used = counting->places.used = 0;
    uint64_t *keys = (uint64_t *)room_for(&counting->order, count * sizeof(uint64_t));
    uint64_t *spare = (uint64_t *)room_for(&counting->spare, count * sizeof(uint64_t));
    uint32_t *places = (uint32_t *)room_for(&counting->places, count * sizeof(uint32_t));
    if (keys == NULL || spare == NULL || places == NULL)
        return -1;
    for (size_t i = 0; i < count; i++)
        keys[i] = (uint64_t)locals[i].id << 32 | i;
    keys = sorted(keys, spare, count);
    for (size_t i = 1; i < count; i++)
        if (keys[i] >> 32 == keys[i - 1] >> 32) {
            if (unite(counting, keys, &count) < 0)
                return -1;
            break;
        }
    uint32_t total = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t local = (uint32_t)keys[i];
        places[local] = total;
        total += locals[local].chunks;
        if (add_number(&counting->terms, locals[local].id) < 0 || add_half(&counting->counts, locals[local].chunks) < 0)
            return -1;
    }
    uint16_t *chunks = (uint16_t *)room_for(&counting->chunks, total * sizeof(uint16_t));
    uint8_t *weights = (uint8_t *)room_for(&counting->weights, total);
    if (chunks == NULL || weights == NULL)
        return -1;
    for (size_t i = 0; i < entry_count; i++) {
        const Entry *entry = AS(Entry, counting->entries) + i;
        if (entry->local == DROPPED)
            continue;
        uint32_t times = entry->times < TEXT_CAP ? entry->times : TEXT_CAP;
        uint32_t named = entry->named < DEFINITION_CAP ? entry->named : DEFINITION_CAP;
        uint32_t place = places[entry->local]++;
        chunks[place] = (uint16_t)entry->chunk;
        weights[place] = (uint8_t)(named << DEFINITION_SHIFT | times);
    }
    counting->chunks.used += total * sizeof(uint16_t);
    counting->weights.used += total;
    return 0;
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

static PyObject *bytes_of(const Room *place) { return PyBytes_FromStringAndSize(place->at, (Py_ssize_t)place->used); }

static PyObject *result_of(const Counting *counting) {
    const Room *places[] = {
        &counting->terms,   &counting->counts,     &counting->chunks,        &counting->weights,
        &counting->lengths, &counting->term_edges, &counting->posting_edges, &counting->firsts,
        &counting->stems,   &counting->times,      &counting->named,
    };
    Py_ssize_t count = (Py_ssize_t)(sizeof places / sizeof *places);
    PyObject *result = PyTuple_New(count);
    for (Py_ssize_t i = 0; result != NULL && i < count; i++) {
        PyObject *bytes = bytes_of(places[i]);
        if (bytes == NULL || PyTuple_SetItem(result, i, bytes) < 0)
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

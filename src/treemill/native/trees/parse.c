/* From text to tree, in time and within memory: what `treemill.chunking.syntax` does in Python.
 *
 * Runs without Python's lock, so that other threads go on. tree-sitter calls `watch` every hundred of its steps.
 */
#include "trees.h"

#ifdef _WIN32
#include <windows.h>
#else
#include <time.h>
#endif

/* How often Python is asked whether somebody pressed Ctrl-C. */
#define SECONDS_BETWEEN_SIGNALS 0.05

typedef struct {
    Run *run;
    double deadline, spent_before, next_look;
    Outcome outcome;
} Watch;

#ifdef _WIN32
static double wall(void) { return (double)GetTickCount64() / 1e3; }

static double spent(void) {
    FILETIME made, left, kernel, user;
    if (!GetThreadTimes(GetCurrentThread(), &made, &left, &kernel, &user))
        return 0;
    double high = (double)kernel.dwHighDateTime + (double)user.dwHighDateTime;
    double low = (double)kernel.dwLowDateTime + (double)user.dwLowDateTime;
    return (high * 4294967296.0 + low) / 1e7;
}
#else
static double seconds_of(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double wall(void) { return seconds_of(CLOCK_MONOTONIC); }

static double spent(void) { return seconds_of(CLOCK_THREAD_CPUTIME_ID); }
#endif

static const char *read_text(void *payload, uint32_t offset, TSPoint point, uint32_t *length) {
    const Text *text = payload;
    (void)point;
    *length = offset < text->size ? (uint32_t)(text->size - offset) : 0;
    return *length ? (const char *)text->bytes + offset : "";
}

/* Stop a parse that is overdue or overgrown, or that somebody interrupted.
 *
 * What counts is this thread's processor time, so that a parse ends alike on an idle machine and on a crowded one;
 * asking for it takes a system call, so the clock on the wall says when to begin with that. */
static bool watch(TSParseState *state) {
    Watch *watching = state->payload;
    Run *run = watching->run;
    if (run->most_bytes > 0 && (double)arena_bytes(run->arena) > run->most_bytes) {
        watching->outcome = TOO_LARGE;
        return true;
    }
    double now = wall();
    if (now > watching->deadline && (run->spent = spent() - watching->spent_before) > run->timeout) {
        watching->outcome = TOO_SLOW;
        return true;
    }
    if (now > watching->next_look) {
        watching->next_look = now + SECONDS_BETWEEN_SIGNALS;
        PyEval_RestoreThread(run->apart);
        if (PyErr_CheckSignals() != 0)
            watching->outcome = INTERRUPTED;
        run->apart = PyEval_SaveThread();
        return watching->outcome == INTERRUPTED;
    }
    return false;
}

Outcome parse_text(Run *run) {
    TSParser *parser = ts_parser_new();
    if (!ts_parser_set_language(parser, run->grammar->language)) {
        ts_parser_delete(parser);
        return NO_TREE;
    }
    double now = wall();
    Watch watching = {run, now + run->timeout, spent(), now + SECONDS_BETWEEN_SIGNALS, FINE};
    TSInput input = {.payload = &run->text, .read = read_text, .encoding = TSInputEncodingUTF8};
    TSParseOptions options = {.payload = &watching, .progress_callback = watch};
    run->tree = ts_parser_parse_with_options(parser, NULL, input, options);
    ts_parser_delete(parser); /* its scanner has memory of its own; all other memory goes with the arena */
    if (run->tree == NULL && watching.outcome == FINE)
        return NO_TREE;
    return watching.outcome;
}

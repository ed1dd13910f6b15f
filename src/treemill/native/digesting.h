/* Digests of many messages: several at a time where the processor computes on several numbers at a time. */
#ifndef TREEMILL_DIGESTING_H
#define TREEMILL_DIGESTING_H

#include <stddef.h>

typedef struct {
    const unsigned char *data;
    size_t size;
    unsigned char *digest; /* where its DIGEST bytes go; not into the data of any message */
} Message;

enum { DIGEST = 16, MOST_LANES = 8 };

/* Writes the BLAKE2b-128 of each message to its place, at most so many at a time. */
void digest_all(const Message *messages, size_t count, int lanes);

#endif

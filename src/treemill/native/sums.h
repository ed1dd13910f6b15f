/* Sums over the text that Python's `repr` gives of a row: what `sums.c` and `filerows.c` write it with. */
#ifndef TREEMILL_SUMS_H
#define TREEMILL_SUMS_H
#include <stddef.h>
#include <stdint.h>

typedef struct {
    char *at;
    size_t used, room;
} Text;

enum { NUMBERS = 24 }; /* bytes that a number takes at most */

/* As `zlib.crc32(data, start)`. */
uint32_t crc_of(const char *data, size_t size, uint32_t start);

/* Makes room for so many more bytes, and says whether there is some. */
int has_room(Text *text, size_t more);

/* Writes what there is room for. */
void put(Text *text, const char *what, size_t size);

/* Writes bytes as `repr` does; 0 where there is no memory. */
int write_bytes(Text *text, const char *data, size_t size);

/* Writes a whole number of 64 bits, as `repr` does; 0 where it is none of those. */
int write_number(Text *text, PyObject *value, long long *number);

/* Writes a text of plain ASCII without quotes and backslashes, as `repr` does; 0 for any other. */
int write_plain(Text *text, PyObject *value);

/* What one row comes to, as a new object; NULL with an exception set. `text` is room to write in. */
typedef PyObject *(*Summing)(PyObject *row, Text *text);

/* Returns the list of what rows come to. */
PyObject *summed(PyObject *given, Summing one_of);

/* See `filerows.c` and `recorded.c`. */
extern const char file_sums_doc[], own_values_doc[], records_doc[];
PyObject *file_records(PyObject *module, PyObject *arguments);
PyObject *file_sums(PyObject *module, PyObject *rows);
PyObject *own_values(PyObject *module, PyObject *arguments);
#endif

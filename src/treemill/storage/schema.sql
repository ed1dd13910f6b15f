-- The index of one tree. SQLite holds the truth; what queries scan is laid out in segment files, which can be
-- rebuilt from `scans` at any time.
--
-- Small columns live apart from bulk ones, so that a scan of the former reads few pages, and what an answer shows
-- (`bodies`) apart from what a segment is built from (`scans`).
-- `sum` is a CRC-32 of the columns an answer depends on: SQLite itself does not notice a flipped bit inside a value.

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- What files hold, once for each key. An id is never used twice: segment files name contents by it.
CREATE TABLE contents (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    key          BLOB    NOT NULL UNIQUE,
    language     TEXT,
    encoding     TEXT    NOT NULL,
    size         INTEGER NOT NULL,
    chunk_count  INTEGER NOT NULL,
    vector_count INTEGER NOT NULL,
    source       TEXT    NOT NULL,
    fallback     TEXT,
    lengths      BLOB    NOT NULL,
    sum          INTEGER NOT NULL
) STRICT;

CREATE TABLE bodies (
    id      INTEGER PRIMARY KEY,
    ends    BLOB    NOT NULL,
    lines   BLOB    NOT NULL,
    symbols BLOB    NOT NULL,
    text    BLOB    NOT NULL,
    sum     INTEGER NOT NULL
) STRICT;

CREATE TABLE scans (
    id       INTEGER PRIMARY KEY,
    postings BLOB    NOT NULL,
    vectors  BLOB    NOT NULL,
    sum      INTEGER NOT NULL
) STRICT;

-- The manifest. A path is kept as the bytes that the file system has, in whose order the table is.
-- `stamp` is the time of modification, `changed_ns` that of any change, which nobody can set back (0: not known).
-- `status`: 0 indexed, 1 skipped, 2 failed. Only an indexed file has a content.
CREATE TABLE files (
    path       BLOB    PRIMARY KEY,
    content_id INTEGER,
    size       INTEGER NOT NULL,
    stamp      INTEGER NOT NULL,
    changed_ns INTEGER NOT NULL,
    seen_ns    INTEGER NOT NULL,
    status     INTEGER NOT NULL,
    reason     TEXT    NOT NULL,
    detail     TEXT    NOT NULL,
    sum        INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Contents that no file refers to, and since when: kept a while, for the branch that is switched back.
CREATE TABLE garbage (
    id       INTEGER PRIMARY KEY,
    since_ns INTEGER NOT NULL
) STRICT;

-- `state` is the text of a RunState.
CREATE TABLE runs (
    id         INTEGER PRIMARY KEY,
    started_ns INTEGER NOT NULL,
    ended_ns   INTEGER NOT NULL,
    state      TEXT    NOT NULL,
    pid        INTEGER NOT NULL,
    known      INTEGER NOT NULL
) STRICT;

-- Segment files. In order of `last_id`, each holds the contents above the last id of the one before, up to its own;
-- contents above them all are in no segment yet.
CREATE TABLE segments (
    last_id  INTEGER PRIMARY KEY,
    name     TEXT    NOT NULL UNIQUE,
    chunks   INTEGER NOT NULL,
    bytes    INTEGER NOT NULL,
    checksum BLOB    NOT NULL
) STRICT;

-- The indexes of many repositories. The rows are the truth; what queries scan is laid out by each client from `bulk`,
-- in segment files of its own. Everything but the vectors is keyed by the repository first.
-- Sums are those of the embedded store: a CRC-32 of the columns that an answer depends on.

CREATE EXTENSION IF NOT EXISTS vector;

-- Halves came with pgvector 0.7.
SELECT NULL::halfvec(1);

-- `name` is what a root is known by. `fence` grows whenever a writer takes the lease; only who took it last can commit.
-- `last_content` is the highest id that was ever committed: no id is used twice. `collected` is the generation that
-- last deleted contents: segments laid out before are then of no use to older moments. Times are wall-clock ns.
CREATE TABLE treemill.repositories (
    id              integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name            text    NOT NULL UNIQUE,
    index_id        bytea   NOT NULL UNIQUE,
    format          integer NOT NULL,
    recipe          text,
    generation      bigint  NOT NULL DEFAULT 0,
    refreshed_ns    bigint  NOT NULL DEFAULT 0,
    collected       bigint  NOT NULL DEFAULT 0,
    last_content    bigint  NOT NULL DEFAULT 0,
    fence           bigint  NOT NULL DEFAULT 0,
    writer_pid      bigint  NOT NULL DEFAULT 0,
    writer_host     text    NOT NULL DEFAULT '',
    writer_since_ns bigint  NOT NULL DEFAULT 0
);

-- What files hold, once for each key.
CREATE TABLE treemill.contents (
    repository   integer NOT NULL REFERENCES treemill.repositories ON DELETE CASCADE,
    id           bigint  NOT NULL,
    key          bytea   NOT NULL,
    language     text,
    encoding     text    NOT NULL,
    size         bigint  NOT NULL,
    chunk_count  integer NOT NULL,
    vector_count integer NOT NULL,
    source       text    NOT NULL,
    fallback     text,
    lengths      bytea   NOT NULL,
    sum          bigint  NOT NULL,
    PRIMARY KEY (repository, id),
    UNIQUE (repository, key)
);

-- Large columns: what an answer shows, and what segments are laid out from. All are packed already.
CREATE TABLE treemill.bulk (
    repository integer NOT NULL,
    id         bigint  NOT NULL,
    ends       bytea   NOT NULL,
    lines      bytea   NOT NULL,
    symbols    bytea   NOT NULL,
    text       bytea   NOT NULL,
    body_sum   bigint  NOT NULL,
    postings   bytea   NOT NULL,
    vectors    bytea   NOT NULL,
    scan_sum   bigint  NOT NULL,
    PRIMARY KEY (repository, id),
    FOREIGN KEY (repository, id) REFERENCES treemill.contents ON DELETE CASCADE
);
ALTER TABLE treemill.bulk
    ALTER text SET STORAGE EXTERNAL,
    ALTER symbols SET STORAGE EXTERNAL,
    ALTER postings SET STORAGE EXTERNAL,
    ALTER vectors SET STORAGE EXTERNAL;

-- The manifest. A path is the bytes that the file system has. `status`: 0 indexed, 1 skipped, 2 failed.
CREATE TABLE treemill.files (
    repository integer  NOT NULL REFERENCES treemill.repositories ON DELETE CASCADE,
    path       bytea    NOT NULL,
    content_id bigint,
    size       bigint   NOT NULL,
    stamp      bigint   NOT NULL,
    changed_ns bigint   NOT NULL,
    seen_ns    bigint   NOT NULL,
    status     smallint NOT NULL,
    reason     text     NOT NULL,
    detail     text     NOT NULL,
    sum        bigint   NOT NULL,
    PRIMARY KEY (repository, path)
);
CREATE INDEX files_by_content ON treemill.files (repository, content_id);

-- Contents that no file refers to, and since when.
CREATE TABLE treemill.garbage (
    repository integer NOT NULL,
    id         bigint  NOT NULL,
    since_ns   bigint  NOT NULL,
    PRIMARY KEY (repository, id),
    FOREIGN KEY (repository, id) REFERENCES treemill.contents ON DELETE CASCADE
);

CREATE TABLE treemill.runs (
    repository integer NOT NULL REFERENCES treemill.repositories ON DELETE CASCADE,
    id         bigint  GENERATED ALWAYS AS IDENTITY,
    started_ns bigint  NOT NULL,
    ended_ns   bigint  NOT NULL,
    state      text    NOT NULL,
    pid        bigint  NOT NULL,
    known      bigint  NOT NULL,
    PRIMARY KEY (repository, id)
);

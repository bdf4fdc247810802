-- The read model. Unsigned 64-bit numbers are stored as the signed number with
-- the same bits: a refused message can carry any counter.

-- cursor says how far the view has come; one row, absent before the first commit.
CREATE TABLE cursor (
    only     INTEGER PRIMARY KEY CHECK (only = 1),
    sequence INTEGER NOT NULL,
    idx      INTEGER NOT NULL,
    digest   BLOB    NOT NULL
) STRICT;

-- entries has one row for each message, refused ones included.
CREATE TABLE entries (
    idx           INTEGER PRIMARY KEY, -- log index
    sequence      INTEGER NOT NULL,
    subject       TEXT    NOT NULL,
    verdict       TEXT    NOT NULL,
    reason        TEXT    NOT NULL,
    event_id      TEXT    NOT NULL,
    header_digest BLOB    NOT NULL,
    country       TEXT    NOT NULL,
    agency        TEXT    NOT NULL,
    audience      TEXT    NOT NULL,
    renewal       INTEGER NOT NULL, -- of the chain; 0 where the message is on none
    kind          TEXT    NOT NULL,
    family        TEXT    NOT NULL, -- of kind, before the dot
    counter       INTEGER NOT NULL,
    retention     TEXT    NOT NULL,
    recorded      TEXT    NOT NULL, -- RFC 3339, UTC; empty where there is none
    content       BLOB    NOT NULL  -- JSON: what only an accepted entry has
) STRICT;
CREATE INDEX entries_family ON entries (family, idx);
CREATE INDEX entries_country ON entries (country, idx);
CREATE INDEX entries_verdict ON entries (verdict, idx);
-- The headers of the chains: one accepted header for each counter.
CREATE UNIQUE INDEX entries_header ON entries (audience, country, agency, renewal, counter)
    WHERE verdict = 'accepted' AND counter > 0;

-- refs are the timelines: which entries touched an entity.
CREATE TABLE refs (
    type TEXT    NOT NULL COLLATE BINARY,
    id   TEXT    NOT NULL COLLATE BINARY,
    idx  INTEGER NOT NULL,
    PRIMARY KEY (type, id, idx)
) STRICT, WITHOUT ROWID;

-- chains are the heads of the publishers' chains.
CREATE TABLE chains (
    audience TEXT    NOT NULL,
    country  TEXT    NOT NULL,
    agency   TEXT    NOT NULL,
    renewal  INTEGER NOT NULL, -- how many of the agency's keys were lost before
    counter  INTEGER NOT NULL,
    digest   BLOB    NOT NULL,
    last_id  BLOB    NOT NULL,
    PRIMARY KEY (audience, country, agency, renewal)
) STRICT, WITHOUT ROWID;

-- documents are the entities as pkg/casework wrote them. The order of the key is
-- the order of the digest: bytewise.
CREATE TABLE documents (
    type TEXT    NOT NULL COLLATE BINARY,
    id   TEXT    NOT NULL COLLATE BINARY,
    idx  INTEGER NOT NULL, -- of the entry that touched it last
    data BLOB    NOT NULL,
    PRIMARY KEY (type, id)
) STRICT;

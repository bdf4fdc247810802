-- Files that reports name: encrypted, in chunks, until the report is witnessed.

CREATE TABLE IF NOT EXISTS attachments (
    id              INTEGER PRIMARY KEY,
    idempotency_key TEXT NOT NULL UNIQUE,
    request         BLOB NOT NULL,                    -- digest of what was announced
    audience        TEXT NOT NULL,                    -- identifier
    retention       TEXT NOT NULL,
    size            INTEGER NOT NULL,                 -- of the file, in bytes
    chunks          INTEGER NOT NULL,
    begun           INTEGER NOT NULL,                 -- seconds since 1970
    received        INTEGER NOT NULL DEFAULT 0,       -- chunks that are here
    sha256          BLOB,                             -- of the file; NULL once it is complete
    entry           BLOB NOT NULL,                    -- casework/v1 Attachment, with the key; empty once nothing is kept
    digest          BLOB UNIQUE,                      -- of entry, once the file is complete
    sequence        INTEGER REFERENCES accepted,      -- the report that names it
    compartment     INTEGER NOT NULL DEFAULT 0,       -- of the section that does
    wiped           INTEGER NOT NULL DEFAULT 0        -- its chunks on the hub are to be emptied
) STRICT;

CREATE INDEX IF NOT EXISTS attachments_of_report ON attachments (sequence) WHERE sequence IS NOT NULL;

CREATE TABLE IF NOT EXISTS chunks (
    attachment INTEGER NOT NULL REFERENCES attachments,
    number     INTEGER NOT NULL,
    name       BLOB NOT NULL,
    data       BLOB,                                  -- ciphertext; NULL once nothing is kept
    PRIMARY KEY (attachment, number)
) STRICT;

-- how many chunks the hub has stored, from the first on
CREATE TABLE IF NOT EXISTS shipped (
    attachment INTEGER NOT NULL REFERENCES attachments,
    address    TEXT NOT NULL,
    chunks     INTEGER NOT NULL,
    PRIMARY KEY (attachment, address)
) STRICT, WITHOUT ROWID;

-- files that are brought to the address of a release, too, before that is said
CREATE TABLE IF NOT EXISTS forwards (
    attachment INTEGER NOT NULL REFERENCES attachments,
    address    TEXT NOT NULL,
    record     TEXT NOT NULL,    -- subject of the release's key record
    expires    INTEGER NOT NULL, -- of that, seconds since 1970
    PRIMARY KEY (attachment, address, record)
) STRICT, WITHOUT ROWID;

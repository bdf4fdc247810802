-- The outbox: what an agency's systems handed over, until it is proven to be in the log.
-- A report is in accepted for ever; its content is first in drafts, then in
-- envelopes, then here no more. It goes from envelopes back to drafts where no
-- reader would accept the envelope any more.

-- whose outbox this is, and the last event id given out
CREATE TABLE IF NOT EXISTS owner (
    one     INTEGER PRIMARY KEY CHECK (one = 1),
    country TEXT NOT NULL,
    agency  TEXT NOT NULL,
    charter BLOB NOT NULL,
    last_id BLOB NOT NULL
) STRICT;

-- sequence counts reports in the order of their acceptance, from 1, without gaps
CREATE TABLE IF NOT EXISTS accepted (
    sequence        INTEGER PRIMARY KEY,
    idempotency_key TEXT NOT NULL UNIQUE,
    digest          BLOB NOT NULL,
    event_id        BLOB NOT NULL
) STRICT;

CREATE TRIGGER IF NOT EXISTS accepted_stays BEFORE DELETE ON accepted
BEGIN SELECT RAISE(ABORT, 'an accepted report is never forgotten'); END;

CREATE TRIGGER IF NOT EXISTS accepted_is_fixed BEFORE UPDATE ON accepted
BEGIN SELECT RAISE(ABORT, 'an accepted report is never changed'); END;

CREATE INDEX IF NOT EXISTS accepted_by_event ON accepted (event_id);

-- accepted, not signed
CREATE TABLE IF NOT EXISTS drafts (
    sequence  INTEGER PRIMARY KEY REFERENCES accepted,
    audience  TEXT NOT NULL,
    kind      TEXT NOT NULL,
    retention TEXT NOT NULL,
    recorded  INTEGER NOT NULL, -- nanoseconds since 1970
    body      BLOB NOT NULL     -- a serialised event/v1 Body, all sections clear
) STRICT;

CREATE INDEX IF NOT EXISTS drafts_by_audience ON drafts (audience, sequence);

-- signed, not witnessed
CREATE TABLE IF NOT EXISTS envelopes (
    sequence  INTEGER PRIMARY KEY REFERENCES accepted,
    audience  TEXT NOT NULL,              -- identifier
    address   TEXT NOT NULL,              -- of the audience, as the header has it
    renewal   INTEGER NOT NULL,           -- of the chain: how many keys were lost before that which signed
    key_id    BLOB NOT NULL,              -- that signed
    subject   TEXT NOT NULL,
    data      BLOB NOT NULL,              -- the exact bytes, signed once
    returned  INTEGER NOT NULL DEFAULT 0, -- how often it was not where the hub said
    cursor    INTEGER,                    -- the stream's sequence, by the hub's word
    log_index INTEGER                     -- where its leaf was found
) STRICT;

CREATE INDEX IF NOT EXISTS envelopes_unsent ON envelopes (audience, sequence) WHERE cursor IS NULL;
CREATE INDEX IF NOT EXISTS envelopes_unfound ON envelopes (audience, sequence) WHERE log_index IS NULL;
CREATE INDEX IF NOT EXISTS envelopes_found ON envelopes (log_index) WHERE log_index IS NOT NULL;
CREATE INDEX IF NOT EXISTS envelopes_returned ON envelopes (sequence) WHERE returned > 0;

CREATE INDEX IF NOT EXISTS envelopes_of_chain ON envelopes (address, renewal) WHERE log_index IS NULL;

-- where each chain stands, with what was signed and is not in the log yet
CREATE TABLE IF NOT EXISTS heads (
    address TEXT NOT NULL,
    renewal INTEGER NOT NULL,
    counter INTEGER NOT NULL,
    digest  BLOB NOT NULL,
    last_id BLOB NOT NULL,
    PRIMARY KEY (address, renewal)
) STRICT, WITHOUT ROWID;

-- where each chain stands in the log, by the verdict of every reader and up to
-- the size of log.snapshot, whoever has signed
CREATE TABLE IF NOT EXISTS chains (
    address TEXT NOT NULL,
    renewal INTEGER NOT NULL,
    counter INTEGER NOT NULL,
    digest  BLOB NOT NULL,
    last_id BLOB NOT NULL,
    PRIMARY KEY (address, renewal)
) STRICT, WITHOUT ROWID;

-- the headers of these chains
CREATE TABLE IF NOT EXISTS headers (
    address TEXT NOT NULL,
    renewal INTEGER NOT NULL,
    counter INTEGER NOT NULL,
    digest  BLOB NOT NULL,
    PRIMARY KEY (address, renewal, counter)
) STRICT, WITHOUT ROWID;

-- accepted events of these chains that are not of this outbox
CREATE TABLE IF NOT EXISTS strange (
    log_index INTEGER PRIMARY KEY,
    address   TEXT NOT NULL,
    renewal   INTEGER NOT NULL,
    event_id  BLOB NOT NULL
) STRICT;

-- how far the log was followed
CREATE TABLE IF NOT EXISTS log (
    one      INTEGER PRIMARY KEY CHECK (one = 1),
    cursor   INTEGER NOT NULL,  -- sequence in the log stream
    digest   BLOB NOT NULL,     -- of the message there
    snapshot BLOB NOT NULL      -- of the follower, after that message
) STRICT;

-- the updates that apply after the founding, each compared with its leaf in the
-- log; all of those below the size of log.snapshot
CREATE TABLE IF NOT EXISTS registry (
    log_index INTEGER PRIMARY KEY,
    subject   TEXT NOT NULL,
    data      BLOB NOT NULL
) STRICT;

-- proof that the hub delivered another message than the log has: for people
CREATE TABLE IF NOT EXISTS contrary (
    log_index  INTEGER NOT NULL,
    subject    TEXT NOT NULL,
    data       BLOB NOT NULL,
    leaf       BLOB NOT NULL, -- the hash that the log has there
    checkpoint BLOB NOT NULL, -- the notary's note over that leaf
    PRIMARY KEY (log_index, subject, data)
) STRICT;

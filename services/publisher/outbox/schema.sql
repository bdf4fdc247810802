-- The outbox: what an agency's systems handed over, until it is proven to be in the log.
-- A report is in accepted for ever. It is first in drafts, then, sealed, in
-- envelopes, then here no more; it goes from envelopes back to drafts where no
-- reader would accept the envelope any more. Its content in clear is in bodies until
-- it is witnessed: whoever signs it again seals it anew.

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
    event_id        BLOB NOT NULL,
    audience        TEXT NOT NULL
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
    recorded  INTEGER NOT NULL -- nanoseconds since 1970
) STRICT;

CREATE INDEX IF NOT EXISTS drafts_by_audience ON drafts (audience, sequence);

-- what is in drafts and envelopes says, in clear: deleted once it is witnessed
CREATE TABLE IF NOT EXISTS bodies (
    sequence INTEGER PRIMARY KEY REFERENCES accepted,
    body     BLOB NOT NULL -- a serialised event/v1 Body, all sections clear
) STRICT;

-- signed, not witnessed
CREATE TABLE IF NOT EXISTS envelopes (
    sequence  INTEGER PRIMARY KEY REFERENCES accepted,
    audience  TEXT NOT NULL,              -- identifier
    address   TEXT NOT NULL,              -- of the audience, as the header has it
    renewal   INTEGER NOT NULL,           -- of the chain: how many keys were lost before that which signed
    key_id    BLOB NOT NULL,              -- that signed
    subject   TEXT NOT NULL,
    data      BLOB NOT NULL,              -- the exact bytes, signed once
    record    TEXT NOT NULL DEFAULT '',   -- subject of the batch's key record; '': it is not here
    returned  INTEGER NOT NULL DEFAULT 0, -- how often it was not where the hub said
    cursor    INTEGER,                    -- the stream's sequence, by the hub's word
    log_index INTEGER                     -- where its leaf was found
) STRICT;

CREATE INDEX IF NOT EXISTS envelopes_unsent ON envelopes (audience, sequence) WHERE cursor IS NULL;
CREATE INDEX IF NOT EXISTS envelopes_unfound ON envelopes (audience, sequence) WHERE log_index IS NULL;
CREATE INDEX IF NOT EXISTS envelopes_found ON envelopes (log_index) WHERE log_index IS NOT NULL;
CREATE INDEX IF NOT EXISTS envelopes_returned ON envelopes (sequence) WHERE returned > 0;

CREATE INDEX IF NOT EXISTS envelopes_of_record ON envelopes (record) WHERE record != '';
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

-- key records, of batches and of releases: the newest revision of each, until it expires
CREATE TABLE IF NOT EXISTS records (
    subject  TEXT PRIMARY KEY,
    audience TEXT NOT NULL,              -- identifier: of the events
    first    INTEGER NOT NULL,           -- the reports that it has keys of, or had, are among these
    last     INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    digest   BLOB NOT NULL,
    data     BLOB NOT NULL,              -- the exact bytes, signed once
    expires  INTEGER NOT NULL,           -- seconds since 1970
    stored   INTEGER NOT NULL DEFAULT 0, -- the revision that the hub has stored; 0: none
    cursor   INTEGER NOT NULL DEFAULT 0  -- where, in the stream of keys, by the hub's word
) STRICT;

CREATE INDEX IF NOT EXISTS records_of_reports ON records (audience, last, first);
CREATE INDEX IF NOT EXISTS records_by_expiry ON records (expires);
CREATE INDEX IF NOT EXISTS records_unsent ON records (subject) WHERE stored < revision;

-- entries that a record must lose, because its envelope is refused and was signed again
CREATE TABLE IF NOT EXISTS withdrawals (
    record   TEXT NOT NULL,
    event_id BLOB NOT NULL,
    PRIMARY KEY (record, event_id)
) STRICT, WITHOUT ROWID;

-- events whose keys are erased, or will be once they are witnessed
CREATE TABLE IF NOT EXISTS erasures (
    sequence INTEGER PRIMARY KEY REFERENCES accepted,
    reason   TEXT NOT NULL,
    decided  INTEGER NOT NULL,          -- seconds since 1970
    done     INTEGER NOT NULL DEFAULT 0 -- no record on the hub has an entry of it, and what says so is accepted
) STRICT;

CREATE INDEX IF NOT EXISTS erasures_undone ON erasures (sequence) WHERE done = 0;

-- the revisions that erased them
CREATE TABLE IF NOT EXISTS erased (
    sequence INTEGER NOT NULL REFERENCES erasures,
    record   TEXT NOT NULL,
    batch    BLOB NOT NULL,
    revision INTEGER NOT NULL,
    digest   BLOB NOT NULL,
    PRIMARY KEY (sequence, record)
) STRICT, WITHOUT ROWID;

-- releases, decided when their record was made
CREATE TABLE IF NOT EXISTS releases (
    idempotency_key TEXT PRIMARY KEY,
    request         BLOB NOT NULL,             -- digest of what was asked for
    record          TEXT NOT NULL,
    revision        INTEGER NOT NULL,
    reports         BLOB NOT NULL,             -- publisher/v1 PublishRequest: said once the hub has the record
    said            INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE INDEX IF NOT EXISTS releases_unsaid ON releases (idempotency_key) WHERE said = 0;

-- audiences in which an event was said to be released
CREATE TABLE IF NOT EXISTS released (
    sequence INTEGER NOT NULL REFERENCES accepted, -- the event's report
    audience TEXT NOT NULL,                        -- identifier
    PRIMARY KEY (sequence, audience)
) STRICT, WITHOUT ROWID;

-- events that were recalled: nothing of them is released any more
CREATE TABLE IF NOT EXISTS recalled (sequence INTEGER PRIMARY KEY REFERENCES accepted) STRICT;

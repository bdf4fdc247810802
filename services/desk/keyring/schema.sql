-- What a desk keeps of key records: its own portions. Rows of pieces and grants go when they
-- end, and their bytes are overwritten (secure_delete). Times are seconds since 1970.

-- place is where the stream was read up to, and whether the view is a fold of this ring: it
-- is where folded is changed.
CREATE TABLE place (
    only     INTEGER PRIMARY KEY CHECK (only = 1),
    sequence INTEGER NOT NULL, -- of the last message of KEYS that was looked at
    changed  INTEGER NOT NULL, -- how often something changed of which an event had been folded
    folded   INTEGER NOT NULL, -- changed, as it was when the view's fold from zero began
    clock    INTEGER NOT NULL  -- the latest time at which something was folded, by this desk's clock
) STRICT;
INSERT INTO place (only, sequence, changed, folded, clock) VALUES (1, 0, 1, 0, 0); -- a new ring knows of no fold

-- records are the newest ones, of a batch itself and of its release to this country. A row stays when all under it has gone: an old record
-- that is shown again must not take its place.
CREATE TABLE records (
    number    INTEGER PRIMARY KEY,
    subject   TEXT    NOT NULL UNIQUE, -- at its batch's own address, wherever a release lies
    batch     BLOB    NOT NULL,
    country   TEXT    NOT NULL, -- of the origin
    agency    TEXT    NOT NULL,
    audience  TEXT    NOT NULL,
    recipient TEXT    NOT NULL, -- of a release
    revision  INTEGER NOT NULL,
    digest    BLOB    NOT NULL,
    signer    BLOB    NOT NULL, -- key identifier
    standing  INTEGER NOT NULL, -- 1: that key was valid when the record came, or had been and was not revoked: it counts for all of the batch
    grantor   BLOB    NOT NULL,
    retention TEXT    NOT NULL,
    expires   INTEGER NOT NULL,
    ended     INTEGER NOT NULL  -- when its pieces went; 0: they are here
) STRICT;
CREATE INDEX records_batch ON records (batch);
CREATE INDEX records_origin ON records (country, agency);
CREATE INDEX records_expires ON records (expires) WHERE ended = 0;

-- grants are batch keys for this desk, wrapped to its opening keys.
CREATE TABLE grants (
    record      INTEGER NOT NULL,
    compartment INTEGER NOT NULL,
    epoch       INTEGER NOT NULL,
    wrapped     BLOB    NOT NULL,
    PRIMARY KEY (record, compartment)
) STRICT, WITHOUT ROWID;

-- pieces are content keys under batch keys.
CREATE TABLE pieces (
    record      INTEGER NOT NULL,
    event       BLOB    NOT NULL,
    compartment INTEGER NOT NULL,
    place       INTEGER NOT NULL, -- in the batch
    wrapped     BLOB    NOT NULL,
    PRIMARY KEY (record, event, compartment)
) STRICT, WITHOUT ROWID;

-- batches are those of which an event was folded.
CREATE TABLE batches (
    batch    BLOB    NOT NULL PRIMARY KEY,
    recorded INTEGER NOT NULL, -- when the newest event of it was recorded, by its publisher's clock
    folded   INTEGER NOT NULL  -- when the first one was folded here, by this desk's clock; it stays over all later folds. 2^63-1: that was not set yet
) STRICT, WITHOUT ROWID;

-- concealed are events that have lost content which a view may still hold: no page shows
-- them before one was folded from that mark on, or a later one.
CREATE TABLE concealed (
    event BLOB    NOT NULL PRIMARY KEY,
    mark  INTEGER NOT NULL -- place.changed, once it was lost
) STRICT, WITHOUT ROWID;

-- closures are the log's own word: an event's originator has erased or recalled it. They are
-- of its origin alone; another's mean nothing.
CREATE TABLE closures (
    event   BLOB    NOT NULL,
    country TEXT    NOT NULL, -- who says so
    agency  TEXT    NOT NULL,
    reason  TEXT    NOT NULL, -- erased, recalled
    idx     INTEGER NOT NULL, -- log index of the event that says so: it closes those before it
    PRIMARY KEY (event, country, agency, reason)
) STRICT, WITHOUT ROWID;
CREATE INDEX closures_idx ON closures (idx);

-- awaited are log indices of released events whose leaves were not here when they were folded.
CREATE TABLE awaited (idx INTEGER PRIMARY KEY) STRICT;

-- refusals are records that are not used: no byte of them but their digest.
CREATE TABLE refusals (
    number  INTEGER PRIMARY KEY AUTOINCREMENT,
    since   INTEGER NOT NULL,
    subject TEXT    NOT NULL,
    reason  TEXT    NOT NULL,
    digest  BLOB    NOT NULL,
    UNIQUE (subject, reason)
) STRICT;

-- receipts are answers to recalls, one each time that one is said; accepted = 0: the agency's
-- publisher has not accepted it yet.
CREATE TABLE receipts (
    recall    TEXT    NOT NULL, -- its agency's own identifier
    country   TEXT    NOT NULL, -- who recalled
    agency    TEXT    NOT NULL,
    audience  TEXT    NOT NULL, -- identifier
    retention TEXT    NOT NULL, -- of the recall, and so of the answer
    purpose   TEXT    NOT NULL, -- likewise
    idx       INTEGER NOT NULL, -- log index of the recall
    deadline  TEXT    NOT NULL,
    events    BLOB    NOT NULL, -- 16 bytes each
    destroyed INTEGER NOT NULL, -- when the view without them stood; 0: not yet
    accepted  INTEGER NOT NULL,
    refused   TEXT    NOT NULL, -- why the publisher did not take it when it was handed over last; empty: it was not asked, or did not answer
    PRIMARY KEY (country, agency, recall, idx)
) STRICT, WITHOUT ROWID;

-- exports are files that were made with an event in them.
CREATE TABLE exports (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    made   INTEGER NOT NULL,
    person TEXT    NOT NULL, -- pseudonym
    form   TEXT    NOT NULL
) STRICT;
CREATE TABLE exported (
    event  BLOB    NOT NULL,
    export INTEGER NOT NULL REFERENCES exports (number),
    PRIMARY KEY (event, export)
) STRICT, WITHOUT ROWID;

-- The journal only grows. The triggers refuse what no code here does, so that a
-- mistake in later code, or at a shell, meets an error and not a hole. They are
-- no defence against whoever holds the file: the log's root is.
--
-- REPLACE deletes without asking a delete trigger, so inserts are guarded too.

-- messages are those of the stream that this desk may read, as they came.
CREATE TABLE messages (
    idx      INTEGER PRIMARY KEY, -- log index
    subject  BLOB    NOT NULL,
    data     BLOB    NOT NULL,
    registry INTEGER NOT NULL -- 1 on a registry subject, and on that of restorations
) STRICT;
CREATE INDEX messages_registry ON messages (idx) WHERE registry = 1;
CREATE TRIGGER messages_insert BEFORE INSERT ON messages
    WHEN NEW.idx <= (SELECT max(idx) FROM messages)
        AND (NEW.idx <= (SELECT max(idx) FROM leaves) OR EXISTS (SELECT 1 FROM messages WHERE idx = NEW.idx))
    BEGIN SELECT RAISE(ABORT, 'the journal only grows: messages'); END;
CREATE TRIGGER messages_update BEFORE UPDATE ON messages
    BEGIN SELECT RAISE(ABORT, 'the journal only grows: messages'); END;
CREATE TRIGGER messages_delete BEFORE DELETE ON messages
    WHEN OLD.idx <= (SELECT max(idx) FROM leaves)
        OR NOT EXISTS (SELECT 1 FROM unlogged WHERE idx = OLD.idx AND subject = OLD.subject AND data = OLD.data)
    BEGIN SELECT RAISE(ABORT, 'the journal only grows: messages'); END;

-- unlogged are messages that the hub delivered and that are not in the log there:
-- they were set aside when the log had others in their place.
CREATE TABLE unlogged (
    number  INTEGER PRIMARY KEY AUTOINCREMENT,
    since   INTEGER NOT NULL, -- seconds since 1970
    idx     INTEGER NOT NULL, -- where they lay
    subject BLOB    NOT NULL,
    data    BLOB    NOT NULL
) STRICT;
CREATE INDEX unlogged_places ON unlogged (idx);
CREATE TRIGGER unlogged_insert BEFORE INSERT ON unlogged
    WHEN EXISTS (SELECT 1 FROM unlogged WHERE number = NEW.number)
    BEGIN SELECT RAISE(ABORT, 'the journal only grows: unlogged'); END;
CREATE TRIGGER unlogged_update BEFORE UPDATE ON unlogged
    BEGIN SELECT RAISE(ABORT, 'the journal only grows: unlogged'); END;
CREATE TRIGGER unlogged_delete BEFORE DELETE ON unlogged
    BEGIN SELECT RAISE(ABORT, 'the journal only grows: unlogged'); END;

-- leaves are the mirror: the whole tree's leaf hashes, and the audience that the
-- notary states for each.
CREATE TABLE leaves (
    idx      INTEGER PRIMARY KEY, -- log index
    hash     BLOB    NOT NULL,
    audience TEXT    NOT NULL
) STRICT;
CREATE TRIGGER leaves_insert BEFORE INSERT ON leaves
    WHEN NEW.idx <> (SELECT coalesce(max(idx) + 1, 0) FROM leaves)
    BEGIN SELECT RAISE(ABORT, 'the journal only grows: leaves'); END;
CREATE TRIGGER leaves_update BEFORE UPDATE ON leaves
    BEGIN SELECT RAISE(ABORT, 'the journal only grows: leaves'); END;
CREATE TRIGGER leaves_delete BEFORE DELETE ON leaves
    BEGIN SELECT RAISE(ABORT, 'the journal only grows: leaves'); END;

-- checkpoints are the notary's, as they came.
CREATE TABLE checkpoints (
    size INTEGER PRIMARY KEY,
    note BLOB NOT NULL
) STRICT;
CREATE TRIGGER checkpoints_insert BEFORE INSERT ON checkpoints
    WHEN NEW.size <= (SELECT max(size) FROM checkpoints)
    BEGIN SELECT RAISE(ABORT, 'the journal only grows: checkpoints'); END;
CREATE TRIGGER checkpoints_update BEFORE UPDATE ON checkpoints
    BEGIN SELECT RAISE(ABORT, 'the journal only grows: checkpoints'); END;
CREATE TRIGGER checkpoints_delete BEFORE DELETE ON checkpoints
    BEGIN SELECT RAISE(ABORT, 'the journal only grows: checkpoints'); END;

-- place is where the mirror stands in the log stream: one row, replaced.
CREATE TABLE place (
    only     INTEGER PRIMARY KEY CHECK (only = 1),
    sequence INTEGER NOT NULL, -- of the last message of the log stream taken in
    digest   BLOB    NOT NULL, -- of that message: a lost stream uses sequences again
    compared INTEGER NOT NULL, -- messages below this index were compared with their leaves
    snapshot BLOB    NOT NULL  -- of the follower
) STRICT;

-- cosigned is the newest checkpoint that this country has cosigned: one row that
-- only moves forward. It is written before the cosignature leaves the machine.
CREATE TABLE cosigned (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    size INTEGER NOT NULL,
    root BLOB    NOT NULL,
    note BLOB    NOT NULL
) STRICT;
CREATE TRIGGER cosigned_insert BEFORE INSERT ON cosigned
    WHEN EXISTS (SELECT 1 FROM cosigned)
    BEGIN SELECT RAISE(ABORT, 'a second row of what was cosigned'); END;
CREATE TRIGGER cosigned_update BEFORE UPDATE ON cosigned
    WHEN NEW.only <> OLD.only OR NEW.size <= OLD.size
    BEGIN SELECT RAISE(ABORT, 'a cosigned size never comes again'); END;
CREATE TRIGGER cosigned_delete BEFORE DELETE ON cosigned
    BEGIN SELECT RAISE(ABORT, 'what was cosigned is never forgotten'); END;

-- alarms are accusations with their evidence.
CREATE TABLE alarms (
    number  INTEGER PRIMARY KEY AUTOINCREMENT,
    raised  INTEGER NOT NULL, -- seconds since 1970
    code    TEXT    NOT NULL,
    idx     INTEGER,          -- log index that it is about; of a size, that of its last leaf; NULL: of none
    what    TEXT    NOT NULL,
    have    BLOB    NOT NULL, -- what this desk holds
    got     BLOB    NOT NULL  -- what contradicts it
) STRICT;
CREATE TRIGGER alarms_insert BEFORE INSERT ON alarms
    WHEN EXISTS (SELECT 1 FROM alarms WHERE number = NEW.number)
    BEGIN SELECT RAISE(ABORT, 'the journal only grows: alarms'); END;
CREATE TRIGGER alarms_update BEFORE UPDATE ON alarms
    BEGIN SELECT RAISE(ABORT, 'the journal only grows: alarms'); END;
CREATE TRIGGER alarms_delete BEFORE DELETE ON alarms
    BEGIN SELECT RAISE(ABORT, 'the journal only grows: alarms'); END;

-- settled says how an alarm ended. The alarm's own row stays, with its evidence.
CREATE TABLE settled (
    alarm   INTEGER PRIMARY KEY REFERENCES alarms (number),
    settled INTEGER NOT NULL, -- seconds since 1970
    person  TEXT    NOT NULL, -- who has decided it; empty: it ended by itself
    reason  TEXT    NOT NULL
) STRICT;
CREATE TRIGGER settled_insert BEFORE INSERT ON settled
    WHEN EXISTS (SELECT 1 FROM settled WHERE alarm = NEW.alarm)
        OR NOT EXISTS (SELECT 1 FROM alarms WHERE number = NEW.alarm)
    BEGIN SELECT RAISE(ABORT, 'the journal only grows: settled'); END;
CREATE TRIGGER settled_update BEFORE UPDATE ON settled
    BEGIN SELECT RAISE(ABORT, 'the journal only grows: settled'); END;
CREATE TRIGGER settled_delete BEFORE DELETE ON settled
    BEGIN SELECT RAISE(ABORT, 'the journal only grows: settled'); END;

-- The job store, version 1. Times are milliseconds since 1970 UTC, sizes bytes, lists JSON ('' = empty).
-- Every column that is looked for has an index of its own; what the hot path (submit, dispatch, finish) writes is kept
-- small, because each page it touches travels to the secondary. Checks on the hot tables are chains of OR: a list after
-- IN costs 5 us a row, as SQLite builds a b-tree of it first.

-- A job: one source through one factory. Only state, priority and finished_at ever change.
CREATE TABLE job (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    factory TEXT NOT NULL,
    factory_version INTEGER NOT NULL CHECK (factory_version >= 1),
    source TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state = 'queued' OR state = 'running' OR state = 'succeeded' OR state = 'failed'
        OR state = 'held' OR state = 'cancelled'),
    priority INTEGER NOT NULL CHECK (priority BETWEEN 0 AND 100),
    submitted_at INTEGER NOT NULL,
    subject TEXT NOT NULL DEFAULT '',
    description TEXT NOT NULL DEFAULT '',
    submitted_by TEXT NOT NULL DEFAULT '',
    monitor TEXT NOT NULL DEFAULT '',
    finished_at INTEGER
) STRICT;

-- Pages of a list are cut by id, newest first, within one state or one factory.
CREATE INDEX job_by_state ON job (state, id);
CREATE INDEX job_by_factory ON job (factory, id);
-- Retention looks for the jobs that finished longest ago.
CREATE INDEX job_finished ON job (finished_at) WHERE finished_at IS NOT NULL;

-- Jobs by state: a GROUP BY over 1,000,000 jobs takes 50 ms, this takes none.
CREATE TABLE counter (
    state TEXT PRIMARY KEY,
    jobs INTEGER NOT NULL CHECK (jobs >= 0)
) STRICT, WITHOUT ROWID;
INSERT INTO counter (state, jobs)
VALUES ('queued', 0), ('held', 0), ('running', 0), ('succeeded', 0), ('failed', 0), ('cancelled', 0);

CREATE TRIGGER job_counted AFTER INSERT ON job BEGIN
    UPDATE counter SET jobs = jobs + 1 WHERE state = NEW.state;
END;
CREATE TRIGGER job_recounted AFTER UPDATE OF state ON job WHEN OLD.state <> NEW.state BEGIN
    UPDATE counter SET jobs = jobs - 1 WHERE state = OLD.state;
    UPDATE counter SET jobs = jobs + 1 WHERE state = NEW.state;
END;
CREATE TRIGGER job_uncounted AFTER DELETE ON job BEGIN
    UPDATE counter SET jobs = jobs - 1 WHERE state = OLD.state;
END;

-- A requirement class; `waiting` counts its queued tasks that are not deferred.
CREATE TABLE task_group (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    factory TEXT NOT NULL,
    slot_class TEXT NOT NULL,
    cost INTEGER NOT NULL CHECK (cost >= 0),
    requires TEXT NOT NULL,
    waiting INTEGER NOT NULL DEFAULT 0 CHECK (waiting >= 0),
    UNIQUE (factory, slot_class, cost, requires)
) STRICT;
CREATE INDEX task_group_waiting ON task_group (id) WHERE waiting > 0;

-- A task: one product of one job, the unit that is dispatched. job_id, ordinal, product, group_id, cost and destination
-- never change.
CREATE TABLE task (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    job_id INTEGER NOT NULL REFERENCES job (id),
    ordinal INTEGER NOT NULL,
    product TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state = 'queued' OR state = 'running' OR state = 'publishing' OR state = 'succeeded'
        OR state = 'failed' OR state = 'held' OR state = 'cancelled'),
    priority INTEGER NOT NULL CHECK (priority BETWEEN 0 AND 100),
    group_id INTEGER NOT NULL REFERENCES task_group (id),
    cost INTEGER NOT NULL CHECK (cost >= 0),
    destination TEXT NOT NULL,
    attempt INTEGER NOT NULL DEFAULT 0,
    failures INTEGER NOT NULL DEFAULT 0,
    node TEXT NOT NULL DEFAULT '',
    blocked TEXT NOT NULL DEFAULT '',
    deferred_until INTEGER,
    error TEXT NOT NULL DEFAULT '',
    output_path TEXT,
    output_bytes INTEGER,
    output_sha256 TEXT,
    CHECK ((output_path IS NULL) = (output_bytes IS NULL) AND (output_path IS NULL) = (output_sha256 IS NULL))
) STRICT;
CREATE UNIQUE INDEX task_of_job ON task (job_id, ordinal);

-- The queue: its head is the first entry of the group, however long it is.
CREATE INDEX task_queue ON task (group_id, priority DESC, id) WHERE state = 'queued' AND deferred_until IS NULL;
CREATE INDEX task_deferred ON task (deferred_until) WHERE state = 'queued' AND deferred_until IS NOT NULL;
-- As many entries as the array has slots.
CREATE INDEX task_active ON task (id) WHERE state IN ('running', 'publishing');

CREATE TRIGGER task_waits AFTER INSERT ON task WHEN NEW.state = 'queued' AND NEW.deferred_until IS NULL BEGIN
    UPDATE task_group SET waiting = waiting + 1 WHERE id = NEW.group_id;
END;
CREATE TRIGGER task_waits_or_not AFTER UPDATE OF state, deferred_until ON task
WHEN (NEW.state = 'queued' AND NEW.deferred_until IS NULL) <> (OLD.state = 'queued' AND OLD.deferred_until IS NULL) BEGIN
    UPDATE task_group SET waiting = waiting + CASE WHEN NEW.state = 'queued' AND NEW.deferred_until IS NULL THEN 1 ELSE -1 END
    WHERE id = NEW.group_id;
END;
CREATE TRIGGER task_gone AFTER DELETE ON task WHEN OLD.state = 'queued' AND OLD.deferred_until IS NULL BEGIN
    UPDATE task_group SET waiting = waiting - 1 WHERE id = OLD.group_id;
END;

-- One run of a task on one node. Its node, boot, epoch and start never change.
CREATE TABLE attempt (
    task_id INTEGER NOT NULL REFERENCES task (id),
    number INTEGER NOT NULL CHECK (number >= 1),
    node TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state = 'running' OR state = 'publishing' OR state = 'succeeded' OR state = 'failed'
        OR state = 'lost' OR state = 'cancelled'),
    started_at INTEGER NOT NULL,
    finished_at INTEGER,
    error TEXT NOT NULL DEFAULT '',
    boot INTEGER NOT NULL DEFAULT 0,
    part TEXT NOT NULL DEFAULT '',
    output_path TEXT,
    output_bytes INTEGER,
    output_sha256 TEXT,
    PRIMARY KEY (task_id, number)
) STRICT, WITHOUT ROWID;
-- Jobs by the nodes that have or had them.
CREATE INDEX attempt_by_node ON attempt (node);

-- Requests that may come twice, by their idempotency key.
CREATE TABLE request (
    key TEXT PRIMARY KEY,
    digest TEXT NOT NULL,
    jobs TEXT NOT NULL,
    at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX request_at ON request (at, key);

-- Recipes. A factory that was removed keeps its versions for the jobs that have them.
CREATE TABLE factory (
    name TEXT PRIMARY KEY,
    newest INTEGER NOT NULL,
    offered INTEGER NOT NULL DEFAULT 1 CHECK (offered IN (0, 1))
) STRICT, WITHOUT ROWID;
CREATE TABLE factory_version (
    name TEXT NOT NULL,
    version INTEGER NOT NULL CHECK (version >= 1),
    text TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    created_by TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (name, version)
) STRICT;

CREATE TABLE node (
    name TEXT PRIMARY KEY,
    mode TEXT NOT NULL CHECK (mode IN ('up', 'paused', 'draining')),
    address TEXT NOT NULL,
    joined_at INTEGER NOT NULL,
    removed_at INTEGER,
    number INTEGER NOT NULL DEFAULT 0,
    kind TEXT NOT NULL DEFAULT 'data' CHECK (kind IN ('data', 'witness'))
) STRICT, WITHOUT ROWID;

CREATE TABLE reign (
    epoch INTEGER PRIMARY KEY,
    coordinator TEXT NOT NULL,
    before TEXT NOT NULL,
    at INTEGER NOT NULL
) STRICT;

CREATE TABLE token (
    id TEXT PRIMARY KEY,
    role TEXT NOT NULL CHECK (role IN ('viewer', 'operator', 'admin', 'node')),
    sha256 TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    uses_left INTEGER,
    label TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;

-- The history of the array.
CREATE TABLE event (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    severity TEXT NOT NULL CHECK (severity IN ('info', 'warning', 'error')),
    subject TEXT NOT NULL,
    text TEXT NOT NULL
) STRICT;

CREATE TABLE alert (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    text TEXT NOT NULL,
    acked_at INTEGER,
    acked_by TEXT NOT NULL DEFAULT '',
    cleared_at INTEGER
) STRICT;
-- One row while the same trouble lasts.
CREATE UNIQUE INDEX alert_open ON alert (kind, subject) WHERE cleared_at IS NULL;

CREATE TABLE quarantine (
    node TEXT NOT NULL,
    factory TEXT NOT NULL,
    since INTEGER NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (node, factory)
) STRICT, WITHOUT ROWID;

CREATE TABLE fact (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Free text: a trigram index over what a person remembers of a job. It only narrows the search down (detail = none), the
-- text itself is then looked at. `tables.py` fills it 256 jobs at a time: 6 us and 0.4 kB of WAL a job, against 97 us and
-- 24 kB one at a time (measured with SQLite 3.40). Jobs past the mark are few and are looked through one by one. Not by
-- triggers: with trusted_schema = OFF, as the writer has it, those may not touch a virtual table.
CREATE VIRTUAL TABLE job_text USING fts5 (
    source, subject, description, content = 'job', content_rowid = 'id', tokenize = 'trigram', detail = none, columnsize = 0
);
CREATE TABLE job_text_mark (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    upto INTEGER NOT NULL
) STRICT;
INSERT INTO job_text_mark (only, upto) VALUES (1, 0);

-- Monitors, and each file that arrived through one, once (`fa.core.arrivals`). Version 2.

CREATE TABLE monitor (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    version INTEGER NOT NULL CHECK (version >= 1),
    text TEXT NOT NULL,
    enabled INTEGER NOT NULL CHECK (enabled IN (0, 1)),
    owner TEXT NOT NULL DEFAULT '',
    submitted INTEGER NOT NULL DEFAULT 0,
    last_file TEXT NOT NULL DEFAULT '',
    created_at INTEGER NOT NULL,
    created_by TEXT NOT NULL DEFAULT ''
) STRICT;

-- Monitors that were removed, until what arrived through them is deleted.
CREATE TABLE monitor_removed (
    id INTEGER PRIMARY KEY
) STRICT;

-- By the id of the monitor, which is never used again: one that is made anew under an old name has seen nothing yet.
CREATE TABLE arrival (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    monitor_id INTEGER NOT NULL,
    path TEXT NOT NULL,
    size INTEGER NOT NULL CHECK (size >= 0),
    mtime_ns INTEGER NOT NULL,
    digest TEXT NOT NULL,
    ctime_ns INTEGER NOT NULL,
    at INTEGER NOT NULL,
    fate TEXT NOT NULL CHECK (fate IN ('open', 'succeeded', 'failed', 'over')),
    answer INTEGER NOT NULL CHECK (answer IN (0, 1)),
    error TEXT NOT NULL DEFAULT ''
) STRICT;
-- The identity: whoever comes second finds it.
CREATE UNIQUE INDEX arrival_identity ON arrival (monitor_id, path, size, mtime_ns, digest);
-- What a node that takes a monitor over is told, page by page.
CREATE INDEX arrival_of_monitor ON arrival (monitor_id);
-- What is still to be moved or answered.
CREATE INDEX arrival_due ON arrival (id) WHERE fate = 'succeeded' OR fate = 'failed';

-- The jobs of arrivals for which something is to be done when they are over; only of those.
CREATE TABLE arrival_job (
    job_id INTEGER PRIMARY KEY,
    arrival_id INTEGER NOT NULL REFERENCES arrival (id)
) STRICT;
CREATE INDEX arrival_jobs ON arrival_job (arrival_id);

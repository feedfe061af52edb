-- What is to be sent to people, until it was: written in the transaction of what it is about, so that neither is without
-- the other, and sent by whoever leads. `targets` is a JSON list of Apprise URLs ('' = those of the sending node).
CREATE TABLE notice (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    severity TEXT NOT NULL CHECK (severity IN ('info', 'warning', 'error')),
    subject TEXT NOT NULL,
    text TEXT NOT NULL,
    targets TEXT NOT NULL DEFAULT '',
    done_at INTEGER,
    outcome TEXT NOT NULL DEFAULT ''
) STRICT;
-- As many entries as wait to be sent.
CREATE INDEX notice_due ON notice (id) WHERE done_at IS NULL;
CREATE INDEX notice_done ON notice (done_at) WHERE done_at IS NOT NULL;

-- How somebody came to lead, and for how long nobody did: told with the first commit of the epoch.
ALTER TABLE reign ADD COLUMN why TEXT NOT NULL DEFAULT '';
ALTER TABLE reign ADD COLUMN outage_ms INTEGER;

-- No source is ever replaced, whoever submitted it. It is asked for at each grant; written once a job, and sources that
-- arrive together lie side by side in it.
CREATE INDEX job_by_source ON job (source);

-- What was last delivered at a place by a factory that replaces: that may be replaced, though it became a source.
CREATE TABLE delivery (
    path TEXT PRIMARY KEY,
    job_id INTEGER NOT NULL REFERENCES job (id),
    bytes INTEGER NOT NULL,
    sha256 TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX delivery_of_job ON delivery (job_id);

-- The SQL of the store, by name. `tables.py` runs the first part inside the writer's transactions, `readers.py` the
-- second on snapshots of their own. Rows come in the order of the fields of `fa.core.model`, see `rows.py`.

-- ---- jobs ----

-- name: add_job
INSERT INTO job (factory, factory_version, source, state, priority, submitted_at, subject, description, submitted_by,
    monitor, finished_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: job
SELECT id, factory, factory_version, source, state, priority, submitted_at, subject, description, submitted_by,
    monitor, finished_at
FROM job WHERE id = ?

-- name: save_job
-- Only what can change: the columns that were submitted would cost their indexes anew.
UPDATE job SET state = ?, priority = ?, finished_at = ? WHERE id = ?

-- name: index_jobs
-- Free text of the jobs after the mark, up to this one.
INSERT INTO job_text (rowid, source, subject, description)
SELECT id, source, subject, description FROM job WHERE id > (SELECT upto FROM job_text_mark) AND id <= ?

-- name: mark_indexed
UPDATE job_text_mark SET upto = ?

-- name: counts
SELECT state, jobs FROM counter

-- ---- tasks ----

-- name: add_task
INSERT INTO task (job_id, ordinal, product, state, priority, group_id, cost, destination, attempt, failures, node,
    blocked, deferred_until, error, output_path, output_bytes, output_sha256)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: task
SELECT id, job_id, ordinal, product, state, priority, group_id, cost, destination, attempt, failures, node, blocked,
    deferred_until, error, output_path, output_bytes, output_sha256
FROM task WHERE id = ?

-- name: save_task
UPDATE task SET state = ?, priority = ?, attempt = ?, failures = ?, node = ?, blocked = ?, deferred_until = ?,
    error = ?, output_path = ?, output_bytes = ?, output_sha256 = ?
WHERE id = ?

-- name: tasks_of
SELECT id, job_id, ordinal, product, state, priority, group_id, cost, destination, attempt, failures, node, blocked,
    deferred_until, error, output_path, output_bytes, output_sha256
FROM task WHERE job_id = ? ORDER BY ordinal

-- name: spare
SELECT job.id, delivery.path, delivery.bytes, delivery.sha256
FROM job LEFT JOIN delivery ON delivery.path = job.source WHERE job.source = ? ORDER BY job.id LIMIT 1

-- name: put_delivery
INSERT OR REPLACE INTO delivery (path, job_id, bytes, sha256) VALUES (?, ?, ?, ?)

-- name: active_tasks
SELECT id, job_id, ordinal, product, state, priority, group_id, cost, destination, attempt, failures, node, blocked,
    deferred_until, error, output_path, output_bytes, output_sha256
FROM task WHERE state IN ('running', 'publishing') ORDER BY id

-- ---- the queue ----

-- name: group_id
SELECT id FROM task_group WHERE factory = ? AND slot_class = ? AND cost = ? AND requires = ?

-- name: add_group
INSERT INTO task_group (factory, slot_class, cost, requires) VALUES (?, ?, ?, ?)

-- name: group
SELECT id, factory, slot_class, cost, requires FROM task_group WHERE id = ?

-- name: waiting_groups
SELECT id, factory, slot_class, cost, requires FROM task_group WHERE waiting > 0 ORDER BY id

-- name: heads
-- In the order of the index task_queue.
SELECT id, job_id, ordinal, product, state, priority, group_id, cost, destination, attempt, failures, node, blocked,
    deferred_until, error, output_path, output_bytes, output_sha256
FROM task
WHERE group_id = ? AND state = 'queued' AND deferred_until IS NULL
ORDER BY priority DESC, id LIMIT ?

-- name: heads_after
-- Two ranges of the same index, joined in order: the rest of this priority, then the lower ones.
SELECT * FROM (
    SELECT id, job_id, ordinal, product, state, priority, group_id, cost, destination, attempt, failures, node,
        blocked, deferred_until, error, output_path, output_bytes, output_sha256
    FROM task
    WHERE group_id = ? AND state = 'queued' AND deferred_until IS NULL AND priority = ? AND id > ?
    ORDER BY id LIMIT ?
)
UNION ALL
SELECT * FROM (
    SELECT id, job_id, ordinal, product, state, priority, group_id, cost, destination, attempt, failures, node,
        blocked, deferred_until, error, output_path, output_bytes, output_sha256
    FROM task
    WHERE group_id = ? AND state = 'queued' AND deferred_until IS NULL AND priority < ?
    ORDER BY priority DESC, id LIMIT ?
)
LIMIT ?

-- name: wake_deferred
UPDATE task SET deferred_until = NULL
WHERE id IN (
    SELECT id FROM task
    WHERE state = 'queued' AND deferred_until IS NOT NULL AND deferred_until <= ?
    ORDER BY deferred_until, id LIMIT ?
)

-- name: next_deferred
SELECT min(deferred_until) FROM task WHERE state = 'queued' AND deferred_until IS NOT NULL

-- ---- attempts ----

-- name: add_attempt
INSERT INTO attempt (task_id, number, node, epoch, state, started_at, finished_at, error, boot, part,
    output_path, output_bytes, output_sha256)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: attempt
SELECT task_id, number, node, epoch, state, started_at, finished_at, error, boot, part, output_path,
    output_bytes, output_sha256
FROM attempt WHERE task_id = ? AND number = ?

-- name: save_attempt
UPDATE attempt SET state = ?, finished_at = ?, error = ?, part = ?, output_path = ?, output_bytes = ?, output_sha256 = ?
WHERE task_id = ? AND number = ?

-- ---- requests that may come twice ----

-- name: remembered
SELECT key, digest, jobs, at FROM request WHERE key = ?

-- name: remember
INSERT INTO request (key, digest, jobs, at) VALUES (?, ?, ?, ?)
ON CONFLICT (key) DO UPDATE SET digest = excluded.digest, jobs = excluded.jobs, at = excluded.at

-- name: forget_before
DELETE FROM request WHERE key IN (SELECT key FROM request WHERE at < ? ORDER BY at, key LIMIT ?)

-- ---- set-up ----

-- name: factory_newest
SELECT v.name, v.version, v.text, v.created_at, v.created_by
FROM factory AS f JOIN factory_version AS v ON v.name = f.name AND v.version = f.newest
WHERE f.name = ? AND f.offered

-- name: factory_version
SELECT name, version, text, created_at, created_by FROM factory_version WHERE name = ? AND version = ?

-- name: newest_version
SELECT newest FROM factory WHERE name = ?

-- name: add_factory_version
INSERT INTO factory_version (name, version, text, created_at, created_by) VALUES (?, ?, ?, ?, ?)

-- name: offer_factory
INSERT INTO factory (name, newest) VALUES (?, ?)
ON CONFLICT (name) DO UPDATE SET newest = excluded.newest, offered = 1

-- name: remove_factory
UPDATE factory SET offered = 0 WHERE name = ?

-- name: node
SELECT name, mode, address, joined_at, removed_at, number, kind, incarnation FROM node WHERE name = ?

-- name: nodes
SELECT name, mode, address, joined_at, removed_at, number, kind, incarnation FROM node ORDER BY name

-- name: put_node
INSERT INTO node (name, mode, address, joined_at, removed_at, number, kind, incarnation)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (name) DO UPDATE SET mode = excluded.mode, address = excluded.address, joined_at = excluded.joined_at,
    removed_at = excluded.removed_at, number = excluded.number, kind = excluded.kind,
    incarnation = excluded.incarnation

-- name: token
SELECT id, role, sha256, created_at, expires_at, uses_left, label FROM token WHERE id = ?

-- name: put_token
INSERT INTO token (id, role, sha256, created_at, expires_at, uses_left, label) VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET role = excluded.role, sha256 = excluded.sha256, created_at = excluded.created_at,
    expires_at = excluded.expires_at, uses_left = excluded.uses_left, label = excluded.label

-- name: remove_token
DELETE FROM token WHERE id = ?

-- ---- what happened ----

-- name: add_event
INSERT INTO event (at, kind, severity, subject, text) VALUES (?, ?, ?, ?, ?)

-- name: open_alert
SELECT id, at, kind, subject, text, acked_at, acked_by, cleared_at FROM alert
WHERE kind = ? AND subject = ? AND cleared_at IS NULL

-- name: alert
SELECT id, at, kind, subject, text, acked_at, acked_by, cleared_at FROM alert WHERE id = ?

-- name: add_alert
INSERT INTO alert (at, kind, subject, text, acked_at, acked_by, cleared_at) VALUES (?, ?, ?, ?, ?, ?, ?)

-- name: save_alert
UPDATE alert SET at = ?, kind = ?, subject = ?, text = ?, acked_at = ?, acked_by = ?, cleared_at = ? WHERE id = ?

-- name: quarantines
SELECT node, factory, since, reason FROM quarantine ORDER BY node, factory

-- name: put_quarantine
INSERT INTO quarantine (node, factory, since, reason) VALUES (?, ?, ?, ?)
ON CONFLICT (node, factory) DO UPDATE SET since = excluded.since, reason = excluded.reason

-- name: remove_quarantine
DELETE FROM quarantine WHERE node = ? AND factory = ?

-- name: add_reign
INSERT INTO reign (epoch, coordinator, before, at, why, outage_ms) VALUES (?, ?, ?, ?, ?, ?)

-- name: last_reign
SELECT epoch, coordinator, before, at, why, outage_ms FROM reign ORDER BY epoch DESC LIMIT 1

-- name: reigns
SELECT epoch, coordinator, before, at, why, outage_ms FROM reign ORDER BY epoch DESC LIMIT ?

-- name: fact
SELECT value FROM fact WHERE name = ?

-- name: put_fact
INSERT INTO fact (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value

-- ---- for readers ----

-- name: jobs_by_id
-- `?` is a JSON list of ids.
SELECT id, factory, factory_version, source, state, priority, submitted_at, subject, description, submitted_by,
    monitor, finished_at
FROM job WHERE id IN (SELECT value FROM json_each(?))

-- name: tasks_of_jobs
SELECT id, job_id, ordinal, product, state, priority, group_id, cost, destination, attempt, failures, node, blocked,
    deferred_until, error, output_path, output_bytes, output_sha256
FROM task WHERE job_id IN (SELECT value FROM json_each(?)) ORDER BY job_id, ordinal

-- name: attempts_of_job
SELECT a.task_id, a.number, a.node, a.epoch, a.state, a.started_at, a.finished_at, a.error, a.boot, a.part,
    a.output_path, a.output_bytes, a.output_sha256
FROM task JOIN attempt AS a ON a.task_id = task.id
WHERE task.job_id = ? ORDER BY task.ordinal, a.number

-- name: events
-- The newest first, before an id; of the kinds that match one of a JSON list of GLOB patterns.
SELECT at, kind, severity, subject, text, id FROM event
WHERE id < ? AND EXISTS (SELECT 1 FROM json_each(?) WHERE event.kind GLOB value)
ORDER BY id DESC LIMIT ?

-- name: events_after
-- The oldest first, for who follows.
SELECT at, kind, severity, subject, text, id FROM event
WHERE id > ? AND EXISTS (SELECT 1 FROM json_each(?) WHERE event.kind GLOB value)
ORDER BY id LIMIT ?

-- name: alerts
-- The open ones (or all), the newest first.
SELECT id, at, kind, subject, text, acked_at, acked_by, cleared_at FROM alert
WHERE cleared_at IS NULL OR ? ORDER BY id DESC LIMIT ?

-- name: factories
SELECT v.name, v.version, v.text, v.created_at, v.created_by
FROM factory AS f JOIN factory_version AS v ON v.name = f.name AND v.version = f.newest
WHERE f.offered ORDER BY f.name

-- name: factory_versions
SELECT name, version, text, created_at, created_by FROM factory_version WHERE name = ? ORDER BY version DESC

-- name: tokens
SELECT id, role, sha256, created_at, expires_at, uses_left, label FROM token ORDER BY created_at, id

-- name: waiting
SELECT id, factory, slot_class, cost, requires, waiting FROM task_group WHERE waiting > 0 ORDER BY id

-- name: groups
SELECT id, factory, slot_class, cost, requires FROM task_group ORDER BY id

-- name: facts
SELECT name, value FROM fact ORDER BY name

-- ---- upkeep ----

-- name: finished_before
SELECT id FROM job WHERE finished_at < ? ORDER BY finished_at LIMIT ?

-- name: unindex_jobs
-- The index of free text holds no text of its own (content = 'job'): it must be told what it is to forget.
INSERT INTO job_text (job_text, rowid, source, subject, description)
SELECT 'delete', id, source, subject, description FROM job
WHERE id IN (SELECT value FROM json_each(?)) AND id <= (SELECT upto FROM job_text_mark)

-- name: delete_attempts
DELETE FROM attempt WHERE task_id IN (SELECT id FROM task WHERE job_id IN (SELECT value FROM json_each(?)))

-- name: delete_tasks
DELETE FROM task WHERE job_id IN (SELECT value FROM json_each(?))

-- name: delete_deliveries
DELETE FROM delivery WHERE job_id IN (SELECT value FROM json_each(?))

-- name: delete_jobs
DELETE FROM job WHERE id IN (SELECT value FROM json_each(?))

-- name: delete_events
DELETE FROM event
WHERE id IN (SELECT id FROM event WHERE id <= (SELECT max(id) FROM event) - ? ORDER BY id LIMIT ?)

-- name: delete_alerts
DELETE FROM alert WHERE id IN (SELECT id FROM alert WHERE cleared_at < ? ORDER BY id LIMIT ?)

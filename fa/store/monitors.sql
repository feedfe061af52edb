-- What `monitor_tables.py` asks; as in queries.sql.

-- name: monitor
SELECT id, name, version, text, enabled, owner, submitted, last_file, created_at, created_by FROM monitor WHERE id = ?

-- name: monitor_named
SELECT id, name, version, text, enabled, owner, submitted, last_file, created_at, created_by FROM monitor WHERE name = ?

-- name: monitors
SELECT id, name, version, text, enabled, owner, submitted, last_file, created_at, created_by FROM monitor ORDER BY name

-- name: add_monitor
INSERT INTO monitor (name, version, text, enabled, owner, submitted, last_file, created_at, created_by)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: save_monitor
UPDATE monitor SET version = ?, text = ?, enabled = ?, owner = ?, submitted = ?, last_file = ? WHERE id = ?

-- name: remove_monitor
DELETE FROM monitor WHERE id = ?

-- name: add_arrival
INSERT INTO arrival (monitor_id, path, size, mtime_ns, digest, ctime_ns, at, fate, answer, error)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: arrival
SELECT id, monitor_id, path, size, mtime_ns, digest, ctime_ns, at, fate, answer, error FROM arrival WHERE id = ?

-- name: arrival_like
SELECT id, monitor_id, path, size, mtime_ns, digest, ctime_ns, at, fate, answer, error FROM arrival
WHERE monitor_id = ? AND path = ? AND size = ? AND mtime_ns = ? AND digest = ?

-- name: save_arrival
UPDATE arrival SET ctime_ns = ?, fate = ?, error = ? WHERE id = ?

-- name: add_arrival_job
INSERT INTO arrival_job (job_id, arrival_id) VALUES (?, ?)

-- name: arrival_of_job
SELECT arrival_id FROM arrival_job WHERE job_id = ?

-- name: jobs_of_arrival
SELECT job_id FROM arrival_job WHERE arrival_id = ? ORDER BY job_id

-- name: delete_arrival_jobs
DELETE FROM arrival_job WHERE arrival_id = ?

-- name: arrivals_due
SELECT id, monitor_id, path, size, mtime_ns, digest, ctime_ns, at, fate, answer, error FROM arrival
WHERE (fate = 'succeeded' OR fate = 'failed') AND id > ? ORDER BY id LIMIT ?

-- name: arrivals_known
SELECT id, path, size, mtime_ns, ctime_ns FROM arrival WHERE monitor_id = ? AND id > ? ORDER BY id LIMIT ?

-- name: note_removed_monitor
INSERT INTO monitor_removed (id) VALUES (?)

-- name: removed_monitor
SELECT min(id) FROM monitor_removed

-- name: forget_removed_monitor
DELETE FROM monitor_removed WHERE id = ?

-- name: delete_jobs_of_arrivals
DELETE FROM arrival_job
WHERE arrival_id IN (SELECT id FROM arrival WHERE monitor_id = ? ORDER BY id LIMIT ?)

-- name: delete_arrivals
DELETE FROM arrival WHERE id IN (SELECT id FROM arrival WHERE monitor_id = ? ORDER BY id LIMIT ?)

-- name: arrival_seen
SELECT 1 FROM monitor JOIN arrival ON arrival.monitor_id = monitor.id
WHERE monitor.name = ? AND arrival.path = ? AND arrival.size = ? AND arrival.mtime_ns = ? LIMIT 1

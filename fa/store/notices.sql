-- Alerts that are open, and what is to be sent to people.

-- name: open_alerts
SELECT id, at, kind, subject, text, acked_at, acked_by, cleared_at FROM alert WHERE cleared_at IS NULL ORDER BY id

-- name: add_notice
INSERT INTO notice (at, kind, severity, subject, text, targets, done_at, outcome) VALUES (?, ?, ?, ?, ?, ?, ?, ?)

-- name: notice
SELECT id, at, kind, severity, subject, text, targets, done_at, outcome FROM notice WHERE id = ?

-- name: end_notice
UPDATE notice SET done_at = ?, outcome = ? WHERE id = ?

-- name: notices_due
-- The oldest first.
SELECT id, at, kind, severity, subject, text, targets, done_at, outcome FROM notice
WHERE done_at IS NULL ORDER BY id LIMIT ?

-- name: delete_notices
DELETE FROM notice WHERE id IN (SELECT id FROM notice WHERE done_at < ? ORDER BY done_at, id LIMIT ?)

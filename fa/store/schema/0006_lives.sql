-- As in the certificate of the member: whoever had its name before shows another one. Empty: any certificate of that name.
ALTER TABLE node ADD COLUMN incarnation TEXT NOT NULL DEFAULT '';

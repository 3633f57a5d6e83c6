-- What went on schedule ([retention]). The proof is the audit entry of the same transaction; the file itself is taken away
-- after it, so a file whose name stands here was left over by a crash and goes with the next run.
CREATE TABLE deletion (
    file TEXT PRIMARY KEY,  -- inside the media folder: clips/<name>, thumbnails/<name>
    at_s REAL NOT NULL,
    how  TEXT NOT NULL      -- deleted | missing (it was not there any more when its time came)
) STRICT, WITHOUT ROWID;
CREATE INDEX sighting_by_thumbnail ON sighting (json_extract(body, '$.evidence.thumbnail_sha256'));
CREATE INDEX clip_by_file ON clip (file);
CREATE INDEX incident_by_thumbnail ON incident (thumbnail_sha256);

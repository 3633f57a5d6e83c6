-- Everything that dispatch knows. Times are unix seconds (REAL), places WGS84. No row describes a member of the public.

CREATE TABLE incident (
    id              TEXT PRIMARY KEY,
    number          INTEGER NOT NULL UNIQUE,
    version         INTEGER NOT NULL,
    kind            TEXT    NOT NULL,
    state           TEXT    NOT NULL,
    priority        INTEGER NOT NULL,
    camera          TEXT    NOT NULL,
    zone            TEXT    NOT NULL,
    lat             REAL    NOT NULL,
    lon             REAL    NOT NULL,
    sigma_m         REAL    NOT NULL,
    place_source    TEXT    NOT NULL,
    opened_at_s     REAL    NOT NULL,
    updated_at_s    REAL    NOT NULL,
    first_seen_s    REAL    NOT NULL,
    last_seen_s     REAL    NOT NULL,
    sightings       INTEGER NOT NULL,
    score           REAL    NOT NULL,
    box             TEXT,
    thumbnail_sha256 TEXT   NOT NULL,
    dismiss_reason  TEXT    NOT NULL,
    dismissed_at_s  REAL,
    duplicate_of    TEXT    NOT NULL,
    reopened        INTEGER NOT NULL,
    alert           TEXT    NOT NULL,
    alert_at_s      REAL    NOT NULL
) STRICT;
CREATE INDEX incident_by_view ON incident (camera, kind, zone, last_seen_s);
CREATE INDEX incident_by_state ON incident (state, opened_at_s);

CREATE TABLE sighting (
    id       TEXT PRIMARY KEY,  -- the idempotency key of the bus
    incident TEXT NOT NULL REFERENCES incident (id),
    at_s     REAL NOT NULL,
    score    REAL NOT NULL,
    body     TEXT NOT NULL      -- the sighting as it came: box, evidence, thresholds
) STRICT, WITHOUT ROWID;
CREATE INDEX sighting_by_incident ON sighting (incident, at_s);

CREATE TABLE clip (
    id           TEXT PRIMARY KEY,
    camera       TEXT NOT NULL,
    state        TEXT NOT NULL,
    file         TEXT NOT NULL,
    started_at_s REAL NOT NULL,
    ended_at_s   REAL,
    bytes        INTEGER NOT NULL,
    sha256       TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE incident_clip (  -- a clip may be named by a sighting before the recorder says that it has begun
    incident TEXT NOT NULL REFERENCES incident (id),
    clip     TEXT NOT NULL,
    PRIMARY KEY (incident, clip)
) STRICT, WITHOUT ROWID;
CREATE INDEX incident_by_clip ON incident_clip (clip);

CREATE TABLE assignment (
    id            TEXT PRIMARY KEY,
    version       INTEGER NOT NULL,
    incident      TEXT NOT NULL REFERENCES incident (id),
    unit          TEXT NOT NULL,
    state         TEXT NOT NULL,
    offered_at_s  REAL NOT NULL,
    answer_by_s   REAL NOT NULL,
    accepted_at_s REAL,
    en_route_at_s REAL,
    on_scene_at_s REAL,
    cleared_at_s  REAL,
    ended_reason  TEXT NOT NULL,
    eta_s         REAL,
    route         TEXT
) STRICT;
-- The exclusive slot: nobody is booked twice, whatever the code above it does.
CREATE UNIQUE INDEX one_active_slot ON assignment (unit) WHERE cleared_at_s IS NULL;
CREATE INDEX assignment_by_incident ON assignment (incident, offered_at_s);

CREATE TABLE unit (
    id           TEXT PRIMARY KEY,
    version      INTEGER NOT NULL,
    state        TEXT NOT NULL,
    contact_at_s REAL NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE unit_position (  -- the newest only: no history of where responders were; gone when they leave duty
    unit       TEXT PRIMARY KEY,
    lat        REAL NOT NULL,
    lon        REAL NOT NULL,
    accuracy_m REAL NOT NULL,
    at_s       REAL NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE journal (
    seq      INTEGER PRIMARY KEY,
    incident TEXT NOT NULL REFERENCES incident (id),
    at_s     REAL NOT NULL,
    actor    TEXT NOT NULL,
    code     TEXT NOT NULL,
    facts    TEXT NOT NULL
) STRICT;
CREATE INDEX journal_by_incident ON journal (incident, seq);

CREATE TABLE audit (  -- a hash chain: dispatch/audit.py says how each hash is made
    seq      INTEGER PRIMARY KEY AUTOINCREMENT,
    at_s     REAL NOT NULL,
    actor    TEXT NOT NULL,
    role     TEXT NOT NULL,
    action   TEXT NOT NULL,
    entity   TEXT NOT NULL,
    incident TEXT NOT NULL,
    detail   TEXT NOT NULL,
    prev     TEXT NOT NULL,
    hash     TEXT NOT NULL
) STRICT;
CREATE INDEX audit_by_incident ON audit (incident, seq) WHERE incident <> '';
CREATE TRIGGER audit_is_never_edited BEFORE UPDATE ON audit
BEGIN SELECT RAISE (ABORT, 'the audit log is append-only: entries are never edited'); END;
CREATE TRIGGER audit_is_never_removed BEFORE DELETE ON audit
BEGIN SELECT RAISE (ABORT, 'the audit log is append-only: entries are never removed'); END;

CREATE TABLE outbox (  -- what consoles are still to be told; rendered as things stand when it is taken
    seq    INTEGER PRIMARY KEY AUTOINCREMENT,
    kind   TEXT NOT NULL,
    entity TEXT NOT NULL,
    at_s   REAL NOT NULL
) STRICT;

CREATE TABLE idempotency (
    actor  TEXT NOT NULL,
    key    TEXT NOT NULL,
    asked  TEXT NOT NULL,
    entity TEXT NOT NULL,
    at_s   REAL NOT NULL,
    PRIMARY KEY (actor, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_by_age ON idempotency (at_s);

CREATE TABLE access_grant (
    id           TEXT PRIMARY KEY,
    incident     TEXT NOT NULL REFERENCES incident (id),
    camera       TEXT NOT NULL,
    actor        TEXT NOT NULL,
    purpose      TEXT NOT NULL,
    opened_at_s  REAL NOT NULL,
    expires_at_s REAL NOT NULL,
    ended_at_s   REAL
) STRICT, WITHOUT ROWID;

CREATE TABLE deadline (
    kind     TEXT NOT NULL,
    entity   TEXT NOT NULL,
    due_at_s REAL NOT NULL,
    PRIMARY KEY (kind, entity)
) STRICT, WITHOUT ROWID;
CREATE INDEX deadline_by_time ON deadline (due_at_s);

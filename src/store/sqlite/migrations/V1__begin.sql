-- Ids are the 16 bytes of a UUID, moments are milliseconds since 1970, JSON is text. Rows that others point at have a
-- number of their own: it is what the search's tables know them by.

CREATE TABLE users (
    id BLOB PRIMARY KEY,
    email TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    name_folded TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    admin INTEGER NOT NULL,
    verified_at INTEGER,
    disabled INTEGER NOT NULL DEFAULT 0,
    language TEXT,
    theme TEXT,
    keep_audio INTEGER NOT NULL DEFAULT 0,
    retention_days INTEGER,
    created_at INTEGER NOT NULL
) STRICT;

-- Who owns everything on a server without accounts; the empty address lets nobody in.
INSERT INTO users (id, email, name, name_folded, password_hash, admin, created_at)
VALUES (zeroblob(16), '', '', '', '', 1, 0);

CREATE TABLE logins (
    id BLOB PRIMARY KEY,
    token_hash BLOB NOT NULL UNIQUE,
    user_id BLOB NOT NULL REFERENCES users ON DELETE CASCADE,
    created_at INTEGER NOT NULL,
    last_seen_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    address TEXT NOT NULL,
    user_agent TEXT NOT NULL
) STRICT;
CREATE INDEX logins_user ON logins (user_id);
CREATE INDEX logins_expires ON logins (expires_at);

CREATE TABLE tokens (
    hash BLOB PRIMARY KEY,
    purpose TEXT NOT NULL,
    user_id BLOB REFERENCES users ON DELETE CASCADE,
    email TEXT NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX tokens_user ON tokens (user_id);
CREATE INDEX tokens_expires ON tokens (expires_at);

CREATE TABLE api_keys (
    id BLOB PRIMARY KEY,
    user_id BLOB NOT NULL REFERENCES users ON DELETE CASCADE,
    name TEXT NOT NULL,
    prefix TEXT NOT NULL,
    hash BLOB NOT NULL UNIQUE,
    scopes TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    last_used_at INTEGER
) STRICT;
CREATE INDEX api_keys_user ON api_keys (user_id);

CREATE TABLE conversations (
    row INTEGER PRIMARY KEY,
    user_id BLOB NOT NULL REFERENCES users ON DELETE CASCADE,
    id BLOB NOT NULL,
    kind TEXT NOT NULL,
    title TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    UNIQUE (user_id, id)
) STRICT;
CREATE INDEX conversations_newest ON conversations (user_id, updated_at DESC, id DESC);

-- What was deleted stays deleted, though its words still be on their way.
CREATE TABLE deleted_conversations (
    user_id BLOB NOT NULL REFERENCES users ON DELETE CASCADE,
    id BLOB NOT NULL,
    deleted_at INTEGER NOT NULL,
    PRIMARY KEY (user_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX deleted_conversations_at ON deleted_conversations (deleted_at);

CREATE TABLE turns (
    row INTEGER PRIMARY KEY,
    conversation INTEGER NOT NULL REFERENCES conversations ON DELETE CASCADE,
    session BLOB NOT NULL,
    turn INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    at INTEGER NOT NULL,
    source TEXT NOT NULL,
    text TEXT NOT NULL,
    language TEXT,
    words TEXT NOT NULL,
    start_ms INTEGER NOT NULL,
    end_ms INTEGER NOT NULL,
    reply TEXT,
    UNIQUE (conversation, session, turn)
) STRICT;
CREATE INDEX turns_spoken ON turns (conversation, at, turn);

CREATE TABLE sounds (
    turn INTEGER NOT NULL REFERENCES turns ON DELETE CASCADE,
    side TEXT NOT NULL,
    at INTEGER NOT NULL,
    ogg_opus BLOB NOT NULL,
    PRIMARY KEY (turn, side)
) STRICT;
CREATE INDEX sounds_at ON sounds (at);

-- Folded words between spaces. What is not ASCII is part of a word for this tokenizer, so it parts nothing anew.
CREATE VIRTUAL TABLE turn_words USING fts5 (
    words, content = '', contentless_delete = 1, detail = none, tokenize = 'ascii'
);
CREATE VIRTUAL TABLE title_words USING fts5 (
    words, content = '', contentless_delete = 1, detail = none, tokenize = 'ascii'
);
CREATE TRIGGER turns_deleted AFTER DELETE ON turns BEGIN
    DELETE FROM turn_words WHERE rowid = old.row;
END;
CREATE TRIGGER conversations_deleted AFTER DELETE ON conversations BEGIN
    DELETE FROM title_words WHERE rowid = old.row;
END;

CREATE TABLE jobs (
    id BLOB PRIMARY KEY,
    user_id BLOB NOT NULL REFERENCES users ON DELETE CASCADE,
    server TEXT NOT NULL,
    state TEXT NOT NULL,
    file TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    request TEXT NOT NULL,
    outcome TEXT,
    created_at INTEGER NOT NULL,
    ended_at INTEGER
) STRICT;
CREATE INDEX jobs_user ON jobs (user_id, created_at);
CREATE INDEX jobs_ended ON jobs (ended_at);

CREATE TABLE job_events (
    job BLOB NOT NULL REFERENCES jobs ON DELETE CASCADE,
    seq INTEGER NOT NULL,
    kind TEXT NOT NULL,
    data TEXT NOT NULL,
    PRIMARY KEY (job, seq)
) STRICT, WITHOUT ROWID;

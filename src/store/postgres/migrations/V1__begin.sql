-- Moments are milliseconds since 1970, JSON is text (jsonb cannot hold U+0000, which text spells). What is compared or
-- put in order is so by its bytes, whatever the language of the server.

CREATE TABLE users (
    id uuid PRIMARY KEY,
    email text COLLATE "C" NOT NULL UNIQUE,
    name text NOT NULL,
    name_folded text COLLATE "C" NOT NULL,
    password_hash text NOT NULL,
    admin boolean NOT NULL,
    verified_at bigint,
    disabled boolean NOT NULL DEFAULT false,
    language text,
    theme text,
    keep_audio boolean NOT NULL DEFAULT false,
    retention_days bigint,
    created_at bigint NOT NULL
);

-- Who owns everything on a server without accounts; the empty address lets nobody in.
INSERT INTO users (id, email, name, name_folded, password_hash, admin, created_at)
VALUES ('00000000-0000-0000-0000-000000000000', '', '', '', '', true, 0);

CREATE TABLE logins (
    id uuid PRIMARY KEY,
    token_hash bytea NOT NULL UNIQUE,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    created_at bigint NOT NULL,
    last_seen_at bigint NOT NULL,
    expires_at bigint NOT NULL,
    address text NOT NULL,
    user_agent text NOT NULL
);
CREATE INDEX logins_user ON logins (user_id);
CREATE INDEX logins_expires ON logins (expires_at);

CREATE TABLE tokens (
    hash bytea PRIMARY KEY,
    purpose text NOT NULL,
    user_id uuid REFERENCES users ON DELETE CASCADE,
    email text NOT NULL,
    expires_at bigint NOT NULL
);
CREATE INDEX tokens_user ON tokens (user_id);
CREATE INDEX tokens_expires ON tokens (expires_at);

CREATE TABLE api_keys (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    name text NOT NULL,
    prefix text NOT NULL,
    hash bytea NOT NULL UNIQUE,
    scopes text NOT NULL,
    created_at bigint NOT NULL,
    expires_at bigint,
    last_used_at bigint
);
CREATE INDEX api_keys_user ON api_keys (user_id);

-- The columns named `searched` hold folded words, made by the server as it writes: both databases find the same.
CREATE TABLE conversations (
    row bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    id uuid NOT NULL,
    kind text NOT NULL,
    title text NOT NULL,
    searched tsvector NOT NULL,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    UNIQUE (user_id, id)
);
CREATE INDEX conversations_newest ON conversations (user_id, updated_at DESC, id DESC);
CREATE INDEX conversations_searched ON conversations USING gin (searched);

-- What was deleted stays deleted, though its words still be on their way.
CREATE TABLE deleted_conversations (
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    id uuid NOT NULL,
    deleted_at bigint NOT NULL,
    PRIMARY KEY (user_id, id)
);
CREATE INDEX deleted_conversations_at ON deleted_conversations (deleted_at);

CREATE TABLE turns (
    row bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    conversation bigint NOT NULL REFERENCES conversations ON DELETE CASCADE,
    session uuid NOT NULL,
    turn bigint NOT NULL,
    revision bigint NOT NULL,
    at bigint NOT NULL,
    source text NOT NULL,
    text text NOT NULL,
    language text,
    words text NOT NULL,
    start_ms bigint NOT NULL,
    end_ms bigint NOT NULL,
    reply text,
    searched tsvector NOT NULL,
    UNIQUE (conversation, session, turn)
);
CREATE INDEX turns_spoken ON turns (conversation, at, turn);
CREATE INDEX turns_searched ON turns USING gin (searched);

CREATE TABLE sounds (
    turn bigint NOT NULL REFERENCES turns ON DELETE CASCADE,
    side text NOT NULL,
    at bigint NOT NULL,
    ogg_opus bytea NOT NULL,
    PRIMARY KEY (turn, side)
);
CREATE INDEX sounds_at ON sounds (at);

CREATE TABLE jobs (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    server text NOT NULL,
    state text NOT NULL,
    file text NOT NULL,
    bytes bigint NOT NULL,
    request text NOT NULL,
    outcome text,
    created_at bigint NOT NULL,
    ended_at bigint
);
CREATE INDEX jobs_user ON jobs (user_id, created_at);
CREATE INDEX jobs_ended ON jobs (ended_at);

CREATE TABLE job_events (
    job uuid NOT NULL REFERENCES jobs ON DELETE CASCADE,
    seq bigint NOT NULL,
    kind text NOT NULL,
    data text NOT NULL,
    PRIMARY KEY (job, seq)
);

//! What is copied: the tables that both databases have, and what their columns hold. A test holds it against them.

/// A table.
#[derive(Debug, PartialEq, Eq)]
pub struct Table {
    pub name: &'static str,
    pub columns: &'static [Column],
    /// Columns by which no two rows are alike.
    pub(super) key: &'static str,
    /// Its column `row` is a number that the database gives.
    pub(in crate::store) numbered: bool,
}

/// A column of a table.
#[derive(Debug, PartialEq, Eq)]
pub struct Column {
    pub name: &'static str,
    pub kind: Kind,
    /// May be without a value.
    pub optional: bool,
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Id,
    Text,
    Number,
    Flag,
    Bytes,
}

/// All tables; those that others point at come first.
pub const TABLES: &[Table] = &[
    Table {
        name: "users",
        columns: &[
            is("id", Kind::Id),
            is("email", Kind::Text),
            is("name", Kind::Text),
            is("name_folded", Kind::Text),
            is("password_hash", Kind::Text),
            is("admin", Kind::Flag),
            may("verified_at", Kind::Number),
            is("disabled", Kind::Flag),
            may("language", Kind::Text),
            may("theme", Kind::Text),
            is("keep_audio", Kind::Flag),
            may("retention_days", Kind::Number),
            is("created_at", Kind::Number),
        ],
        key: "id",
        numbered: false,
    },
    Table {
        name: "logins",
        columns: &[
            is("id", Kind::Id),
            is("token_hash", Kind::Bytes),
            is("user_id", Kind::Id),
            is("created_at", Kind::Number),
            is("last_seen_at", Kind::Number),
            is("expires_at", Kind::Number),
            is("address", Kind::Text),
            is("user_agent", Kind::Text),
        ],
        key: "id",
        numbered: false,
    },
    Table {
        name: "tokens",
        columns: &[
            is("hash", Kind::Bytes),
            is("purpose", Kind::Text),
            may("user_id", Kind::Id),
            is("email", Kind::Text),
            is("expires_at", Kind::Number),
        ],
        key: "hash",
        numbered: false,
    },
    Table {
        name: "api_keys",
        columns: &[
            is("id", Kind::Id),
            is("user_id", Kind::Id),
            is("name", Kind::Text),
            is("prefix", Kind::Text),
            is("hash", Kind::Bytes),
            is("scopes", Kind::Text),
            is("created_at", Kind::Number),
            may("expires_at", Kind::Number),
            may("last_used_at", Kind::Number),
        ],
        key: "id",
        numbered: false,
    },
    Table {
        name: "conversations",
        columns: &[
            is("row", Kind::Number),
            is("user_id", Kind::Id),
            is("id", Kind::Id),
            is("kind", Kind::Text),
            is("title", Kind::Text),
            is("created_at", Kind::Number),
            is("updated_at", Kind::Number),
        ],
        key: "row",
        numbered: true,
    },
    Table {
        name: "deleted_conversations",
        columns: &[is("user_id", Kind::Id), is("id", Kind::Id), is("deleted_at", Kind::Number)],
        key: "user_id, id",
        numbered: false,
    },
    Table {
        name: "turns",
        columns: &[
            is("row", Kind::Number),
            is("conversation", Kind::Number),
            is("session", Kind::Id),
            is("turn", Kind::Number),
            is("revision", Kind::Number),
            is("at", Kind::Number),
            is("source", Kind::Text),
            is("text", Kind::Text),
            may("language", Kind::Text),
            is("words", Kind::Text),
            is("start_ms", Kind::Number),
            is("end_ms", Kind::Number),
            may("reply", Kind::Text),
        ],
        key: "row",
        numbered: true,
    },
    Table {
        name: "sounds",
        columns: &[
            is("turn", Kind::Number),
            is("side", Kind::Text),
            is("at", Kind::Number),
            is("ogg_opus", Kind::Bytes),
        ],
        key: "turn, side",
        numbered: false,
    },
    Table {
        name: "jobs",
        columns: &[
            is("id", Kind::Id),
            is("user_id", Kind::Id),
            is("server", Kind::Text),
            is("state", Kind::Text),
            is("file", Kind::Text),
            is("bytes", Kind::Number),
            is("request", Kind::Text),
            may("outcome", Kind::Text),
            is("created_at", Kind::Number),
            may("ended_at", Kind::Number),
        ],
        key: "id",
        numbered: false,
    },
    Table {
        name: "job_events",
        columns: &[is("job", Kind::Id), is("seq", Kind::Number), is("kind", Kind::Text), is("data", Kind::Text)],
        key: "job, seq",
        numbered: false,
    },
];

const fn is(name: &'static str, kind: Kind) -> Column {
    Column { name, kind, optional: false }
}

const fn may(name: &'static str, kind: Kind) -> Column {
    Column { name, kind, optional: true }
}

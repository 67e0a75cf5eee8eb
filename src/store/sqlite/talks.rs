//! Conversations; see [`Talks`].

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, named_params, params};

use super::{Coded, Id, Json, Sqlite};
use crate::{
    model::{ConversationId, SessionId, TurnId, UnixMs, UserId},
    store::{
        Conversation, Found, Listing, Side, StoreError, Talks, TurnAudio, TurnRecord, TurnReply,
        rows::{Code, TOMBSTONE_DAYS, days_before, reply_json, whole, words_json},
        words::{Query, index_of, index_of_turn, without_nul},
    },
};

/// As [`conversation_of`] reads them.
const CONVERSATION: &str = "c.id, c.user_id, c.kind, c.title, \
     (SELECT count(*) FROM turns WHERE turns.conversation = c.row), c.created_at, c.updated_at";
/// As [`turn_of`] reads them.
const TURN: &str = "c.user_id, c.id, c.kind, c.title, t.session, t.turn, t.revision, t.at, t.source, t.text, \
     t.language, t.words, t.start_ms, t.end_ms, t.reply";
const TURN_COLUMNS: usize = 15;
/// Conversations deleted at one go by [`Talks::retire`]: others write in between.
const RETIRED_AT_ONCE: u32 = 200;

#[async_trait]
impl Talks for Sqlite {
    async fn write_turns(&self, turns: &[TurnRecord]) -> Result<(), StoreError> {
        let turns = turns.to_vec();
        self.write(move |t| turns.iter().try_for_each(|turn| write_turn(t, turn))).await
    }

    async fn write_audio(&self, audio: &TurnAudio) -> Result<(), StoreError> {
        let audio = audio.clone();
        self.write(move |t| {
            let sql = "INSERT INTO sounds (turn, side, at, ogg_opus) SELECT t.row, :side, t.at, :sound FROM turns t \
                       JOIN conversations c ON c.row = t.conversation \
                       WHERE c.user_id = :user AND c.id = :id AND t.session = :session AND t.turn = :turn \
                       ON CONFLICT (turn, side) DO UPDATE SET ogg_opus = excluded.ogg_opus";
            t.prepare_cached(sql)?
                .execute(named_params! {
                    ":side": audio.side.code(),
                    ":sound": audio.ogg_opus,
                    ":user": audio.user.uuid().into_bytes(),
                    ":id": audio.conversation.uuid().into_bytes(),
                    ":session": audio.session.uuid().into_bytes(),
                    ":turn": audio.turn.0,
                })
                .map(drop)
        })
        .await
    }

    async fn conversation(&self, user: UserId, id: ConversationId) -> Result<Option<Conversation>, StoreError> {
        self.read(move |c| {
            let sql = format!("SELECT {CONVERSATION} FROM conversations c WHERE c.user_id = ? AND c.id = ?");
            c.prepare_cached(&sql)?.query_row(key(user, id), conversation_of).optional()
        })
        .await
    }

    async fn conversations(&self, user: UserId, listing: &Listing) -> Result<Vec<Found>, StoreError> {
        let listing = listing.clone();
        self.read(move |c| match Query::of(&listing.query) {
            None => newest(c, user, &listing),
            Some(query) if query.is_empty() => Ok(Vec::new()),
            Some(query) => search(c, user, &listing, &query),
        })
        .await
    }

    async fn turns(&self, user: UserId, id: ConversationId) -> Result<Vec<(TurnRecord, Vec<Side>)>, StoreError> {
        self.read(move |c| {
            let sql = format!(
                "SELECT {TURN}, EXISTS (SELECT 1 FROM sounds s WHERE s.turn = t.row AND s.side = 'user'), \
                 EXISTS (SELECT 1 FROM sounds s WHERE s.turn = t.row AND s.side = 'reply') \
                 FROM conversations c JOIN turns t ON t.conversation = c.row WHERE c.user_id = ? AND c.id = ? \
                 ORDER BY t.at, t.turn, t.session"
            );
            let both = |row: &Row<'_>| {
                let mut sides = Vec::new();
                for (column, side) in (TURN_COLUMNS..).zip([Side::User, Side::Reply]) {
                    if row.get(column)? {
                        sides.push(side);
                    }
                }
                Ok((turn_of(row)?, sides))
            };
            c.prepare_cached(&sql)?.query_map(key(user, id), both)?.collect()
        })
        .await
    }

    async fn last_turns(&self, user: UserId, id: ConversationId, limit: u32) -> Result<Vec<TurnRecord>, StoreError> {
        self.read(move |c| {
            let sql = format!(
                "SELECT {TURN} FROM conversations c JOIN turns t ON t.conversation = c.row \
                 WHERE c.user_id = ? AND c.id = ? ORDER BY t.at DESC, t.turn DESC, t.session DESC LIMIT ?"
            );
            let [user, id] = key(user, id);
            let mut newest = c.prepare_cached(&sql)?;
            let mut turns = newest.query_map(params![user, id, limit], turn_of)?.collect::<Result<Vec<_>, _>>()?;
            turns.reverse();
            Ok(turns)
        })
        .await
    }

    async fn audio(
        &self,
        user: UserId,
        id: ConversationId,
        session: SessionId,
        turn: TurnId,
        side: Side,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(move |c| {
            let sql = "SELECT s.ogg_opus FROM conversations c JOIN turns t ON t.conversation = c.row \
                       JOIN sounds s ON s.turn = t.row \
                       WHERE c.user_id = ? AND c.id = ? AND t.session = ? AND t.turn = ? AND s.side = ?";
            let [user, id] = key(user, id);
            let place = params![user, id, session.uuid().into_bytes(), turn.0, side.code()];
            c.prepare_cached(sql)?.query_row(place, |row| row.get(0)).optional()
        })
        .await
    }

    async fn rename_conversation(&self, user: UserId, id: ConversationId, title: &str) -> Result<bool, StoreError> {
        let title = title.to_owned();
        self.write(move |t| {
            let sql = "SELECT row FROM conversations WHERE user_id = ? AND id = ?";
            let row = t.prepare_cached(sql)?.query_row(key(user, id), |row| row.get(0)).optional()?;
            row.map_or(Ok(false), |row| set_title(t, row, &title).map(|()| true))
        })
        .await
    }

    async fn delete_conversation(&self, user: UserId, id: ConversationId) -> Result<bool, StoreError> {
        self.write(move |t| {
            let sql = "INSERT INTO deleted_conversations (user_id, id, deleted_at) SELECT user_id, id, ? \
                       FROM conversations WHERE user_id = ? AND id = ? ON CONFLICT DO NOTHING";
            let [owner, which] = key(user, id);
            t.execute(sql, params![UnixMs::now().0, owner, which])?;
            Ok(t.execute("DELETE FROM conversations WHERE user_id = ? AND id = ?", key(user, id))? > 0)
        })
        .await
    }

    async fn delete_conversations(&self, user: UserId) -> Result<u64, StoreError> {
        self.write(move |t| {
            let user = user.uuid().into_bytes();
            let sql = "INSERT INTO deleted_conversations (user_id, id, deleted_at) SELECT user_id, id, ? \
                       FROM conversations WHERE user_id = ? ON CONFLICT DO NOTHING";
            t.execute(sql, params![UnixMs::now().0, user])?;
            Ok(t.execute("DELETE FROM conversations WHERE user_id = ?", [user])? as u64)
        })
        .await
    }

    async fn retire(&self, now: UnixMs, days: Option<u32>, audio_days: Option<u32>) -> Result<u64, StoreError> {
        let mut retired = 0;
        loop {
            let some = self.write(move |t| retire_some(t, now, days)).await?;
            retired += u64::from(some);
            if some < RETIRED_AT_ONCE {
                break;
            }
        }
        self.write(move |t| {
            if let Some(days) = audio_days {
                t.execute("DELETE FROM sounds WHERE at < ?", [days_before(now, days)])?;
            }
            let sql = "DELETE FROM deleted_conversations WHERE deleted_at < ?";
            t.execute(sql, [days_before(now, TOMBSTONE_DAYS)]).map(drop)
        })
        .await?;
        Ok(retired)
    }
}

fn write_turn(t: &Transaction<'_>, turn: &TurnRecord) -> rusqlite::Result<()> {
    let sql = "SELECT EXISTS (SELECT 1 FROM users WHERE id = ?1) \
               AND NOT EXISTS (SELECT 1 FROM deleted_conversations WHERE user_id = ?1 AND id = ?2)";
    if !t.prepare_cached(sql)?.query_row(key(turn.user, turn.conversation), |row| row.get(0))? {
        return Ok(());
    }
    let sql = "SELECT row, title FROM conversations WHERE user_id = ? AND id = ?";
    let there: Option<(i64, String)> = t
        .prepare_cached(sql)?
        .query_row(key(turn.user, turn.conversation), |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let session = turn.session.uuid().into_bytes();
    if let Some((row, _)) = &there {
        let sql = "SELECT revision FROM turns WHERE conversation = ? AND session = ? AND turn = ?";
        let place = params![row, session, turn.turn.0];
        let revision: Option<u32> = t.prepare_cached(sql)?.query_row(place, |row| row.get(0)).optional()?;
        if revision.is_some_and(|revision| revision >= turn.revision) {
            return Ok(());
        }
    }
    let (conversation, title) = if let Some((row, title)) = there {
        let sql = "UPDATE conversations SET created_at = min(created_at, ?1), updated_at = max(updated_at, ?1) WHERE row = ?2";
        t.prepare_cached(sql)?.execute(params![turn.at.0, row])?;
        (row, title)
    } else {
        let sql = "INSERT INTO conversations (user_id, id, kind, title, created_at, updated_at) \
                   VALUES (?1, ?2, ?3, '', ?4, ?4)";
        let [user, id] = key(turn.user, turn.conversation);
        t.prepare_cached(sql)?.execute(params![user, id, turn.kind.code(), turn.at.0])?;
        (t.last_insert_rowid(), String::new())
    };
    if title.is_empty() && !without_nul(&turn.title).is_empty() {
        set_title(t, conversation, &turn.title)?;
    }
    let sql = "INSERT INTO turns (conversation, session, turn, revision, at, source, text, language, words, start_ms, \
               end_ms, reply) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) \
               ON CONFLICT (conversation, session, turn) DO UPDATE SET revision = excluded.revision, at = excluded.at, \
               source = excluded.source, text = excluded.text, language = excluded.language, words = excluded.words, \
               start_ms = excluded.start_ms, end_ms = excluded.end_ms, reply = excluded.reply RETURNING row";
    let row: i64 = t.prepare_cached(sql)?.query_row(
        params![
            conversation,
            session,
            turn.turn.0,
            turn.revision,
            turn.at.0,
            turn.source.code(),
            without_nul(&turn.text),
            turn.language.as_deref().map(without_nul),
            words_json(&turn.words),
            whole(turn.start_ms),
            whole(turn.end_ms),
            reply_json(turn),
        ],
        |row| row.get(0),
    )?;
    let sql = "INSERT OR REPLACE INTO turn_words (rowid, words) VALUES (?, ?)";
    t.prepare_cached(sql)?.execute(params![row, index_of_turn(turn).join(" ")]).map(drop)
}

fn set_title(t: &Transaction<'_>, row: i64, title: &str) -> rusqlite::Result<()> {
    let sql = "UPDATE conversations SET title = ? WHERE row = ?";
    t.prepare_cached(sql)?.execute(params![without_nul(title), row])?;
    let sql = "INSERT OR REPLACE INTO title_words (rowid, words) VALUES (?, ?)";
    t.prepare_cached(sql)?.execute(params![row, index_of(&[title]).join(" ")]).map(drop)
}

fn retire_some(t: &Transaction<'_>, now: UnixMs, days: Option<u32>) -> rusqlite::Result<u32> {
    let sql = "DELETE FROM conversations WHERE row IN (SELECT c.row FROM conversations c \
               JOIN users u ON u.id = c.user_id \
               WHERE c.updated_at < coalesce(:now - u.retention_days * 86400000, :limit) LIMIT :at_once)";
    let limit = days.map(|days| days_before(now, days));
    let retired = t.execute(sql, named_params! {":now": now.0, ":limit": limit, ":at_once": RETIRED_AT_ONCE})?;
    Ok(retired as u32)
}

fn newest(c: &Connection, user: UserId, listing: &Listing) -> rusqlite::Result<Vec<Found>> {
    let sql = format!(
        "SELECT {CONVERSATION} FROM conversations c WHERE c.user_id = :user \
         AND (:at IS NULL OR (c.updated_at, c.id) < (:at, :id)) ORDER BY c.updated_at DESC, c.id DESC LIMIT :limit"
    );
    let found = |row: &Row<'_>| Ok(Found { conversation: conversation_of(row)?, snippet: None });
    c.prepare_cached(&sql)?
        .query_map(
            named_params! {
                ":user": user.uuid().into_bytes(),
                ":at": listing.after.map(|cursor| cursor.updated_at.0),
                ":id": listing.after.map(|cursor| cursor.id.uuid().into_bytes()),
                ":limit": listing.limit,
            },
            found,
        )?
        .collect()
}

/// With the newest turn of each conversation that has all the words, or none where they are in its title. The order of
/// the steps is given: left to itself SQLite asks the index of words anew for every turn.
fn search(c: &Connection, user: UserId, listing: &Listing, query: &Query) -> rusqlite::Result<Vec<Found>> {
    let sql = format!(
        "WITH matches AS MATERIALIZED (SELECT rowid AS row FROM turn_words WHERE turn_words MATCH :query),
         titled AS MATERIALIZED (SELECT rowid AS row FROM title_words WHERE title_words MATCH :query),
         hits AS MATERIALIZED (
             SELECT t.row, t.conversation, \
                 row_number() OVER (PARTITION BY t.conversation ORDER BY t.at DESC, t.turn DESC, t.session DESC) AS place
             FROM matches m CROSS JOIN turns t ON t.row = m.row CROSS JOIN conversations c ON c.row = t.conversation
             WHERE c.user_id = :user),
         newest AS MATERIALIZED (SELECT row, conversation FROM hits WHERE place = 1),
         wanted AS MATERIALIZED (SELECT conversation AS row FROM newest UNION SELECT row FROM titled)
         SELECT {CONVERSATION}, t.text, t.reply FROM wanted w CROSS JOIN conversations c ON c.row = w.row
         LEFT JOIN newest n ON n.conversation = c.row LEFT JOIN turns t ON t.row = n.row
         WHERE c.user_id = :user AND (:at IS NULL OR (c.updated_at, c.id) < (:at, :id))
         ORDER BY c.updated_at DESC, c.id DESC LIMIT :limit"
    );
    let found = |row: &Row<'_>| {
        let conversation = conversation_of(row)?;
        let (text, reply): (Option<String>, Option<Json<TurnReply>>) = (row.get(7)?, row.get(8)?);
        let snippet = match (&text, &reply) {
            (None, _) => query.snippet([conversation.title.as_str()]),
            (Some(text), None) => query.snippet([text.as_str()]),
            (Some(text), Some(Json(reply))) => query.snippet([text.as_str(), &reply.text, &reply.heard]),
        };
        Ok(Found { conversation, snippet })
    };
    c.prepare_cached(&sql)?
        .query_map(
            named_params! {
                ":user": user.uuid().into_bytes(),
                ":query": query.fts5(),
                ":at": listing.after.map(|cursor| cursor.updated_at.0),
                ":id": listing.after.map(|cursor| cursor.id.uuid().into_bytes()),
                ":limit": listing.limit,
            },
            found,
        )?
        .collect()
}

fn key(user: UserId, id: ConversationId) -> [[u8; 16]; 2] {
    [user.uuid().into_bytes(), id.uuid().into_bytes()]
}

fn conversation_of(row: &Row<'_>) -> rusqlite::Result<Conversation> {
    Ok(Conversation {
        id: row.get::<_, Id<_>>(0)?.0,
        user: row.get::<_, Id<_>>(1)?.0,
        kind: row.get::<_, Coded<_>>(2)?.0,
        title: row.get(3)?,
        turns: row.get(4)?,
        created_at: UnixMs(row.get(5)?),
        updated_at: UnixMs(row.get(6)?),
    })
}

fn turn_of(row: &Row<'_>) -> rusqlite::Result<TurnRecord> {
    let (start_ms, end_ms): (i64, i64) = (row.get(12)?, row.get(13)?);
    Ok(TurnRecord {
        user: row.get::<_, Id<_>>(0)?.0,
        conversation: row.get::<_, Id<_>>(1)?.0,
        kind: row.get::<_, Coded<_>>(2)?.0,
        title: row.get(3)?,
        session: row.get::<_, Id<_>>(4)?.0,
        turn: TurnId(row.get(5)?),
        revision: row.get(6)?,
        at: UnixMs(row.get(7)?),
        source: row.get::<_, Coded<_>>(8)?.0,
        text: row.get(9)?,
        language: row.get(10)?,
        words: row.get::<_, Json<_>>(11)?.0,
        start_ms: start_ms.unsigned_abs(),
        end_ms: end_ms.unsigned_abs(),
        reply: row.get::<_, Option<Json<_>>>(14)?.map(|reply| reply.0),
    })
}

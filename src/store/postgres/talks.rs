//! Conversations; see [`Talks`].

use std::collections::BTreeSet;

use async_trait::async_trait;
use tokio_postgres::{Row, Statement, Transaction};
use uuid::Uuid;

use super::{ANSWER, Postgres, coded, id, json_at, json_if_any, large, moment, small, within};
use crate::{
    model::{ConversationId, SessionId, TurnId, UnixMs, UserId},
    store::{
        Conversation, Found, Listing, Side, StoreError, Talks, TurnAudio, TurnRecord, TurnReply,
        meter::measured,
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
impl Talks for Postgres {
    async fn write_turns(&self, turns: &[TurnRecord]) -> Result<(), StoreError> {
        if turns.is_empty() {
            return Ok(());
        }
        let work = async {
            let mut connection = self.connection().await?;
            let t = connection.transaction().await?;
            let users: BTreeSet<_> = turns.iter().map(|turn| turn.user.uuid()).collect();
            let there = lock(&t, users).await?;
            let writer = Writer::prepare(&t).await?;
            for turn in turns.iter().filter(|turn| there.contains(&turn.user.uuid())) {
                writer.write(&t, turn).await?;
            }
            Ok(t.commit().await?)
        };
        measured("write", within(ANSWER, work)).await
    }

    async fn write_audio(&self, audio: &TurnAudio) -> Result<(), StoreError> {
        let sql = "INSERT INTO sounds (turn, side, at, ogg_opus) SELECT t.row, $1, t.at, $2 FROM turns t \
                   JOIN conversations c ON c.row = t.conversation \
                   WHERE c.user_id = $3 AND c.id = $4 AND t.session = $5 AND t.turn = $6 \
                   ON CONFLICT (turn, side) DO UPDATE SET ogg_opus = excluded.ogg_opus";
        self.add_child(
            sql,
            &[
                &audio.side.code(),
                &audio.ogg_opus,
                &audio.user.uuid(),
                &audio.conversation.uuid(),
                &audio.session.uuid(),
                &i64::from(audio.turn.0),
            ],
        )
        .await
    }

    async fn conversation(&self, user: UserId, id: ConversationId) -> Result<Option<Conversation>, StoreError> {
        let sql = format!("SELECT {CONVERSATION} FROM conversations c WHERE c.user_id = $1 AND c.id = $2");
        self.row(&sql, &[&user.uuid(), &id.uuid()]).await?.as_ref().map(conversation_of).transpose()
    }

    async fn conversations(&self, user: UserId, listing: &Listing) -> Result<Vec<Found>, StoreError> {
        match Query::of(&listing.query) {
            None => self.newest(user, listing).await,
            Some(query) if query.is_empty() => Ok(Vec::new()),
            Some(query) => self.search(user, listing, &query).await,
        }
    }

    async fn turns(&self, user: UserId, id: ConversationId) -> Result<Vec<(TurnRecord, Vec<Side>)>, StoreError> {
        let sql = format!(
            "SELECT {TURN}, EXISTS (SELECT 1 FROM sounds s WHERE s.turn = t.row AND s.side = 'user'), \
             EXISTS (SELECT 1 FROM sounds s WHERE s.turn = t.row AND s.side = 'reply') \
             FROM conversations c JOIN turns t ON t.conversation = c.row WHERE c.user_id = $1 AND c.id = $2 \
             ORDER BY t.at, t.turn, t.session"
        );
        let rows = self.rows(&sql, &[&user.uuid(), &id.uuid()]).await?;
        let both = |row: &Row| {
            let mut sides = Vec::new();
            for (column, side) in (TURN_COLUMNS..).zip([Side::User, Side::Reply]) {
                if row.try_get(column)? {
                    sides.push(side);
                }
            }
            Ok((turn_of(row)?, sides))
        };
        rows.iter().map(both).collect()
    }

    async fn last_turns(&self, user: UserId, id: ConversationId, limit: u32) -> Result<Vec<TurnRecord>, StoreError> {
        let sql = format!(
            "SELECT {TURN} FROM conversations c JOIN turns t ON t.conversation = c.row \
             WHERE c.user_id = $1 AND c.id = $2 ORDER BY t.at DESC, t.turn DESC, t.session DESC LIMIT $3"
        );
        let rows = self.rows(&sql, &[&user.uuid(), &id.uuid(), &i64::from(limit)]).await?;
        rows.iter().rev().map(turn_of).collect()
    }

    async fn audio(
        &self,
        user: UserId,
        id: ConversationId,
        session: SessionId,
        turn: TurnId,
        side: Side,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let sql = "SELECT s.ogg_opus FROM conversations c JOIN turns t ON t.conversation = c.row \
                   JOIN sounds s ON s.turn = t.row \
                   WHERE c.user_id = $1 AND c.id = $2 AND t.session = $3 AND t.turn = $4 AND s.side = $5";
        let turn = i64::from(turn.0);
        let row = self.row(sql, &[&user.uuid(), &id.uuid(), &session.uuid(), &turn, &side.code()]).await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?)
    }

    async fn rename_conversation(&self, user: UserId, id: ConversationId, title: &str) -> Result<bool, StoreError> {
        let sql =
            "UPDATE conversations SET title = $3, searched = array_to_tsvector($4) WHERE user_id = $1 AND id = $2";
        let (words, title) = (index_of(&[title]), without_nul(title));
        Ok(self.execute(sql, &[&user.uuid(), &id.uuid(), &title, &words]).await? > 0)
    }

    async fn delete_conversation(&self, user: UserId, id: ConversationId) -> Result<bool, StoreError> {
        Ok(self.delete(user, Some(id)).await? > 0)
    }

    async fn delete_conversations(&self, user: UserId) -> Result<u64, StoreError> {
        self.delete(user, None).await
    }

    async fn retire(&self, now: UnixMs, days: Option<u32>, audio_days: Option<u32>) -> Result<u64, StoreError> {
        // What others are writing just now is not old.
        let sql = "DELETE FROM conversations WHERE row IN (SELECT c.row FROM conversations c \
                   JOIN users u ON u.id = c.user_id \
                   WHERE c.updated_at < coalesce($1 - u.retention_days * 86400000, $2) LIMIT $3 \
                   FOR UPDATE OF c SKIP LOCKED)";
        let limit = days.map(|days| days_before(now, days));
        let mut retired = 0;
        loop {
            let some = self.execute(sql, &[&now.0, &limit, &i64::from(RETIRED_AT_ONCE)]).await?;
            retired += some;
            if some < u64::from(RETIRED_AT_ONCE) {
                break;
            }
        }
        if let Some(days) = audio_days {
            self.execute("DELETE FROM sounds WHERE at < $1", &[&days_before(now, days)]).await?;
        }
        let sql = "DELETE FROM deleted_conversations WHERE deleted_at < $1";
        self.execute(sql, &[&days_before(now, TOMBSTONE_DAYS)]).await?;
        Ok(retired)
    }
}

impl Postgres {
    async fn newest(&self, user: UserId, listing: &Listing) -> Result<Vec<Found>, StoreError> {
        let sql = format!(
            "SELECT {CONVERSATION} FROM conversations c WHERE c.user_id = $1 \
             AND ($2::bigint IS NULL OR (c.updated_at, c.id) < ($2, $3::uuid)) \
             ORDER BY c.updated_at DESC, c.id DESC LIMIT $4"
        );
        let (at, id) = cursor(listing);
        let rows = self.rows(&sql, &[&user.uuid(), &at, &id, &i64::from(listing.limit)]).await?;
        rows.iter().map(|row| Ok(Found { conversation: conversation_of(row)?, snippet: None })).collect()
    }

    /// With the newest turn of each conversation that has all the words, or none where they are in its title.
    async fn search(&self, user: UserId, listing: &Listing, query: &Query) -> Result<Vec<Found>, StoreError> {
        let sql = format!(
            "WITH hits AS (
                 SELECT DISTINCT ON (t.conversation) t.conversation, t.row
                 FROM turns t JOIN conversations c ON c.row = t.conversation
                 WHERE c.user_id = $1 AND t.searched @@ $5::text::tsquery
                 ORDER BY t.conversation, t.at DESC, t.turn DESC, t.session DESC)
             SELECT {CONVERSATION}, t.text, t.reply FROM conversations c
             LEFT JOIN hits h ON h.conversation = c.row LEFT JOIN turns t ON t.row = h.row
             WHERE c.user_id = $1 AND ($2::bigint IS NULL OR (c.updated_at, c.id) < ($2, $3::uuid))
                 AND (h.row IS NOT NULL OR c.searched @@ $5::text::tsquery)
             ORDER BY c.updated_at DESC, c.id DESC LIMIT $4"
        );
        let (at, id) = cursor(listing);
        let limit = i64::from(listing.limit);
        let rows = self.rows(&sql, &[&user.uuid(), &at, &id, &limit, &query.tsquery()]).await?;
        let found = |row: &Row| {
            let conversation = conversation_of(row)?;
            let (text, reply): (Option<&str>, Option<TurnReply>) = (row.try_get(7)?, json_if_any(row, 8)?);
            let snippet = match (text, &reply) {
                (None, _) => query.snippet([conversation.title.as_str()]),
                (Some(text), None) => query.snippet([text]),
                (Some(text), Some(reply)) => query.snippet([text, &reply.text, &reply.heard]),
            };
            Ok(Found { conversation, snippet })
        };
        rows.iter().map(found).collect()
    }

    /// One of the user's conversations, or all.
    async fn delete(&self, user: UserId, which: Option<ConversationId>) -> Result<u64, StoreError> {
        let which = which.map(ConversationId::uuid);
        let work = async {
            let mut connection = self.connection().await?;
            let t = connection.transaction().await?;
            lock(&t, BTreeSet::from([user.uuid()])).await?;
            let sql = "INSERT INTO deleted_conversations (user_id, id, deleted_at) SELECT user_id, id, $3 \
                       FROM conversations WHERE user_id = $1 AND ($2::uuid IS NULL OR id = $2) ON CONFLICT DO NOTHING";
            t.execute(sql, &[&user.uuid(), &which, &UnixMs::now().0]).await?;
            let sql = "DELETE FROM conversations WHERE user_id = $1 AND ($2::uuid IS NULL OR id = $2)";
            let deleted = t.execute(sql, &[&user.uuid(), &which]).await?;
            t.commit().await?;
            Ok(deleted)
        };
        measured("write", within(ANSWER, work)).await
    }
}

/// Holds the users' rows until the transaction ends, always in the same order, and gives those there are. Rows that
/// merely point at them do not wait.
async fn lock(t: &Transaction<'_>, users: BTreeSet<Uuid>) -> Result<BTreeSet<Uuid>, StoreError> {
    let users: Vec<_> = users.into_iter().collect();
    let sql = "SELECT id FROM users WHERE id = ANY ($1) ORDER BY id FOR NO KEY UPDATE";
    let rows = t.query(sql, &[&users]).await?;
    rows.iter().map(|row| id(row, 0)).collect()
}

/// The steps of writing a turn, asked for once for all turns of a transaction.
struct Writer {
    deleted: Statement,
    conversation: Statement,
    turn: Statement,
    touch: Statement,
}

impl Writer {
    async fn prepare(t: &Transaction<'_>) -> Result<Self, StoreError> {
        let deleted = "SELECT 1 FROM deleted_conversations WHERE user_id = $1 AND id = $2";
        // Changes nothing where it is there, but holds it, so that it is not retired meanwhile.
        let conversation = "INSERT INTO conversations (user_id, id, kind, title, searched, created_at, updated_at) \
                            VALUES ($1, $2, $3, '', '', $4, $4) \
                            ON CONFLICT (user_id, id) DO UPDATE SET kind = conversations.kind RETURNING row";
        let turn = "INSERT INTO turns (conversation, session, turn, revision, at, source, text, language, words, \
                    start_ms, end_ms, reply, searched) \
                    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, array_to_tsvector($13)) \
                    ON CONFLICT (conversation, session, turn) DO UPDATE SET revision = excluded.revision, \
                    at = excluded.at, source = excluded.source, text = excluded.text, language = excluded.language, \
                    words = excluded.words, start_ms = excluded.start_ms, end_ms = excluded.end_ms, \
                    reply = excluded.reply, searched = excluded.searched WHERE turns.revision < excluded.revision";
        let touch = "UPDATE conversations SET created_at = least(created_at, $2), \
                     updated_at = greatest(updated_at, $2), title = CASE title WHEN '' THEN $3 ELSE title END, \
                     searched = CASE title WHEN '' THEN array_to_tsvector($4) ELSE searched END WHERE row = $1";
        Ok(Self {
            deleted: t.prepare(deleted).await?,
            conversation: t.prepare(conversation).await?,
            turn: t.prepare(turn).await?,
            touch: t.prepare(touch).await?,
        })
    }

    async fn write(&self, t: &Transaction<'_>, turn: &TurnRecord) -> Result<(), StoreError> {
        let (user, id) = (turn.user.uuid(), turn.conversation.uuid());
        if t.query_opt(&self.deleted, &[&user, &id]).await?.is_some() {
            return Ok(());
        }
        let there = t.query_one(&self.conversation, &[&user, &id, &turn.kind.code(), &turn.at.0]).await?;
        let conversation: i64 = there.try_get(0)?;
        let written = t
            .execute(
                &self.turn,
                &[
                    &conversation,
                    &turn.session.uuid(),
                    &i64::from(turn.turn.0),
                    &i64::from(turn.revision),
                    &turn.at.0,
                    &turn.source.code(),
                    &without_nul(&turn.text),
                    &turn.language.as_deref().map(without_nul),
                    &words_json(&turn.words),
                    &whole(turn.start_ms),
                    &whole(turn.end_ms),
                    &reply_json(turn),
                    &index_of_turn(turn),
                ],
            )
            .await?;
        if written > 0 {
            let (title, words) = (without_nul(&turn.title), index_of(&[&turn.title]));
            t.execute(&self.touch, &[&conversation, &turn.at.0, &title, &words]).await?;
        }
        Ok(())
    }
}

fn cursor(listing: &Listing) -> (Option<i64>, Option<Uuid>) {
    listing.after.map(|cursor| (cursor.updated_at.0, cursor.id.uuid())).unzip()
}

fn conversation_of(row: &Row) -> Result<Conversation, StoreError> {
    Ok(Conversation {
        id: id(row, 0)?,
        user: id(row, 1)?,
        kind: coded(row, 2)?,
        title: row.try_get(3)?,
        turns: small(row, 4)?,
        created_at: moment(row, 5)?,
        updated_at: moment(row, 6)?,
    })
}

fn turn_of(row: &Row) -> Result<TurnRecord, StoreError> {
    Ok(TurnRecord {
        user: id(row, 0)?,
        conversation: id(row, 1)?,
        kind: coded(row, 2)?,
        title: row.try_get(3)?,
        session: id(row, 4)?,
        turn: TurnId(small(row, 5)?),
        revision: small(row, 6)?,
        at: moment(row, 7)?,
        source: coded(row, 8)?,
        text: row.try_get(9)?,
        language: row.try_get(10)?,
        words: json_at(row, 11)?,
        start_ms: large(row, 12)?,
        end_ms: large(row, 13)?,
        reply: json_if_any(row, 14)?,
    })
}

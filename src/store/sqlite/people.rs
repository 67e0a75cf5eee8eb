//! Accounts; see [`People`].

use async_trait::async_trait;
use rusqlite::{OptionalExtension, Row, named_params, params, types::Value};
use uuid::Uuid;

use super::{Coded, Id, Json, Sqlite, add_child};
use crate::{
    model::{UnixMs, UserId},
    store::{
        ApiKey, LoginSession, NewUser, People, Purpose, StoreError, Token, User, UserChange,
        rows::{Code, json, not_for_local},
        words::{folded, without_nul},
    },
};

/// Columns of a user, as [`user_at`] reads them.
const USER: &str = "users.id, users.email, users.name, users.password_hash, users.admin, users.verified_at, \
     users.disabled, users.language, users.theme, users.keep_audio, users.retention_days, users.created_at";
const USER_COLUMNS: usize = 12;
/// As [`login_at`] reads them.
const LOGIN: &str = "logins.id, logins.token_hash, logins.user_id, logins.created_at, logins.last_seen_at, \
     logins.expires_at, logins.address, logins.user_agent";
/// As [`key_at`] reads them.
const KEY: &str = "api_keys.id, api_keys.user_id, api_keys.name, api_keys.prefix, api_keys.hash, api_keys.scopes, \
     api_keys.created_at, api_keys.expires_at, api_keys.last_used_at";
/// As [`token_of`] reads them.
const TOKEN: &str = "hash, purpose, user_id, email, expires_at";

#[async_trait]
impl People for Sqlite {
    async fn add_user(&self, user: &NewUser) -> Result<User, StoreError> {
        let user = user.clone();
        self.write(move |t| {
            let sql = "INSERT INTO users (id, email, name, name_folded, password_hash, admin, verified_at, language, \
                       created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)";
            t.prepare_cached(sql)?.execute(params![
                user.id.uuid().into_bytes(),
                without_nul(&user.email),
                without_nul(&user.name),
                folded(&user.name),
                without_nul(&user.password_hash),
                user.admin,
                user.verified_at.map(|at| at.0),
                user.language.as_deref().map(without_nul),
                user.created_at.0,
            ])?;
            let sql = format!("SELECT {USER} FROM users WHERE id = ?");
            t.prepare_cached(&sql)?.query_row([user.id.uuid().into_bytes()], |row| user_at(row, 0))
        })
        .await
    }

    async fn user(&self, id: UserId) -> Result<Option<User>, StoreError> {
        self.read(move |c| {
            let sql = format!("SELECT {USER} FROM users WHERE id = ?");
            c.prepare_cached(&sql)?.query_row([id.uuid().into_bytes()], |row| user_at(row, 0)).optional()
        })
        .await
    }

    async fn user_by_email(&self, email: &str) -> Result<Option<User>, StoreError> {
        let email = without_nul(email).into_owned();
        self.read(move |c| {
            let sql = format!("SELECT {USER} FROM users WHERE email = ? AND email <> ''");
            c.prepare_cached(&sql)?.query_row([email], |row| user_at(row, 0)).optional()
        })
        .await
    }

    async fn users(&self, query: &str, after: Option<&str>, limit: u32) -> Result<Vec<User>, StoreError> {
        let (query, after) = (folded(query.trim()), after.unwrap_or_default().to_owned());
        self.read(move |c| {
            // The empty address is the local user's: what comes after it is everybody else.
            let sql = format!(
                "SELECT {USER} FROM users WHERE email > :after AND (instr(email, :query) OR instr(name_folded, :query)) \
                 ORDER BY email LIMIT :limit"
            );
            let found = named_params! {":after": after, ":query": query, ":limit": limit};
            c.prepare_cached(&sql)?.query_map(found, |row| user_at(row, 0))?.collect()
        })
        .await
    }

    async fn change_user(&self, id: UserId, change: &UserChange) -> Result<Option<User>, StoreError> {
        let change = change.clone();
        self.write(move |t| {
            let key = id.uuid().into_bytes();
            if !not_for_local(id, &change) {
                let text =
                    |text: Option<String>| text.map_or(Value::Null, |text| without_nul(&text).into_owned().into());
                let (column, value): (&str, Value) = match change {
                    UserChange::Name(name) => {
                        let sql = "UPDATE users SET name_folded = ? WHERE id = ?";
                        t.prepare_cached(sql)?.execute(params![folded(&name), key])?;
                        ("name", text(Some(name)))
                    }
                    UserChange::PasswordHash(hash) => ("password_hash", text(Some(hash))),
                    UserChange::Admin(admin) => ("admin", admin.into()),
                    UserChange::Verified(at) => ("verified_at", at.0.into()),
                    UserChange::Disabled(disabled) => ("disabled", disabled.into()),
                    UserChange::Language(language) => ("language", text(language)),
                    UserChange::Theme(theme) => ("theme", text(theme)),
                    UserChange::KeepAudio(keep) => ("keep_audio", keep.into()),
                    UserChange::RetentionDays(days) => ("retention_days", days.into()),
                };
                t.prepare_cached(&format!("UPDATE users SET {column} = ? WHERE id = ?"))?
                    .execute(params![value, key])?;
            }
            let sql = format!("SELECT {USER} FROM users WHERE id = ?");
            t.prepare_cached(&sql)?.query_row([key], |row| user_at(row, 0)).optional()
        })
        .await
    }

    async fn delete_user(&self, id: UserId) -> Result<bool, StoreError> {
        if id == UserId::LOCAL {
            return Ok(false);
        }
        self.write(move |t| Ok(t.execute("DELETE FROM users WHERE id = ?", [id.uuid().into_bytes()])? > 0)).await
    }

    async fn add_login(&self, login: &LoginSession) -> Result<(), StoreError> {
        let login = login.clone();
        self.write(move |t| {
            let sql = "INSERT INTO logins (id, token_hash, user_id, created_at, last_seen_at, expires_at, address, \
                       user_agent) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING";
            add_child(
                t,
                sql,
                params![
                    login.id.into_bytes(),
                    login.token_hash,
                    login.user.uuid().into_bytes(),
                    login.created_at.0,
                    login.last_seen_at.0,
                    login.expires_at.0,
                    without_nul(&login.address),
                    without_nul(&login.user_agent),
                ],
            )
        })
        .await
    }

    async fn login(&self, token_hash: &[u8], now: UnixMs) -> Result<Option<(LoginSession, User)>, StoreError> {
        let hash = token_hash.to_owned();
        self.read(move |c| {
            let sql = format!(
                "SELECT {USER}, {LOGIN} FROM logins JOIN users ON users.id = logins.user_id \
                 WHERE logins.token_hash = ? AND logins.expires_at > ? AND NOT users.disabled"
            );
            let both = |row: &Row<'_>| Ok((login_at(row, USER_COLUMNS)?, user_at(row, 0)?));
            c.prepare_cached(&sql)?.query_row(params![hash, now.0], both).optional()
        })
        .await
    }

    async fn touch_login(&self, id: Uuid, seen: UnixMs, expires: UnixMs) -> Result<(), StoreError> {
        self.write(move |t| {
            let sql =
                "UPDATE logins SET last_seen_at = max(last_seen_at, ?), expires_at = max(expires_at, ?) WHERE id = ?";
            t.prepare_cached(sql)?.execute(params![seen.0, expires.0, id.into_bytes()]).map(drop)
        })
        .await
    }

    async fn logins(&self, user: UserId, now: UnixMs) -> Result<Vec<LoginSession>, StoreError> {
        self.read(move |c| {
            let sql = format!(
                "SELECT {LOGIN} FROM logins WHERE user_id = ? AND expires_at > ? ORDER BY created_at DESC, id DESC"
            );
            let found = params![user.uuid().into_bytes(), now.0];
            c.prepare_cached(&sql)?.query_map(found, |row| login_at(row, 0))?.collect()
        })
        .await
    }

    async fn end_login(&self, user: UserId, id: Uuid) -> Result<bool, StoreError> {
        self.write(move |t| {
            let sql = "DELETE FROM logins WHERE user_id = ? AND id = ?";
            Ok(t.execute(sql, params![user.uuid().into_bytes(), id.into_bytes()])? > 0)
        })
        .await
    }

    async fn end_logins(&self, user: UserId, keep: Option<Uuid>) -> Result<u64, StoreError> {
        self.write(move |t| {
            let sql = "DELETE FROM logins WHERE user_id = ? AND id IS NOT ?";
            Ok(t.execute(sql, params![user.uuid().into_bytes(), keep.map(Uuid::into_bytes)])? as u64)
        })
        .await
    }

    async fn add_token(&self, token: &Token) -> Result<(), StoreError> {
        let token = token.clone();
        self.write(move |t| {
            let sql = "INSERT INTO tokens (hash, purpose, user_id, email, expires_at) VALUES (?, ?, ?, ?, ?) \
                       ON CONFLICT (hash) DO NOTHING";
            add_child(
                t,
                sql,
                params![
                    token.hash,
                    token.purpose.code(),
                    token.user.map(|user| user.uuid().into_bytes()),
                    without_nul(&token.email),
                    token.expires_at.0,
                ],
            )
        })
        .await
    }

    async fn token(&self, hash: &[u8], purpose: Purpose, now: UnixMs) -> Result<Option<Token>, StoreError> {
        let hash = hash.to_owned();
        self.read(move |c| {
            let sql = format!("SELECT {TOKEN} FROM tokens WHERE hash = ? AND purpose = ? AND expires_at > ?");
            c.prepare_cached(&sql)?.query_row(params![hash, purpose.code(), now.0], token_of).optional()
        })
        .await
    }

    async fn take_token(&self, hash: &[u8], purpose: Purpose, now: UnixMs) -> Result<Option<Token>, StoreError> {
        let hash = hash.to_owned();
        self.write(move |t| {
            let sql = format!("DELETE FROM tokens WHERE hash = ? AND purpose = ? AND expires_at > ? RETURNING {TOKEN}");
            t.prepare_cached(&sql)?.query_row(params![hash, purpose.code(), now.0], token_of).optional()
        })
        .await
    }

    async fn drop_tokens(&self, user: UserId, purpose: Purpose) -> Result<(), StoreError> {
        self.write(move |t| {
            let sql = "DELETE FROM tokens WHERE user_id = ? AND purpose = ?";
            t.execute(sql, params![user.uuid().into_bytes(), purpose.code()]).map(drop)
        })
        .await
    }

    async fn add_key(&self, key: &ApiKey) -> Result<(), StoreError> {
        let key = key.clone();
        self.write(move |t| {
            let sql = "INSERT INTO api_keys (id, user_id, name, prefix, hash, scopes, created_at, expires_at, \
                       last_used_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING";
            add_child(
                t,
                sql,
                params![
                    key.id.into_bytes(),
                    key.user.uuid().into_bytes(),
                    without_nul(&key.name),
                    without_nul(&key.prefix),
                    key.hash,
                    json(&key.scopes),
                    key.created_at.0,
                    key.expires_at.map(|at| at.0),
                    key.last_used_at.map(|at| at.0),
                ],
            )
        })
        .await
    }

    async fn key(&self, hash: &[u8], now: UnixMs) -> Result<Option<(ApiKey, User)>, StoreError> {
        let hash = hash.to_owned();
        self.read(move |c| {
            let sql = format!(
                "SELECT {USER}, {KEY} FROM api_keys JOIN users ON users.id = api_keys.user_id WHERE api_keys.hash = ? \
                 AND (api_keys.expires_at IS NULL OR api_keys.expires_at > ?) AND NOT users.disabled"
            );
            let both = |row: &Row<'_>| Ok((key_at(row, USER_COLUMNS)?, user_at(row, 0)?));
            c.prepare_cached(&sql)?.query_row(params![hash, now.0], both).optional()
        })
        .await
    }

    async fn touch_key(&self, id: Uuid, used: UnixMs) -> Result<(), StoreError> {
        self.write(move |t| {
            let sql = "UPDATE api_keys SET last_used_at = max(coalesce(last_used_at, ?1), ?1) WHERE id = ?2";
            t.prepare_cached(sql)?.execute(params![used.0, id.into_bytes()]).map(drop)
        })
        .await
    }

    async fn keys(&self, user: UserId) -> Result<Vec<ApiKey>, StoreError> {
        self.read(move |c| {
            let sql = format!("SELECT {KEY} FROM api_keys WHERE user_id = ? ORDER BY created_at DESC, id DESC");
            c.prepare_cached(&sql)?.query_map([user.uuid().into_bytes()], |row| key_at(row, 0))?.collect()
        })
        .await
    }

    async fn delete_key(&self, user: UserId, id: Uuid) -> Result<bool, StoreError> {
        self.write(move |t| {
            let sql = "DELETE FROM api_keys WHERE user_id = ? AND id = ?";
            Ok(t.execute(sql, params![user.uuid().into_bytes(), id.into_bytes()])? > 0)
        })
        .await
    }

    async fn forget_expired(&self, now: UnixMs) -> Result<u64, StoreError> {
        self.write(move |t| {
            let logins = t.execute("DELETE FROM logins WHERE expires_at <= ?", [now.0])?;
            let tokens = t.execute("DELETE FROM tokens WHERE expires_at <= ?", [now.0])?;
            Ok((logins + tokens) as u64)
        })
        .await
    }
}

fn moment(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<UnixMs>> {
    Ok(row.get::<_, Option<i64>>(column)?.map(UnixMs))
}

fn user_at(row: &Row<'_>, at: usize) -> rusqlite::Result<User> {
    Ok(User {
        id: row.get::<_, Id<_>>(at)?.0,
        email: row.get(at + 1)?,
        name: row.get(at + 2)?,
        password_hash: row.get(at + 3)?,
        admin: row.get(at + 4)?,
        verified_at: moment(row, at + 5)?,
        disabled: row.get(at + 6)?,
        language: row.get(at + 7)?,
        theme: row.get(at + 8)?,
        keep_audio: row.get(at + 9)?,
        retention_days: row.get(at + 10)?,
        created_at: UnixMs(row.get(at + 11)?),
    })
}

fn login_at(row: &Row<'_>, at: usize) -> rusqlite::Result<LoginSession> {
    Ok(LoginSession {
        id: row.get::<_, Id<_>>(at)?.0,
        token_hash: row.get(at + 1)?,
        user: row.get::<_, Id<_>>(at + 2)?.0,
        created_at: UnixMs(row.get(at + 3)?),
        last_seen_at: UnixMs(row.get(at + 4)?),
        expires_at: UnixMs(row.get(at + 5)?),
        address: row.get(at + 6)?,
        user_agent: row.get(at + 7)?,
    })
}

fn key_at(row: &Row<'_>, at: usize) -> rusqlite::Result<ApiKey> {
    Ok(ApiKey {
        id: row.get::<_, Id<_>>(at)?.0,
        user: row.get::<_, Id<_>>(at + 1)?.0,
        name: row.get(at + 2)?,
        prefix: row.get(at + 3)?,
        hash: row.get(at + 4)?,
        scopes: row.get::<_, Json<_>>(at + 5)?.0,
        created_at: UnixMs(row.get(at + 6)?),
        expires_at: moment(row, at + 7)?,
        last_used_at: moment(row, at + 8)?,
    })
}

fn token_of(row: &Row<'_>) -> rusqlite::Result<Token> {
    Ok(Token {
        hash: row.get(0)?,
        purpose: row.get::<_, Coded<_>>(1)?.0,
        user: row.get::<_, Option<Id<_>>>(2)?.map(|id| id.0),
        email: row.get(3)?,
        expires_at: UnixMs(row.get(4)?),
    })
}

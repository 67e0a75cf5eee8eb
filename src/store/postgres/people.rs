//! Accounts; see [`People`].

use async_trait::async_trait;
use tokio_postgres::{Row, types::ToSql};
use uuid::Uuid;

use super::{Postgres, coded, id, json_at, moment, moment_if_any};
use crate::{
    model::{UnixMs, UserId},
    store::{
        ApiKey, LoginSession, NewUser, People, Purpose, StoreError, Token, User, UserChange,
        rows::{Code, json, not_for_local},
        words::{folded, without_nul},
    },
};

/// Columns of a user, as [`user_of`] reads them.
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
impl People for Postgres {
    async fn add_user(&self, user: &NewUser) -> Result<User, StoreError> {
        let sql = format!(
            "INSERT INTO users (id, email, name, name_folded, password_hash, admin, verified_at, language, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING {USER}"
        );
        let language = user.language.as_deref().map(without_nul);
        let added = self
            .row(
                &sql,
                &[
                    &user.id.uuid(),
                    &without_nul(&user.email),
                    &without_nul(&user.name),
                    &folded(&user.name),
                    &without_nul(&user.password_hash),
                    &user.admin,
                    &user.verified_at.map(|at| at.0),
                    &language,
                    &user.created_at.0,
                ],
            )
            .await?;
        added.map_or_else(|| Err(StoreError::Failed("a new user was not given back".into())), |row| user_of(&row))
    }

    async fn user(&self, id: UserId) -> Result<Option<User>, StoreError> {
        let sql = format!("SELECT {USER} FROM users WHERE id = $1");
        self.row(&sql, &[&id.uuid()]).await?.as_ref().map(user_of).transpose()
    }

    async fn user_by_email(&self, email: &str) -> Result<Option<User>, StoreError> {
        let sql = format!("SELECT {USER} FROM users WHERE email = $1 AND email <> ''");
        self.row(&sql, &[&without_nul(email)]).await?.as_ref().map(user_of).transpose()
    }

    async fn users(&self, query: &str, after: Option<&str>, limit: u32) -> Result<Vec<User>, StoreError> {
        // The empty address is the local user's: what comes after it is everybody else.
        let sql = format!(
            "SELECT {USER} FROM users WHERE email > $1 AND (strpos(email, $2) > 0 OR strpos(name_folded, $2) > 0) \
             ORDER BY email LIMIT $3"
        );
        let (after, query) = (without_nul(after.unwrap_or_default()), folded(query.trim()));
        self.rows(&sql, &[&after, &query, &i64::from(limit)]).await?.iter().map(user_of).collect()
    }

    async fn change_user(&self, id: UserId, change: &UserChange) -> Result<Option<User>, StoreError> {
        if not_for_local(id, change) {
            return self.user(id).await;
        }
        let text = |text: &Option<String>| text.as_deref().map(|text| without_nul(text).into_owned());
        let (columns, value): (&str, Box<dyn ToSql + Sync + Send>) = match change {
            UserChange::Name(name) => {
                let sql = format!("UPDATE users SET name = $2, name_folded = $3 WHERE id = $1 RETURNING {USER}");
                let changed = self.row(&sql, &[&id.uuid(), &without_nul(name), &folded(name)]).await?;
                return changed.as_ref().map(user_of).transpose();
            }
            UserChange::PasswordHash(hash) => ("password_hash", Box::new(without_nul(hash).into_owned())),
            UserChange::Admin(admin) => ("admin", Box::new(*admin)),
            UserChange::Verified(at) => ("verified_at", Box::new(at.0)),
            UserChange::Disabled(disabled) => ("disabled", Box::new(*disabled)),
            UserChange::Language(language) => ("language", Box::new(text(language))),
            UserChange::Theme(theme) => ("theme", Box::new(text(theme))),
            UserChange::KeepAudio(keep) => ("keep_audio", Box::new(*keep)),
            UserChange::RetentionDays(days) => ("retention_days", Box::new(days.map(i64::from))),
        };
        let sql = format!("UPDATE users SET {columns} = $2 WHERE id = $1 RETURNING {USER}");
        self.row(&sql, &[&id.uuid(), &*value]).await?.as_ref().map(user_of).transpose()
    }

    async fn delete_user(&self, id: UserId) -> Result<bool, StoreError> {
        if id == UserId::LOCAL {
            return Ok(false);
        }
        Ok(self.execute("DELETE FROM users WHERE id = $1", &[&id.uuid()]).await? > 0)
    }

    async fn add_login(&self, login: &LoginSession) -> Result<(), StoreError> {
        let sql = "INSERT INTO logins (id, token_hash, user_id, created_at, last_seen_at, expires_at, address, \
                   user_agent) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (id) DO NOTHING";
        self.add_child(
            sql,
            &[
                &login.id,
                &login.token_hash,
                &login.user.uuid(),
                &login.created_at.0,
                &login.last_seen_at.0,
                &login.expires_at.0,
                &without_nul(&login.address),
                &without_nul(&login.user_agent),
            ],
        )
        .await
    }

    async fn login(&self, token_hash: &[u8], now: UnixMs) -> Result<Option<(LoginSession, User)>, StoreError> {
        let sql = format!(
            "SELECT {USER}, {LOGIN} FROM logins JOIN users ON users.id = logins.user_id \
             WHERE logins.token_hash = $1 AND logins.expires_at > $2 AND NOT users.disabled"
        );
        let row = self.row(&sql, &[&token_hash, &now.0]).await?;
        row.map(|row| Ok((login_at(&row, USER_COLUMNS)?, user_of(&row)?))).transpose()
    }

    async fn touch_login(&self, id: Uuid, seen: UnixMs, expires: UnixMs) -> Result<(), StoreError> {
        let sql = "UPDATE logins SET last_seen_at = greatest(last_seen_at, $2), \
                   expires_at = greatest(expires_at, $3) WHERE id = $1";
        self.execute(sql, &[&id, &seen.0, &expires.0]).await.map(drop)
    }

    async fn logins(&self, user: UserId, now: UnixMs) -> Result<Vec<LoginSession>, StoreError> {
        let sql = format!(
            "SELECT {LOGIN} FROM logins WHERE user_id = $1 AND expires_at > $2 ORDER BY created_at DESC, id DESC"
        );
        self.rows(&sql, &[&user.uuid(), &now.0]).await?.iter().map(|row| login_at(row, 0)).collect()
    }

    async fn end_login(&self, user: UserId, id: Uuid) -> Result<bool, StoreError> {
        Ok(self.execute("DELETE FROM logins WHERE user_id = $1 AND id = $2", &[&user.uuid(), &id]).await? > 0)
    }

    async fn end_logins(&self, user: UserId, keep: Option<Uuid>) -> Result<u64, StoreError> {
        let sql = "DELETE FROM logins WHERE user_id = $1 AND id IS DISTINCT FROM $2";
        self.execute(sql, &[&user.uuid(), &keep]).await
    }

    async fn add_token(&self, token: &Token) -> Result<(), StoreError> {
        let sql = "INSERT INTO tokens (hash, purpose, user_id, email, expires_at) VALUES ($1, $2, $3, $4, $5) \
                   ON CONFLICT (hash) DO NOTHING";
        let (user, email) = (token.user.map(UserId::uuid), without_nul(&token.email));
        self.add_child(sql, &[&token.hash, &token.purpose.code(), &user, &email, &token.expires_at.0]).await
    }

    async fn token(&self, hash: &[u8], purpose: Purpose, now: UnixMs) -> Result<Option<Token>, StoreError> {
        let sql = format!("SELECT {TOKEN} FROM tokens WHERE hash = $1 AND purpose = $2 AND expires_at > $3");
        self.row(&sql, &[&hash, &purpose.code(), &now.0]).await?.as_ref().map(token_of).transpose()
    }

    async fn take_token(&self, hash: &[u8], purpose: Purpose, now: UnixMs) -> Result<Option<Token>, StoreError> {
        let sql = format!("DELETE FROM tokens WHERE hash = $1 AND purpose = $2 AND expires_at > $3 RETURNING {TOKEN}");
        self.row(&sql, &[&hash, &purpose.code(), &now.0]).await?.as_ref().map(token_of).transpose()
    }

    async fn drop_tokens(&self, user: UserId, purpose: Purpose) -> Result<(), StoreError> {
        let sql = "DELETE FROM tokens WHERE user_id = $1 AND purpose = $2";
        self.execute(sql, &[&user.uuid(), &purpose.code()]).await.map(drop)
    }

    async fn add_key(&self, key: &ApiKey) -> Result<(), StoreError> {
        let sql = "INSERT INTO api_keys (id, user_id, name, prefix, hash, scopes, created_at, expires_at, \
                   last_used_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (id) DO NOTHING";
        self.add_child(
            sql,
            &[
                &key.id,
                &key.user.uuid(),
                &without_nul(&key.name),
                &without_nul(&key.prefix),
                &key.hash,
                &json(&key.scopes),
                &key.created_at.0,
                &key.expires_at.map(|at| at.0),
                &key.last_used_at.map(|at| at.0),
            ],
        )
        .await
    }

    async fn key(&self, hash: &[u8], now: UnixMs) -> Result<Option<(ApiKey, User)>, StoreError> {
        let sql = format!(
            "SELECT {USER}, {KEY} FROM api_keys JOIN users ON users.id = api_keys.user_id WHERE api_keys.hash = $1 \
             AND (api_keys.expires_at IS NULL OR api_keys.expires_at > $2) AND NOT users.disabled"
        );
        let row = self.row(&sql, &[&hash, &now.0]).await?;
        row.map(|row| Ok((key_at(&row, USER_COLUMNS)?, user_of(&row)?))).transpose()
    }

    async fn touch_key(&self, id: Uuid, used: UnixMs) -> Result<(), StoreError> {
        let sql = "UPDATE api_keys SET last_used_at = greatest(last_used_at, $2) WHERE id = $1";
        self.execute(sql, &[&id, &used.0]).await.map(drop)
    }

    async fn keys(&self, user: UserId) -> Result<Vec<ApiKey>, StoreError> {
        let sql = format!("SELECT {KEY} FROM api_keys WHERE user_id = $1 ORDER BY created_at DESC, id DESC");
        self.rows(&sql, &[&user.uuid()]).await?.iter().map(|row| key_at(row, 0)).collect()
    }

    async fn delete_key(&self, user: UserId, id: Uuid) -> Result<bool, StoreError> {
        Ok(self.execute("DELETE FROM api_keys WHERE user_id = $1 AND id = $2", &[&user.uuid(), &id]).await? > 0)
    }

    async fn forget_expired(&self, now: UnixMs) -> Result<u64, StoreError> {
        let logins = self.execute("DELETE FROM logins WHERE expires_at <= $1", &[&now.0]).await?;
        let tokens = self.execute("DELETE FROM tokens WHERE expires_at <= $1", &[&now.0]).await?;
        Ok(logins + tokens)
    }
}

fn user_of(row: &Row) -> Result<User, StoreError> {
    let retention_days = row.try_get::<_, Option<i64>>(10)?;
    Ok(User {
        id: id(row, 0)?,
        email: row.try_get(1)?,
        name: row.try_get(2)?,
        password_hash: row.try_get(3)?,
        admin: row.try_get(4)?,
        verified_at: moment_if_any(row, 5)?,
        disabled: row.try_get(6)?,
        language: row.try_get(7)?,
        theme: row.try_get(8)?,
        keep_audio: row.try_get(9)?,
        retention_days: retention_days.map(|days| u32::try_from(days).unwrap_or(u32::MAX)),
        created_at: moment(row, 11)?,
    })
}

fn login_at(row: &Row, at: usize) -> Result<LoginSession, StoreError> {
    Ok(LoginSession {
        id: id(row, at)?,
        token_hash: row.try_get(at + 1)?,
        user: id(row, at + 2)?,
        created_at: moment(row, at + 3)?,
        last_seen_at: moment(row, at + 4)?,
        expires_at: moment(row, at + 5)?,
        address: row.try_get(at + 6)?,
        user_agent: row.try_get(at + 7)?,
    })
}

fn key_at(row: &Row, at: usize) -> Result<ApiKey, StoreError> {
    Ok(ApiKey {
        id: id(row, at)?,
        user: id(row, at + 1)?,
        name: row.try_get(at + 2)?,
        prefix: row.try_get(at + 3)?,
        hash: row.try_get(at + 4)?,
        scopes: json_at(row, at + 5)?,
        created_at: moment(row, at + 6)?,
        expires_at: moment_if_any(row, at + 7)?,
        last_used_at: moment_if_any(row, at + 8)?,
    })
}

fn token_of(row: &Row) -> Result<Token, StoreError> {
    let user = row.try_get::<_, Option<Uuid>>(2)?;
    Ok(Token {
        hash: row.try_get(0)?,
        purpose: coded(row, 1)?,
        user: user.map(UserId::from),
        email: row.try_get(3)?,
        expires_at: moment(row, 4)?,
    })
}

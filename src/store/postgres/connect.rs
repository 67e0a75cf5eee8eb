//! How the database is reached, and its tables brought up to date.

use std::{
    path::Path,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use bb8_postgres::{PostgresConnectionManager, bb8};
use tokio_postgres::{
    Client, Config, Error, NoTls, Socket,
    config::{Host, SslMode, SslNegotiation},
    tls::NoTlsStream,
};

use super::{Postgres, told, within};
use crate::store::{PostgresServer, StoreError};

/// How long a connection may take to come about, and how long a call waits for a free one.
const CONNECT: Duration = Duration::from_secs(3);
/// How long sent bytes may stay unacknowledged before the connection counts as broken.
const SILENCE: Duration = Duration::from_secs(10);
/// How long a server waits for another that changes the tables.
const MIGRATION: Duration = Duration::from_mins(5);
/// Names the lock that a server holds while it changes the tables: "aigolos" in ASCII.
const MIGRATION_LOCK: i64 = 0x61_69_67_6f_6c_6f_73;
/// Names the lock that every connection of a server shares, and that a restore has for itself: "aigousd".
pub(super) const USE_LOCK: i64 = 0x0061_6967_6f75_7364;
/// What a connection begins with: the server, too, gives up on what nobody waits for any more. While a backup is being
/// restored there is none; 57P03 is what a database says that is still starting.
const MANNERS: &str = "SET statement_timeout = '18s'; SET lock_timeout = '15s'; \
     SET idle_in_transaction_session_timeout = '60s'; SET default_transaction_isolation = 'read committed'; \
     DO $$ BEGIN IF NOT pg_try_advisory_lock_shared(27418965713449828) THEN \
     RAISE EXCEPTION 'a backup is being restored' USING ERRCODE = '57P03'; END IF; END $$";

pub(super) mod embedded {
    refinery::embed_migrations!("src/store/postgres/migrations");
}

impl Postgres {
    /// Opens the database and brings its tables up to date; servers that do so together wait for each other. Of
    /// `connections` there are as many as are needed, at most this many.
    ///
    /// What goes over the network is not encrypted: use it on one machine, in a private network or through a tunnel.
    /// Settings that demand encryption (`sslmode=require` and stricter) are refused, not passed over.
    ///
    /// # Errors
    /// [`StoreError::Unreachable`] if it is away; [`StoreError::Failed`] if it refuses or the settings are wrong.
    pub async fn open(server: &PostgresServer, connections: u32) -> Result<Self, StoreError> {
        let config = config(server)?;
        let place = place(&config);
        migrate(&config, &place).await?;
        let last_error = LastError::default();
        let pool = bb8::Pool::builder()
            .max_size(connections.max(1))
            // One stays, so that others see that the database is in use.
            .min_idle(Some(1))
            .connection_timeout(CONNECT)
            .connection_customizer(Box::new(Manners))
            .error_sink(Box::new(last_error.clone()))
            .build_unchecked(PostgresConnectionManager::new(config, NoTls));
        Ok(Self { pool, last_error, place })
    }
}

/// A connection outside any pool, what drives it, and where it leads.
pub(super) async fn connect(
    server: &PostgresServer,
) -> Result<(Client, tokio_postgres::Connection<Socket, NoTlsStream>, String), StoreError> {
    let config = config(server)?;
    let place = place(&config);
    let connecting = within(CONNECT * 2, async { Ok(config.connect(NoTls).await?) });
    let (client, connection) = connecting.await.map_err(|error| hinted(error, &place))?;
    Ok((client, connection, place))
}

/// Brings the tables up to date, as [`Postgres::open`] does.
pub(super) async fn bring_up_to_date(server: &PostgresServer) -> Result<(), StoreError> {
    let config = config(server)?;
    migrate(&config, &place(&config)).await
}

/// Why the pool could not connect just now.
#[derive(Debug, Clone, Default)]
pub(super) struct LastError(Arc<Mutex<Option<(Instant, String)>>>);

impl LastError {
    /// `None` if it had no trouble of late.
    pub fn get(&self) -> Option<String> {
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        last.as_ref().filter(|(at, _)| at.elapsed() < CONNECT * 2).map(|(_, error)| error.clone())
    }
}

impl bb8::ErrorSink<Error> for LastError {
    fn sink(&self, error: Error) {
        let error = told(&error);
        tracing::debug!(error, "no connection to the database");
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), error));
    }

    fn boxed_clone(&self) -> Box<dyn bb8::ErrorSink<Error>> {
        Box::new(self.clone())
    }
}

#[derive(Debug)]
struct Manners;

impl bb8::CustomizeConnection<Client, Error> for Manners {
    fn on_acquire<'a>(
        &'a self,
        client: &'a mut Client,
    ) -> Pin<Box<dyn Future<Output = Result<(), Error>> + Send + 'a>> {
        Box::pin(client.batch_execute(MANNERS))
    }
}

fn config(server: &PostgresServer) -> Result<Config, StoreError> {
    let mut config = match server {
        PostgresServer::Url(url) => url.parse::<Config>().map_err(|error| {
            let hint = "hint: write it like postgresql://user:password@host:5432/database; of sslmode, disable and \
                        prefer are known";
            StoreError::Failed(format!("DATABASE_URL: {}\n{hint}", told(&error)))
        })?,
        PostgresServer::Parts { host, port, user, password, database } => {
            let mut config = Config::new();
            config.port(*port).user(user).dbname(database);
            if host.starts_with('/') {
                config.host_path(Path::new(host))
            } else {
                config.host(host)
            };
            if !password.is_empty() {
                config.password(password);
            }
            config
        }
    };
    if config.get_ssl_mode() == SslMode::Require || config.get_ssl_negotiation() == SslNegotiation::Direct {
        let hint = "hint: reach it on this machine, in a private network or through a tunnel, and leave sslmode out";
        return Err(StoreError::Failed(format!(
            "DATABASE_URL demands an encrypted connection, which this server cannot make\n{hint}"
        )));
    }
    if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
        config.host("localhost");
    }
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(CONNECT);
    }
    if config.get_application_name().is_none() {
        config.application_name("aigolos");
    }
    config.tcp_user_timeout(SILENCE).keepalives_idle(SILENCE * 3);
    Ok(config)
}

/// Where the database is, without who asks and with which password.
fn place(config: &Config) -> String {
    let host = match (config.get_hosts().first(), config.get_hostaddrs().first()) {
        (Some(Host::Tcp(name)), _) => name.clone(),
        (Some(Host::Unix(folder)), _) => folder.display().to_string(),
        (None, Some(address)) => address.to_string(),
        (None, None) => "localhost".into(),
    };
    let port = config.get_ports().first().unwrap_or(&5432);
    let database = config.get_dbname().or(config.get_user()).unwrap_or_default();
    format!("{database} at {host}:{port}")
}

async fn migrate(config: &Config, place: &str) -> Result<(), StoreError> {
    let (mut client, connection) =
        within(CONNECT * 2, async { Ok(config.connect(NoTls).await?) }).await.map_err(|error| hinted(error, place))?;
    // It ends with the client, and what breaks it the client tells too.
    tokio::spawn(connection);
    let work = async {
        let encoding: String = client.query_one("SHOW server_encoding", &[]).await?.try_get(0)?;
        if encoding != "UTF8" {
            let hint = "hint: make a new one with ENCODING 'UTF8'";
            return Err(StoreError::Failed(format!(
                "{place}: the database cannot hold every script: {encoding}\n{hint}"
            )));
        }
        client.execute("SELECT pg_advisory_lock($1)", &[&MIGRATION_LOCK]).await?;
        let migrated = embedded::migrations::runner().run_async(&mut client).await;
        // Closing the connection unlocks as well, but only when the server notices.
        client.execute("SELECT pg_advisory_unlock($1)", &[&MIGRATION_LOCK]).await?;
        migrated.map(drop).map_err(|error| {
            let hint = "hint: the user needs the right to make tables; tables of a newer aigolos need that one";
            // refinery's own words say which migration; the cause says why.
            let why = std::error::Error::source(&error).and_then(|cause| cause.downcast_ref::<Error>()).map(told);
            StoreError::Failed(format!("{place}: {error}: {}\n{hint}", why.unwrap_or_default()))
        })
    };
    within(MIGRATION, work).await
}

fn hinted(error: StoreError, place: &str) -> StoreError {
    let hint = "hint: is PostgreSQL running there? DATABASE_URL, or POSTGRES_HOST and POSTGRES_PORT, say where";
    let refused = "hint: DATABASE_URL, or POSTGRES_USER, POSTGRES_PASSWORD and POSTGRES_DB, say who and which";
    match error {
        StoreError::Unreachable(why) => StoreError::Unreachable(format!("{place}: {why}\n{hint}")),
        StoreError::Failed(why) => StoreError::Failed(format!("{place}: {why}\n{refused}")),
        StoreError::Exists(_) => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_share_the_lock_that_a_restore_takes() {
        assert!(MANNERS.contains(&format!("pg_try_advisory_lock_shared({USE_LOCK})")));
    }

    fn refused(url: &str) -> String {
        config(&PostgresServer::Url(url.into())).expect_err("refused").to_string()
    }

    #[test]
    fn encryption_is_refused_rather_than_left_out() {
        assert!(refused("postgresql://u:p@h/d?sslmode=require").contains("cannot make\nhint: "));
        for url in ["postgresql://u:secret@h/d?sslmode=verify-full", "postgresql://u:secret@h:port/d", "nonsense"] {
            let told = refused(url);
            assert!(told.contains("hint: write it like") && !told.contains("secret"), "{told}");
        }
    }

    #[test]
    fn parts_and_urls_mean_the_same() {
        let parts = |host: &str, password: &str| PostgresServer::Parts {
            host: host.into(),
            port: 6000,
            user: "u".into(),
            password: password.into(),
            database: "d".into(),
        };
        let url = PostgresServer::Url("postgresql://u:p@h:6000/d".into());
        assert_eq!(config(&parts("h", "p")).expect("known"), config(&url).expect("known"));
        assert_eq!(place(&config(&parts("/run/postgresql", "")).expect("known")), "d at /run/postgresql:6000");
        assert!(!format!("{:?} {url:?}", parts("h", "secret-p")).contains("secret-p"));
    }
}

//! [`Accounts`]: everything that can be done about people and their log-ins, over any store.
//!
//! What strangers ask for (sign-up, new password) is answered before anything about the address shows: what follows
//! happens as an *errand* behind the answer, so neither words nor time tell whether the address has an account.

mod administer;
mod enter;
mod join;
mod keys;
mod known;
mod passwords;
mod person;

use std::{
    future::Future,
    net::IpAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::Instrument;

pub use self::{
    administer::Invited,
    enter::LoggedIn,
    join::{NewPerson, Welcome},
    keys::WishedKey,
    known::Known,
    person::Profile,
};
use super::{
    AccountError, SecretKey,
    hasher::Hasher,
    mail::{Letter, MailSettings, Mailer, Occasion},
    throttle::{Quota, Throttle},
};
use crate::{
    model::{Language, UnixMs},
    store::{Purpose, Store, StoreError, Token, User},
};

/// Errands at once. Full: who asks for one is told to come back.
const ERRANDS: usize = 256;
/// Mails that strangers can have sent to one address in [`Quota`]'s hour: from one place, and from all.
const MAILS: (u32, u32) = (6, 30);

/// Who may use the server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum AuthMode {
    /// Anyone who reaches it.
    #[default]
    Open,
    /// People with an account.
    Required,
}

/// Who may make an account.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Signup {
    #[default]
    Open,
    /// Those an administrator invited.
    Invitation,
    /// Only the operator, with `aigolos user add`.
    Closed,
}

impl Signup {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Invitation => "invitation",
            Self::Closed => "closed",
        }
    }
}

/// How accounts are treated.
#[derive(Debug, Clone)]
pub struct AccountSettings {
    pub mode: AuthMode,
    pub signup: Signup,
    /// How long a log-in lasts without use.
    pub session: Duration,
    /// How people reach the server, for links: `https://voice.example.org`, without a slash at the end.
    pub public_url: String,
    /// Whether browsers send the log-in over HTTPS only.
    pub secure_cookies: bool,
    /// Threads that hash passwords, each with 19 MiB while at work.
    pub hash_threads: usize,
}

impl Default for AccountSettings {
    fn default() -> Self {
        Self {
            mode: AuthMode::default(),
            signup: Signup::default(),
            session: Duration::from_hours(14 * 24),
            public_url: "http://127.0.0.1:8080".into(),
            secure_cookies: false,
            hash_threads: 2,
        }
    }
}

/// Where a request comes from, as far as accounts care.
#[derive(Debug, Clone)]
pub struct Visitor {
    pub address: IpAddr,
    pub user_agent: String,
    /// What they read, where they have not chosen.
    pub language: Language,
}

/// The accounts. Cheap to clone; all clones are the same.
#[derive(Clone)]
pub struct Accounts(Arc<Inner>);

struct Inner {
    store: Arc<dyn Store>,
    settings: AccountSettings,
    key: SecretKey,
    hasher: Hasher,
    throttle: Throttle,
    mails: Quota,
    mailer: Mailer,
    local: Mutex<Option<(Instant, User)>>,
    errands: Arc<Semaphore>,
    tasks: TaskTracker,
    stopping: CancellationToken,
}

impl Accounts {
    /// The accounts in `store`.
    ///
    /// # Errors
    /// When the mail settings cannot be used or threads cannot be started; the text says what to do.
    pub fn new(
        store: Arc<dyn Store>,
        settings: AccountSettings,
        key: SecretKey,
        mail: &MailSettings,
    ) -> Result<Self, String> {
        let mailer = Mailer::new(mail)?;
        let hasher = Hasher::start(settings.hash_threads).map_err(|error| {
            format!("passwords cannot be hashed: {error}\nhint: the system is out of threads or memory")
        })?;
        Ok(Self(Arc::new(Inner {
            store,
            settings,
            key,
            hasher,
            throttle: Throttle::default(),
            mails: Quota::new(MAILS.0, MAILS.1),
            mailer,
            local: Mutex::default(),
            errands: Arc::new(Semaphore::new(ERRANDS)),
            tasks: TaskTracker::new(),
            stopping: CancellationToken::new(),
        })))
    }

    #[must_use]
    pub fn settings(&self) -> &AccountSettings {
        &self.0.settings
    }

    /// How many password hashes were made or checked so far.
    #[must_use]
    pub fn hashes(&self) -> u64 {
        self.0.hasher.done()
    }

    /// Lets the errands end, for `within` at most; mails are not tried again.
    pub async fn close(&self, within: Duration) {
        self.0.stopping.cancel();
        self.0.tasks.close();
        if tokio::time::timeout(within, self.0.tasks.wait()).await.is_err() {
            tracing::warn!("some mails did not get out in time");
        }
    }

    fn store(&self) -> &dyn Store {
        self.0.store.as_ref()
    }

    /// Refuses what needs accounts on a server without.
    fn needs_accounts(&self) -> Result<(), AccountError> {
        match self.0.settings.mode {
            AuthMode::Required => Ok(()),
            AuthMode::Open => Err(AccountError::Conflict {
                message: "this server has no accounts",
                hint: "everybody may use it as it is; the operator can set AUTH_MODE=required",
            }),
        }
    }

    /// Does `work` behind the answer.
    fn errand(
        &self,
        work: impl Future<Output = Result<(), AccountError>> + Send + 'static,
    ) -> Result<(), AccountError> {
        let Ok(permit) = self.0.errands.clone().try_acquire_owned() else {
            return Err(AccountError::Busy { retry_after: Duration::from_secs(5) });
        };
        let errand = async move {
            if let Err(error) = work.await {
                tracing::warn!(%error, "something asked for was not done");
            }
            drop(permit);
        };
        self.0.tasks.spawn(errand.in_current_span());
        Ok(())
    }

    /// Sends a mail; ends when it is sent or given up.
    async fn send(&self, to: &str, language: Language, occasion: Occasion) {
        let letter = Letter { to: to.to_owned(), language, occasion };
        self.0.mailer.deliver(&letter, &self.0.stopping).await;
    }

    /// A new token in the store, and the link that carries it.
    async fn link(&self, path: &str, purpose: Purpose, user: &User, lasts: Duration) -> Result<String, AccountError> {
        let token = super::secret::random_token().map_err(|error| StoreError::Failed(error.to_string()))?;
        let record = Token {
            hash: self.0.key.hash(&token),
            purpose,
            user: Some(user.id),
            email: user.email.clone(),
            expires_at: UnixMs::now().after(lasts),
        };
        self.store().add_token(&record).await?;
        Ok(self.url(&format!("{path}{token}")))
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.0.settings.public_url.trim_end_matches('/'))
    }
}

/// The language of mails to `user`, for whom `asked` was asked.
fn language_of(user: &User, asked: Language) -> Language {
    user.language.as_deref().and_then(Language::of_tag).unwrap_or(asked)
}

#[cfg(test)]
mod tests;

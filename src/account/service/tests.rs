//! What cannot be seen from outside: how much work is done, and what time does.

use std::net::{IpAddr, Ipv4Addr};

use tempfile::TempDir;
use uuid::Uuid;

use super::*;
use crate::{
    account::{Via, mail::MailBackend, secret::random_key},
    model::UserId,
    store::{ApiKey, LoginSession, Scope, Sqlite},
};

const ANN: &str = "ann@example.org";
const PASSWORD: &str = "four words nobody expects";

fn visitor() -> Visitor {
    Visitor { address: IpAddr::V4(Ipv4Addr::LOCALHOST), user_agent: "test".into(), language: Language::En }
}

async fn accounts() -> (Accounts, TempDir) {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let store = Arc::new(Sqlite::open(folder.path()).await.expect("a store"));
    let settings = AccountSettings { mode: AuthMode::Required, hash_threads: 1, ..AccountSettings::default() };
    let key = SecretKey::load("a key of the tests alone", folder.path()).expect("long enough");
    let mail = MailSettings { backend: MailBackend::File(folder.path().join("mail")), from: String::new() };
    (Accounts::new(store, settings, key, &mail).expect("accounts"), folder)
}

async fn ann(accounts: &Accounts) -> User {
    accounts.add_user(ANN, "Ann", false, PASSWORD).await.expect("a new account")
}

fn person(email: &str) -> NewPerson {
    NewPerson { email: email.into(), password: PASSWORD.into(), name: String::new(), language: None, invitation: None }
}

#[tokio::test]
async fn known_and_unknown_addresses_cost_the_same_work() {
    let (accounts, _folder) = accounts().await;
    let user = ann(&accounts).await;
    accounts.store().change_user(user.id, &crate::store::UserChange::Disabled(true)).await.expect("changed");
    let spent = async |work: &mut (dyn Future<Output = ()> + Send + Unpin)| {
        let before = accounts.hashes();
        work.await;
        accounts.hashes() - before
    };
    for email in [ANN, "nobody@example.org", "no address at all"] {
        let mut log_in = Box::pin(async {
            let refused = accounts.log_in(email, "a wrong password", None, &visitor()).await;
            assert!(matches!(refused, Err(AccountError::WrongCredentials)), "{email}: {refused:?}");
        });
        assert_eq!(spent(&mut log_in).await, 1, "{email}");
    }
    for email in [ANN, "nobody@example.org"] {
        let mut sign_up = Box::pin(async {
            assert_eq!(accounts.sign_up(person(email), &visitor()).await.expect("taken"), Welcome::CheckMail);
        });
        assert_eq!(spent(&mut sign_up).await, 1, "{email}");
    }
}

#[tokio::test]
async fn a_log_in_goes_on_while_it_is_used_and_ends_when_it_is_not() {
    let (accounts, _folder) = accounts().await;
    let user = ann(&accounts).await;
    let now = UnixMs::now();
    let minutes = |minutes: i64| UnixMs(now.0 + minutes * 60_000);
    let add = async |token: &str, seen: UnixMs, expires: UnixMs| {
        let login = LoginSession {
            id: Uuid::now_v7(),
            token_hash: accounts.0.key.hash(token),
            user: user.id,
            created_at: minutes(-600),
            last_seen_at: seen,
            expires_at: expires,
            address: String::new(),
            user_agent: String::new(),
        };
        accounts.store().add_login(&login).await.expect("added");
        login.id
    };
    add("over", minutes(-300), minutes(-1)).await;
    assert!(accounts.by_cookie("over").await.expect("looked up").is_none());

    let id = add("idle", minutes(-5), minutes(1)).await;
    let known = accounts.by_cookie("idle").await.expect("looked up").expect("not over yet");
    assert!(known.prolonged && known.identity.via == Via::Login { id });
    let listed = accounts.sessions(&known.identity).await.expect("listed");
    assert!(listed.len() == 1 && listed[0].expires_at >= now.after(accounts.settings().session), "{listed:?}");
    assert!(!accounts.by_cookie("idle").await.expect("looked up").expect("known").prolonged, "once a minute at most");
}

#[tokio::test]
async fn a_browser_that_keeps_logging_in_has_a_hundred_log_ins_at_most() {
    let (accounts, _folder) = accounts().await;
    let user = ann(&accounts).await;
    let mut first = None;
    for _ in 0..101 {
        let entered = accounts.enter(user.clone(), None, &visitor()).await.expect("in");
        first.get_or_insert(entered.token);
    }
    let who = accounts.by_cookie(&accounts.enter(user, None, &visitor()).await.expect("in").token).await;
    let who = who.expect("looked up").expect("known").identity;
    assert_eq!(accounts.sessions(&who).await.expect("listed").len(), 100);
    assert!(accounts.by_cookie(&first.expect("one")).await.expect("looked up").is_none());
}

#[tokio::test]
async fn keys_expire_and_the_servers_own_open_nothing() {
    let (accounts, _folder) = accounts().await;
    let user = ann(&accounts).await;
    let now = UnixMs::now();
    let add = async |user: UserId, expires_at: Option<UnixMs>| {
        let (secret, prefix, hash) = random_key().expect("randomness");
        let (id, scopes) = (Uuid::now_v7(), vec![Scope::Asr]);
        let (name, created_at) = (String::from("x"), now);
        let key = ApiKey { id, user, name, prefix, hash, scopes, created_at, expires_at, last_used_at: None };
        accounts.store().add_key(&key).await.expect("added");
        secret
    };
    let over = add(user.id, Some(UnixMs(now.0 - 1))).await;
    let good = add(user.id, Some(UnixMs(now.0 + 60_000))).await;
    let local = add(UserId::LOCAL, None).await;
    assert!(accounts.by_key(&over).await.expect("looked up").is_none());
    assert!(accounts.by_key(&local).await.expect("looked up").is_none());
    let identity = accounts.by_key(&good).await.expect("looked up").expect("known");
    assert!(identity.may(Scope::Asr) && !identity.may(Scope::Llm) && !identity.in_person());
}

#[tokio::test]
async fn mailed_links_run_out() {
    let (accounts, _folder) = accounts().await;
    let user = ann(&accounts).await;
    for (purpose, good) in [(Purpose::ResetPassword, false), (Purpose::ResetPassword, true)] {
        let expires_at = UnixMs(UnixMs::now().0 + if good { 60_000 } else { -1 });
        let hash = accounts.0.key.hash("the token");
        let token = Token { hash, purpose, user: Some(user.id), email: ANN.into(), expires_at };
        accounts.store().add_token(&token).await.expect("added");
        // A token is good for one thing only.
        assert!(accounts.verify("the token", None, &visitor()).await.is_err());
        let reset = accounts.reset("the token", "another four words here", &visitor()).await;
        assert_eq!(reset.is_ok(), good, "{reset:?}");
        accounts.store().forget_expired(UnixMs::now()).await.expect("forgotten");
    }
}

#[tokio::test]
async fn what_strangers_ask_for_waits_in_bounds() {
    let (accounts, _folder) = accounts().await;
    let permits = accounts.0.errands.clone().acquire_many_owned(ERRANDS as u32).await.expect("all of them");
    for refused in [accounts.forgot(ANN, &visitor()).await.err(), accounts.sign_up(person(ANN), &visitor()).await.err()]
    {
        assert!(matches!(refused, Some(AccountError::Busy { .. })), "{refused:?}");
    }
    drop(permits);
    accounts.forgot(ANN, &visitor()).await.expect("room again");
    accounts.close(Duration::from_secs(30)).await;
}

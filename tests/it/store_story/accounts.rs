//! What is kept of accounts.

use super::*;

pub async fn users(store: &Arc<dyn Store>) {
    let local = store.user(UserId::LOCAL).await.expect("read").expect("always there");
    assert!(local.admin && local.password_hash.is_empty() && !local.disabled);
    assert!(store.user_by_email(&local.email).await.expect("read").is_none(), "nobody logs in as the local user");
    assert!(!store.delete_user(UserId::LOCAL).await.expect("refused"));
    for change in [UserChange::PasswordHash("x".into()), UserChange::Admin(false), UserChange::Disabled(true)] {
        let unchanged = store.change_user(UserId::LOCAL, &change).await.expect("refused").expect("there");
        assert_eq!(unchanged, local, "{change:?}");
    }
    let kept = store.change_user(UserId::LOCAL, &UserChange::KeepAudio(true)).await.expect("changed").expect("there");
    assert!(kept.keep_audio);

    let new = NewUser { name: "Ёлка 100%_".into(), ..new_user("bea@example.org") };
    let bea = store.add_user(&new).await.expect("added");
    assert_eq!(
        bea,
        User {
            id: new.id,
            email: "bea@example.org".into(),
            name: new.name.clone(),
            password_hash: new.password_hash.clone(),
            admin: false,
            verified_at: None,
            disabled: false,
            language: Some("ru".into()),
            theme: None,
            keep_audio: false,
            retention_days: None,
            created_at: UnixMs(1_000),
        }
    );
    let again = store.add_user(&new_user("bea@example.org")).await;
    assert!(matches!(again, Err(StoreError::Exists("an account with this address"))), "{again:?}");
    assert_eq!(store.user(bea.id).await.expect("read").as_ref(), Some(&bea));
    assert_eq!(store.user_by_email("bea@example.org").await.expect("read").as_ref(), Some(&bea));
    assert!(store.user_by_email("Bea@example.org").await.expect("read").is_none());
    assert!(store.user(UserId::fresh()).await.expect("read").is_none());

    for name in ["abe", "cid", "dot"] {
        somebody(store, &format!("{name}@example.org")).await;
    }
    let found = async |query: &str, after: Option<&str>, limit| -> Vec<String> {
        let users = store.users(query, after, limit).await.expect("read");
        users.into_iter().map(|user| user.email.split('@').next().expect("a name").to_owned()).collect()
    };
    assert_eq!(found("", None, 10).await, ["abe", "bea", "cid", "dot"]);
    assert_eq!(found("EXAMPLE", Some("abe@example.org"), 2).await, ["bea", "cid"]);
    assert_eq!(found("ёлк", None, 10).await, ["bea"], "a name in any case");
    assert_eq!(found("0%_", None, 10).await, ["bea"], "no sign means anything but itself");
    assert_eq!(found("%", None, 10).await, ["bea"]);
    assert_eq!(found("\0nobody", None, 10).await, [""; 0]);
    assert_eq!(found("", None, 0).await, [""; 0]);

    for (change, wanted) in [
        (UserChange::Name("Беа".into()), User { name: "Беа".into(), ..bea.clone() }),
        (UserChange::PasswordHash("$new".into()), User { password_hash: "$new".into(), ..bea.clone() }),
        (UserChange::Admin(true), User { admin: true, ..bea.clone() }),
        (UserChange::Verified(UnixMs(5)), User { verified_at: Some(UnixMs(5)), ..bea.clone() }),
        (UserChange::Disabled(true), User { disabled: true, ..bea.clone() }),
        (UserChange::Language(None), User { language: None, ..bea.clone() }),
        (UserChange::Theme(Some("dark".into())), User { theme: Some("dark".into()), ..bea.clone() }),
        (UserChange::KeepAudio(true), User { keep_audio: true, ..bea.clone() }),
        (UserChange::RetentionDays(Some(u32::MAX)), User { retention_days: Some(u32::MAX), ..bea.clone() }),
    ] {
        let other = somebody(store, "eve@example.org").await;
        let changed = store.change_user(other.id, &change).await.expect("changed").expect("there");
        let like_bea = User { id: bea.id, email: bea.email.clone(), ..changed.clone() };
        let like_bea = if like_bea.name == "Somebody" { User { name: bea.name.clone(), ..like_bea } } else { like_bea };
        assert_eq!(like_bea, wanted, "{change:?}");
        assert_eq!(store.user(other.id).await.expect("read"), Some(changed));
        assert!(store.delete_user(other.id).await.expect("deleted"));
        assert!(!store.delete_user(other.id).await.expect("once only"));
        assert_eq!(store.change_user(other.id, &change).await.expect("read"), None);
    }
    assert_eq!(store.user(bea.id).await.expect("read"), Some(bea.clone()), "only the other was changed");
    store.change_user(bea.id, &UserChange::Name("Новое имя".into())).await.expect("changed");
    assert_eq!(found("новое", None, 10).await, ["bea"]);
    assert_eq!(found("ёлка", None, 10).await, [""; 0]);
}

fn login(user: UserId, hash: &[u8], created: i64) -> LoginSession {
    LoginSession {
        id: Uuid::now_v7(),
        token_hash: hash.to_vec(),
        user,
        created_at: UnixMs(created),
        last_seen_at: UnixMs(created),
        expires_at: UnixMs(created + 100),
        address: "::1".into(),
        user_agent: "Browser\0 🙂".into(),
    }
}

pub async fn logins(store: &Arc<dyn Store>) {
    let (ann, bob) = (somebody(store, "ann.l@example.org").await, somebody(store, "bob.l@example.org").await);
    let (first, second) = (login(ann.id, b"l1", 1_000), login(ann.id, b"l2", 1_010));
    for login in [&first, &second, &login(bob.id, b"l3", 1_020)] {
        store.add_login(login).await.expect("added");
        store.add_login(login).await.expect("written twice is written once");
    }
    let first = LoginSession { user_agent: "Browser 🙂".into(), ..first };
    assert_eq!(store.login(b"l1", UnixMs(1_099)).await.expect("read"), Some((first.clone(), ann.clone())));
    assert_eq!(store.login(b"l1", UnixMs(1_100)).await.expect("read"), None, "expired");
    assert_eq!(store.login(b"unknown", UnixMs(1_000)).await.expect("read"), None);

    store.touch_login(first.id, UnixMs(1_050), UnixMs(1_150)).await.expect("touched");
    store.touch_login(first.id, UnixMs(1_040), UnixMs(1_140)).await.expect("a late touch takes nothing back");
    let (touched, _) = store.login(b"l1", UnixMs(1_149)).await.expect("read").expect("lives on");
    assert_eq!((touched.last_seen_at, touched.expires_at), (UnixMs(1_050), UnixMs(1_150)));
    let ids = |logins: Vec<LoginSession>| logins.into_iter().map(|login| login.id).collect::<Vec<_>>();
    assert_eq!(ids(store.logins(ann.id, UnixMs(1_100)).await.expect("read")), [second.id, first.id]);
    assert_eq!(ids(store.logins(ann.id, UnixMs(1_110)).await.expect("read")), [first.id]);

    assert!(!store.end_login(bob.id, first.id).await.expect("refused"), "another's");
    assert!(store.end_login(ann.id, first.id).await.expect("ended"));
    assert!(!store.end_login(ann.id, first.id).await.expect("once only"));
    let third = login(ann.id, b"l4", 1_030);
    store.add_login(&third).await.expect("added");
    assert_eq!(store.end_logins(ann.id, Some(third.id)).await.expect("ended"), 1);
    assert_eq!(ids(store.logins(ann.id, UnixMs(1_031)).await.expect("read")), [third.id]);
    assert_eq!(store.end_logins(ann.id, None).await.expect("ended"), 1);

    let bobs = store.logins(bob.id, UnixMs(1_031)).await.expect("read");
    assert_eq!(bobs.len(), 1, "another's stays");
    store.change_user(bob.id, &UserChange::Disabled(true)).await.expect("disabled");
    assert_eq!(store.login(b"l3", UnixMs(1_031)).await.expect("read"), None, "disabled");
    store.change_user(bob.id, &UserChange::Disabled(false)).await.expect("enabled");
    assert!(store.login(b"l3", UnixMs(1_031)).await.expect("read").is_some());
    store.delete_user(bob.id).await.expect("deleted");
    assert_eq!(store.login(b"l3", UnixMs(1_031)).await.expect("read"), None, "gone with its user");
    store.add_login(&login(bob.id, b"l5", 1_000)).await.expect("passed over");
    assert_eq!(store.login(b"l5", UnixMs(1_000)).await.expect("read"), None);
}

pub async fn tokens(store: &Arc<dyn Store>) {
    let ann = somebody(store, "ann.t@example.org").await;
    let token = |hash: &[u8], purpose, user| Token {
        hash: hash.to_vec(),
        purpose,
        user,
        email: "ann.t@example.org".into(),
        expires_at: UnixMs(2_000),
    };
    let reset = token(b"t1", Purpose::ResetPassword, Some(ann.id));
    let invitation = token(b"t2", Purpose::Invitation, None);
    for token in [&reset, &invitation, &token(b"t3", Purpose::VerifyEmail, Some(ann.id))] {
        store.add_token(token).await.expect("added");
        store.add_token(token).await.expect("written twice is written once");
    }
    let now = UnixMs(1_999);
    assert_eq!(store.token(b"t1", Purpose::ResetPassword, now).await.expect("read"), Some(reset.clone()));
    assert_eq!(store.token(b"t1", Purpose::VerifyEmail, now).await.expect("read"), None, "another purpose");
    assert_eq!(store.take_token(b"t1", Purpose::VerifyEmail, now).await.expect("read"), None, "another purpose");
    assert_eq!(store.token(b"t1", Purpose::ResetPassword, UnixMs(2_000)).await.expect("read"), None, "expired");
    assert_eq!(store.take_token(b"t1", Purpose::ResetPassword, UnixMs(2_000)).await.expect("read"), None, "expired");
    assert_eq!(store.take_token(b"t2", Purpose::Invitation, now).await.expect("taken"), Some(invitation));
    assert_eq!(store.token(b"t2", Purpose::Invitation, now).await.expect("read"), None, "used up");

    let taking = (0..16).map(|_| {
        let store = Arc::clone(store);
        tokio::spawn(async move { store.take_token(b"t1", Purpose::ResetPassword, now).await.expect("an answer") })
    });
    let taken: Vec<_> = join_all(taking).await.into_iter().filter_map(|taken| taken.expect("no panic")).collect();
    assert_eq!(taken, [reset], "of sixteen one gets it");

    store.add_token(&token(b"t4", Purpose::ResetPassword, Some(ann.id))).await.expect("added");
    store.drop_tokens(ann.id, Purpose::ResetPassword).await.expect("dropped");
    assert_eq!(store.token(b"t4", Purpose::ResetPassword, now).await.expect("read"), None);
    assert!(store.token(b"t3", Purpose::VerifyEmail, now).await.expect("read").is_some(), "another purpose stays");

    store.add_login(&login(ann.id, b"t-login", 1_000)).await.expect("added");
    assert_eq!(store.forget_expired(UnixMs(999)).await.expect("forgotten"), 0);
    let forgotten = store.forget_expired(UnixMs(2_000)).await.expect("forgotten");
    assert!(forgotten >= 2, "a log-in and a token: {forgotten}");
    assert_eq!(store.token(b"t3", Purpose::VerifyEmail, UnixMs(0)).await.expect("read"), None);
    assert_eq!(store.login(b"t-login", UnixMs(0)).await.expect("read"), None);
}

pub async fn keys(store: &Arc<dyn Store>) {
    let (ann, bob) = (somebody(store, "ann.k@example.org").await, somebody(store, "bob.k@example.org").await);
    let key = |hash: &[u8], created, expires: Option<i64>| ApiKey {
        id: Uuid::now_v7(),
        user: ann.id,
        name: "Мой ключ".into(),
        prefix: "aig_1234".into(),
        hash: hash.to_vec(),
        scopes: vec![Scope::Asr, Scope::Llm, Scope::Tts, Scope::Admin],
        created_at: UnixMs(created),
        expires_at: expires.map(UnixMs),
        last_used_at: None,
    };
    let (lasting, short) = (key(b"k1", 1_000, None), key(b"k2", 2_000, Some(3_000)));
    for key in [&lasting, &short] {
        store.add_key(key).await.expect("added");
        store.add_key(key).await.expect("written twice is written once");
    }
    assert_eq!(store.key(b"k1", UnixMs(i64::MAX)).await.expect("read"), Some((lasting.clone(), ann.clone())));
    assert!(store.key(b"k2", UnixMs(2_999)).await.expect("read").is_some());
    assert_eq!(store.key(b"k2", UnixMs(3_000)).await.expect("read"), None, "expired");
    assert_eq!(store.keys(ann.id).await.expect("read"), [short.clone(), lasting.clone()], "expired ones are shown");
    assert_eq!(store.keys(bob.id).await.expect("read"), []);
    store.touch_key(lasting.id, UnixMs(50)).await.expect("touched");
    store.touch_key(lasting.id, UnixMs(40)).await.expect("a late touch takes nothing back");
    let (touched, _) = store.key(b"k1", UnixMs(0)).await.expect("read").expect("there");
    assert_eq!(touched.last_used_at, Some(UnixMs(50)));
    assert!(!store.delete_key(bob.id, lasting.id).await.expect("refused"), "another's");
    store.change_user(ann.id, &UserChange::Disabled(true)).await.expect("disabled");
    assert_eq!(store.key(b"k1", UnixMs(0)).await.expect("read"), None, "disabled");
    store.change_user(ann.id, &UserChange::Disabled(false)).await.expect("enabled");
    assert!(store.delete_key(ann.id, lasting.id).await.expect("deleted"));
    assert!(!store.delete_key(ann.id, lasting.id).await.expect("once only"));
    assert_eq!(store.key(b"k1", UnixMs(0)).await.expect("read"), None);
    store.delete_user(ann.id).await.expect("deleted");
    assert_eq!(store.key(b"k2", UnixMs(0)).await.expect("read"), None, "gone with its user");
}

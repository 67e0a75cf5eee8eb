//! What is kept of conversations.

use super::*;

/// A turn that was said at `at`, as the first of its session and conversation.
pub fn said(user: UserId, at: i64, text: &str) -> TurnRecord {
    TurnRecord {
        user,
        conversation: ConversationId::fresh(),
        kind: ConversationKind::Talk,
        session: SessionId::fresh(),
        turn: TurnId(1),
        revision: 1,
        at: UnixMs(at),
        source: Source::Voice,
        text: text.into(),
        language: Some("ru".into()),
        words: vec![Word { text: "Привет".into(), start_ms: 10, end_ms: 400, probability: 0.75 }],
        start_ms: 10,
        end_ms: 900,
        title: "Заголовок".into(),
        reply: Some(TurnReply {
            text: "И тебе привет. Как дела?".into(),
            heard: "И тебе привет.".into(),
            interrupted: true,
            timings: Timings { done_ms: Some(5), ..Timings::default() },
        }),
    }
}

/// Another turn of the same conversation and session.
fn then(before: &TurnRecord, text: &str) -> TurnRecord {
    let (turn, at) = (before.turn.next(), UnixMs(before.at.0 + 10));
    TurnRecord { turn, at, text: text.into(), reply: None, ..before.clone() }
}

async fn texts(store: &Arc<dyn Store>, user: UserId, id: ConversationId) -> Vec<String> {
    store.turns(user, id).await.expect("read").into_iter().map(|(turn, _)| turn.text).collect()
}

async fn found(store: &Arc<dyn Store>, user: UserId, query: &str) -> Vec<(ConversationId, Option<String>)> {
    let listing = Listing { query: query.into(), after: None, limit: 100 };
    let found = store.conversations(user, &listing).await.expect("read");
    found.into_iter().map(|found| (found.conversation.id, found.snippet)).collect()
}

async fn ids(store: &Arc<dyn Store>, user: UserId, query: &str) -> Vec<ConversationId> {
    found(store, user, query).await.into_iter().map(|(id, _)| id).collect()
}

pub async fn turns(store: &Arc<dyn Store>) {
    let user = somebody(store, "turns@example.org").await.id;
    let first = said(user, 1_000, "Привет");
    let id = first.conversation;
    store.write_turns(&[]).await.expect("nothing to write");
    store.write_turns(std::slice::from_ref(&first)).await.expect("written");
    assert_eq!(store.turns(user, id).await.expect("read"), [(first.clone(), vec![])], "read as it was written");
    let conversation = store.conversation(user, id).await.expect("read").expect("made");
    assert_eq!((conversation.user, conversation.kind, conversation.turns), (user, ConversationKind::Talk, 1));
    assert_eq!(conversation.title, "Заголовок");
    assert_eq!((conversation.created_at, conversation.updated_at), (UnixMs(1_000), UnixMs(1_000)));

    // The same again, and what is older, changes nothing; a higher revision replaces.
    let same = TurnRecord { text: "не то".into(), at: UnixMs(9_000), title: "не то".into(), ..first.clone() };
    let older = TurnRecord { revision: 0, ..same.clone() };
    store.write_turns(&[first.clone(), same, older]).await.expect("passed over");
    assert_eq!(store.turns(user, id).await.expect("read"), [(first.clone(), vec![])]);
    assert_eq!(store.conversation(user, id).await.expect("read"), Some(conversation));
    let newer = TurnRecord { revision: 3, text: "Привет, мир".into(), reply: None, ..first.clone() };
    store.write_turns(&[newer.clone(), first.clone()]).await.expect("written");
    assert_eq!(store.turns(user, id).await.expect("read"), [(newer.clone(), vec![])]);
    assert_eq!(ids(store, user, "мир").await, [id]);
    assert_eq!(ids(store, user, "дела").await, [], "what was replaced is not found");

    // Of turns in any order, and of several sessions, the order is that of speaking.
    let third = TurnRecord { at: UnixMs(3_000), ..then(&newer, "третий") };
    let early = TurnRecord { at: UnixMs(500), session: SessionId::fresh(), ..then(&newer, "до всего") };
    let tied = TurnRecord { at: UnixMs(3_000), turn: TurnId(7), ..then(&newer, "после третьего") };
    store.write_turns(&[tied, third, early]).await.expect("written");
    assert_eq!(texts(store, user, id).await, ["до всего", "Привет, мир", "третий", "после третьего"]);
    let conversation = store.conversation(user, id).await.expect("read").expect("there");
    assert_eq!((conversation.created_at, conversation.updated_at), (UnixMs(500), UnixMs(3_000)));
    assert_eq!(conversation.turns, 4);
    let last = async |limit| -> Vec<String> {
        let turns = store.last_turns(user, id, limit).await.expect("read");
        turns.into_iter().map(|turn| turn.text).collect()
    };
    assert_eq!(last(2).await, ["третий", "после третьего"]);
    assert_eq!(last(100).await.len(), 4);
    assert_eq!(last(0).await, [""; 0]);

    // A title is given once by a turn, and any time by a person; a person's empty one makes room again.
    assert!(store.rename_conversation(user, id, "Моё").await.expect("renamed"));
    let title = async || store.conversation(user, id).await.expect("read").expect("there").title;
    let fifth = TurnRecord { turn: TurnId(8), ..newer.clone() };
    store.write_turns(std::slice::from_ref(&fifth)).await.expect("written");
    assert_eq!(title().await, "Моё");
    assert!(store.rename_conversation(user, id, "").await.expect("renamed"));
    store.write_turns(&[TurnRecord { turn: TurnId(9), title: "Снова".into(), ..fifth }]).await.expect("written");
    assert_eq!(title().await, "Снова");

    // Of somebody who is gone nothing is kept, but the others' turns of the same write are.
    let ghost = said(UserId::fresh(), 1_000, "призрак");
    let other = said(user, 1_000, "живой");
    store.write_turns(&[ghost.clone(), other.clone()]).await.expect("written");
    assert_eq!(store.conversation(ghost.user, ghost.conversation).await.expect("read"), None);
    assert_eq!(texts(store, user, other.conversation).await, ["живой"]);

    // Numbers of any size and every kind of thing.
    for (kind, source) in [(ConversationKind::Dictation, Source::Typed), (ConversationKind::File, Source::File)] {
        let plain = TurnRecord {
            kind,
            source,
            turn: TurnId(u32::MAX),
            revision: u32::MAX,
            language: None,
            words: vec![],
            start_ms: u64::from(u32::MAX),
            end_ms: i64::MAX as u64,
            title: String::new(),
            reply: None,
            ..said(user, i64::MAX, "")
        };
        store.write_turns(std::slice::from_ref(&plain)).await.expect("written");
        assert_eq!(store.turns(user, plain.conversation).await.expect("read"), [(plain, vec![])]);
    }
}

pub async fn another_never_sees_it(store: &Arc<dyn Store>) {
    let owner = somebody(store, "owner@example.org").await.id;
    let other = somebody(store, "other@example.org").await.id;
    let turn = said(owner, 1_000, "тайна");
    let (id, session) = (turn.conversation, turn.session);
    store.write_turns(std::slice::from_ref(&turn)).await.expect("written");
    let sound = TurnAudio {
        user: owner,
        conversation: id,
        session,
        turn: turn.turn,
        side: Side::User,
        ogg_opus: b"Ogg".to_vec(),
    };
    store.write_audio(&sound).await.expect("written");

    assert_eq!(store.conversation(other, id).await.expect("read"), None);
    assert_eq!(store.turns(other, id).await.expect("read"), []);
    assert_eq!(store.last_turns(other, id, 9).await.expect("read"), []);
    assert_eq!(store.audio(other, id, session, turn.turn, Side::User).await.expect("read"), None);
    assert_eq!(found(store, other, "").await, []);
    assert_eq!(found(store, other, "тайна").await, []);
    assert_eq!(found(store, other, "заголовок").await, []);
    assert!(!store.rename_conversation(other, id, "моё").await.expect("refused"));
    assert!(!store.delete_conversation(other, id).await.expect("refused"));
    assert_eq!(store.delete_conversations(other).await.expect("nothing"), 0);
    store.write_audio(&TurnAudio { user: other, ogg_opus: b"x".to_vec(), ..sound }).await.expect("passed over");

    // Whoever writes under another's id has a conversation of their own by that name.
    let theirs = TurnRecord { user: other, text: "моё".into(), revision: 9, ..turn.clone() };
    store.write_turns(std::slice::from_ref(&theirs)).await.expect("written");
    assert_eq!(store.turns(other, id).await.expect("read"), [(theirs, vec![])]);
    assert!(store.delete_conversation(other, id).await.expect("deleted"));

    assert_eq!(store.turns(owner, id).await.expect("read"), [(turn.clone(), vec![Side::User])]);
    assert_eq!(store.audio(owner, id, session, turn.turn, Side::User).await.expect("read"), Some(b"Ogg".to_vec()));
    let again = TurnRecord { revision: 2, ..turn };
    store.write_turns(std::slice::from_ref(&again)).await.expect("the other's deletion is the other's");
    assert_eq!(store.turns(owner, id).await.expect("read"), [(again, vec![Side::User])], "its sound stays with it");
}

pub async fn pages(store: &Arc<dyn Store>) {
    let user = somebody(store, "pages@example.org").await.id;
    let mut all = Vec::new();
    for at in [1_000, 2_000, 2_000, 2_000, 2_000, 3_000] {
        let turn = said(user, at, "слово");
        store.write_turns(std::slice::from_ref(&turn)).await.expect("written");
        all.push(Cursor { updated_at: turn.at, id: turn.conversation });
    }
    all.sort_by_key(|cursor| std::cmp::Reverse((cursor.updated_at, cursor.id.uuid())));
    for query in ["", "слов", "заголовок"] {
        for limit in 1..=7 {
            let mut seen = Vec::new();
            let mut after = None;
            loop {
                let listing = Listing { query: query.into(), after, limit };
                let page = store.conversations(user, &listing).await.expect("read");
                assert!(page.len() <= limit as usize);
                let Some(last) = page.last() else { break };
                after = Some(Cursor { updated_at: last.conversation.updated_at, id: last.conversation.id });
                seen.extend(page.iter().map(|found| (found.conversation.updated_at, found.conversation.id)));
            }
            let wanted: Vec<_> = all.iter().map(|cursor| (cursor.updated_at, cursor.id)).collect();
            assert_eq!(seen, wanted, "{query:?} by {limit}");
        }
    }
    let none = store.conversations(user, &Listing { query: String::new(), after: None, limit: 0 }).await;
    assert_eq!(none.expect("read"), []);
}

pub async fn search(store: &Arc<dyn Store>) {
    let user = somebody(store, "search@example.org").await.id;
    let weather = said(user, 1_000, "Какая завтра погода в Москве?");
    let tea =
        TurnRecord { title: "Чай и ёлки".into(), reply: None, ..said(user, 2_000, "How do I brew green tea?") };
    let more = TurnRecord {
        reply: Some(TurnReply {
            text: "Steep it. Привезите café.".into(),
            heard: "Steep it.".into(),
            interrupted: false,
            timings: Timings::default(),
        }),
        ..then(&tea, "Ещё чаю, Андрей")
    };
    store.write_turns(&[weather.clone(), tea.clone(), more]).await.expect("written");
    let (weather, tea) = (weather.conversation, tea.conversation);

    for (query, wanted) in [
        ("погода", vec![weather]),
        ("ПОГОДА завтра", vec![weather]),
        ("завтра пог", vec![weather]),
        ("пог завтра", vec![]), // only the last word may be a beginning
        ("привет", vec![weather]),
        ("прив", vec![tea, weather]),
        ("green t", vec![tea]),
        ("GREEN brew", vec![tea]),
        ("steep", vec![tea]),
        ("cafe", vec![tea]),
        ("café", vec![tea]),
        ("еще", vec![tea]),
        ("андрей", vec![tea]),
        ("андреи", vec![]),
        ("елк", vec![tea]), // in the title
        ("чай ёлки", vec![tea]),
        ("чай tea", vec![]),     // one word in the title, one in a turn
        ("green steep", vec![]), // in two turns
        ("заголовок", vec![weather]),
        ("nothing", vec![]),
        ("погода NOT москве", vec![]),
        ("погода \0 москв", vec![weather]),
        ("!!! ???", vec![]),
        ("🙂", vec![]),
    ] {
        assert_eq!(ids(store, user, query).await, wanted, "{query}");
    }
    assert_eq!(ids(store, user, " \t ").await, [tea, weather], "no query: all, the newest first");
    assert_eq!(found(store, user, "").await[0].1, None);
    let snippet = async |query: &str| found(store, user, query).await[0].1.clone().expect("a snippet");
    assert_eq!(snippet("завтра пог").await, "Какая \u{e000}завтра\u{e001} \u{e000}погода\u{e001} в Москве?");
    assert_eq!(snippet("steep").await, "\u{e000}Steep\u{e001} it. Привезите café.");
    assert_eq!(snippet("ёлки").await, "Чай и \u{e000}ёлки\u{e001}", "of the title");
    assert_eq!(snippet("ча").await, "Ещё \u{e000}чаю\u{e001}, Андрей", "of the newest turn");
    for query in
        ["\"", "'", "a\" OR \"b", "a* NEAR(b)", ":*", "&|!()", "\\", "a:b", "-a", "^a", "{a}", "%_", "\u{e000}"]
    {
        found(store, user, query).await;
    }
    let endless = "слово ".repeat(1_000) + &"ы".repeat(10_000);
    assert_eq!(ids(store, user, &endless).await, []);
    assert!(store.rename_conversation(user, tea, "Кофе").await.expect("renamed"));
    assert_eq!(ids(store, user, "ёлки").await, []);
    assert_eq!(ids(store, user, "кофе").await, [tea]);
}

pub async fn sound(store: &Arc<dyn Store>) {
    let user = somebody(store, "sound@example.org").await.id;
    let first = said(user, 1_000, "раз");
    let second = then(&first, "два");
    store.write_turns(&[first.clone(), second.clone()]).await.expect("written");
    let audio = |turn: &TurnRecord, side, ogg_opus: Vec<u8>| TurnAudio {
        user,
        conversation: turn.conversation,
        session: turn.session,
        turn: turn.turn,
        side,
        ogg_opus,
    };
    let read = async |turn: &TurnRecord, side| {
        store.audio(user, turn.conversation, turn.session, turn.turn, side).await.expect("read")
    };
    let long: Vec<u8> = (0..300_000_u32).map(|n| n as u8).collect();
    store.write_audio(&audio(&first, Side::User, b"one".to_vec())).await.expect("written");
    store.write_audio(&audio(&first, Side::User, long.clone())).await.expect("replaced");
    store.write_audio(&audio(&second, Side::Reply, vec![])).await.expect("written");
    store.write_audio(&audio(&said(user, 1, "nowhere"), Side::User, vec![1])).await.expect("passed over");
    store.write_audio(&audio(&then(&second, "никогда"), Side::User, vec![1])).await.expect("passed over");
    assert_eq!(read(&first, Side::User).await, Some(long));
    assert_eq!(read(&first, Side::Reply).await, None);
    assert_eq!(read(&second, Side::Reply).await, Some(vec![]));
    let sides = store.turns(user, first.conversation).await.expect("read").into_iter().map(|(_, sides)| sides);
    assert_eq!(sides.collect::<Vec<_>>(), [vec![Side::User], vec![Side::Reply]]);
    store.write_audio(&audio(&first, Side::Reply, vec![2])).await.expect("written");
    let turns = store.turns(user, first.conversation).await.expect("read");
    assert_eq!(turns[0].1, [Side::User, Side::Reply]);
    assert!(store.delete_conversation(user, first.conversation).await.expect("deleted"));
    assert_eq!(read(&first, Side::User).await, None);
}

pub async fn deleting(store: &Arc<dyn Store>) {
    let user = somebody(store, "deleting@example.org").await.id;
    let turns: Vec<_> = (0..4).map(|n| said(user, 1_000 + n, "слово")).collect();
    store.write_turns(&turns).await.expect("written");
    let gone = &turns[0];
    assert!(store.delete_conversation(user, gone.conversation).await.expect("deleted"));
    assert!(!store.delete_conversation(user, gone.conversation).await.expect("once only"));
    assert!(!store.delete_conversation(user, ConversationId::fresh()).await.expect("there was none"));
    assert!(!store.rename_conversation(user, gone.conversation, "x").await.expect("there is none"));
    assert_eq!(ids(store, user, "слово").await.len(), 3);

    // Words that were still on their way do not bring it back, and keep no others from arriving.
    let late = [gone.clone(), then(gone, "поздно"), then(&turns[1], "вовремя")];
    store.write_turns(&late).await.expect("written");
    assert_eq!(store.conversation(user, gone.conversation).await.expect("read"), None);
    assert_eq!(texts(store, user, gone.conversation).await, [""; 0]);
    assert_eq!(texts(store, user, turns[1].conversation).await, ["слово", "вовремя"]);

    assert_eq!(store.delete_conversations(user).await.expect("deleted"), 3);
    assert_eq!(store.delete_conversations(user).await.expect("deleted"), 0);
    store.write_turns(&turns).await.expect("passed over");
    assert_eq!(ids(store, user, "").await, []);
    assert_eq!(ids(store, user, "слово").await, []);

    // After a month it is forgotten that there was something.
    store.retire(UnixMs(UnixMs::now().0 + 29 * DAY), None, None).await.expect("retired");
    store.write_turns(&turns[..1]).await.expect("passed over");
    assert_eq!(ids(store, user, "").await, []);
    store.retire(UnixMs(UnixMs::now().0 + 31 * DAY), None, None).await.expect("retired");
    store.write_turns(&turns[..1]).await.expect("written");
    assert_eq!(ids(store, user, "").await, [turns[0].conversation]);

    // With its user everything goes, and stays away.
    store.add_job(&job(user, "here", 1)).await.expect("added");
    assert!(store.delete_user(user).await.expect("deleted"));
    assert_eq!(ids(store, user, "слово").await, []);
    assert_eq!(store.jobs(user, 9).await.expect("read"), []);
    store.write_turns(&turns).await.expect("passed over");
    assert_eq!(ids(store, user, "").await, []);
}

pub async fn retiring(store: &Arc<dyn Store>) {
    // Far from the moments of the other steps, so that their conversations are not counted: those go first.
    let now = 20_000 * DAY;
    let (patient, hasty) = (somebody(store, "patient@example.org").await, somebody(store, "hasty@example.org").await);
    store.change_user(hasty.id, &UserChange::RetentionDays(Some(5))).await.expect("changed");
    store.retire(UnixMs(now), Some(100), Some(100)).await.expect("retired");

    let mut kept = Vec::new();
    for user in [patient.id, hasty.id] {
        for age in [3, 8, 50] {
            let turn = said(user, now - age * DAY, "слово");
            store.write_turns(std::slice::from_ref(&turn)).await.expect("written");
            let audio = TurnAudio {
                user,
                conversation: turn.conversation,
                session: turn.session,
                turn: turn.turn,
                side: Side::User,
                ogg_opus: vec![1],
            };
            store.write_audio(&audio).await.expect("written");
            kept.push((user, age, turn));
        }
    }
    let left = async || -> Vec<(&str, i64, bool)> {
        let mut left = Vec::new();
        for (user, age, turn) in &kept {
            if let Some((_, sides)) = store.turns(*user, turn.conversation).await.expect("read").first() {
                left.push((if *user == hasty.id { "hasty" } else { "patient" }, *age, !sides.is_empty()));
            }
        }
        left
    };
    assert_eq!(store.retire(UnixMs(now), None, None).await.expect("retired"), 2, "as their owner wishes");
    let all_of_patient = [("patient", 3, true), ("patient", 8, true), ("patient", 50, true), ("hasty", 3, true)];
    assert_eq!(left().await, all_of_patient);
    assert_eq!(store.retire(UnixMs(now), None, Some(7)).await.expect("retired"), 0);
    assert_eq!(left().await.iter().map(|left| left.2).collect::<Vec<_>>(), [true, false, false, true]);
    assert_eq!(store.retire(UnixMs(now), Some(10), Some(7)).await.expect("retired"), 1, "as the server wishes");
    assert_eq!(left().await, [("patient", 3, true), ("patient", 8, false), ("hasty", 3, true)]);
    assert_eq!(ids(store, patient.id, "слово").await.len(), 2, "the search has forgotten them too");
    store.change_user(patient.id, &UserChange::RetentionDays(Some(u32::MAX))).await.expect("changed");
    assert_eq!(
        store.retire(UnixMs(now + 100 * DAY), Some(0), Some(0)).await.expect("retired"),
        1,
        "more is a wish too"
    );
    assert_eq!(left().await, [("patient", 3, false), ("patient", 8, false)]);
    // Many at once.
    store.change_user(patient.id, &UserChange::RetentionDays(None)).await.expect("changed");
    let many: Vec<_> = (0..450).map(|n| said(patient.id, now - n, "слово")).collect();
    store.write_turns(&many).await.expect("written");
    assert_eq!(store.retire(UnixMs(now + DAY), Some(0), None).await.expect("retired"), 452);
}

//! Both databases, told the same at random, answer the same.

use std::sync::Arc;

use aigolos::{
    model::{ConversationId, SessionId, TurnId, UnixMs, UserId},
    store::{Cursor, Listing, NewUser, Side, Store, StoreSettings, TurnAudio, TurnRecord, TurnReply, UserChange, open},
};
use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{Config, TestRunner},
};
use uuid::Uuid;

use super::{postgres::postgres, store_story::said};

const WORDS: [&str; 12] =
    ["привет", "Ёлка", "ПРИВЕТСТВИЕ", "мой", "мои", "café", "tea", "a.b/c", "O'Neil", "\0", "🙂", "x2"];

/// One thing asked of the store; numbers stand for whom and what.
#[derive(Debug, Clone)]
enum Ask {
    Write { user: u8, conversation: u8, turn: u8, revision: u8, at: i64, text: String, title: String, reply: bool },
    Sound { user: u8, conversation: u8, turn: u8 },
    Rename { user: u8, conversation: u8, title: String },
    Delete { user: u8, conversation: u8 },
    DeleteAll { user: u8 },
    Retire { at: i64, days: Option<u32>, audio_days: Option<u32> },
    Wish { user: u8, days: Option<u32> },
    Search { user: u8, query: String, limit: u32 },
}

fn text() -> impl Strategy<Value = String> {
    vec(prop_oneof![8 => proptest::sample::select(WORDS.to_vec()).prop_map(String::from), 1 => "\\PC{0,12}"], 0..5)
        .prop_map(|words| words.join(" "))
}

fn query() -> impl Strategy<Value = String> {
    (text(), any::<prop::sample::Index>()).prop_map(|(text, cut)| {
        let chars: Vec<char> = text.chars().collect();
        chars[..cut.index(chars.len() + 1)].iter().collect()
    })
}

fn ask() -> impl Strategy<Value = Ask> {
    let (user, conversation, turn) = (|| 0..2_u8, || 0..4_u8, || 1..5_u8);
    prop_oneof![
        12 => (user(), conversation(), turn(), 0..4_u8, 0..100_i64, text(), text(), any::<bool>()).prop_map(
            |(user, conversation, turn, revision, at, text, title, reply)| Ask::Write {
                user, conversation, turn, revision, at: at * 86_400_000, text, title, reply
            }
        ),
        2 => (user(), conversation(), turn()).prop_map(|(user, conversation, turn)| Ask::Sound { user, conversation, turn }),
        1 => (user(), conversation(), text()).prop_map(|(user, conversation, title)| Ask::Rename { user, conversation, title }),
        1 => (user(), conversation()).prop_map(|(user, conversation)| Ask::Delete { user, conversation }),
        1 => user().prop_map(|user| Ask::DeleteAll { user }),
        1 => (0..100_i64, proptest::option::of(0..40_u32), proptest::option::of(0..40_u32))
            .prop_map(|(at, days, audio_days)| Ask::Retire { at: at * 86_400_000, days, audio_days }),
        1 => (user(), proptest::option::of(0..40_u32)).prop_map(|(user, days)| Ask::Wish { user, days }),
        6 => (user(), query(), 0..5_u32).prop_map(|(user, query, limit)| Ask::Search { user, query, limit }),
    ]
}

fn conversation_id(number: u8) -> ConversationId {
    Uuid::from_u128(u128::from(number) + 1).into()
}

fn turn(user: UserId, conversation: u8, turn: u8) -> TurnRecord {
    TurnRecord {
        conversation: conversation_id(conversation),
        session: SessionId::from(Uuid::from_u128(9)),
        turn: TurnId(turn.into()),
        ..said(user, 0, "")
    }
}

/// Asks one store, and tells everything that can be seen of the answer.
async fn answer(store: &Arc<dyn Store>, users: &[UserId], ask: &Ask) -> String {
    match ask {
        Ask::Write { user, conversation, turn: number, revision, at, text, title, reply } => {
            let plain = turn(users[usize::from(*user)], *conversation, *number);
            let reply = reply.then(|| TurnReply { text: title.clone(), ..plain.reply.clone().expect("it has one") });
            let record = TurnRecord {
                revision: u32::from(*revision),
                at: UnixMs(*at),
                text: text.clone(),
                title: title.clone(),
                reply,
                ..plain
            };
            let written = store.write_turns(std::slice::from_ref(&record)).await;
            let read = store.turns(record.user, record.conversation).await;
            let last = store.last_turns(record.user, record.conversation, 2).await;
            format!("{written:?} {read:?} {last:?}")
        }
        Ask::Sound { user, conversation, turn: number } => {
            let turn = turn(users[usize::from(*user)], *conversation, *number);
            let (user, conversation, session, turn) = (turn.user, turn.conversation, turn.session, turn.turn);
            let side = Side::Reply;
            let audio = TurnAudio { user, conversation, session, turn, side, ogg_opus: vec![1] };
            let written = store.write_audio(&audio).await;
            format!("{written:?} {:?}", store.audio(user, conversation, session, turn, side).await)
        }
        Ask::Rename { user, conversation, title } => {
            let (user, id) = (users[usize::from(*user)], conversation_id(*conversation));
            let renamed = store.rename_conversation(user, id, title).await;
            format!("{renamed:?} {:?}", store.conversation(user, id).await)
        }
        Ask::Delete { user, conversation } => {
            let deleted = store.delete_conversation(users[usize::from(*user)], conversation_id(*conversation)).await;
            format!("{deleted:?}")
        }
        Ask::DeleteAll { user } => format!("{:?}", store.delete_conversations(users[usize::from(*user)]).await),
        Ask::Retire { at, days, audio_days } => format!("{:?}", store.retire(UnixMs(*at), *days, *audio_days).await),
        Ask::Wish { user, days } => {
            let changed = store.change_user(users[usize::from(*user)], &UserChange::RetentionDays(*days)).await;
            format!("{changed:?}")
        }
        Ask::Search { user, query, limit } => {
            let mut listing = Listing { query: query.clone(), after: None, limit: *limit };
            let user = users[usize::from(*user)];
            let first = store.conversations(user, &listing).await;
            let last = first.as_ref().ok().and_then(|page| page.last()).map(|found| &found.conversation);
            listing.after = last.map(|last| Cursor { updated_at: last.updated_at, id: last.id });
            format!("{first:?} {:?}", store.conversations(user, &listing).await)
        }
    }
}

#[test]
fn both_databases_answer_alike() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder");
    let sqlite = StoreSettings::Sqlite { folder: folder.path().to_owned() };
    let stores =
        [sqlite, postgres().fresh_settings()].map(|settings| runtime.block_on(open(&settings)).expect("a store"));
    // Every case has users of its own, so that they share nothing. Retiring goes by the users' days, so it is the
    // same for those of the cases before: it touches both databases alike.
    let mut runner =
        TestRunner::new(Config { cases: 48, max_shrink_iters: 200, failure_persistence: None, ..Config::default() });
    let tried = runner.run(&vec(ask(), 1..60), |asked| {
        runtime.block_on(async {
            let mut users = Vec::new();
            for _ in 0..2 {
                let id = UserId::fresh();
                let user = NewUser {
                    id,
                    email: format!("{id}@example.org"),
                    name: String::new(),
                    password_hash: String::new(),
                    admin: false,
                    verified_at: None,
                    language: None,
                    created_at: UnixMs(0),
                };
                for store in &stores {
                    store.add_user(&user).await.expect("added");
                }
                users.push(id);
            }
            for ask in &asked {
                let (one, other) = tokio::join!(answer(&stores[0], &users, ask), answer(&stores[1], &users, ask));
                prop_assert_eq!(&one, &other, "{:?}", ask);
                prop_assert!(!one.contains("Err("), "{}", one);
            }
            Ok(())
        })
    });
    if let Err(error) = tried {
        panic!("{error}");
    }
}

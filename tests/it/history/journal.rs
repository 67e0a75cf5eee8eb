//! What sessions tell the journal, and when; and what the hub knows of its sessions.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use aigolos::{
    conversation::{
        history::Exchange,
        hub::{Attachment, Hub, HubSettings, Refused},
        journal::{Journal, JournalAway, NoJournal, Owner, Recorded, Sound},
        message::{CloseReason, Command, Event, Mode, SessionOptions},
    },
    model::{ConversationId, Role, UserId},
};
use async_trait::async_trait;

use crate::{harness::PATIENCE, looks};

/// Remembers all it is told.
#[derive(Default)]
struct Notes {
    turns: Mutex<Vec<Recorded>>,
    sounds: Mutex<Vec<Sound>>,
    /// Says that it cannot tell.
    away: bool,
}

impl Notes {
    fn turns(&self) -> Vec<Recorded> {
        self.turns.lock().expect("no panic").clone()
    }
}

#[async_trait]
impl Journal for Notes {
    fn record(&self, turn: Recorded) {
        self.turns.lock().expect("no panic").push(turn);
    }

    fn keep(&self, sound: Sound) {
        self.sounds.lock().expect("no panic").push(sound);
    }

    async fn recall(&self, user: UserId, id: ConversationId) -> Result<Option<Vec<Exchange>>, JournalAway> {
        if self.away {
            return Err(JournalAway("switched off".into()));
        }
        let theirs = self.turns().into_iter().any(|turn| (turn.place.user, turn.place.conversation) == (user, id));
        Ok(theirs.then(Vec::new))
    }
}

async fn next(session: &Attachment) -> Option<Event> {
    let next = tokio::time::timeout(PATIENCE, session.next()).await.expect("something comes");
    next.map(|outgoing| outgoing.event)
}

/// Waits for an event, and gives it.
async fn until(session: &Attachment, wanted: impl Fn(&Event) -> bool) -> Event {
    loop {
        let event = next(session).await.expect("the session goes on");
        if wanted(&event) {
            return event;
        }
    }
}

fn owner(keep_audio: bool) -> Owner {
    Owner { user: UserId::fresh(), keep_audio, pass: None }
}

#[tokio::test]
async fn the_journal_is_told_before_the_client() {
    let notes = Arc::new(Notes::default());
    let hub = Hub::new(looks::engines(), HubSettings::default(), Arc::clone(&notes) as _);
    let owner = owner(true);
    let session = hub.start(owner, SessionOptions::default(), None).await.expect("there is room");
    session.send(Command::Text("hello".into())).await.expect("it runs");
    until(&session, |event| matches!(event, Event::ReplyStarted { .. })).await;
    let first = notes.turns().first().expect("told before the client was").clone();
    assert_eq!((first.revision, first.said.text.as_str(), &first.said.spoken), (1, "hello", &None));
    assert_eq!((first.mode, first.place.user, &first.reply), (Mode::Converse, owner.user, &None));

    until(&session, |event| matches!(event, Event::ReplyDone { .. })).await;
    let turns = notes.turns();
    let told = turns.last().expect("one").clone();
    let reply = told.reply.expect("it ended");
    assert_eq!((turns.len(), told.revision, told.at), (2, 2, first.at));
    assert_eq!((reply.text.as_str(), reply.heard.as_str(), reply.interrupted), ("Hello there.", "Hello there.", false));
    assert!(reply.timings.done_ms.is_some());
    let sounds = notes.sounds.lock().expect("no panic").clone();
    let [sound] = &sounds[..] else { panic!("typed words have no sound, the reply has: {}", sounds.len()) };
    assert_eq!((sound.by, sound.turn), (Role::Assistant, told.turn));
    assert_eq!(sound.audio.duration(), Duration::from_millis(300));
}

#[tokio::test]
async fn sound_stays_with_those_who_do_not_keep_it() {
    let notes = Arc::new(Notes::default());
    let hub = Hub::new(looks::engines(), HubSettings::default(), Arc::clone(&notes) as _);
    let session = hub.start(owner(false), SessionOptions::default(), None).await.expect("there is room");
    session.send(Command::Text("hello".into())).await.expect("it runs");
    until(&session, |event| matches!(event, Event::ReplyDone { .. })).await;
    assert_eq!(notes.turns().len(), 2);
    assert!(notes.sounds.lock().expect("no panic").is_empty());
}

#[tokio::test]
async fn a_reply_that_is_cut_off_by_the_end_of_its_session_is_told_as_heard() {
    let notes = Arc::new(Notes::default());
    let hub = Hub::new(looks::engines(), HubSettings::default(), Arc::clone(&notes) as _);
    let session = hub.start(owner(false), SessionOptions::default(), None).await.expect("there is room");
    session.send(Command::Text("hello".into())).await.expect("it runs");
    until(&session, |event| matches!(event, Event::ReplyStarted { .. })).await;
    hub.shut_down().await;
    let told = notes.turns().last().expect("one").clone();
    assert!(told.reply.is_some_and(|reply| reply.interrupted || reply.text == "Hello there."));
}

#[tokio::test]
async fn nobody_goes_on_with_what_is_anothers() {
    let notes = Arc::new(Notes::default());
    let hub = Hub::new(looks::engines(), HubSettings::default(), Arc::clone(&notes) as _);
    let (alice, eve) = (owner(false), owner(false));
    let hers = hub.start(alice, SessionOptions::default(), None).await.expect("there is room");
    hers.send(Command::Text("hello".into())).await.expect("it runs");
    until(&hers, |event| matches!(event, Event::ReplyDone { .. })).await;

    let id = Some(hers.conversation);
    let again = hub.start(alice, SessionOptions::default(), id).await.expect("there is room");
    assert_eq!(again.conversation, hers.conversation);
    let other = hub.start(eve, SessionOptions::default(), id).await.expect("there is room");
    assert_ne!(other.conversation, hers.conversation);
    assert_eq!(hub.resume(eve.user, hers.session, 0).err(), Some(Refused::UnknownSession));
    assert!(hub.resume(alice.user, hers.session, 0).is_ok());
}

#[tokio::test]
async fn without_its_memory_a_session_begins_all_the_same_and_says_so() {
    let notes = Arc::new(Notes { away: true, ..Notes::default() });
    let hub = Hub::new(looks::engines(), HubSettings::default(), notes);
    let id = ConversationId::fresh();
    let session = hub.start(owner(false), SessionOptions::default(), Some(id)).await.expect("there is room");
    assert_eq!(session.conversation, id);
    let told = until(&session, |event| matches!(event, Event::Progress { .. })).await;
    assert_eq!(told, Event::Progress { task: "history.load", stage: "away".into(), fraction: None });
}

#[tokio::test]
async fn sessions_are_listed_and_those_of_one_person_ended() {
    let hub = Hub::new(looks::engines(), HubSettings::default(), Arc::new(NoJournal));
    let (alice, bob) = (owner(false), owner(false));
    let dictation = SessionOptions { mode: Mode::Transcribe, ..SessionOptions::default() };
    let first = hub.start(alice, SessionOptions::default(), None).await.expect("there is room");
    let second = hub.start(alice, dictation, None).await.expect("there is room");
    let third = hub.start(bob, SessionOptions::default(), None).await.expect("there is room");
    let (second_id, third_id) = (second.session, third.session);
    drop(second);
    let list = hub.list();
    let told: Vec<_> = list.iter().map(|session| (session.id, session.user, session.mode, session.attached)).collect();
    let expected = [
        (first.session, alice.user, Mode::Converse, true),
        (second_id, alice.user, Mode::Transcribe, false),
        (third_id, bob.user, Mode::Converse, true),
    ];
    assert_eq!(told, expected);
    assert_eq!(list[0].conversation, first.conversation);

    assert_eq!(hub.end_of(alice.user), 2);
    let closed = until(&first, |event| matches!(event, Event::Closed { .. })).await;
    assert_eq!(closed, Event::Closed { session: first.session, reason: CloseReason::Revoked });
    assert!(hub.end(third_id));
    until(&third, |event| matches!(event, Event::Closed { reason: CloseReason::Revoked, .. })).await;
    hub.shut_down().await;
    assert_eq!(hub.sessions(), 0);
}

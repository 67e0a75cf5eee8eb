//! What clients that keep their own books ask of a session: entries, replies asked for, functions, cuts.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use aigolos::{
    conversation::{
        history::Exchange,
        hub::{Attachment, Hub, HubSettings},
        item::{After, InputItem, ItemContent, ItemKey, NewItem, Respond},
        journal::{Journal, JournalAway, Owner, Recorded, Sound},
        message::{CancelReason, Command, Event, Pace, SessionOptions, TurnDetection},
    },
    engine::{
        ChatDelta, ChatModel, ChatRequest, ChatStream, EngineError, EngineInfo, Engines, StopCause, Tool, ToolChoice,
    },
    model::{ConversationId, Message, Role, ToolCall, TurnId, UserId},
};
use async_trait::async_trait;
use futures::{FutureExt, future::BoxFuture};
use tokio::sync::mpsc;

use crate::{harness::PATIENCE, looks};

/// Answers what it was told to, one reply after the other, and remembers what it was asked.
#[derive(Default)]
struct Scripted {
    replies: Mutex<VecDeque<Vec<ChatDelta>>>,
    asked: Mutex<Vec<ChatRequest>>,
}

impl ChatModel for Scripted {
    fn info(&self) -> EngineInfo {
        looks::engines().chat.info()
    }

    fn reply(&self, request: ChatRequest) -> ChatStream {
        self.asked.lock().expect("no panic").push(request);
        let deltas = self.replies.lock().expect("no panic").pop_front();
        let (told, stream) = mpsc::channel(32);
        match deltas {
            Some(deltas) => deltas.into_iter().for_each(|delta| drop(told.try_send(Ok(delta)))),
            // Nothing is scripted: a reply that never comes.
            None => drop(tokio::spawn(async move { told.closed().await })),
        }
        stream
    }

    fn warm_up(&self) -> BoxFuture<'static, Result<(), EngineError>> {
        std::future::ready(Ok(())).boxed()
    }
}

#[derive(Default)]
struct Notes(Mutex<Vec<Recorded>>);

#[async_trait]
impl Journal for Notes {
    fn record(&self, turn: Recorded) {
        self.0.lock().expect("no panic").push(turn);
    }

    fn keep(&self, _: Sound) {}

    async fn recall(&self, _: UserId, _: ConversationId) -> Result<Option<Vec<Exchange>>, JournalAway> {
        Ok(None)
    }
}

struct Talk {
    session: Attachment,
    chat: Arc<Scripted>,
    notes: Arc<Notes>,
    _hub: Hub,
}

fn says(text: &str) -> Vec<ChatDelta> {
    vec![ChatDelta::Text(text.into()), done()]
}

fn done() -> ChatDelta {
    ChatDelta::Done { prompt_tokens: Some(10), reply_tokens: Some(4), stop: StopCause::End }
}

fn given(number: u64, content: ItemContent) -> Command {
    Command::Add(Box::new(NewItem { key: ItemKey::Given(number), after: After::All, content }))
}

fn user(text: &str) -> ItemContent {
    ItemContent::Text { role: Role::User, text: text.into() }
}

fn respond(tag: u64, wish: Respond) -> Command {
    Command::Tagged { tag, command: Box::new(Command::Respond(Box::new(wish))) }
}

impl Talk {
    async fn with(options: SessionOptions, replies: Vec<Vec<ChatDelta>>) -> Self {
        let chat = Arc::new(Scripted { replies: Mutex::new(replies.into()), ..Scripted::default() });
        let engines = Engines { chat: chat.clone(), ..looks::engines() };
        let notes = Arc::new(Notes::default());
        let hub = Hub::new(engines, HubSettings::default(), notes.clone());
        let options = SessionOptions { pace: Pace::AsMade, instructions: Some("Be kind.".into()), ..options };
        let session = hub.start(Owner::LOCAL, options, None).await.expect("there is room");
        Self { session, chat, notes, _hub: hub }
    }

    async fn send(&self, command: Command) {
        self.session.send(command).await.expect("the session goes on");
    }

    /// The next event, but for sound and pieces of text.
    async fn next(&self) -> Event {
        loop {
            let next = tokio::time::timeout(PATIENCE, self.session.next()).await.expect("something comes");
            let event = next.expect("the session goes on").event;
            if !matches!(event, Event::ReplyAudio { .. } | Event::ReplyText { .. } | Event::Progress { .. }) {
                return event;
            }
        }
    }

    /// What the model was asked last: roles and texts.
    fn asked(&self) -> Vec<(Role, String)> {
        let asked = self.chat.asked.lock().expect("no panic");
        let last = asked.last().expect("it was asked");
        last.messages.iter().map(|message| (message.role, message.content.clone())).collect()
    }

    fn kept(&self) -> Recorded {
        self.notes.0.lock().expect("no panic").last().expect("something is kept").clone()
    }
}

#[tokio::test]
async fn a_reply_is_asked_for_and_kept_with_the_words_it_answers() {
    let talk = Talk::with(SessionOptions::default(), vec![says("Hello there.")]).await;
    talk.send(given(1, user("good morning"))).await;
    talk.send(given(2, ItemContent::Text { role: Role::System, text: "It is early.".into() })).await;
    talk.send(respond(7, Respond::default())).await;
    let turn = TurnId(1);
    assert_eq!(talk.next().await, Event::ReplyStarted { turn, tag: Some(7) });
    let Event::ReplyDone { turn: of, text, prompt_tokens, reply_tokens, .. } = talk.next().await else {
        panic!("it should be done");
    };
    assert_eq!((of, text.as_str(), prompt_tokens, reply_tokens), (turn, "Hello there.", Some(10), Some(4)));
    let expected = [(Role::System, "Be kind."), (Role::User, "good morning"), (Role::System, "It is early.")];
    assert_eq!(talk.asked(), expected.map(|(role, text)| (role, text.to_owned())));
    let kept = talk.kept();
    assert_eq!((kept.turn, kept.said.text.as_str()), (turn, "good morning"));
    assert_eq!(kept.reply.map(|reply| reply.heard).as_deref(), Some("Hello there."));
}

#[tokio::test]
async fn a_client_that_writes_and_never_asks_fills_no_memory() {
    let talk = Talk::with(SessionOptions::default(), vec![says("Enough.")]).await;
    for number in 0..40 {
        talk.send(given(number, user(&"ж".repeat(2_000)))).await;
    }
    talk.send(respond(1, Respond::default())).await;
    assert!(matches!(talk.next().await, Event::ReplyStarted { .. }));
    assert!(matches!(talk.next().await, Event::ReplyDone { .. }));
    let kept = talk.kept().said.text.len();
    assert!((60_000..=65_536).contains(&kept), "{kept} bytes of 160 000");
}

#[tokio::test]
async fn a_function_is_called_and_its_output_answered() {
    let call = ToolCall { id: "call_1".into(), name: "clock".into(), arguments: "{\"zone\":\"utc\"}".into() };
    let calling = vec![
        ChatDelta::Text("Let me see. ".into()),
        ChatDelta::Call { call: 0, id: call.id.clone(), name: call.name.clone() },
        ChatDelta::Arguments { call: 0, delta: "{\"zone\":".into() },
        ChatDelta::Arguments { call: 0, delta: "\"utc\"}".into() },
        done(),
    ];
    let tool = Tool { name: "clock".into(), description: "tells the time".into(), parameters: serde_json::json!({}) };
    let options = SessionOptions { tools: vec![tool.clone()], ..SessionOptions::default() };
    let talk = Talk::with(options, vec![calling, says("It is nine.")]).await;
    talk.send(given(1, user("what time is it"))).await;
    talk.send(respond(1, Respond::default())).await;
    let turn = TurnId(1);
    assert_eq!(talk.next().await, Event::ReplyStarted { turn, tag: Some(1) });
    let (id, name) = (call.id.clone(), call.name.clone());
    assert_eq!(talk.next().await, Event::ReplyCall { turn, call: 0, id, name });
    for delta in ["{\"zone\":", "\"utc\"}"] {
        assert_eq!(talk.next().await, Event::ReplyArguments { turn, call: 0, delta: delta.into() });
    }
    assert_eq!(talk.next().await, Event::ReplyCalled { turn, call: 0, arguments: call.arguments.clone() });
    assert!(matches!(talk.next().await, Event::ReplyDone { text, .. } if text == "Let me see."));
    talk.send(given(2, ItemContent::Output { call_id: call.id.clone(), output: "nine".into() })).await;
    let wish = Respond { tool_choice: Some(ToolChoice::None), ..Respond::default() };
    talk.send(respond(2, wish)).await;
    assert!(matches!(talk.next().await, Event::ReplyStarted { tag: Some(2), .. }));
    assert!(matches!(talk.next().await, Event::ReplyDone { .. }));
    {
        let asked = talk.chat.asked.lock().expect("no panic");
        assert_eq!((&asked[0].tools, &asked[0].tool_choice), (&vec![tool], &ToolChoice::Auto));
        assert_eq!(asked[1].tool_choice, ToolChoice::None);
        let messages = &asked[1].messages[2..];
        assert_eq!(messages, [Message::calling("Let me see.", vec![call]), Message::output("call_1", "nine")]);
    }
    let kept = talk.kept();
    assert_eq!((kept.turn, kept.said.text.as_str()), (turn, "what time is it"), "one turn of the person's");
    assert_eq!(kept.reply.map(|reply| reply.text).as_deref(), Some("Let me see. It is nine."));
}

#[tokio::test]
async fn a_reply_is_cut_to_what_was_played_after_it_was_sent() {
    let talk = Talk::with(SessionOptions::default(), vec![says("One two three four."), says("Five.")]).await;
    talk.send(given(1, user("count"))).await;
    talk.send(respond(1, Respond::default())).await;
    assert!(matches!(talk.next().await, Event::ReplyStarted { .. }));
    assert!(matches!(talk.next().await, Event::ReplyDone { .. }));
    let turn = TurnId(1);
    let cut = |turn| Command::Tagged { tag: 5, command: Box::new(Command::Cut { turn, played_ms: 150 }) };
    talk.send(cut(turn)).await;
    assert_eq!(talk.next().await, Event::ReplyCut { turn, heard: "One two".into(), tag: Some(5) });
    talk.send(cut(TurnId(9))).await;
    assert!(matches!(talk.next().await, Event::Refused { code: "nothing_to_cut", tag: Some(5), .. }));
    let reply = talk.kept().reply.expect("it was kept");
    assert_eq!((reply.heard.as_str(), reply.interrupted), ("One two", true));
    talk.send(respond(2, Respond::default())).await;
    assert!(matches!(talk.next().await, Event::ReplyStarted { .. }));
    assert!(matches!(talk.next().await, Event::ReplyDone { .. }));
    assert_eq!(talk.asked()[2], (Role::Assistant, "One two …".into()));
}

#[tokio::test]
async fn a_reply_beside_the_conversation_leaves_no_trace() {
    let talk = Talk::with(SessionOptions::default(), vec![]).await;
    talk.send(given(1, user("wait for me"))).await;
    talk.send(respond(1, Respond::default())).await;
    assert_eq!(talk.next().await, Event::ReplyStarted { turn: TurnId(1), tag: Some(1) });
    talk.send(respond(2, Respond::default())).await;
    assert!(matches!(talk.next().await, Event::Refused { code: "already_replying", tag: Some(2), .. }));
    let input = vec![InputItem::Known(ItemKey::Given(1)), InputItem::Given(user("in a word"))];
    let wish =
        Respond { input: Some(input), instructions: Some("Sum up.".into()), speak: Some(false), ..Respond::default() };
    let beside = Respond { beside: true, ..wish };
    talk.chat.replies.lock().expect("no panic").push_back(says("Waiting."));
    talk.send(respond(3, beside.clone())).await;
    assert_eq!(talk.next().await, Event::ReplyStarted { turn: TurnId(2), tag: Some(3) });
    assert!(matches!(talk.next().await, Event::ReplyDone { turn: TurnId(2), text, .. } if text == "Waiting."));
    let expected = [(Role::System, "Sum up."), (Role::User, "wait for me"), (Role::User, "in a word")];
    assert_eq!(talk.asked(), expected.map(|(role, text)| (role, text.to_owned())));
    // Another one that never ends is stopped by its name, and the conversation's own goes on until it is.
    talk.send(respond(4, beside)).await;
    assert_eq!(talk.next().await, Event::ReplyStarted { turn: TurnId(3), tag: Some(4) });
    for turn in [TurnId(3), TurnId(1)] {
        talk.send(Command::Cancel(Some(turn))).await;
        let cancelled = talk.next().await;
        assert!(
            matches!(cancelled, Event::ReplyCancelled { turn: of, reason: CancelReason::Client, .. } if of == turn)
        );
    }
}

#[tokio::test]
async fn what_is_asked_for_right_after_a_commit_knows_what_was_said() {
    let options = SessionOptions { turn_detection: TurnDetection::Manual, ..SessionOptions::default() };
    let talk = Talk::with(options, vec![says("Hi.")]).await;
    let loud = aigolos::audio::Pcm::new(aigolos::audio::SampleRate::HZ_16000, vec![8_000; 16_000]);
    talk.send(Command::Audio(loud)).await;
    talk.send(Command::Commit { respond: false }).await;
    talk.send(given(1, user("and goodbye"))).await;
    talk.send(respond(1, Respond::default())).await;
    let mut events = Vec::new();
    while !matches!(events.last(), Some(Event::ReplyDone { .. })) {
        events.push(talk.next().await);
    }
    assert!(events.iter().any(|event| matches!(event, Event::Final { turn: TurnId(1), text, .. } if text == "hello")));
    assert!(events.contains(&Event::ReplyStarted { turn: TurnId(2), tag: Some(1) }));
    let texts: Vec<_> = talk.asked().into_iter().map(|(_, text)| text).collect();
    assert_eq!(texts, ["Be kind.", "hello", "and goodbye"], "in the order it was said in");
}

#[tokio::test]
async fn when_everybody_is_silent_the_assistant_may_speak() {
    let mut options = SessionOptions::default();
    if let TurnDetection::Voice { nudge_ms, .. } = &mut options.turn_detection {
        *nudge_ms = Some(50);
    }
    let talk = Talk::with(options, vec![says("Hello."), says("Are you there?")]).await;
    talk.send(given(1, user("hi"))).await;
    talk.send(respond(1, Respond::default())).await;
    assert!(matches!(talk.next().await, Event::ReplyStarted { .. }));
    assert!(matches!(talk.next().await, Event::ReplyDone { .. }));
    let turn = TurnId(2);
    assert!(matches!(talk.next().await, Event::Nudged { turn: of, .. } if of == turn));
    assert_eq!(talk.next().await, Event::ReplyStarted { turn, tag: None });
    assert!(matches!(talk.next().await, Event::ReplyDone { text, .. } if text == "Are you there?"));
}

#[tokio::test]
async fn what_was_cleared_does_not_make_a_turn_of_the_next_sound() {
    let talk = Talk::with(SessionOptions::default(), vec![says("Hi.")]).await;
    let loud = |ms: usize| vec![8_000; ms * 16];
    let sound =
        |samples: Vec<i16>| Command::Audio(aigolos::audio::Pcm::new(aigolos::audio::SampleRate::HZ_16000, samples));
    talk.send(sound(loud(1_000))).await;
    assert!(matches!(talk.next().await, Event::SpeechStarted { turn: TurnId(1), .. }));
    talk.send(Command::Clear).await;
    // Too short for a voice by itself.
    talk.send(sound([loud(60), vec![0; 32_000]].concat())).await;
    talk.send(given(1, user("good morning"))).await;
    talk.send(respond(1, Respond::default())).await;
    loop {
        match talk.next().await {
            Event::SpeechStarted { .. } => panic!("it is no voice"),
            Event::ReplyDone { text, .. } => break assert_eq!(text, "Hi."),
            _ => {}
        }
    }
}

//! Any client and any session: whatever one asks and the other does, and however late each hears of it, the rules of
//! the protocol hold, every response ends once, every event asked is answered once, and nothing grows without end.

mod core;
mod rules;

use proptest::prelude::*;

use self::{core::Core, rules::Rules};
use super::*;
use crate::protocol::openai::realtime::items::MAX_ITEMS;

/// Something that happens.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// The client sends the event of that number, with a number to vary it.
    Client(u8, u8),
    /// The session takes the next command.
    Take,
    /// Something happens in the session.
    Happen(u8, u8),
    /// The client hears the next of what the session told.
    Hear,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0_u8..17, any::<u8>()).prop_map(|(kind, vary)| Step::Client(kind, vary)),
        4 => Just(Step::Take),
        5 => (0_u8..12, any::<u8>()).prop_map(|(kind, vary)| Step::Happen(kind, vary)),
        5 => Just(Step::Hear),
    ];
    prop::collection::vec(step, 0..250)
}

/// An event of a client that knows the ids it was told, and some that do not exist.
fn event(kind: u8, vary: u8, rules: &Rules) -> Value {
    let item = || rules.some_item(vary);
    let text = json!({"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hello"}]});
    let update = |input: Value| json!({"type": "session.update", "session": {"audio": {"input": input}}});
    match kind {
        0..=2 => {
            let audio = data_encoding::BASE64.encode(&vec![0; usize::from(vary) * 100 + 1]);
            json!({"type": "input_audio_buffer.append", "audio": audio})
        }
        3 | 4 => json!({"type": "input_audio_buffer.commit"}),
        5 => json!({"type": "input_audio_buffer.clear"}),
        6 => json!({"type": "conversation.item.create", "item": text, "previous_item_id": (vary > 128).then(item)}),
        7 => {
            let mut named = text;
            named["id"] = json!(format!("mine_{}", vary % 3));
            json!({"type": "conversation.item.create", "item": named})
        }
        8 => json!({"type": "conversation.item.delete", "item_id": item()}),
        9 => json!({"type": "conversation.item.retrieve", "item_id": item()}),
        10 => json!({"type": "conversation.item.truncate", "item_id": item(), "audio_end_ms": u32::from(vary) * 5}),
        11 | 12 => json!({"type": "response.create"}),
        13 => json!({"type": "response.create", "response": {"conversation": "none", "output_modalities": ["text"]}}),
        14 => match vary % 2 {
            0 => json!({"type": "response.cancel"}),
            _ => json!({"type": "response.cancel", "response_id": rules.some_response(vary)}),
        },
        15 => match vary % 4 {
            0 => update(json!({"turn_detection": null})),
            1 => update(json!({"turn_detection": {"type": "semantic_vad"}})),
            2 => update(json!({"turn_detection": {"type": "server_vad", "create_response": vary > 100}})),
            _ => update(json!({"turn_detection": {"threshold": 7}})),
        },
        _ => match vary % 3 {
            0 => json!({"type": "nonsense"}),
            1 => json!({"type": "conversation.item.create", "item": {"type": "message"}}),
            _ => json!({"type": "input_audio_buffer.append", "audio": "*"}),
        },
    }
}

/// One talk: the client, the translation and the session.
struct Scene {
    conversation: Conversation,
    core: Core,
    rules: Rules,
    sent: u32,
}

impl Scene {
    fn new(flavour: Flavour) -> Self {
        let Talk { conversation, events, .. } = Talk::new(flavour, SessionKind::Realtime);
        let mut rules = Rules::new(flavour);
        for event in &events {
            rules.hear(event);
        }
        let mut scene = Self { conversation, core: Core::default(), rules, sent: 0 };
        // Transcripts are told throughout, so that each can be waited for.
        scene.send(json!({"type": "session.update", "session": {"input_audio_transcription": {"model": "m"}}}));
        scene
    }

    fn send(&mut self, mut event: Value) {
        self.sent += 1;
        let id = format!("sent_{}", self.sent);
        event["event_id"] = json!(id);
        if event["type"] == "response.create" {
            event["response"]["metadata"] = json!({"id": id});
        }
        self.rules.sends(&event);
        let (commands, events) = self.conversation.client(&event.to_string());
        self.core.commands.extend(commands);
        self.told(&events);
    }

    fn hear(&mut self) -> bool {
        let Some(event) = self.core.events.pop_front() else { return false };
        let events = self.conversation.event(event);
        self.told(&events);
        true
    }

    fn told(&mut self, events: &[super::super::ServerEvent]) {
        for event in events {
            let text = event.json();
            assert!(text.len() < 1 << 20);
            self.rules.hear(&serde_json::from_str(&text).expect("JSON"));
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Client(kind, vary) => self.send(event(kind, vary, &self.rules)),
            Step::Take => {
                self.core.take();
            }
            Step::Happen(kind, vary) => self.core.happen(kind, vary),
            Step::Hear => {
                self.hear();
            }
        }
        let conversation = &self.conversation;
        assert!(conversation.responses.len() <= 5, "{} responses", conversation.responses.len());
        assert!(conversation.asked.len() <= 256 && conversation.utterances.len() <= 256);
        assert!(conversation.items.len() <= MAX_ITEMS);
        assert!(conversation.commands.is_empty() && conversation.events.is_empty(), "all is handed over");
    }

    /// Everything under way comes to its end.
    fn settle(&mut self) {
        while self.core.take() {}
        self.core.finish();
        while self.hear() {}
        self.rules.settled();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn the_rules_hold_whatever_happens(steps in steps(), beta: bool) {
        let mut scene = Scene::new(if beta { Flavour::Beta } else { Flavour::Ga });
        for step in steps {
            scene.step(step);
        }
        scene.settle();
    }
}

#[test]
fn a_talk_without_end_stays_small() {
    let mut scene = Scene::new(Flavour::Ga);
    for round in 0..800_u32 {
        let vary = round as u8;
        for kind in [0, 1, 3, 6, 11, 14, 16] {
            scene.step(Step::Client(kind, vary));
            scene.step(Step::Take);
            scene.step(Step::Take);
        }
        for kind in 0..12 {
            scene.step(Step::Happen(kind, vary));
            scene.step(Step::Hear);
            scene.step(Step::Hear);
        }
    }
    scene.settle();
}

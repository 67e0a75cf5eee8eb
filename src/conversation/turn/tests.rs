//! What turn-taking promises, as examples and as properties over random inputs.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use proptest::prelude::*;

use super::*;
use crate::conversation::interruption::InterruptionSettings;

fn settings() -> TurnSettings {
    TurnSettings {
        soft_silence_ms: 200,
        silence_ms: 500,
        adaptive: true,
        interrupt: Interrupt::Meant,
        respond: true,
        manual: false,
        interruption: InterruptionSettings::default(),
    }
}

fn heard(turn: u32, revision: u32, text: &str) -> Input {
    Input::Decoded { turn: TurnId(turn), revision, text: text.into(), log_probability: -0.1 }
}

fn speech(voiced_ms: u32, silence_ms: u32) -> Input {
    Input::Speech { voiced_ms, silence_ms }
}

/// Feeds inputs, one effect list a step.
struct Story {
    machine: Turns,
    now: Instant,
}

impl Story {
    fn new(settings: TurnSettings) -> Self {
        Self { machine: Turns::new(settings), now: Instant::now() }
    }

    fn tell(&mut self, input: Input) -> Vec<Effect> {
        self.machine.handle(self.now, input)
    }

    /// A reply is running to a question asked as turn 1.
    fn replying() -> Self {
        let mut story = Self::new(settings());
        story.tell(Input::SpeechStarted { start_ms: 0 });
        story.tell(speech(900, 200));
        story.tell(heard(1, 0, "What time is it?"));
        story.tell(speech(900, 500));
        assert!(story.machine.replying());
        story.tell(Input::Sounding { turn: TurnId(1), text: "It is ten past nine.".into() });
        story
    }
}

const ONE: TurnId = TurnId(1);
const TWO: TurnId = TurnId(2);

#[test]
fn an_answer_is_prepared_at_the_soft_end_and_released_at_the_hard_end() {
    let mut story = Story::new(settings());
    assert_eq!(story.tell(Input::SpeechStarted { start_ms: 40 }), [Effect::OpenTurn { turn: ONE, start_ms: 40 }]);
    assert_eq!(story.tell(speech(900, 180)), []);
    assert_eq!(story.tell(speech(900, 200)), [Effect::Decode { turn: ONE, revision: 0 }]);
    assert_eq!(
        story.tell(heard(1, 0, "What time is it?")),
        [Effect::Reply { turn: ONE, text: "What time is it?".into(), held: true }]
    );
    assert_eq!(story.tell(speech(900, 380)), []);
    assert_eq!(
        story.tell(speech(900, 400)),
        [
            Effect::CloseSpeech { turn: ONE },
            Effect::Final { turn: ONE, text: "What time is it?".into() },
            Effect::Release { turn: ONE }
        ],
        "finished words end the turn sooner"
    );
    assert_eq!(story.tell(Input::ReplyEnded { turn: ONE }), [Effect::EndTurn { turn: ONE }]);
    assert!(story.machine.idle());
}

#[test]
fn going_on_after_the_soft_end_is_a_revision_of_the_same_turn() {
    let mut story = Story::new(settings());
    story.tell(Input::SpeechStarted { start_ms: 0 });
    story.tell(speech(600, 200));
    story.tell(heard(1, 0, "Set a timer."));
    assert_eq!(story.tell(speech(620, 0)), [Effect::Undecode { turn: ONE }, Effect::Withdraw { turn: ONE }]);
    assert_eq!(story.tell(heard(1, 0, "Set a timer.")), [], "the old decode is void");
    assert_eq!(story.tell(speech(1400, 200)), [Effect::Decode { turn: ONE, revision: 1 }]);
}

#[test]
fn a_late_decode_is_waited_for_and_answered_at_once() {
    let mut story = Story::new(settings());
    story.tell(Input::SpeechStarted { start_ms: 0 });
    story.tell(speech(900, 200));
    assert_eq!(story.tell(speech(900, 500)), [Effect::CloseSpeech { turn: ONE }]);
    assert_eq!(
        story.tell(heard(1, 0, "Hello.")),
        [
            Effect::Final { turn: ONE, text: "Hello.".into() },
            Effect::Reply { turn: ONE, text: "Hello.".into(), held: false }
        ]
    );
}

#[test]
fn words_over_a_reply_stop_it() {
    let mut story = Story::replying();
    assert_eq!(story.tell(Input::SpeechStarted { start_ms: 3000 }), []);
    assert_eq!(story.tell(speech(100, 0)), [Effect::Pause { turn: ONE }]);
    story.tell(Input::Hypothesis { text: "Stop".into() });
    assert_eq!(
        story.tell(speech(320, 0)),
        [
            Effect::OpenTurn { turn: TWO, start_ms: 3000 },
            Effect::CancelReply { turn: ONE, reason: CancelReason::BargeIn },
            Effect::EndTurn { turn: ONE }
        ]
    );
}

#[test]
fn a_cough_an_uh_huh_and_an_echo_let_the_reply_go_on() {
    for sound in ["", "Uh-huh.", "ten past nine"] {
        let mut story = Story::replying();
        story.tell(Input::SpeechStarted { start_ms: 3000 });
        story.tell(speech(240, 0));
        assert_eq!(story.tell(speech(240, 200)), [Effect::Decode { turn: TWO, revision: 0 }]);
        assert_eq!(
            story.tell(heard(2, 0, sound)),
            [Effect::DropSpeech { turn: TWO }, Effect::Resume { turn: ONE }],
            "{sound:?}"
        );
        assert!(story.machine.replying());
    }
}

#[test]
fn a_short_command_over_a_reply_is_obeyed() {
    let mut story = Story::replying();
    story.tell(Input::SpeechStarted { start_ms: 3000 });
    story.tell(speech(280, 0));
    story.tell(speech(280, 200));
    let effects = story.tell(heard(2, 0, "Stop."));
    assert!(effects.contains(&Effect::CancelReply { turn: ONE, reason: CancelReason::BargeIn }));
    assert!(effects.contains(&Effect::Reply { turn: TWO, text: "Stop.".into(), held: true }));
}

#[test]
fn a_pause_without_a_verdict_ends() {
    let mut story = Story::replying();
    story.tell(Input::SpeechStarted { start_ms: 3000 });
    story.tell(speech(120, 0));
    story.now += Duration::from_secs(3);
    assert_eq!(story.tell(Input::Tick), [Effect::DropSpeech { turn: TWO }, Effect::Resume { turn: ONE }]);
}

#[test]
fn push_to_talk_ends_only_by_commit() {
    let mut story = Story::new(TurnSettings { manual: true, ..settings() });
    assert_eq!(
        story.tell(Input::Commit { heard_audio: false, respond: true }),
        [Effect::Refuse { code: "nothing_to_commit" }]
    );
    story.tell(Input::SpeechStarted { start_ms: 0 });
    assert_eq!(story.tell(speech(900, 5000)), []);
    assert_eq!(
        story.tell(Input::Commit { heard_audio: true, respond: true }),
        [Effect::Decode { turn: ONE, revision: 0 }, Effect::CloseSpeech { turn: ONE }]
    );
    story.tell(heard(1, 0, "Hello."));
    assert!(story.machine.replying());
    assert_eq!(
        story.tell(Input::Commit { heard_audio: true, respond: true }),
        [Effect::NoSpeech { turn: TWO }, Effect::EndTurn { turn: TWO }]
    );
}

#[test]
fn where_speech_does_not_interrupt_the_answer_waits_its_turn() {
    let mut story = Story::replying();
    story.machine.configure(TurnSettings { interrupt: Interrupt::Never, ..settings() });
    story.tell(Input::SpeechStarted { start_ms: 3000 });
    story.tell(speech(500, 200));
    assert_eq!(story.tell(heard(2, 0, "And the date?")), []);
    let effects = story.tell(speech(500, 500));
    assert_eq!(effects[1], Effect::Final { turn: TWO, text: "And the date?".into() });
    assert_eq!(
        story.tell(Input::ReplyEnded { turn: ONE }),
        [Effect::EndTurn { turn: ONE }, Effect::Reply { turn: TWO, text: "And the date?".into(), held: false }]
    );
}

#[test]
fn typed_text_takes_the_floor_and_loses_no_spoken_word() {
    let mut story = Story::new(settings());
    story.tell(Input::SpeechStarted { start_ms: 0 });
    assert_eq!(
        story.tell(Input::Text("hi".into())),
        [
            Effect::Decode { turn: ONE, revision: 0 },
            Effect::CloseSpeech { turn: ONE },
            Effect::Reply { turn: TWO, text: "hi".into(), held: false }
        ]
    );
    assert_eq!(
        story.tell(heard(1, 0, "Hello.")),
        [
            Effect::Final { turn: ONE, text: "Hello.".into() },
            Effect::Record { turn: ONE, text: "Hello.".into() },
            Effect::EndTurn { turn: ONE }
        ]
    );
}

#[test]
fn where_any_voice_interrupts_it_does_so_at_once() {
    let mut story = Story::replying();
    story.machine.configure(TurnSettings { interrupt: Interrupt::AtOnce, ..settings() });
    assert_eq!(
        story.tell(Input::SpeechStarted { start_ms: 5_000 }),
        [
            Effect::OpenTurn { turn: TurnId(2), start_ms: 5_000 },
            Effect::CancelReply { turn: TurnId(1), reason: CancelReason::BargeIn },
            Effect::EndTurn { turn: TurnId(1) },
        ]
    );
}

#[test]
fn a_commit_may_go_unanswered_until_a_reply_is_asked_for() {
    let mut story = Story::new(TurnSettings { manual: true, ..settings() });
    story.tell(Input::SpeechStarted { start_ms: 0 });
    story.tell(speech(900, 0));
    story.tell(Input::Commit { heard_audio: true, respond: false });
    assert_eq!(story.tell(Input::Respond { beside: false }), [Effect::Respond { turn: TurnId(2) }]);
    assert_eq!(story.tell(Input::Respond { beside: false }), [Effect::Refuse { code: "already_replying" }]);
    assert_eq!(story.tell(Input::Respond { beside: true }), [Effect::Beside { turn: TurnId(3) }]);
    let text = "What time is it?".to_owned();
    assert_eq!(
        story.tell(heard(1, 0, &text)),
        [
            Effect::Final { turn: TurnId(1), text: text.clone() },
            Effect::Record { turn: TurnId(1), text },
            Effect::EndTurn { turn: TurnId(1) },
        ],
        "the reply that was asked for goes on"
    );
    assert_eq!(story.tell(Input::ReplyEnded { turn: TurnId(2) }), [Effect::EndTurn { turn: TurnId(2) }]);
}

fn any_input() -> impl Strategy<Value = Input> {
    let text = prop_oneof![Just(String::new()), Just("Stop.".into()), Just("Uh-huh.".into()), Just("I want to".into())];
    let turn = (1u32..12).prop_map(TurnId);
    prop_oneof![
        2 => (0u64..9999).prop_map(|start_ms| Input::SpeechStarted { start_ms }),
        8 => (0u32..1500, prop_oneof![Just(0u32), 0u32..1200]).prop_map(|(voiced_ms, silence_ms)| Input::Speech { voiced_ms, silence_ms }),
        2 => text.clone().prop_map(|text| Input::Hypothesis { text }),
        6 => (turn.clone(), 0u32..3, text, -2.0f32..0.0)
            .prop_map(|(turn, revision, text, log_probability)| Input::Decoded { turn, revision, text, log_probability }),
        1 => any::<(bool, bool)>().prop_map(|(heard_audio, respond)| Input::Commit { heard_audio, respond }),
        1 => Just(Input::Clear),
        1 => Just(Input::Text("typed".into())),
        1 => any::<bool>().prop_map(|beside| Input::Respond { beside }),
        1 => Just(Input::Nudge),
        1 => proptest::option::of(turn.clone()).prop_map(Input::Cancel),
        3 => turn.clone().prop_map(|turn| Input::ReplyEnded { turn }),
        1 => turn.prop_map(|turn| Input::ReplyFailed { turn }),
        1 => Just(Input::Tick),
    ]
}

fn any_interrupt() -> impl Strategy<Value = Interrupt> {
    prop_oneof![Just(Interrupt::Never), Just(Interrupt::Meant), Just(Interrupt::AtOnce)]
}

/// What an observer knows from effects alone.
#[derive(Default)]
struct Observer {
    started: BTreeSet<TurnId>,
    ended: BTreeSet<TurnId>,
    /// Replies that exist: made and neither withdrawn, cancelled nor over.
    live: BTreeSet<TurnId>,
    held: BTreeSet<TurnId>,
    dead: BTreeSet<TurnId>,
}

impl Observer {
    fn see(&mut self, effect: &Effect) {
        match effect {
            Effect::OpenTurn { turn, .. } | Effect::NoSpeech { turn } => {
                assert!(self.started.insert(*turn), "turn {turn} started twice");
            }
            Effect::Reply { turn, held, .. } => {
                self.started.insert(*turn); // typed turns start here
                assert!(!self.ended.contains(turn), "reply to a turn that is over");
                assert!(self.live.insert(*turn), "two replies to one turn");
                assert_eq!(self.live.len(), 1, "two replies at once");
                self.dead.remove(turn); // a withdrawn reply may be made anew
                if *held {
                    self.held.insert(*turn);
                }
            }
            Effect::Respond { turn } => {
                assert!(self.started.insert(*turn), "turn {turn} started twice");
                self.live.insert(*turn);
                assert_eq!(self.live.len(), 1, "two replies at once");
            }
            Effect::Nudged { turn } => {
                assert!(self.started.insert(*turn) && self.live.is_empty(), "nudged while something goes on");
            }
            Effect::Withdraw { turn } => {
                assert!(self.held.remove(turn), "withdrew what was not held");
                self.live.remove(turn);
                self.dead.insert(*turn);
            }
            Effect::Release { turn } => {
                assert!(self.held.remove(turn) && self.live.contains(turn), "released what was not held");
            }
            Effect::Pause { turn } | Effect::Resume { turn } => {
                assert!(
                    self.live.contains(turn) && !self.held.contains(turn),
                    "{effect:?} of a reply that does not run"
                );
            }
            Effect::CancelReply { turn, .. } => {
                assert!(!self.held.contains(turn) && self.live.remove(turn), "cancelled what does not run");
                self.dead.insert(*turn);
            }
            Effect::Final { turn, .. } | Effect::Record { turn, .. } => {
                assert!(self.started.contains(turn) && !self.ended.contains(turn), "{effect:?} outside its turn");
            }
            Effect::EndTurn { turn } => {
                assert!(self.started.contains(turn), "ended a turn that never started");
                assert!(self.ended.insert(*turn), "turn {turn} ended twice");
                self.live.remove(turn);
            }
            Effect::Decode { .. }
            | Effect::Undecode { .. }
            | Effect::CloseSpeech { .. }
            | Effect::DropSpeech { .. }
            | Effect::Beside { .. }
            | Effect::Refuse { .. } => {}
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    /// Never two replies at once, every started turn ends exactly once, nothing of a cancelled reply after its cancel.
    #[test]
    fn the_promises_hold_under_any_input(inputs in prop::collection::vec(any_input(), 0..120), interrupt in any_interrupt(), respond: bool, manual: bool) {
        let mut machine = Turns::new(TurnSettings { interrupt, respond, manual, ..settings() });
        let mut observer = Observer::default();
        let mut pending: Vec<(TurnId, u32)> = Vec::new();
        let mut now = Instant::now();
        let mut step = |input: Input| {
            now += Duration::from_millis(20);
            for effect in machine.handle(now, input) {
                observer.see(&effect);
                if let Effect::Decode { turn, revision } = effect {
                    pending.push((turn, revision));
                }
            }
        };
        inputs.into_iter().for_each(&mut step);
        step(Input::End);
        // Every decode that was asked for answers sooner or later.
        for (turn, revision) in pending.clone() {
            for effect in machine.handle(now, Input::Decoded { turn, revision, text: "late".into(), log_probability: -0.1 }) {
                observer.see(&effect);
            }
        }
        // What was said before the end may still be answered, one reply after the other.
        while let Some(turn) = observer.live.first().copied() {
            for effect in machine.handle(now, Input::ReplyEnded { turn }) {
                observer.see(&effect);
            }
            prop_assert!(!observer.live.contains(&turn));
        }
        prop_assert!(machine.idle(), "something is left after the end: {machine:?}");
        prop_assert_eq!(&observer.started, &observer.ended);
        prop_assert!(observer.live.is_empty());
    }
}

//! Speech to text for one client, from audio-start to transcript: a session that only writes down, told in Wyoming's
//! words. Only stable text is sent, so that the chunks joined are the transcript.

use std::{collections::BTreeMap, time::Duration};

use super::{
    sound::{BadSound, Sound},
    wire::{AudioFormat, Outgoing, Transcribe},
};
use crate::{
    audio::Pcm,
    conversation::{
        hub::{Attachment, Hub, Refused, SessionGone},
        journal::Owner,
        message::{Command, Event, Mode, SessionOptions, TurnDetection},
    },
    model::{TurnId, parse_language},
};

/// Sound from audio-start to audio-stop; what comes after that is not heard.
const LONGEST: Duration = Duration::from_mins(10);
/// Utterances that may wait for their text; then no more sound is taken for a while.
const MAX_WAITING: usize = 4;
/// How much sound a session takes at once.
const PIECE_MS: u32 = 100;
/// Characters of names and terms that steer the spelling.
const MAX_SPELLING: usize = 600;

/// One stream of sound that is being written down.
pub struct Hearing {
    hub: Hub,
    attachment: Attachment,
    sound: Sound,
    text: Growing,
    language: Option<String>,
    /// The client's time at the beginning, in ms.
    begun_ms: u64,
    taken: Duration,
    /// Utterances that ended and have no text yet.
    waiting: usize,
    stopped: bool,
}

/// What a stream has come to.
pub struct Told {
    pub events: Vec<Outgoing>,
    /// The transcript is among them; there is nothing more to come.
    pub over: bool,
}

impl Hearing {
    /// # Errors
    /// [`Refused`]: no session can be had.
    pub async fn begin(hub: &Hub, options: SessionOptions, begun_ms: u64) -> Result<(Self, Outgoing), Refused> {
        let language = options.language.clone();
        let attachment = hub.start(Owner::LOCAL, options, None).await?;
        let hearing = Self {
            hub: hub.clone(),
            attachment,
            sound: Sound::default(),
            text: Growing::default(),
            language: language.clone(),
            begun_ms,
            taken: Duration::ZERO,
            waiting: 0,
            stopped: false,
        };
        Ok((hearing, Outgoing::TranscriptStart { language }))
    }

    /// Whether audio-stop has come.
    pub fn stopped(&self) -> bool {
        self.stopped
    }

    /// Whether the client should be read no further for now.
    pub fn behind(&self) -> bool {
        self.waiting >= MAX_WAITING
    }

    /// Takes more sound.
    ///
    /// # Errors
    /// [`BadSound`]; or there is too much of it, which is said once.
    pub async fn hear(&mut self, format: AudioFormat, bytes: &[u8]) -> Result<(), Unheard> {
        let samples = self.sound.push(format, bytes)?;
        let before = self.taken;
        self.taken += samples.duration();
        if self.taken > LONGEST {
            return if before > LONGEST { Ok(()) } else { Err(Unheard::Long) };
        }
        self.send(samples).await;
        Ok(())
    }

    /// The sound is over: the rest of the text follows.
    pub async fn stop(&mut self) {
        if !std::mem::replace(&mut self.stopped, true) {
            let rest = self.sound.finish();
            self.send(rest).await;
            self.command(Command::End).await;
        }
    }

    /// What is told next; safe to cancel.
    pub async fn next(&mut self) -> Told {
        let Some(told) = self.attachment.next().await else { return self.over(None) };
        let mut events = Vec::new();
        let at = |ms: u64| self.begun_ms.saturating_add(ms);
        match told.event {
            Event::SpeechStarted { turn, at_ms } => {
                self.text.begin(turn);
                events.push(Outgoing::VoiceStarted { timestamp: at(at_ms) });
            }
            Event::SpeechStopped { at_ms, .. } => {
                self.waiting += 1;
                events.push(Outgoing::VoiceStopped { timestamp: at(at_ms) });
            }
            Event::Partial { turn, stable, .. } => self.text.stable(turn, stable),
            Event::Final { turn, text, language, .. } => {
                self.waiting = self.waiting.saturating_sub(1);
                if !text.is_empty() {
                    self.language = self.language.take().or(language);
                }
                self.text.finish(turn, text);
            }
            Event::Failed { error, .. } => events.push(Outgoing::error(error.code(), &error)),
            Event::Closed { .. } => return self.over(Some(events)),
            _ => {}
        }
        events.extend(self.text.chunk().map(|text| Outgoing::TranscriptChunk { text }));
        Told { events, over: false }
    }

    /// Nothing more comes. A client that waits for its transcript must have one, whatever happened.
    fn over(&mut self, events: Option<Vec<Outgoing>>) -> Told {
        let mut events = events.unwrap_or_default();
        if !self.stopped {
            events.push(Outgoing::error("session_ended", "the server ended the session before audio-stop"));
        }
        events.extend(self.text.rest().map(|text| Outgoing::TranscriptChunk { text }));
        let text = std::mem::take(&mut self.text.sent);
        events.push(Outgoing::Transcript { text, language: self.language.clone() });
        events.push(Outgoing::TranscriptStop {});
        Told { events, over: true }
    }

    async fn send(&mut self, samples: Pcm) {
        for piece in samples.samples.chunks(samples.rate.samples_in_ms(PIECE_MS)) {
            self.command(Command::Audio(Pcm::new(samples.rate, piece.to_vec()))).await;
        }
    }

    async fn command(&mut self, command: Command) {
        // A session that is gone says so among its events.
        let _: Result<(), SessionGone> = self.attachment.send(command).await;
    }
}

impl Drop for Hearing {
    /// Nobody comes back for it.
    fn drop(&mut self) {
        self.hub.end(self.attachment.session);
    }
}

/// Sound that was not taken.
#[derive(Debug, thiserror::Error)]
pub enum Unheard {
    #[error(transparent)]
    Bad(#[from] BadSound),
    #[error("more than {} minutes came before audio-stop; the rest is not heard", LONGEST.as_secs() / 60)]
    Long,
}

impl Unheard {
    /// For programs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Bad(_) => "bad_audio",
            Self::Long => "audio_too_long",
        }
    }
}

/// A session's options for what a client asked, on top of the server's own.
pub fn options(asked: &Transcribe, defaults: &SessionOptions) -> SessionOptions {
    let mut options = SessionOptions { mode: Mode::Transcribe, ..defaults.clone() };
    if let Some(language) = asked.language.as_deref().and_then(known_language) {
        options.language = Some(language);
    }
    if let TurnDetection::Voice { silence_ms, adaptive, .. } = &mut options.turn_detection {
        // So long Home Assistant itself waits.
        let silence = match asked.vad_sensitivity.as_deref() {
            Some("aggressive") => Some(250),
            Some("relaxed") => Some(1_250),
            _ => None,
        };
        if let Some(ms) = silence {
            (*silence_ms, *adaptive) = (ms, false);
        }
    }
    let words = asked.transcript_names.iter().chain(&asked.transcript_terms).flatten();
    let mut spelling = String::new();
    for word in words.map(|word| word.trim()).filter(|word| !word.is_empty()) {
        let separator = if spelling.is_empty() { "" } else { ", " };
        if spelling.chars().count() + separator.len() + word.chars().count() > MAX_SPELLING {
            break;
        }
        spelling.push_str(separator);
        spelling.push_str(word);
    }
    options.spelling = (!spelling.is_empty()).then_some(spelling).or(options.spelling);
    options
}

/// ISO 639-1 of `en-US`, `en_US` and `en`, also where no recogniser knows it; `None`: it says nothing.
pub fn primary(language: &str) -> Option<String> {
    let first = language.split(['-', '_']).next().unwrap_or_default().trim().to_ascii_lowercase();
    let known = (2..=3).contains(&first.len()) && first.bytes().all(|byte| byte.is_ascii_lowercase());
    known.then_some(first)
}

/// The code of a language that a recogniser may know, as clients name it; `None`: it says nothing.
fn known_language(name: &str) -> Option<String> {
    parse_language(name).ok().flatten().map(str::to_owned)
}

/// The text of all utterances, in their order, of which nothing is ever taken back.
#[derive(Debug, Default)]
struct Growing {
    sent: String,
    turns: BTreeMap<TurnId, Turn>,
}

#[derive(Debug, Default)]
struct Turn {
    known: String,
    /// How much of `known` was sent, in bytes.
    sent: usize,
    over: bool,
}

impl Growing {
    /// An utterance has its place from here on, though later ones may have text before it.
    fn begin(&mut self, turn: TurnId) {
        self.turns.entry(turn).or_default();
    }

    /// `text` only ever grows.
    fn stable(&mut self, turn: TurnId, text: String) {
        if let Some(turn) = self.turns.get_mut(&turn) {
            turn.learn(text);
        }
    }

    fn finish(&mut self, turn: TurnId, text: String) {
        let turn = self.turns.entry(turn).or_default();
        turn.learn(text);
        turn.over = true;
    }

    /// What can be sent now: as far as the first utterance that is not over.
    fn chunk(&mut self) -> Option<String> {
        let mut chunk = String::new();
        while let Some(mut first) = self.turns.first_entry() {
            let turn = first.get_mut();
            let fresh = turn.known.get(turn.sent..).unwrap_or_default();
            if !fresh.is_empty() {
                if turn.sent == 0 && !(self.sent.is_empty() && chunk.is_empty()) {
                    chunk.push(' ');
                }
                chunk.push_str(fresh);
                turn.sent = turn.known.len();
            }
            if !turn.over {
                break;
            }
            first.remove();
        }
        self.sent.push_str(&chunk);
        (!chunk.is_empty()).then_some(chunk)
    }

    /// All that is left, finished or not.
    fn rest(&mut self) -> Option<String> {
        self.turns.values_mut().for_each(|turn| turn.over = true);
        self.chunk()
    }
}

impl Turn {
    /// A text that goes back on what was sent is not believed.
    fn learn(&mut self, text: String) {
        if self.known.get(..self.sent).is_some_and(|sent| text.starts_with(sent)) {
            self.known = text;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_come_in_order_and_are_never_taken_back() {
        let mut text = Growing::default();
        let (one, two) = (TurnId(1), TurnId(2));
        text.begin(one);
        assert_eq!(text.chunk(), None);
        text.stable(one, "what".into());
        assert_eq!(text.chunk().as_deref(), Some("what"));
        text.begin(two);
        text.stable(two, "tell me".into());
        assert_eq!(text.chunk(), None, "the first is not over");
        text.stable(one, "that".into());
        assert_eq!(text.chunk(), None, "never taken back");
        text.finish(one, "what time is it?".into());
        assert_eq!(text.chunk().as_deref(), Some(" time is it? tell me"));
        text.begin(TurnId(3));
        text.finish(two, "tell me".into());
        text.finish(TurnId(3), String::new());
        assert_eq!(text.rest(), None);
        assert_eq!(text.sent, "what time is it? tell me");
    }

    #[test]
    fn what_a_client_asks_becomes_options() {
        let asked = Transcribe {
            language: Some("en_US".into()),
            vad_sensitivity: Some("relaxed".into()),
            transcript_names: Some(vec!["Aigolos".into(), String::new()]),
            transcript_terms: Some(vec!["dimmer".into(), "x".repeat(MAX_SPELLING)]),
        };
        let options = options(&asked, &SessionOptions::default());
        assert_eq!((options.mode, options.language.as_deref()), (Mode::Transcribe, Some("en")));
        assert_eq!(options.spelling.as_deref(), Some("Aigolos, dimmer"));
        let TurnDetection::Voice { silence_ms: 1_250, adaptive: false, .. } = options.turn_detection else {
            panic!("{:?}", options.turn_detection);
        };
        let defaults = SessionOptions { language: Some("ru".into()), ..SessionOptions::default() };
        let plain = super::options(&Transcribe::default(), &defaults);
        assert_eq!((plain.language.as_deref(), plain.spelling), (Some("ru"), None));
        for nothing in ["auto", "", "*", "ПРИВЕТ"] {
            assert_eq!((primary(nothing), known_language(nothing)), (None, None), "{nothing}");
        }
    }
}

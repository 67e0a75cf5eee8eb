//! Timers that are kept but cannot ring: a reply is only ever an answer.
//!
//! Which timer counts is read from the conversation itself, every time anew, so that words that were withdrawn or
//! forgotten leave nothing behind. All that is kept here is when each request was made.

use std::{collections::VecDeque, sync::Mutex};

use jiff::Timestamp;

use super::{
    is_cyrillic, russian, spell,
    words::{Heard, Token},
};
use crate::model::{Message, Role, SessionId};

/// The longest timer, and how long a start is remembered.
const LONGEST_S: u64 = 24 * 3600;
/// Starts remembered in all, and of one session; when full the oldest go.
const MOST_STARTS: usize = 4096;
const MOST_PER_SESSION: usize = 16;

/// What tells that a timer's end has been mentioned.
pub(super) const DONE: &str = "timer is done";

/// When timers were asked for.
#[derive(Debug, Default)]
pub(super) struct Starts(Mutex<VecDeque<Start>>);

#[derive(Debug)]
struct Start {
    session: SessionId,
    said: String,
    at: Timestamp,
}

impl Starts {
    fn remember(&self, session: SessionId, said: &str, at: Timestamp) {
        let mut starts = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        starts.retain(|start| {
            at.as_second() - start.at.as_second() <= LONGEST_S as i64
                && (start.session != session || start.said != said)
        });
        let mine = starts.iter().filter(|start| start.session == session).count();
        if mine >= MOST_PER_SESSION {
            let oldest = starts.iter().position(|start| start.session == session);
            oldest.map(|at| starts.remove(at));
        } else if starts.len() >= MOST_STARTS {
            starts.pop_front();
        }
        starts.push_back(Start { session, said: said.to_owned(), at });
    }

    fn find(&self, session: SessionId, said: &str) -> Option<Timestamp> {
        let starts = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        starts.iter().rev().find(|start| start.session == session && start.said == said).map(|start| start.at)
    }
}

/// The conversation as a timer sees it.
pub(super) struct Scene<'a> {
    pub starts: &'a Starts,
    pub session: Option<SessionId>,
    /// What was said before, oldest first.
    pub earlier: &'a [Message],
    pub said: &'a str,
    pub now: Timestamp,
}

/// The timer in force before what is being said: its length, and the seconds since it was started.
struct Running {
    length_s: u64,
    passed_s: u64,
    /// Its end has been mentioned.
    told: bool,
}

/// What became of a wish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    AskLength,
    Zero,
    TooLong,
    /// Nobody's conversation has timers.
    NoTimers,
    Set(u64),
    Off,
    None,
    NoPause,
    Done,
    Left(u64),
}

impl Scene<'_> {
    /// What becomes of what is said, where that concerns a timer.
    pub(super) fn outcome(&self) -> Option<Outcome> {
        let before = self.earlier.iter().rev().find(|m| m.role == Role::User);
        let asked = before.is_some_and(|m| matches!(Wish::of(&m.content, false), Some(Wish::AskLength)));
        Some(match Wish::of(self.said, asked)? {
            Wish::AskLength => Outcome::AskLength,
            Wish::Set(0) => Outcome::Zero,
            Wish::Set(length) if length > LONGEST_S => Outcome::TooLong,
            Wish::Set(length) => {
                let Some(session) = self.session else { return Some(Outcome::NoTimers) };
                self.starts.remember(session, self.said, self.now);
                Outcome::Set(length)
            }
            Wish::Cancel => match self.running() {
                Some(timer) if timer.passed_s < timer.length_s => Outcome::Off,
                _ => Outcome::None,
            },
            Wish::Pause => Outcome::NoPause,
            Wish::Left => match self.running() {
                None => Outcome::None,
                Some(timer) if timer.passed_s >= timer.length_s => Outcome::Done,
                Some(timer) => Outcome::Left(timer.length_s - timer.passed_s),
            },
        })
    }

    /// Whether a timer has ended and nobody has said so.
    pub(super) fn has_ended(&self) -> bool {
        self.running().is_some_and(|timer| timer.passed_s >= timer.length_s && !timer.told)
    }

    fn running(&self) -> Option<Running> {
        let mut running: Option<Running> = None;
        let mut asked = false;
        for message in self.earlier {
            match message.role {
                Role::System | Role::Tool => {}
                Role::Assistant => {
                    if let Some(timer) = running.as_mut() {
                        timer.told |= [DONE, russian::DONE].iter().any(|done| message.content.contains(done));
                    }
                }
                Role::User => {
                    let wish = Wish::of(&message.content, asked);
                    asked = matches!(wish, Some(Wish::AskLength));
                    match wish {
                        Some(Wish::Set(length_s)) if (1..=LONGEST_S).contains(&length_s) => {
                            running = self.session.and_then(|s| self.starts.find(s, &message.content)).map(|at| {
                                let passed_s = self.now.as_second().saturating_sub(at.as_second()).max(0) as u64;
                                Running { length_s, passed_s, told: false }
                            });
                        }
                        Some(Wish::Cancel) => running = None,
                        _ => {}
                    }
                }
            }
        }
        running
    }
}

/// What somebody wants of a timer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    Set(u64),
    AskLength,
    Cancel,
    Pause,
    Left,
}

impl Wish {
    /// `asked`: the person was just asked how long the timer should run.
    fn of(said: &str, asked: bool) -> Option<Self> {
        if is_cyrillic(said) {
            return russian::wish(&Heard::russian(said), asked);
        }
        let heard = &Heard::new(said);
        let length = length(heard);
        if heard.any(&["time is left", "time left", "are left", "time do i have", "long is the timer", "timer done"])
            || heard.all(&["timer", "how"])
        {
            return Some(Self::Left);
        }
        let about_timer = heard.any(&["timer"]);
        if about_timer && heard.any(&["cancel", "stop", "delete", "forget", "off"]) {
            return Some(Self::Cancel);
        }
        if about_timer && heard.any(&["pause"]) {
            return Some(Self::Pause);
        }
        let reminds = heard.any(&["remind me in", "remind me for", "tell me in"]);
        match length {
            // "set of time for five minutes" is what recognisers make of it.
            Some(length) if about_timer || reminds || asked || heard.all(&["set", "time for #"]) => {
                Some(Self::Set(length))
            }
            None if about_timer && heard.any(&["set", "start", "a timer", "timer for"]) => Some(Self::AskLength),
            _ => None,
        }
    }
}

/// What became of it, in words.
pub(super) fn told(outcome: &Outcome) -> String {
    match outcome {
        Outcome::AskLength => "For how long?".into(),
        Outcome::Zero => format!("That is no time. Your {DONE}."),
        Outcome::TooLong => "That is too long for me. One day is okay.".into(),
        Outcome::NoTimers => "I'm sorry, I have no timer here.".into(),
        Outcome::Set(length) => {
            format!("Okay, {} from now. I can't ring. Ask me how much time is left.", span(*length))
        }
        Outcome::Off => "Okay. The timer is off.".into(),
        Outcome::None => "There is no timer. Say, set a timer for ten seconds.".into(),
        Outcome::NoPause => "I can't pause a timer. I can cancel it.".into(),
        Outcome::Done => format!("Your {DONE}."),
        Outcome::Left(seconds) => {
            spell::sentence(&format!("{} {} left", span(*seconds), if *seconds == 1 { "is" } else { "are" }))
        }
    }
}

/// The length that was said, in seconds: "a minute", "half an hour", "one minute and thirty seconds".
fn length(heard: &Heard) -> Option<u64> {
    if heard.any(&["half an hour", "half hour"]) {
        return Some(1800);
    }
    if heard.any(&["half a minute", "half minute"]) {
        return Some(30);
    }
    // "an hour and a half"
    let half = if heard.any(&["hour and a half", "hours and a half"]) { Some(1800) } else { None };
    let mut total = half;
    for pair in heard.tokens.windows(2) {
        let count = match &pair[0] {
            Token::Number(n) => *n,
            Token::Word(word) if word == "a" || word == "an" => 1.0,
            Token::Word(_) => continue,
        };
        let Token::Word(unit) = &pair[1] else { continue };
        let seconds = match unit.as_str() {
            "second" | "seconds" => 1.0,
            "minute" | "minutes" => 60.0,
            "hour" | "hours" => 3600.0,
            _ => continue,
        };
        // A cast saturates, so no number said is too large to refuse politely.
        total = Some(((count * seconds).round() as u64).saturating_add(total.unwrap_or(0)));
    }
    total
}

/// "one hour and five minutes"; seconds only within the hour.
fn span(seconds: u64) -> String {
    let parts = [(seconds / 3600, "hour"), (seconds / 60 % 60, "minute"), (seconds % 60, "second")];
    let first = parts.iter().position(|(n, _)| *n > 0).unwrap_or(2);
    let said: Vec<String> =
        parts[first..].iter().take(2).filter(|(n, _)| *n > 0).map(|(n, unit)| spell::counted(*n, unit)).collect();
    if said.is_empty() { spell::counted(0, "second") } else { said.join(" and ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_understood() {
        let cases = [
            ("set a timer for ten seconds", Some(10)),
            ("a minute", Some(60)),
            ("half an hour", Some(1800)),
            ("one minute and thirty seconds", Some(90)),
            ("2 hours", Some(7200)),
            ("an hour and a half", Some(5400)),
            ("Set a 5-minute timer.", Some(300)),
            ("ten", None),
        ];
        for (said, expected) in cases {
            assert_eq!(length(&Heard::new(said)), expected, "{said}");
        }
        assert_eq!(span(65), "one minute and five seconds");
        assert_eq!(span(3605), "one hour");
        assert_eq!(span(60), "one minute");
    }

    #[test]
    fn starts_are_bounded() {
        let starts = Starts::default();
        let session = SessionId::fresh();
        let at = Timestamp::from_second(1_000_000).unwrap();
        for n in 0..100 {
            starts.remember(session, &format!("timer {n}"), at);
        }
        assert_eq!(starts.0.lock().unwrap().len(), MOST_PER_SESSION);
        for _ in 0..MOST_STARTS + 10 {
            starts.remember(SessionId::fresh(), "timer", at);
        }
        assert_eq!(starts.0.lock().unwrap().len(), MOST_STARTS);
        let later = Timestamp::from_second(1_000_000 + LONGEST_S as i64 + 1).unwrap();
        starts.remember(session, "timer", later);
        assert_eq!(starts.0.lock().unwrap().len(), 1, "what is over is forgotten");
    }
}

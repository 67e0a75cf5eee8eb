//! Timers that are kept but cannot ring: a reply is only ever an answer.
//!
//! Which timer counts is read from the conversation itself, every time anew, so that words that were withdrawn or
//! forgotten leave nothing behind. All that is kept here is when each request was made.

use std::{collections::VecDeque, sync::Mutex};

use jiff::Timestamp;

use super::{
    spell,
    words::{Heard, Token},
};
use crate::model::{Message, Role, SessionId};

/// The longest timer, and how long a start is remembered.
const LONGEST_S: u64 = 24 * 3600;
/// Starts remembered in all, and of one session; when full the oldest go.
const MOST_STARTS: usize = 4096;
const MOST_PER_SESSION: usize = 16;

/// What tells that a timer's end has been mentioned.
const DONE: &str = "timer is done";

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

impl Scene<'_> {
    /// Answers what concerns a timer.
    pub(super) fn answer(&self, heard: &Heard) -> Option<String> {
        let asked_before =
            self.earlier.iter().rev().find(|m| m.role == Role::User).is_some_and(|m| asks_length(&m.content));
        match Wish::of(heard, asked_before)? {
            Wish::AskLength => Some("For how long?".into()),
            Wish::Set(0) => Some("That is no time. Your timer is done.".into()),
            Wish::Set(length) if length > LONGEST_S => Some("That is too long for me. One day is okay.".into()),
            Wish::Set(length) => {
                let Some(session) = self.session else {
                    return Some("I'm sorry, I have no timer here.".into());
                };
                self.starts.remember(session, self.said, self.now);
                Some(format!("Okay, {} from now. I can't ring. Ask me how much time is left.", span(length)))
            }
            Wish::Cancel => Some(match self.running() {
                Some(timer) if timer.passed_s < timer.length_s => "Okay. The timer is off.".into(),
                _ => "There is no timer.".into(),
            }),
            Wish::Pause => Some("I can't pause a timer. I can cancel it.".into()),
            Wish::Left => Some(match self.running() {
                None => "There is no timer. Say, set a timer for ten seconds.".into(),
                Some(timer) if timer.passed_s >= timer.length_s => format!("Your {DONE}."),
                Some(timer) => {
                    let left = timer.length_s - timer.passed_s;
                    spell::sentence(&format!("{} {} left", span(left), if left == 1 { "is" } else { "are" }))
                }
            }),
        }
    }

    /// What to add to another answer when a timer has ended and nobody has said so.
    pub(super) fn notice(&self) -> Option<String> {
        let timer = self.running()?;
        (timer.passed_s >= timer.length_s && !timer.told).then(|| format!("By the way, your {DONE}."))
    }

    fn running(&self) -> Option<Running> {
        let mut running: Option<Running> = None;
        let mut asked = false;
        for message in self.earlier {
            match message.role {
                Role::System | Role::Tool => {}
                Role::Assistant => {
                    if let Some(timer) = running.as_mut() {
                        timer.told |= message.content.contains(DONE);
                    }
                }
                Role::User => {
                    let wish = Wish::of(&Heard::new(&message.content), asked);
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

enum Wish {
    Set(u64),
    AskLength,
    Cancel,
    Pause,
    Left,
}

impl Wish {
    /// `asked`: the person was just asked how long the timer should run.
    fn of(heard: &Heard, asked: bool) -> Option<Self> {
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
            Some(length) if about_timer || reminds || asked => Some(Self::Set(length)),
            None if about_timer && heard.any(&["set", "start", "a timer", "timer for"]) => Some(Self::AskLength),
            _ => None,
        }
    }
}

fn asks_length(text: &str) -> bool {
    matches!(Wish::of(&Heard::new(text), false), Some(Wish::AskLength))
}

/// The length that was said, in seconds: "a minute", "half an hour", "one minute and thirty seconds".
fn length(heard: &Heard) -> Option<u64> {
    if heard.any(&["half an hour", "half hour"]) {
        return Some(1800);
    }
    if heard.any(&["half a minute", "half minute"]) {
        return Some(30);
    }
    let mut total = None;
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

//! When each line of a conversation is shown.

use std::collections::HashMap;

use super::Names;
use crate::{
    job::Segment,
    model::{SessionId, Word},
    store::{Source, TurnRecord},
};

/// Characters of a line, and lines of a cue.
const LINE: usize = 42;
const LINES: usize = 2;
/// How long a character takes to say, for text whose times are not known.
const MS_PER_CHAR: u64 = 60;
/// No cue is shorter, unless the next one comes before.
const SHORTEST_MS: u64 = 700;

/// One piece of text on the screen; times count from the conversation's beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cue {
    pub start_ms: u64,
    pub end_ms: u64,
    pub person: bool,
    /// The first of its utterance or reply.
    pub first: bool,
    /// One or two, never empty, without line breaks.
    pub lines: Vec<String>,
}

impl Cue {
    #[must_use]
    pub(super) fn name(&self, names: Names) -> &'static str {
        if self.person { names.person } else { names.assistant }
    }
}

/// One side of a turn and when it sounded.
struct Line<'a> {
    person: bool,
    text: String,
    words: &'a [Word],
    /// What to add to the words' times.
    words_from: u64,
    start_ms: u64,
    end_ms: u64,
}

/// What the person heard of the reply, with dots where it was stopped; `None`: nothing.
pub(super) fn heard_of(turn: &TurnRecord) -> Option<String> {
    let reply = turn.reply.as_ref()?;
    let heard = reply.heard.trim();
    if heard.is_empty() {
        return None;
    }
    Some(if reply.interrupted { format!("{heard} …") } else { heard.to_owned() })
}

/// The cues of a conversation's turns, which come in order.
pub(super) fn of(turns: &[TurnRecord]) -> Vec<Cue> {
    let mut lines = lines(turns);
    lines.sort_by_key(|line| line.start_ms);
    // Who is interrupted stops when the other begins.
    for at in 1..lines.len() {
        let next = lines[at].start_ms;
        let before = &mut lines[at - 1];
        if before.end_ms > next && next > before.start_ms {
            before.end_ms = next;
        }
    }
    lines.iter().flat_map(pieces).collect()
}

/// The cues of a recording's text, which comes in order.
pub(super) fn of_segments(segments: &[Segment]) -> Vec<Cue> {
    let line = |segment: &Segment| -> Option<Vec<Cue>> {
        let text = segment.text.split_whitespace().collect::<Vec<_>>().join(" ");
        let (start_ms, end_ms) = (u64::from(segment.start_ms), u64::from(segment.end_ms.max(segment.start_ms + 1)));
        let line = Line { person: true, text, words: &segment.words, words_from: 0, start_ms, end_ms };
        (!line.text.is_empty()).then(|| pieces(&line))
    };
    segments.iter().filter_map(line).flatten().collect()
}

/// Where each session's audio clock stands on the conversation's, which begins with the first session.
fn session_starts(turns: &[TurnRecord]) -> HashMap<SessionId, u64> {
    let mut starts = HashMap::new();
    let mut origin = None;
    for turn in turns {
        // The words were final a moment after they had been spoken; typed words at once.
        let begun = turn.at.0.saturating_sub(turn.end_ms.min(i64::MAX as u64) as i64);
        let origin = *origin.get_or_insert(begun);
        starts.entry(turn.session).or_insert_with(|| begun.saturating_sub(origin).max(0) as u64);
    }
    starts
}

fn lines(turns: &[TurnRecord]) -> Vec<Line<'_>> {
    let starts = session_starts(turns);
    let origin = turns.first().map_or(0, |turn| turn.at.0.saturating_sub(turn.end_ms.min(i64::MAX as u64) as i64));
    let mut lines = Vec::new();
    for turn in turns {
        let from = starts.get(&turn.session).copied().unwrap_or_default();
        let spoken = turn.source != Source::Typed;
        let (start_ms, end_ms) = if spoken {
            (from + turn.start_ms, from + turn.end_ms.max(turn.start_ms + 1))
        } else {
            let at = turn.at.0.saturating_sub(origin).max(0) as u64;
            (at, at + to_say(&turn.text))
        };
        let text = turn.text.split_whitespace().collect::<Vec<_>>().join(" ");
        lines.push(Line { person: true, text, words: &turn.words, words_from: from, start_ms, end_ms });
        if let (Some(reply), Some(heard)) = (&turn.reply, heard_of(turn)) {
            // Timings count from the end of the words, or from when they were typed.
            let said = if spoken { end_ms } else { start_ms };
            let timed = |ms: Option<u32>| ms.map(|ms| said + u64::from(ms));
            let begun = timed(reply.timings.first_audio_ms.or(reply.timings.first_token_ms)).unwrap_or(end_ms);
            let begun = begun.max(start_ms + 1);
            let done = timed(reply.timings.done_ms).filter(|done| *done > begun);
            let ended = done.unwrap_or_else(|| begun + to_say(&heard)).max(begun + SHORTEST_MS);
            let text = heard.split_whitespace().collect::<Vec<_>>().join(" ");
            lines.push(Line { person: false, text, words: &[], words_from: 0, start_ms: begun, end_ms: ended });
        }
    }
    lines.retain(|line| !line.text.is_empty());
    lines
}

fn to_say(text: &str) -> u64 {
    (text.chars().count() as u64 * MS_PER_CHAR).max(SHORTEST_MS)
}

/// A line in pieces that fit on the screen, each at its time: by its words where those are known, else by its share of
/// the characters.
fn pieces(line: &Line) -> Vec<Cue> {
    let words: Vec<&str> = line.text.split(' ').collect();
    let timed = line.words.len() == words.len();
    let all = line.text.chars().count().max(1) as u64;
    let length = line.end_ms - line.start_ms;
    let mut cues = Vec::new();
    let (mut word, mut chars) = (0, 0);
    for lines in screens(&words) {
        let count: usize = lines.iter().map(|line| line.0).sum();
        let share: u64 = lines.iter().map(|line| line.1.chars().count() as u64 + 1).sum();
        let (start_ms, end_ms) = if timed && count > 0 {
            let (first, last) = (&line.words[word], &line.words[word + count - 1]);
            (line.words_from + u64::from(first.start_ms), line.words_from + u64::from(last.end_ms))
        } else {
            let at = |chars: u64| line.start_ms + length * chars.min(all) / all;
            (at(chars), at(chars + share))
        };
        cues.push(Cue {
            start_ms,
            end_ms: end_ms.max(start_ms + 1),
            person: line.person,
            first: cues.is_empty(),
            lines: lines.into_iter().map(|line| line.1).collect(),
        });
        word += count;
        chars += share;
    }
    cues
}

/// Words laid out: screens of lines, each line with how many words begin in it.
fn screens(words: &[&str]) -> Vec<Vec<(usize, String)>> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    for word in words {
        let mut counted = 1;
        // A word longer than a line (Chinese, or a long address) is cut.
        let letters: Vec<char> = word.chars().collect();
        for part in letters.chunks(LINE) {
            let part: String = part.iter().collect();
            match lines.last_mut() {
                Some((count, line)) if line.chars().count() + 1 + part.chars().count() <= LINE => {
                    line.push(' ');
                    line.push_str(&part);
                    *count += counted;
                }
                _ => lines.push((counted, part)),
            }
            counted = 0;
        }
    }
    lines.chunks(LINES).map(<[_]>::to_vec).collect()
}

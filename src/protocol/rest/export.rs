//! A conversation or a recording's text as a file: plain text, or cues for a player (SubRip, WebVTT). Pure.

mod cues;
mod name;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use self::cues::Cue;
pub use self::name::disposition;
use crate::{
    job::Segment,
    model::{Language, UnixMs},
    store::{Conversation, ConversationKind, TurnRecord},
};

/// Who is speaking, in the reader's language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Names {
    pub person: &'static str,
    pub assistant: &'static str,
}

impl Names {
    #[must_use]
    pub const fn of(language: Language) -> Self {
        match language {
            Language::En => Self { person: "You", assistant: "Assistant" },
            Language::Ru => Self { person: "Вы", assistant: "Ассистент" },
        }
    }
}

/// For reading: title, day, then who said what. A dictation or a recording is its words alone.
#[must_use]
pub fn txt(conversation: &Conversation, turns: &[TurnRecord], names: Names) -> String {
    let mut text = String::new();
    if !conversation.title.is_empty() {
        let _ = writeln!(text, "{}", one_line(&conversation.title)); // a String takes everything
    }
    let _ = writeln!(text, "{}\n", minute(conversation.created_at));
    for turn in turns {
        if conversation.kind == ConversationKind::Talk {
            let _ = writeln!(text, "{}: {}", names.person, one_line(&turn.text));
        } else {
            let _ = writeln!(text, "{}", one_line(&turn.text));
        }
        if let Some(heard) = cues::heard_of(turn) {
            let _ = writeln!(text, "{}: {}", names.assistant, one_line(&heard));
        }
        if conversation.kind == ConversationKind::Talk {
            text.push('\n');
        }
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

/// SubRip subtitles.
#[must_use]
pub fn srt(conversation: &Conversation, turns: &[TurnRecord], names: Names) -> String {
    srt_of(&cues::of(turns), |cue| match (conversation.kind, cue.first) {
        (ConversationKind::Talk, true) => format!("{}: ", cue.name(names)),
        _ => String::new(),
    })
}

/// WebVTT subtitles, with a voice for each speaker.
#[must_use]
pub fn vtt(conversation: &Conversation, turns: &[TurnRecord], names: Names) -> String {
    vtt_of(&cues::of(turns), |cue| match conversation.kind {
        ConversationKind::Talk => format!("<v {}>", cue.name(names)),
        _ => String::new(),
    })
}

/// SubRip subtitles of a recording.
#[must_use]
pub fn recording_srt(segments: &[Segment]) -> String {
    srt_of(&cues::of_segments(segments), |_| String::new())
}

/// WebVTT subtitles of a recording.
#[must_use]
pub fn recording_vtt(segments: &[Segment]) -> String {
    vtt_of(&cues::of_segments(segments), |_| String::new())
}

fn srt_of(cues: &[Cue], name: impl Fn(&Cue) -> String) -> String {
    let mut text = String::new();
    for (number, cue) in (1_u32..).zip(cues) {
        // An arrow in the text would be taken for the line of times.
        let lines = cue.lines.join("\n").replace("-->", "→");
        let (start, end) = (clock(cue.start_ms, ','), clock(cue.end_ms, ','));
        let _ = write!(text, "{number}\n{start} --> {end}\n{}{lines}\n\n", name(cue));
    }
    text
}

fn vtt_of(cues: &[Cue], voice: impl Fn(&Cue) -> String) -> String {
    let mut text = String::from("WEBVTT\n\n");
    for cue in cues {
        let lines = cue.lines.join("\n").replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let (start, end) = (clock(cue.start_ms, '.'), clock(cue.end_ms, '.'));
        let _ = write!(text, "{start} --> {end}\n{}{lines}\n\n", voice(cue));
    }
    text
}

/// `01:02:03,456`
fn clock(ms: u64, point: char) -> String {
    let (seconds, ms) = (ms / 1000, ms % 1000);
    format!("{:02}:{:02}:{:02}{point}{ms:03}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// The moment to the minute, in UTC: the server does not know where its reader is.
fn minute(at: UnixMs) -> String {
    jiff::Timestamp::from_millisecond(at.0).map(|at| at.strftime("%Y-%m-%d %H:%M UTC").to_string()).unwrap_or_default()
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

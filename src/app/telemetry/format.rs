//! A log line: as JSON, one flat object, or as text for people.

use std::{borrow::Cow, fmt::Write as _};

use jiff::{Timestamp, Zoned};
use serde_json::Value;
use tracing::Level;

/// How lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    Json,
    Text { colour: bool },
}

impl Look {
    pub(super) fn text(terminal: bool) -> Self {
        Self::Text { colour: terminal && std::env::var_os("NO_COLOR").is_none_or(|set| set.is_empty()) }
    }
}

/// What is written in one line.
pub(super) struct Record<'a> {
    pub at: Timestamp,
    pub level: Level,
    pub target: &'a str,
    pub message: &'a str,
    /// Of the event first, then of the spans around it, each name once.
    pub fields: &'a [(Cow<'static, str>, Value)],
}

impl Record<'_> {
    /// The line with its line feed.
    pub(super) fn line(&self, look: Look) -> String {
        let mut line = match look {
            Look::Json => self.json(),
            Look::Text { colour } => self.text(colour),
        };
        line.push('\n');
        line
    }

    fn json(&self) -> String {
        let mut line = format!(
            r#"{{"timestamp":"{:.3}","level":"{}","message":{},"target":{}"#,
            self.at,
            self.level,
            Value::from(self.message),
            Value::from(self.target)
        );
        for (name, value) in self.fields {
            let _ = write!(line, ",{}:{value}", Value::from(name.as_ref())); // a String takes everything
        }
        line.push('}');
        line
    }

    fn text(&self, colour: bool) -> String {
        let paint = |code: &'static str| if colour { code } else { "" };
        let (dim, plain) = (paint("\x1b[2m"), paint("\x1b[0m"));
        let mark = paint(match self.level {
            Level::ERROR => "\x1b[31m",
            Level::WARN => "\x1b[33m",
            Level::INFO => "\x1b[32m",
            _ => "\x1b[34m",
        });
        let local = Zoned::new(self.at, jiff::tz::TimeZone::system());
        let time = local.strftime("%H:%M:%S%.3f");
        let mut line = format!("{dim}{time}{plain} {mark}{:>5}{plain} ", self.level);
        if !self.target.starts_with("aigolos") {
            let _ = write!(line, "{dim}{}:{plain} ", self.target);
        }
        line.push_str(&printable(self.message));
        for (name, value) in self.fields {
            let value = match value {
                Value::String(text) => quoted(text),
                other => Cow::Owned(other.to_string()),
            };
            // The message may say it already, as that with the address to open does.
            if !(name == "url" && self.message.ends_with(&*value)) {
                let _ = write!(line, " {dim}{name}={plain}{value}");
            }
        }
        line
    }
}

fn quoted(text: &str) -> Cow<'_, str> {
    if text.is_empty() || text.contains([' ', '"', '=']) {
        return Cow::Owned(printable(&format!("{text:?}")).into_owned());
    }
    printable(text)
}

/// Control characters could move a terminal's cursor, or begin a line that nobody wrote.
fn printable(text: &str) -> Cow<'_, str> {
    if text.contains(char::is_control) {
        let escaped = text.chars().fold(String::with_capacity(text.len() + 8), |mut escaped, c| {
            if c.is_control() {
                escaped.extend(c.escape_default());
            } else {
                escaped.push(c);
            }
            escaped
        });
        return Cow::Owned(escaped);
    }
    Cow::Borrowed(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(look: Look, message: &str, fields: &[(&'static str, Value)]) -> String {
        let fields: Vec<_> = fields.iter().map(|(name, value)| (Cow::Borrowed(*name), value.clone())).collect();
        let at = Timestamp::from_millisecond(1_700_000_000_120).expect("a time");
        Record { at, level: Level::INFO, target: "aigolos::app", message, fields: &fields }.line(look)
    }

    #[test]
    fn a_json_line_is_one_flat_object() {
        let fields = [("turn.id", Value::from(3)), ("error", Value::from("a \"quoted\"\nword"))];
        let line = line(Look::Json, "reply failed", &fields);
        let read: Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!(read["timestamp"], "2023-11-14T22:13:20.120Z");
        assert_eq!((&read["level"], &read["turn.id"]), (&Value::from("INFO"), &Value::from(3)));
        assert_eq!(read["error"], "a \"quoted\"\nword");
        assert_eq!(line.matches('\n').count(), 1);
    }

    #[test]
    fn text_cannot_forge_a_line_or_move_the_cursor() {
        let fields = [("error", Value::from("x\n12:00 ERROR forged \x1b[2J"))];
        let line = line(Look::Text { colour: false }, "one\ntwo", &fields);
        assert_eq!(line.matches('\n').count(), 1, "{line}");
        assert!(!line.contains('\x1b') && line.contains("one\\ntwo"), "{line}");
    }

    #[test]
    fn the_address_to_open_ends_its_line() {
        let url = "http://127.0.0.1:8080";
        let line = line(Look::Text { colour: false }, &format!("listening; open {url}"), &[("url", url.into())]);
        assert!(line.trim_end().ends_with("open http://127.0.0.1:8080"), "{line}");
    }
}

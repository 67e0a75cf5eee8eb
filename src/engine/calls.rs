//! Calls of functions: the pieces a chat server streams become whole, bounded calls with unique ids; and calls in the
//! history stand before what came out of them, as every server wants it.

use std::collections::{HashMap, HashSet};

use super::ChatDelta;
use crate::model::{Message, Role, ToolCall};

/// Calls in one reply. No assistant needs more at once; a model in a loop stops here.
const MOST_CALLS: usize = 32;
/// Arguments of one call, in bytes.
const LONGEST_ARGUMENTS: usize = 64 * 1024;
/// A server's id or a name longer than this is no id or name.
const LONGEST_NAME: usize = 256;
/// Stands for the outcome of a call that nobody has told.
const NO_OUTCOME: &str = "no result";

/// A piece of a call as a server streams it. Servers differ in what they leave out.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    /// The server's number of the call.
    pub index: Option<u32>,
    pub id: Option<String>,
    pub name: Option<String>,
    pub arguments: String,
    /// Nothing more comes for this call, and what came before was another.
    pub whole: bool,
}

/// The calls of one reply so far.
#[derive(Debug)]
pub(super) struct Calls {
    calls: Vec<Open>,
    /// Ids that are taken: of the history and of this reply.
    taken: HashSet<String>,
}

#[derive(Debug, Default)]
struct Open {
    index: Option<u32>,
    /// The server's own.
    id: Option<String>,
    /// `None`: not told yet, and nothing was passed on.
    name: Option<String>,
    arguments: String,
    whole: bool,
}

impl Calls {
    /// For the reply to `messages`.
    pub(super) fn after(messages: &[Message]) -> Self {
        let taken = messages.iter().flat_map(|message| &message.calls).map(|call| call.id.clone()).collect();
        Self { calls: Vec::new(), taken }
    }

    /// What of `piece` can be passed on.
    ///
    /// # Errors
    /// A bound is passed; in words.
    pub(super) fn take(&mut self, piece: Piece) -> Result<Vec<ChatDelta>, String> {
        let id = piece.id.filter(|id| !id.is_empty());
        let name = piece.name.filter(|name| !name.is_empty());
        if name.as_ref().is_some_and(|name| name.len() > LONGEST_NAME) {
            return Err("the name of a function is too long".into());
        }
        let at = match self.of(piece.index, id.as_deref(), name.as_deref()).filter(|_| !piece.whole) {
            Some(at) => at,
            None if self.calls.len() == MOST_CALLS => return Err(format!("more than {MOST_CALLS} calls in one reply")),
            None => {
                self.calls.push(Open { index: piece.index, whole: piece.whole, ..Open::default() });
                self.calls.len() - 1
            }
        };
        let (call, number) = (&mut self.calls[at], at as u32);
        if call.arguments.len() + piece.arguments.len() > LONGEST_ARGUMENTS {
            return Err(format!("the arguments of a call have more than {LONGEST_ARGUMENTS} bytes"));
        }
        call.arguments.push_str(&piece.arguments);
        call.id = call.id.take().or(id);
        let mut deltas = Vec::new();
        let mut fresh = piece.arguments;
        if call.name.is_none() {
            let Some(name) = name else { return Ok(deltas) };
            call.name = Some(name.clone());
            fresh.clone_from(&call.arguments);
            let own = call.id.clone().filter(|id| id.len() <= LONGEST_NAME && !self.taken.contains(id));
            let id = own.unwrap_or_else(fresh_id);
            self.taken.insert(id.clone());
            deltas.push(ChatDelta::Call { call: number, id, name });
        }
        if !fresh.is_empty() {
            deltas.push(ChatDelta::Arguments { call: number, delta: fresh });
        }
        Ok(deltas)
    }

    /// What is missing at the end of the reply: a call without arguments has an empty object of them.
    ///
    /// # Errors
    /// A call's function was never named.
    pub(super) fn finish(&mut self) -> Result<Vec<ChatDelta>, String> {
        if self.calls.iter().any(|call| call.name.is_none()) {
            return Err("it called a function without saying which".into());
        }
        let mut deltas = Vec::new();
        for (at, call) in self.calls.iter_mut().enumerate().filter(|(_, call)| call.arguments.trim().is_empty()) {
            call.arguments.push_str("{}");
            deltas.push(ChatDelta::Arguments { call: at as u32, delta: "{}".into() });
        }
        Ok(deltas)
    }

    /// Which call a piece belongs to; `None`: a new one.
    fn of(&self, index: Option<u32>, id: Option<&str>, name: Option<&str>) -> Option<usize> {
        let same = |call: &Open| match (index, id) {
            (Some(_), _) => call.index == index,
            (None, Some(id)) => call.id.as_deref() == Some(id),
            // Neither number nor id: more of the last one, unless a function is named.
            (None, None) => true,
        };
        let at = self.calls.iter().rposition(same)?;
        let call = &self.calls[at];
        let other_id = id.is_some() && call.id.is_some() && call.id.as_deref() != id;
        // Some servers number all their calls 0, some repeat the name with every piece.
        let begins = name.is_some() && call.name.is_some() && (other_id || id.is_none() && call.complete(name));
        (!begins && !call.whole).then_some(at)
    }
}

impl Open {
    /// Whether a piece that names a function cannot be more of this call.
    fn complete(&self, name: Option<&str>) -> bool {
        self.name.as_deref() != name || serde_json::from_str::<serde::de::IgnoredAny>(&self.arguments).is_ok()
    }
}

/// A unique id for a call.
pub(super) fn fresh_id() -> String {
    format!("call_{}", uuid::Uuid::new_v4().simple())
}

/// The history with what came out of each call right behind the message that calls, and calls made one after the
/// other in one message. What came out of a call that is not there is left out; a call whose outcome nobody told gets
/// one that says so: servers refuse both.
pub(super) fn paired(messages: &[Message]) -> Vec<Message> {
    if messages.iter().all(|message| message.calls.is_empty() && message.role != Role::Tool) {
        return messages.to_vec();
    }
    let mut joined: Vec<Message> = Vec::with_capacity(messages.len());
    for message in messages.iter().filter(|message| message.role != Role::Tool || message.call_id.is_some()) {
        match joined.last_mut() {
            Some(last) if last.role == Role::Assistant && message.role == last.role && !message.calls.is_empty() => {
                if !last.content.is_empty() && !message.content.is_empty() {
                    last.content.push('\n');
                }
                last.content.push_str(&message.content);
                last.calls.extend(message.calls.iter().cloned());
            }
            _ => joined.push(message.clone()),
        }
    }
    let told: HashMap<&str, &Message> =
        joined.iter().filter_map(|message| Some((message.call_id.as_deref()?, message))).collect();
    let outcome = |call: &ToolCall| {
        let told = told.get(call.id.as_str()).copied().cloned();
        told.unwrap_or_else(|| Message::output(&call.id, NO_OUTCOME))
    };
    joined
        .iter()
        .filter(|message| message.role != Role::Tool)
        .flat_map(|message| std::iter::once(message.clone()).chain(message.calls.iter().map(outcome)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(index: Option<u32>, id: &str, name: &str, arguments: &str) -> Piece {
        let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        Piece { index, id: some(id), name: some(name), arguments: arguments.into(), whole: false }
    }

    /// The calls that `pieces` make: names and arguments.
    fn made(pieces: Vec<Piece>) -> Result<Vec<(String, String)>, String> {
        let mut calls = Calls::after(&[]);
        let mut deltas = Vec::new();
        for piece in pieces {
            deltas.extend(calls.take(piece)?);
        }
        deltas.extend(calls.finish()?);
        let mut made: Vec<(String, String)> = Vec::new();
        let mut ids = HashSet::new();
        for delta in deltas {
            match delta {
                ChatDelta::Call { call, id, name } => {
                    assert_eq!(call as usize, made.len(), "calls are counted from 0");
                    assert!(ids.insert(id), "ids are unique");
                    made.push((name, String::new()));
                }
                ChatDelta::Arguments { call, delta } => made[call as usize].1.push_str(&delta),
                other => panic!("{other:?}"),
            }
        }
        Ok(made)
    }

    #[test]
    fn every_servers_pieces_make_the_same_two_calls() {
        let expected = Ok(vec![("f".into(), r#"{"a":1}"#.into()), ("g".into(), "{}".into())]);
        let cases = [
            (
                "as documented",
                vec![
                    piece(Some(0), "x", "f", ""),
                    piece(Some(0), "", "", r#"{"a""#),
                    piece(Some(0), "", "", ":1}"),
                    piece(Some(1), "y", "g", ""),
                    piece(Some(1), "", "", "{}"),
                ],
            ),
            ("whole calls", vec![piece(Some(0), "x", "f", r#"{"a":1}"#), piece(Some(1), "y", "g", "{}")]),
            ("without ids", vec![piece(Some(0), "", "f", r#"{"a":1}"#), piece(Some(1), "", "g", "")]),
            (
                "without numbers",
                vec![piece(None, "x", "f", r#"{"a""#), piece(None, "x", "", ":1}"), piece(None, "y", "g", "{}")],
            ),
            (
                "without either",
                vec![piece(None, "", "f", r#"{"a""#), piece(None, "", "", ":1}"), piece(None, "", "g", "")],
            ),
            ("all numbered 0", vec![piece(Some(0), "x", "f", r#"{"a":1}"#), piece(Some(0), "y", "g", "{}")]),
            ("one id for all", vec![piece(Some(0), "x", "f", r#"{"a":1}"#), piece(Some(1), "x", "g", "{}")]),
            (
                "names repeated",
                vec![
                    piece(Some(0), "x", "f", r#"{"a""#),
                    piece(Some(0), "x", "f", ":1}"),
                    piece(Some(1), "", "g", "{"),
                    piece(Some(1), "", "g", "}"),
                ],
            ),
            (
                "the name comes late",
                vec![
                    piece(Some(0), "x", "", r#"{"a""#),
                    piece(Some(0), "", "f", ":1}"),
                    piece(Some(1), "", "g", " "),
                    piece(Some(1), "", "", "{}"),
                ],
            ),
        ];
        for (what, pieces) in cases {
            let made = made(pieces).map(|calls| calls.into_iter().map(|(n, a)| (n, a.trim().to_owned())).collect());
            assert_eq!(made, expected, "{what}");
        }
    }

    #[test]
    fn the_same_function_may_be_called_twice() {
        let twice = Ok(vec![("f".into(), "{}".into()), ("f".into(), "{}".into())]);
        for index in [None, Some(0)] {
            assert_eq!(made(vec![piece(index, "", "f", "{}"), piece(index, "", "f", "{}")]), twice);
        }
    }

    #[test]
    fn ids_of_the_history_are_not_given_again() {
        let call = ToolCall { id: "x".into(), name: "f".into(), arguments: "{}".into() };
        let mut calls = Calls::after(&[Message::calling("", vec![call])]);
        let Ok(deltas) = calls.take(piece(Some(0), "x", "f", "{}")) else { panic!("it is a whole call") };
        assert!(matches!(&deltas[0], ChatDelta::Call { id, .. } if id != "x" && id.starts_with("call_")));
        let Ok(deltas) = calls.take(piece(Some(1), "z", "f", "{}")) else { panic!("it is a whole call") };
        assert!(matches!(&deltas[0], ChatDelta::Call { id, .. } if id == "z"));
    }

    #[test]
    fn everything_is_bounded_and_nothing_is_nameless() {
        let many = |n: u32| (0..n).map(|at| piece(Some(at), "", "f", "{}")).collect();
        assert_eq!(made(many(32)).map(|calls| calls.len()), Ok(32));
        assert!(made(many(33)).is_err());
        let long = "x".repeat(LONGEST_ARGUMENTS / 2);
        let pieces = |n| vec![piece(Some(0), "", "f", &long); n];
        assert!(made(pieces(2)).is_ok());
        assert!(made(pieces(3)).is_err());
        assert!(made(vec![piece(Some(0), "x", "", "{}")]).is_err());
        assert!(made(vec![piece(Some(0), "x", &"f".repeat(300), "{}")]).is_err());
    }

    #[test]
    fn outcomes_stand_behind_their_calls() {
        let call = |id: &str| ToolCall { id: id.into(), name: "f".into(), arguments: "{}".into() };
        let (said, a, b) = (Message::new(Role::User, "hm"), Message::output("a", "1"), Message::output("b", "2"));
        let history = [
            said.clone(),
            Message::calling("Wait.", vec![call("a")]),
            Message::calling("", vec![call("b")]),
            said.clone(),
            b.clone(),
            Message::output("gone", "3"),
            a.clone(),
            Message::calling("", vec![call("c")]),
        ];
        let expected = [
            said.clone(),
            Message::calling("Wait.", vec![call("a"), call("b")]),
            a,
            b,
            said,
            Message::calling("", vec![call("c")]),
            Message::output("c", NO_OUTCOME),
        ];
        assert_eq!(paired(&history), expected);
    }
}

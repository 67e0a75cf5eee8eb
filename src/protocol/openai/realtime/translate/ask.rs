//! Commands whose answer carries a tag, and what becomes of those the session refuses.

use super::{Conversation, speech::Utterance};
use crate::{
    conversation::message::Command,
    protocol::openai::realtime::{
        fault::Fault,
        response::Wish,
        wire::server::{Body, Kind},
    },
};

/// Answers that are waited for. More are forgotten, the oldest first: most commands are answered only if refused.
const MAX_ASKED: usize = 256;

/// What a tag stands for.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Asked {
    /// The client's name for the event.
    pub event_id: Option<String>,
    pub what: What,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum What {
    Respond(Box<Wish>),
    Cancel,
    Commit,
    /// A recording as an item.
    Add {
        item_id: String,
    },
    Cut {
        item_id: String,
        end_ms: u32,
    },
}

impl Conversation {
    /// Sends a command under a tag of its own.
    pub(super) fn ask(&mut self, command: Command, event_id: Option<&String>, what: What) -> u64 {
        self.last_tag += 1;
        let tag = self.last_tag;
        if self.asked.len() >= MAX_ASKED {
            self.asked.pop_front();
        }
        self.asked.push_back((tag, Asked { event_id: event_id.cloned(), what }));
        self.commands.push(Command::Tagged { tag, command: Box::new(command) });
        tag
    }

    /// What `tag` stands for; it is answered now.
    pub(super) fn answered(&mut self, tag: Option<u64>) -> Option<Asked> {
        let tag = tag?;
        let at = self.asked.iter().position(|(known, _)| *known == tag)?;
        self.asked.remove(at).map(|(_, asked)| asked)
    }

    /// Whether a response to the conversation was asked for and has not begun.
    pub(super) fn awaits_response(&self) -> bool {
        self.asked.iter().any(|(_, asked)| matches!(&asked.what, What::Respond(wish) if !wish.beside))
    }

    /// How many responses beside the conversation were asked for and have not begun.
    pub(super) fn awaited_beside(&self) -> usize {
        self.asked.iter().filter(|(_, asked)| matches!(&asked.what, What::Respond(wish) if wish.beside)).count()
    }

    /// The session has come to a `clear` of the client's.
    pub(super) fn cleared(&mut self, tag: u64) {
        while self.clearing.front().is_some_and(|clearing| *clearing <= tag) {
            self.clearing.pop_front();
        }
    }

    pub(super) fn refused(&mut self, code: &'static str, message: String, tag: Option<u64>) {
        // What nobody asked for under a name, nobody waits for.
        let Some(asked) = self.answered(tag) else { return };
        let fault = match asked.what {
            // The voice was committed just before by itself: the item is there, and has or gets its words.
            What::Commit => {
                let waits = |utterance: &&mut Utterance| utterance.commit == tag && !utterance.ended;
                if let Some(id) = self.utterances.iter_mut().find(waits).map(|utterance| utterance.item_id.clone()) {
                    self.transcribed(&id, "", 0);
                }
                return;
            }
            // The session no longer knows the reply; the client's item is cut all the same.
            What::Cut { item_id, end_ms } => return self.cut_alone(&item_id, end_ms),
            What::Add { item_id } => {
                if self.items.remove(&item_id).is_some() {
                    self.tell(Kind::ItemDeleted, Body::Named { item_id });
                }
                Fault::new("rate_limit_exceeded", message)
            }
            What::Cancel if std::mem::take(&mut self.cut_short) => return,
            What::Cancel => not_active(),
            What::Respond(_) if code == "already_replying" => self.already_active(),
            What::Respond(_) => Fault::new(code, message),
        };
        self.tell_fault(fault, asked.event_id);
    }

    pub(super) fn already_active(&self) -> Fault {
        let running = self.responses.iter().find(|response| !response.wish.beside);
        let which = running.map_or_else(String::new, |response| format!(": {}", response.id));
        let text = format!(
            "Conversation already has an active response in progress{which}. Wait until the response is finished before creating a new one."
        );
        Fault::new("conversation_already_has_active_response", text)
    }
}

pub(super) fn not_active() -> Fault {
    Fault::new("response_cancel_not_active", "Cancellation failed: no active response found")
}

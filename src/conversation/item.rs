//! Entries of a conversation that a client can name: what was said, what was replied, what functions were called and
//! gave, and what the client itself put in.

use crate::{
    audio::{Pcm, SampleRate},
    engine::{Tool, ToolChoice},
    model::{Role, ToolCall, TurnId},
};

/// Names an entry within its session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ItemKey {
    /// What the person said in a turn.
    Said(TurnId),
    /// What was replied in it.
    Reply(TurnId),
    /// A function called in that reply, counted from 0.
    Call(TurnId, u32),
    /// Put in by the client, which numbers these itself, each once.
    Given(u64),
}

/// An entry's content.
#[derive(Debug, Clone, PartialEq)]
pub enum ItemContent {
    /// Something written: instructions, the person's words, or the assistant's.
    Text { role: Role, text: String },
    /// Something the person said, as sound; it is turned into text before anything is asked of the chat model.
    Speech(Pcm),
    /// A function the assistant called.
    Call(ToolCall),
    /// What came out of a call.
    Output { call_id: String, output: String },
}

/// Where an entry goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum After {
    /// After everything else.
    #[default]
    All,
    /// Before everything else.
    Nothing,
    /// After this one; at the end if it is no longer remembered.
    Item(ItemKey),
}

/// An entry the client puts in.
#[derive(Debug, Clone, PartialEq)]
pub struct NewItem {
    /// [`ItemKey::Given`].
    pub key: ItemKey,
    pub after: After,
    pub content: ItemContent,
}

/// Asks for a reply to the conversation as it stands. `None` wherever the session's own option counts.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Respond {
    pub instructions: Option<String>,
    pub tools: Option<Vec<Tool>>,
    pub tool_choice: Option<ToolChoice>,
    /// `Some(None)`: as many as the model may.
    pub max_tokens: Option<Option<u32>>,
    pub temperature: Option<f32>,
    /// Whether the reply is spoken.
    pub speak: Option<bool>,
    pub voice: Option<String>,
    pub output_rate: Option<SampleRate>,
    /// What the model is told in place of the conversation.
    pub input: Option<Vec<InputItem>>,
    /// The reply stands beside the conversation: it is not remembered, interrupts nothing and is not interrupted.
    pub beside: bool,
}

/// An entry of what a model is told in place of the conversation.
#[derive(Debug, Clone, PartialEq)]
pub enum InputItem {
    Given(ItemContent),
    Known(ItemKey),
}

//! Items that clients put in: read, checked, and given to the session.

use super::{
    Conversation,
    ask::What,
    inward::{recording, short, unbase64},
};
use crate::{
    conversation::{
        item::{After, ItemContent, ItemKey, NewItem},
        message::Command,
    },
    model::{Role, ToolCall},
    protocol::openai::realtime::{
        fault::Fault,
        items::{Content, Item, Part, Place, Status},
        wire::{
            item::{ItemWish, PartWish},
            server::{Body, Kind},
        },
    },
};

const MAX_ID: usize = 256;
/// The text of one item, in bytes: it is told again, in a frame of less than 1 MiB.
const MAX_TEXT: usize = 256 * 1024;
const MAX_PARTS: usize = 256;

impl Conversation {
    pub(super) fn create_item(
        &mut self,
        wish: &ItemWish,
        previous: Option<&str>,
        event_id: Option<&String>,
    ) -> Result<(), Fault> {
        if let Some(id) = &wish.id {
            if id.is_empty() || id.len() > MAX_ID {
                return Err(Fault::value("item.id", format!("must have 1 to {MAX_ID} bytes")));
            }
            if self.items.get(id).is_some() {
                let text = format!("Error adding item: an item with id '{}' already exists.", short(id));
                return Err(Fault::new("item_create_duplicate_item_id", text).of("item.id"));
            }
        }
        let (place, mut after) = match previous {
            None => (Place::Last, After::All),
            Some("root") => (Place::First, After::Nothing),
            Some(id) => {
                let unknown = || Fault::value("previous_item_id", format!("there is no item '{}'", short(id)));
                let item = self.items.get(id).ok_or_else(unknown)?;
                // What holds nothing is known here alone: the session puts what follows it at the end.
                (Place::After(id), item.keys.last().map_or(After::All, |key| After::Item(*key)))
            }
        };
        let (content, contents) = self.read_item(wish, "item")?;
        let id = wish.id.clone().unwrap_or_else(|| self.ids.fresh("item"));
        let mut keys = Vec::with_capacity(contents.len());
        for content in contents {
            self.last_given += 1;
            let key = ItemKey::Given(self.last_given);
            let speech = matches!(content, ItemContent::Speech(_));
            let command = Command::Add(Box::new(NewItem { key, after, content }));
            // The session takes any text, and some recordings at a time.
            if speech {
                self.ask(command, event_id, What::Add { item_id: id.clone() });
            } else {
                self.commands.push(command);
            }
            keys.push(key);
            if after != After::All {
                after = After::Item(key);
            }
        }
        self.begun = true;
        let item = Item { id, keys, status: Status::Completed, content };
        let told = item.told(self.flavour);
        let previous_item_id = self.items.insert(item, place);
        self.tell(Kind::ItemAdded, Body::Item { previous_item_id: previous_item_id.clone(), item: told.clone() });
        self.tell(Kind::ItemDone, Body::Item { previous_item_id, item: told });
        Ok(())
    }

    /// What a client's item holds: for its client, and for the session.
    pub(super) fn read_item(&self, wish: &ItemWish, at: &str) -> Result<(Content, Vec<ItemContent>), Fault> {
        let path = |field: &str| format!("{at}.{field}");
        let needed = |field: &str, text: &Option<String>| text.clone().ok_or_else(|| Fault::missing(path(field)));
        let bounded = |field: &str, text: String| {
            if text.len() > MAX_TEXT {
                return Err(Fault::value(path(field), format!("longer than {MAX_TEXT} bytes")));
            }
            Ok(text)
        };
        match wish.r#type.as_deref() {
            Some("message") => self.read_message(wish, at),
            Some("function_call") => {
                let call = ToolCall {
                    id: bounded("call_id", needed("call_id", &wish.call_id)?)?,
                    name: bounded("name", needed("name", &wish.name)?)?,
                    arguments: bounded("arguments", needed("arguments", &wish.arguments)?)?,
                };
                Ok((Content::Call(call.clone()), vec![ItemContent::Call(call)]))
            }
            Some("function_call_output") => {
                let call_id = bounded("call_id", needed("call_id", &wish.call_id)?)?;
                let output = bounded("output", needed("output", &wish.output)?)?;
                let content = ItemContent::Output { call_id: call_id.clone(), output: output.clone() };
                Ok((Content::Output { call_id, output }, vec![content]))
            }
            Some(_) => {
                let text =
                    "known are message, function_call and function_call_output; this server reaches no MCP servers";
                Err(Fault::value(path("type"), text))
            }
            None => Err(Fault::missing(path("type"))),
        }
    }

    fn read_message(&self, wish: &ItemWish, at: &str) -> Result<(Content, Vec<ItemContent>), Fault> {
        let role = match wish.role.as_deref() {
            Some("user") => Role::User,
            Some("assistant") => Role::Assistant,
            Some("system" | "developer") => Role::System,
            Some(_) => return Err(Fault::value(format!("{at}.role"), "known are system, user and assistant")),
            None => return Err(Fault::missing(format!("{at}.role"))),
        };
        let wishes = wish.content.as_deref().ok_or_else(|| Fault::missing(format!("{at}.content")))?;
        if wishes.len() > MAX_PARTS {
            return Err(Fault::value(format!("{at}.content"), format!("more than {MAX_PARTS} parts")));
        }
        let mut parts = Vec::with_capacity(wishes.len());
        let mut contents: Vec<ItemContent> = Vec::new();
        let mut bytes = 0;
        for (number, wish) in wishes.iter().enumerate() {
            let (part, content) = self.read_part(wish, role, &format!("{at}.content[{number}]"))?;
            parts.push(part);
            // Neighbouring texts are one to the model.
            match (contents.last_mut(), content) {
                (Some(ItemContent::Text { text, .. }), ItemContent::Text { text: more, .. }) => {
                    bytes += more.len();
                    text.push('\n');
                    text.push_str(&more);
                }
                (_, content) => {
                    if let ItemContent::Text { text, .. } = &content {
                        bytes += text.len();
                    }
                    contents.push(content);
                }
            }
            if bytes > MAX_TEXT {
                return Err(Fault::value(format!("{at}.content"), format!("longer than {MAX_TEXT} bytes")));
            }
        }
        Ok((Content::Message { role, parts }, contents))
    }

    fn read_part(&self, wish: &PartWish, role: Role, at: &str) -> Result<(Part, ItemContent), Fault> {
        let text = |text: &str| ItemContent::Text { role, text: text.to_owned() };
        match wish.r#type.as_deref() {
            Some("input_text" | "output_text" | "text") => {
                let words = wish.text.clone().ok_or_else(|| Fault::missing(format!("{at}.text")))?;
                let content = text(&words);
                Ok((Part::Text(words), content))
            }
            Some("input_audio" | "output_audio" | "audio") => {
                let content = match (&wish.transcript, &wish.audio) {
                    (Some(words), _) => text(words),
                    (None, Some(_)) if role != Role::User => return Err(Fault::missing(format!("{at}.transcript"))),
                    (None, Some(audio)) => {
                        let bytes = unbase64(audio, &format!("{at}.audio"))?;
                        ItemContent::Speech(recording(&bytes, self.config.input))
                    }
                    (None, None) => return Err(Fault::missing(format!("{at}.audio"))),
                };
                Ok((Part::Sound { transcript: wish.transcript.clone() }, content))
            }
            Some("input_image") => {
                Err(Fault::value(format!("{at}.type"), "this server sees no images; send input_text or input_audio"))
            }
            Some(_) => Err(Fault::value(
                format!("{at}.type"),
                "known are input_text, input_audio, output_text and output_audio",
            )),
            None => Err(Fault::missing(format!("{at}.type"))),
        }
    }
}

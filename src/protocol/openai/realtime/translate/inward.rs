//! What the client asks.

use data_encoding::BASE64;
use serde_json::{Map, Value};

use super::{
    Conversation,
    ask::{What, not_active},
    decoder,
    speech::TICKS,
};
use crate::{
    audio::{Decoder, Pcm},
    conversation::{
        item::{InputItem, Respond},
        message::Command,
    },
    protocol::openai::realtime::{
        fault::Fault,
        response::{Response, Wish},
        session_object::{self, Format, SessionKind, Situation, max_tokens, modalities, tool_choice, tools},
        wire::{
            Flavour,
            client::{ClientEvent, ItemTruncate, ResponseCancel},
            response::ResponseWish,
            server::{Body, Kind},
            session::SessionWish,
        },
    },
};

/// What one [`Command::Audio`] holds at most: the session's bound on unprocessed audio counts pieces.
const PIECE_MS: u32 = 100;
/// How far beyond the sound sent a truncation may lie: clients count what their loudspeakers took.
const OVERSHOOT_MS: u64 = 1_000;
const MAX_INSTRUCTIONS: usize = 100_000;
/// Responses beside the conversation at once.
const MAX_BESIDE: usize = 4;
/// Items of the client's that stand in for the conversation.
const MAX_INPUT: usize = 1_000;
const MAX_METADATA: usize = 16;
const MAX_METADATA_KEY: usize = 64;
const MAX_METADATA_VALUE: usize = 512;

impl Conversation {
    pub(super) fn follow(&mut self, event: ClientEvent, event_id: Option<&String>) -> Result<(), Fault> {
        match event {
            ClientEvent::SessionUpdate(wish) => {
                // Only the spelling in force names its kind; who does has outgrown the header that asked for the other.
                let outgrown = wish.r#type.is_some() && (wish.audio.is_some() || !session_object::flat(&wish));
                self.update(&wish, outgrown)
            }
            ClientEvent::TranscriptionSessionUpdate(mut wish) => {
                wish.r#type = Some(SessionKind::Transcription.name().into());
                self.update(&wish, false)
            }
            ClientEvent::Append(append) => self.append(&append.audio),
            ClientEvent::Commit => self.commit(event_id),
            ClientEvent::Clear => {
                self.clear();
                Ok(())
            }
            ClientEvent::ItemCreate(create) => {
                self.create_item(&create.item, create.previous_item_id.as_deref(), event_id)
            }
            ClientEvent::ItemRetrieve(named) => self.retrieve(&named.item_id),
            ClientEvent::ItemDelete(named) => self.delete(named.item_id),
            ClientEvent::ItemTruncate(cut) => self.truncate(cut, event_id),
            ClientEvent::ResponseCreate(wish) => self.respond(&wish, event_id),
            ClientEvent::ResponseCancel(cancel) => self.cancel(&cancel, event_id),
            ClientEvent::OutputClear => Err(Fault::value(
                "type",
                "output_audio_buffer.clear is for WebRTC and SIP; on a WebSocket the client holds the sound itself",
            )),
        }
    }

    // ------------------------------------------------------------ session

    fn update(&mut self, wish: &SessionWish, outgrown: bool) -> Result<(), Fault> {
        let now = Situation { spoken: self.spoken, begun: self.begun };
        let config = self.config.merged(wish, &self.offer, now)?;
        if config.input != self.config.input {
            self.decoder = decoder(config.input);
        }
        if self.flavour == Flavour::Beta && outgrown && !self.begun {
            self.flavour = Flavour::Ga;
        }
        self.config = config;
        self.commands.push(Command::Update(Box::new(self.config.options(&self.offer))));
        self.tell_session(Kind::SessionUpdated, Kind::TranscriptionUpdated);
        Ok(())
    }

    // ------------------------------------------------------------ sound

    fn append(&mut self, audio: &str) -> Result<(), Fault> {
        let bytes = unbase64(audio, "audio")?;
        let Pcm { rate, samples } = self.decoder.push(&bytes);
        self.begun |= !samples.is_empty();
        self.appended += samples.len() as u64 * (TICKS * 1_000 / u64::from(rate.hz()));
        let pieces = samples.chunks(rate.samples_in_ms(PIECE_MS));
        self.commands.extend(pieces.map(|piece| Command::Audio(Pcm::new(rate, piece.to_vec()))));
        Ok(())
    }

    // ------------------------------------------------------------ items

    fn retrieve(&mut self, id: &str) -> Result<(), Fault> {
        let unknown = || unknown_item("item_retrieve_invalid_item_id", "retrieving", id);
        let item = self.item(id).ok_or_else(unknown)?.told(self.flavour);
        self.tell(Kind::ItemRetrieved, Body::Retrieved { item });
        Ok(())
    }

    fn delete(&mut self, item_id: String) -> Result<(), Fault> {
        let unknown = || unknown_item("item_delete_invalid_item_id", "deleting", &item_id);
        let item = self.items.remove(&item_id).ok_or_else(unknown)?;
        self.commands.extend(item.keys.into_iter().map(Command::Remove));
        self.tell(Kind::ItemDeleted, Body::Named { item_id });
        Ok(())
    }

    fn truncate(&mut self, cut: ItemTruncate, event_id: Option<&String>) -> Result<(), Fault> {
        let ItemTruncate { item_id, content_index, audio_end_ms } = cut;
        let unknown = || unknown_item("item_truncate_invalid_item_id", "truncating", &item_id);
        let item = self.item(&item_id).ok_or_else(unknown)?;
        let text = "Only model output audio messages can be truncated";
        let made = item.made().ok_or_else(|| Fault::new("", text).nameless())?;
        if content_index.0 != 0 {
            return Err(Fault::value("content_index", "the sound of a message is its part 0"));
        }
        if !(0.0..=f64::from(u32::MAX)).contains(&audio_end_ms) {
            return Err(Fault::value("audio_end_ms", "must be a number of milliseconds, 0 or more"));
        }
        let (wanted, sent) = (audio_end_ms as u64, made.ms());
        if wanted > sent + OVERSHOOT_MS {
            let text = format!("Audio content of {sent}ms is already shorter than {wanted}ms");
            return Err(Fault::value("audio_end_ms", text));
        }
        let end_ms = wanted.min(sent) as u32;
        self.cut_short |= self.responses.iter().any(|response| !response.wish.beside && response.turn == made.turn);
        let command = Command::Cut { turn: made.turn, played_ms: end_ms };
        self.ask(command, event_id, What::Cut { item_id, end_ms });
        Ok(())
    }

    // ------------------------------------------------------------ responses

    fn respond(&mut self, wish: &ResponseWish, event_id: Option<&String>) -> Result<(), Fault> {
        if self.config.kind == SessionKind::Transcription {
            return Err(Fault::value("type", "a transcription session makes no responses; open a realtime session"));
        }
        let beside = match wish.conversation.as_deref() {
            None | Some("auto") => false,
            Some("none") => true,
            Some(_) => return Err(Fault::value("response.conversation", "known are auto and none")),
        };
        if beside {
            let running = self.responses.iter().filter(|response| response.wish.beside).count();
            if running + self.awaited_beside() >= MAX_BESIDE {
                let text = format!("{MAX_BESIDE} responses beside the conversation are running; wait for one to end");
                return Err(Fault::new("rate_limit_exceeded", text));
            }
        } else if self.awaits_response() || self.responses.iter().any(|response| !response.wish.beside) {
            return Err(self.already_active());
        }
        let (respond, manner) = self.wished(wish, beside)?;
        self.ask(Command::Respond(Box::new(respond)), event_id, What::Respond(Box::new(manner)));
        Ok(())
    }

    /// What is asked of the session, and how the response will be told.
    fn wished(&mut self, wish: &ResponseWish, beside: bool) -> Result<(Respond, Wish), Fault> {
        let mut manner = Wish { beside, metadata: metadata(wish)?, ..self.plain_wish() };
        let mut respond =
            Respond { beside, temperature: wish.temperature.map(|value| value as f32), ..Respond::default() };
        if let Some(wanted) = wish.output_modalities.as_ref().or(wish.modalities.as_ref()) {
            manner.speak = modalities(wanted, wish.output_modalities.is_none(), "response.output_modalities")?;
            respond.speak = Some(manner.speak);
        }
        if let Some(instructions) = &wish.instructions {
            if instructions.len() > MAX_INSTRUCTIONS {
                let text = format!("longer than {MAX_INSTRUCTIONS} bytes");
                return Err(Fault::value("response.instructions", text));
            }
            respond.instructions = Some(instructions.clone());
        }
        respond.tools = wish.tools.as_deref().map(|wanted| tools(wanted, "response.tools")).transpose()?;
        let choice = wish.tool_choice.as_ref();
        respond.tool_choice = choice.map(|wanted| tool_choice(wanted, "response.tool_choice")).transpose()?;
        if let Some(tokens) = wish.max_output_tokens.as_ref().or(wish.max_response_output_tokens.as_ref()) {
            manner.max_tokens = max_tokens(tokens, "response.max_output_tokens")?;
            respond.max_tokens = Some(manner.max_tokens);
        }
        let output = wish.audio.clone().and_then(|audio| audio.output).unwrap_or_default();
        if let Some(format) = output.format.as_ref().or(wish.output_audio_format.as_ref()) {
            manner.format = Format::read(format, "response.audio.output.format")?;
        }
        respond.output_rate = Some(manner.format.rate());
        let voice = output.voice.as_ref().or(wish.voice.as_ref());
        if let Some(voice) = session_object::override_of(voice, "response.audio.output.voice")? {
            respond.voice = session_object::respond_voice(&voice, &self.offer);
            manner.voice = voice;
        }
        if let Some(temperature) = wish.temperature {
            manner.temperature = temperature;
        }
        if let Some(input) = &wish.input {
            if input.len() > MAX_INPUT {
                return Err(Fault::value("response.input", format!("more than {MAX_INPUT} items")));
            }
            let mut items = Vec::new();
            for (at, wish) in input.iter().enumerate() {
                let path = format!("response.input[{at}]");
                if wish.r#type.as_deref() == Some("item_reference") {
                    let id = wish.id.as_deref().ok_or_else(|| Fault::missing(format!("{path}.id")))?;
                    let unknown = || Fault::value(format!("{path}.id"), format!("there is no item '{}'", short(id)));
                    let item = self.item(id).ok_or_else(unknown)?;
                    items.extend(item.keys.iter().map(|key| InputItem::Known(*key)));
                } else {
                    let (_, contents) = self.read_item(wish, &path)?;
                    items.extend(contents.into_iter().map(InputItem::Given));
                }
            }
            respond.input = Some(items);
        }
        Ok((respond, manner))
    }

    fn cancel(&mut self, cancel: &ResponseCancel, event_id: Option<&String>) -> Result<(), Fault> {
        let named = cancel.response_id.as_ref();
        let meant = |response: &&Response| named.map_or(!response.wish.beside, |id| response.id == *id);
        let turn = self.responses.iter().find(meant).map(|response| response.turn);
        // One that was asked for, or follows by itself, and has not begun is not known by a turn yet.
        let comes = named.is_none() && (self.awaits_response() || self.awaits_answer());
        if turn.is_none() && !comes {
            return if std::mem::take(&mut self.cut_short) { Ok(()) } else { Err(not_active()) };
        }
        self.ask(Command::Cancel(turn), event_id, What::Cancel);
        Ok(())
    }
}

fn metadata(wish: &ResponseWish) -> Result<Option<Map<String, Value>>, Fault> {
    let Some(metadata) = wish.metadata.clone().flatten() else { return Ok(None) };
    if metadata.len() > MAX_METADATA {
        return Err(Fault::value("response.metadata", format!("more than {MAX_METADATA} pairs")));
    }
    for (key, value) in &metadata {
        let param = || format!("response.metadata.{}", short(key));
        if key.chars().count() > MAX_METADATA_KEY {
            return Err(Fault::value(param(), format!("a key is longer than {MAX_METADATA_KEY} characters")));
        }
        match value {
            Value::String(text) if text.chars().count() <= MAX_METADATA_VALUE => {}
            Value::String(_) => {
                return Err(Fault::value(param(), format!("longer than {MAX_METADATA_VALUE} characters")));
            }
            _ => return Err(Fault::wrong_type(param(), "a string")),
        }
    }
    Ok(Some(metadata))
}

fn unknown_item(code: &'static str, doing: &str, id: &str) -> Fault {
    let text = format!("Error {doing} item: the item with id '{}' does not exist.", short(id));
    Fault::new(code, text).of("item_id")
}

/// As much of what a client sent as a message may repeat.
pub(super) fn short(text: &str) -> String {
    text.chars().take(100).collect()
}

pub(super) fn unbase64(text: &str, param: &str) -> Result<Vec<u8>, Fault> {
    BASE64.decode(text.as_bytes()).map_err(|error| Fault::value(param, format!("this is not base64: {error}")))
}

/// A whole recording, as an item has it.
pub(super) fn recording(bytes: &[u8], format: Format) -> Pcm {
    Decoder::new(format.encoding(), format.rate()).push(bytes)
}

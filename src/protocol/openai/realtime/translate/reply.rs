//! Responses: from `response.created` to `response.done`, after which nothing of them follows.

use data_encoding::BASE64;

use super::{Conversation, ask::What};
use crate::{
    audio::{Pcm, RateConverter, encode},
    conversation::{item::ItemKey, message::CancelReason},
    engine::{EngineError, StopCause},
    model::{Role, ToolCall, TurnId},
    protocol::openai::realtime::{
        items::{Content, Item, Made, Part, Place, Status},
        response::{Response, Standing, Wish},
        wire::{
            self,
            response::Usage,
            server::{Body, Kind, Place as Where},
        },
    },
};

/// What the beta shows where nothing was wished.
const TEMPERATURE: f64 = 0.8;

impl Conversation {
    /// How a response is made that nobody asked for otherwise.
    pub(super) fn plain_wish(&self) -> Wish {
        let config = &self.config;
        Wish {
            beside: false,
            speak: config.speak,
            voice: config.voice.clone(),
            format: config.output,
            max_tokens: config.max_tokens,
            temperature: config.temperature.unwrap_or(TEMPERATURE),
            metadata: None,
        }
    }

    pub(super) fn reply_started(&mut self, turn: TurnId, tag: Option<u64>) {
        if self.responses.iter().any(|response| response.turn == turn) {
            return;
        }
        let wish = match self.answered(tag) {
            Some(asked) => match asked.what {
                What::Respond(wish) => *wish,
                _ => self.plain_wish(),
            },
            None => self.plain_wish(),
        };
        self.begun = true;
        self.cut_short &= wish.beside;
        let response = Response::new(self.ids.fresh("resp"), turn, wish);
        self.tell_response(Kind::ResponseCreated, &response, &Standing::InProgress, None);
        self.responses.push(response);
    }

    pub(super) fn reply_text(&mut self, turn: TurnId, delta: &str) {
        let Some(mut response) = self.take(turn) else { return };
        let place = self.open_message(&mut response);
        let message = response.open.and_then(|at| response.output.get_mut(at));
        if let Some(Item { content: Content::Message { parts, .. }, .. }) = message
            && let Some(Part::Text(text) | Part::Spoken { transcript: text, .. }) = parts.last_mut()
        {
            text.push_str(delta);
        }
        let kind = if response.wish.speak { Kind::TranscriptDelta } else { Kind::TextDelta };
        self.tell(kind, Body::Delta { place, delta: delta.to_owned() });
        self.responses.push(response);
    }

    pub(super) fn reply_audio(&mut self, turn: TurnId, audio: &Pcm) {
        let Some(mut response) = self.take(turn) else { return };
        if response.wish.speak && !audio.samples.is_empty() {
            let place = self.open_message(&mut response);
            let format = response.wish.format;
            // The session had not heard of a new format yet when it began this reply.
            let converted = (audio.rate != format.rate()).then(|| RateConverter::whole(audio, format.rate()));
            let samples = &converted.as_ref().unwrap_or(audio).samples;
            let message = response.open.and_then(|at| response.output.get_mut(at));
            if let Some(Item { content: Content::Message { parts, .. }, .. }) = message
                && let Some(Part::Spoken { made, .. }) = parts.last_mut()
            {
                made.samples += samples.len() as u64;
            }
            self.spoken = true;
            let delta = BASE64.encode(&encode(samples, format.encoding()));
            self.tell(Kind::AudioDelta, Body::Delta { place, delta });
        }
        self.responses.push(response);
    }

    pub(super) fn reply_call(&mut self, turn: TurnId, call: u32, id: String, name: String) {
        let Some(mut response) = self.take(turn) else { return };
        self.close_message(&mut response, Status::Completed);
        if !response.calls.contains_key(&call) {
            let content = Content::Call(ToolCall { id, name, arguments: String::new() });
            response.calls.insert(call, response.output.len());
            self.add_output(&mut response, vec![ItemKey::Call(turn, call)], content);
        }
        self.responses.push(response);
    }

    pub(super) fn reply_arguments(&mut self, turn: TurnId, call: u32, delta: &str) {
        let Some(mut response) = self.take(turn) else { return };
        self.grow_arguments(&mut response, call, delta);
        self.responses.push(response);
    }

    pub(super) fn reply_called(&mut self, turn: TurnId, call: u32, arguments: String) {
        let Some(mut response) = self.take(turn) else { return };
        let at = response.calls.get(&call).copied();
        if let Some(Item { content: Content::Call(made), .. }) = at.and_then(|at| response.output.get(at)) {
            // What was not streamed is told in one piece, so that the pieces are always the whole.
            let rest = arguments.strip_prefix(made.arguments.as_str()).unwrap_or_default().to_owned();
            self.grow_arguments(&mut response, call, &rest);
        }
        self.close_call(&mut response, call, Some(arguments));
        self.responses.push(response);
    }

    pub(super) fn reply_done(&mut self, turn: TurnId, stop: StopCause, read: Option<u32>, written: Option<u32>) {
        let (standing, status) = match stop {
            StopCause::End => (Standing::Completed, Status::Completed),
            StopCause::Length => (Standing::Incomplete("max_output_tokens"), Status::Incomplete),
        };
        let usage = read.zip(written).map(|(read, written)| Usage::of(read, written));
        self.end_response(turn, &standing, status, usage);
    }

    pub(super) fn reply_cancelled(&mut self, turn: TurnId, reason: CancelReason) {
        let standing = match reason {
            CancelReason::BargeIn | CancelReason::Superseded => Standing::Cancelled("turn_detected"),
            CancelReason::Client | CancelReason::Closing => Standing::Cancelled("client_cancelled"),
            CancelReason::Failed => Standing::Failed,
        };
        self.end_response(turn, &standing, Status::Incomplete, None);
    }

    /// Part of a turn failed: its response, which then ends as failed, or its transcription.
    pub(super) fn failed(&mut self, turn: TurnId, error: EngineError) {
        if error == EngineError::Superseded {
            return;
        }
        match self.responses.iter_mut().find(|response| response.turn == turn) {
            Some(response) => response.error = Some(error),
            None => {
                self.speech_failed(turn, &error);
            }
        }
    }

    /// What is left of a reply after the client's truncation.
    pub(super) fn reply_cut(&mut self, heard: String, tag: Option<u64>) {
        let Some(What::Cut { item_id, end_ms }) = self.answered(tag).map(|asked| asked.what) else { return };
        self.cut(&item_id, heard, end_ms);
    }

    /// The same for a reply that only this translation remembers: the text is cut like the sound.
    pub(super) fn cut_alone(&mut self, item_id: &str, end_ms: u32) {
        let Some(item) = self.item(item_id) else { return };
        let ms = item.made().map_or(0, |made| made.ms()).max(1);
        let text = spoken_text(item);
        let letters = text.chars().count() as u64 * u64::from(end_ms).min(ms) / ms;
        let heard: String = text.chars().take(letters as usize).collect();
        self.cut(item_id, heard.trim_end().to_owned(), end_ms);
    }

    fn cut(&mut self, item_id: &str, heard: String, end_ms: u32) {
        let running = self.responses.iter_mut().flat_map(|response| &mut response.output);
        if let Some(item) = running.into_iter().find(|item| item.id == item_id) {
            item.cut(heard.clone(), u64::from(end_ms));
        }
        if let Some(item) = self.items.get_mut(item_id) {
            item.cut(heard, u64::from(end_ms));
        }
        let item_id = item_id.to_owned();
        self.tell(Kind::ItemTruncated, Body::Truncated { item_id, content_index: 0, audio_end_ms: end_ms });
    }

    // ------------------------------------------------------------ shared steps

    fn take(&mut self, turn: TurnId) -> Option<Response> {
        let at = self.responses.iter().position(|response| response.turn == turn)?;
        Some(self.responses.remove(at))
    }

    fn tell_response(&mut self, kind: Kind, response: &Response, standing: &Standing, usage: Option<Usage>) {
        let told = response.told(standing, usage, self.flavour, &self.name);
        self.tell(kind, Body::Response { response: Box::new(told) });
    }

    /// Where the message stands that is being said; it begins where none is.
    fn open_message(&mut self, response: &mut Response) -> Where {
        if response.open.is_none() {
            response.open = Some(response.output.len());
            let content = Content::Message { role: Role::Assistant, parts: Vec::new() };
            let place = self.add_output(response, vec![ItemKey::Reply(response.turn)], content);
            let part = if response.wish.speak {
                let made = Made { turn: response.turn, samples: 0, rate: response.wish.format.rate() };
                Part::Spoken { transcript: String::new(), made }
            } else {
                Part::Text(String::new())
            };
            let told = told_part(&part);
            if let Some(Item { content: Content::Message { parts, .. }, .. }) = response.output.last_mut() {
                parts.push(part);
            }
            self.tell(Kind::PartAdded, Body::ContentPart { place, part: told });
        }
        let at = response.open.unwrap_or_default();
        place_of(response, at)
    }

    /// Ends the message that is being said, if one is.
    fn close_message(&mut self, response: &mut Response, status: Status) {
        let Some(at) = response.open.take() else { return };
        let place = place_of(response, at);
        let Some(item) = response.output.get_mut(at) else { return };
        item.status = status;
        let part = match &item.content {
            Content::Message { parts, .. } => parts.last().cloned(),
            _ => None,
        };
        let Some(part) = part else { return };
        let told = told_part(&part);
        match part {
            Part::Spoken { transcript, .. } => {
                self.tell(Kind::AudioDone, Body::Done { place: place.clone() });
                self.tell(Kind::TranscriptDone, Body::Transcript { place: place.clone(), transcript });
            }
            Part::Text(text) => self.tell(Kind::TextDone, Body::Text { place: place.clone(), text }),
            Part::Sound { .. } => {}
        }
        self.tell(Kind::PartDone, Body::ContentPart { place, part: told });
        self.finish_output(response, at);
    }

    fn grow_arguments(&mut self, response: &mut Response, call: u32, delta: &str) {
        let Some(at) = response.calls.get(&call).copied().filter(|_| !delta.is_empty()) else { return };
        let (response_id, output_index) = (response.id.clone(), at as u32);
        let Some(Item { id, content: Content::Call(made), .. }) = response.output.get_mut(at) else { return };
        made.arguments.push_str(delta);
        let (item_id, call_id, delta) = (id.clone(), made.id.clone(), delta.to_owned());
        let told = Body::ArgumentsDelta { response_id, item_id, output_index, call_id, delta };
        self.tell(Kind::ArgumentsDelta, told);
    }

    /// `arguments`: all of them; `None`: the call was broken off.
    fn close_call(&mut self, response: &mut Response, call: u32, arguments: Option<String>) {
        let Some(at) = response.calls.remove(&call) else { return };
        let (response_id, output_index) = (response.id.clone(), at as u32);
        let Some(item) = response.output.get_mut(at) else { return };
        item.status = if arguments.is_some() { Status::Completed } else { Status::Incomplete };
        let item_id = item.id.clone();
        if let (Content::Call(made), Some(arguments)) = (&mut item.content, arguments) {
            made.arguments = arguments;
            let ToolCall { id: call_id, name, arguments } = made.clone();
            let told = Body::ArgumentsDone { response_id, item_id, output_index, call_id, name, arguments };
            self.tell(Kind::ArgumentsDone, told);
        }
        self.finish_output(response, at);
    }

    /// Begins an item of a response.
    fn add_output(&mut self, response: &mut Response, keys: Vec<ItemKey>, content: Content) -> Where {
        let item = Item { id: self.ids.fresh("item"), keys, status: Status::InProgress, content };
        let at = response.output.len();
        let told = item.told(self.flavour);
        response.output.push(item.clone());
        let added = Body::OutputItem { response_id: response.id.clone(), output_index: at as u32, item: told.clone() };
        self.tell(Kind::OutputItemAdded, added);
        if !response.wish.beside {
            let previous_item_id = self.items.insert(item, Place::Last);
            self.tell(Kind::ItemAdded, Body::Item { previous_item_id, item: told });
        }
        place_of(response, at)
    }

    /// An item of a response is complete, or as complete as it will be.
    fn finish_output(&mut self, response: &Response, at: usize) {
        let Some(item) = response.output.get(at) else { return };
        let told = item.told(self.flavour);
        let done = Body::OutputItem { response_id: response.id.clone(), output_index: at as u32, item: told.clone() };
        self.tell(Kind::OutputItemDone, done);
        // The client may have deleted it meanwhile.
        if !response.wish.beside
            && let Some((kept, previous_item_id)) = self.items.with_previous(&item.id)
        {
            kept.clone_from(item);
            self.tell(Kind::ItemDone, Body::Item { previous_item_id, item: told });
        }
    }

    fn end_response(&mut self, turn: TurnId, standing: &Standing, status: Status, usage: Option<Usage>) {
        let Some(mut response) = self.take(turn) else { return };
        self.close_message(&mut response, status);
        let mut calls: Vec<_> = response.calls.keys().copied().collect();
        calls.sort_unstable();
        for call in calls {
            self.close_call(&mut response, call, None);
        }
        self.tell_response(Kind::ResponseDone, &response, standing, usage);
    }
}

fn place_of(response: &Response, at: usize) -> Where {
    let item_id = response.output.get(at).map(|item| item.id.clone()).unwrap_or_default();
    Where { response_id: response.id.clone(), item_id, output_index: at as u32, content_index: 0 }
}

/// Parts of `response.content_part.*` are named otherwise than those of items, in both spellings.
fn told_part(part: &Part) -> wire::item::Part {
    match part {
        Part::Text(text) => wire::item::Part::text("text", text.clone()),
        Part::Spoken { transcript, .. } => wire::item::Part::sound("audio", Some(transcript.clone())),
        Part::Sound { transcript } => wire::item::Part::sound("audio", transcript.clone()),
    }
}

fn spoken_text(item: &Item) -> &str {
    let Content::Message { parts, .. } = &item.content else { return "" };
    let text = parts.iter().find_map(|part| match part {
        Part::Spoken { transcript, .. } => Some(transcript.as_str()),
        _ => None,
    });
    text.unwrap_or_default()
}

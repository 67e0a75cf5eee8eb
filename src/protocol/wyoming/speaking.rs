//! Text to speech for one client: requests in order, each sentence as soon as it is complete.

use std::{collections::VecDeque, sync::Arc};

use super::{
    hearing::primary,
    ssml::Ssml,
    wire::{Outgoing, SynthesizeStart},
};
use crate::{
    audio::{Encoding, Pcm, RateConverter, SampleRate, encode},
    conversation::sentence::{Sentence, Splitter},
    engine::{SpeakRequest, SpeechStream, Synthesizer, speech::spoken_language},
};

/// Samples of one audio-chunk.
const CHUNK: usize = 1_024;
/// Steps that may wait; then the client is read no further for a while.
const MAX_STEPS: usize = 256;

/// All that one client wants spoken.
pub struct Speaking {
    speech: Arc<dyn Synthesizer>,
    defaults: SpeakRequest,
    max_chars: usize,
    steps: VecDeque<Step>,
    sound: Option<SpeechStream>,
    group: Option<Group>,
    /// Of the request's first sound; all groups of a request have the same.
    rate: Option<SampleRate>,
    /// A text that arrives in pieces.
    streaming: Option<Streaming>,
}

enum Step {
    /// A new request: its rate is free.
    Begin,
    Say(SpeakRequest),
    /// audio-stop.
    EndGroup,
    /// synthesize-stopped.
    Stopped,
}

/// From audio-start to audio-stop.
struct Group {
    rate: SampleRate,
    converter: Option<RateConverter>,
    /// Samples that do not fill a chunk yet.
    waiting: Vec<i16>,
    sent: u64,
}

struct Streaming {
    manner: SpeakRequest,
    splitter: Splitter,
    ssml: Option<Ssml>,
    chars: usize,
}

/// A text that is not spoken.
#[derive(Debug, thiserror::Error)]
#[error("more than {0} characters")]
pub struct TooLong(usize);

impl Speaking {
    /// `language` and `voice`: where a client says nothing; texts are at most `max_chars` characters.
    pub fn new(
        speech: Arc<dyn Synthesizer>,
        language: Option<String>,
        voice: Option<String>,
        max_chars: usize,
    ) -> Self {
        let defaults = SpeakRequest { text: String::new(), voice, language, speed: 1.0 };
        Self {
            speech,
            defaults,
            max_chars,
            steps: VecDeque::new(),
            sound: None,
            group: None,
            rate: None,
            streaming: None,
        }
    }

    /// Whether there is anything to do.
    pub fn idle(&self) -> bool {
        self.steps.is_empty() && self.sound.is_none()
    }

    /// Whether the client should be read no further for now.
    pub fn behind(&self) -> bool {
        self.steps.len() >= MAX_STEPS
    }

    /// Whether a text is arriving in pieces. Clients then send the whole text once more for servers that cannot do that.
    pub fn streaming(&self) -> bool {
        self.streaming.is_some()
    }

    /// Speaks a whole text, as one group.
    ///
    /// # Errors
    /// [`TooLong`]; the request ends without sound.
    pub fn whole(&mut self, text: &str, manner: &SynthesizeStart) -> Result<(), TooLong> {
        self.steps.push_back(Step::Begin);
        let long = text.chars().count() > self.max_chars;
        if !long {
            let request = self.request(manner);
            let mut splitter = self.splitter(&request);
            let mut sentences = match ssml(manner) {
                Some(mut ssml) => splitter.push(&ssml.push(text)),
                None => splitter.push(text),
            };
            sentences.extend(splitter.finish());
            self.steps.extend(sentences.into_iter().filter_map(|sentence| say(sentence, &request)));
        }
        self.steps.push_back(Step::EndGroup);
        if long { Err(TooLong(self.max_chars)) } else { Ok(()) }
    }

    /// A text will arrive in pieces.
    pub fn start(&mut self, manner: &SynthesizeStart) {
        self.steps.push_back(Step::Begin);
        let request = self.request(manner);
        let splitter = self.splitter(&request);
        self.streaming = Some(Streaming { manner: request, splitter, ssml: ssml(manner), chars: 0 });
    }

    /// A piece of it; each sentence is a group of its own.
    ///
    /// # Errors
    /// [`TooLong`], once; the rest is not spoken.
    pub fn piece(&mut self, text: &str) -> Result<(), TooLong> {
        let Some(streaming) = &mut self.streaming else { return Ok(()) };
        let before = streaming.chars;
        streaming.chars += text.chars().count();
        if streaming.chars > self.max_chars {
            return if before > self.max_chars { Ok(()) } else { Err(TooLong(self.max_chars)) };
        }
        let sentences = match &mut streaming.ssml {
            Some(ssml) => streaming.splitter.push(&ssml.push(text)),
            None => streaming.splitter.push(text),
        };
        self.groups(sentences);
        Ok(())
    }

    /// The text is complete.
    pub fn stop(&mut self) {
        if let Some(streaming) = &mut self.streaming {
            let last = streaming.splitter.finish();
            self.groups(last);
            self.streaming = None;
            self.steps.push_back(Step::Stopped);
        }
    }

    /// What is told next; safe to cancel. Never ends while [`idle`](Self::idle).
    pub async fn next(&mut self) -> Vec<Outgoing> {
        loop {
            if let Some(sound) = &mut self.sound {
                match sound.recv().await {
                    Some(Ok(pcm)) => {
                        let events = self.sounds(&pcm);
                        if !events.is_empty() {
                            return events;
                        }
                    }
                    Some(Err(error)) => {
                        self.sound = None;
                        // Nothing more of this group, but its end.
                        while self.steps.pop_front_if(|step| matches!(step, Step::Say(_))).is_some() {}
                        return vec![Outgoing::error(error.code(), &error)];
                    }
                    None => self.sound = None,
                }
                continue;
            }
            match self.steps.pop_front() {
                None => std::future::pending().await,
                Some(Step::Begin) => self.rate = None,
                Some(Step::Say(request)) => self.sound = Some(self.speech.speak(request)),
                Some(Step::EndGroup) => return self.end_group(),
                Some(Step::Stopped) => return vec![Outgoing::SynthesizeStopped {}],
            }
        }
    }

    fn groups(&mut self, sentences: impl IntoIterator<Item = Sentence>) {
        let Some(streaming) = &self.streaming else { return };
        for sentence in sentences {
            if let Some(step) = say(sentence, &streaming.manner) {
                self.steps.extend([step, Step::EndGroup]);
            }
        }
    }

    fn splitter(&self, request: &SpeakRequest) -> Splitter {
        let language = spoken_language(self.speech.as_ref(), request.voice.as_deref(), request.language.as_deref());
        Splitter::new(language.as_deref())
    }

    fn request(&self, manner: &SynthesizeStart) -> SpeakRequest {
        let mut request = self.defaults.clone();
        if let Some(voice) = &manner.voice {
            let language = voice.language.as_deref().and_then(primary);
            let known = self.speech.voices().into_iter().find(|known| Some(&known.id) == voice.name.as_ref());
            if let Some(known) = known {
                (request.voice, request.language) = (Some(known.id), language.or(Some(known.language)));
            } else if language.is_some() {
                // A voice of that language is better than the default voice.
                (request.voice, request.language) = (None, language);
            }
        }
        request
    }

    fn sounds(&mut self, pcm: &Pcm) -> Vec<Outgoing> {
        let mut events = Vec::new();
        let rate = *self.rate.get_or_insert(pcm.rate);
        let group = open(&mut self.group, rate, &mut events);
        if pcm.rate == group.rate {
            group.waiting.extend_from_slice(&pcm.samples);
        } else {
            let rate = group.rate;
            let converter = group.converter.take_if(|converter| converter.from() == pcm.rate);
            let converter = group.converter.insert(converter.unwrap_or_else(|| RateConverter::new(pcm.rate, rate)));
            let converted = converter.push(&pcm.samples);
            group.waiting.extend(converted.samples);
        }
        let whole = group.waiting.len() / CHUNK * CHUNK;
        events.extend(group.chunks(whole));
        events
    }

    fn end_group(&mut self) -> Vec<Outgoing> {
        let mut events = Vec::new();
        let rate = self.rate.unwrap_or_else(|| self.speech.voices().first().map_or(SampleRate::HZ_22050, |v| v.rate));
        let group = open(&mut self.group, rate, &mut events);
        if let Some(mut converter) = group.converter.take() {
            group.waiting.extend(converter.finish().samples);
        }
        let all = group.waiting.len();
        events.extend(group.chunks(all));
        events.push(Outgoing::AudioStop { timestamp: group.sent_ms() });
        self.group = None;
        events
    }
}

fn open<'a>(group: &'a mut Option<Group>, rate: SampleRate, events: &mut Vec<Outgoing>) -> &'a mut Group {
    group.get_or_insert_with(|| {
        events.push(Outgoing::AudioStart { rate: rate.hz(), width: 2, channels: 1, timestamp: 0 });
        Group { rate, converter: None, waiting: Vec::new(), sent: 0 }
    })
}

impl Group {
    /// The first `count` samples that wait, in chunks.
    fn chunks(&mut self, count: usize) -> Vec<Outgoing> {
        let samples: Vec<i16> = self.waiting.drain(..count).collect();
        samples
            .chunks(CHUNK)
            .map(|chunk| {
                let timestamp = self.sent_ms();
                self.sent += chunk.len() as u64;
                let payload = encode(chunk, Encoding::PcmS16le).into();
                Outgoing::AudioChunk { rate: self.rate.hz(), width: 2, channels: 1, timestamp, payload }
            })
            .collect()
    }

    fn sent_ms(&self) -> u64 {
        self.sent * 1_000 / u64::from(self.rate.hz())
    }
}

fn say(sentence: Sentence, manner: &SpeakRequest) -> Option<Step> {
    let silent = !sentence.spoken.contains(char::is_alphanumeric);
    (!silent).then(|| Step::Say(SpeakRequest { text: sentence.spoken, ..manner.clone() }))
}

fn ssml(manner: &SynthesizeStart) -> Option<Ssml> {
    (manner.text_format.as_deref() == Some("ssml")).then(Ssml::default)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{EngineInfo, VoiceInfo};

    /// Speaks each text as so many samples as it has characters, of its first character's number; "fail" fails.
    struct Echo;

    impl Synthesizer for Echo {
        fn info(&self) -> EngineInfo {
            EngineInfo {
                engine: "echo".into(),
                model: String::new(),
                demo: true,
                loaded: true,
                hint: None,
                languages: vec![],
            }
        }

        fn voices(&self) -> Vec<VoiceInfo> {
            let voice = |id: &str, language: &str, rate| VoiceInfo {
                id: id.into(),
                name: id.into(),
                language: language.into(),
                rate,
            };
            vec![voice("one", "en", SampleRate::HZ_22050), voice("two", "ru", SampleRate::HZ_16000)]
        }

        fn speak(&self, request: SpeakRequest) -> SpeechStream {
            let (made, sound) = tokio::sync::mpsc::channel(4);
            let piece = if request.text.contains("fail") {
                Err(crate::engine::EngineError::Failed { engine: "echo", reason: "asked to".into() })
            } else {
                let second = request.language.as_deref() == Some("ru") || request.text.contains("slow");
                let rate = if second { SampleRate::HZ_16000 } else { SampleRate::HZ_22050 };
                Ok(Pcm::new(rate, vec![7; request.text.chars().count() * 100]))
            };
            assert!(made.try_send(piece).is_ok());
            sound
        }
    }

    fn speaking() -> Speaking {
        Speaking::new(Arc::new(Echo), None, None, 200)
    }

    /// Everything told until there is nothing to do, as words: `start 22050`, `sound 1024`, `stop`.
    async fn told(speaking: &mut Speaking) -> Vec<String> {
        let mut told = Vec::new();
        while !speaking.idle() {
            for event in speaking.next().await {
                told.push(match event {
                    Outgoing::AudioStart { rate, .. } => format!("start {rate}"),
                    Outgoing::AudioChunk { payload, .. } => format!("sound {}", payload.len() / 2),
                    Outgoing::AudioStop { .. } => "stop".into(),
                    Outgoing::SynthesizeStopped {} => "stopped".into(),
                    Outgoing::Error { code, .. } => code,
                    other => format!("{other:?}"),
                });
            }
        }
        told
    }

    #[tokio::test]
    async fn a_whole_text_is_one_group_in_chunks() {
        let mut speaking = speaking();
        speaking.whole("Hello people.", &SynthesizeStart::default()).expect("short");
        assert_eq!(told(&mut speaking).await, ["start 22050", "sound 1024", "sound 276", "stop"]);
        speaking.whole("* * *", &SynthesizeStart::default()).expect("short");
        assert_eq!(told(&mut speaking).await, ["start 22050", "stop"], "never nothing");
        assert!(speaking.whole(&"a".repeat(201), &SynthesizeStart::default()).is_err());
        assert_eq!(told(&mut speaking).await, ["start 22050", "stop"]);
    }

    #[tokio::test]
    async fn pieces_are_spoken_sentence_by_sentence_at_one_rate() {
        let mut speaking = speaking();
        speaking.start(&SynthesizeStart::default());
        speaking.piece("Hello my ").expect("short");
        assert!(speaking.steps.len() == 1, "nothing is complete");
        speaking.piece("people. A slow sentence is here now. And").expect("short");
        let first = told(&mut speaking).await;
        assert_eq!(first.iter().filter(|told| *told == "start 22050").count(), 2, "{first:?}");
        speaking.piece(" more").expect("short");
        speaking.stop();
        let rest = told(&mut speaking).await;
        assert_eq!(rest.first().map(String::as_str), Some("start 22050"));
        assert_eq!(rest[rest.len() - 2..], ["stop", "stopped"]);
        assert!(!speaking.streaming());
        speaking.start(&SynthesizeStart::default());
        assert!(speaking.piece(&"word ".repeat(50)).is_err());
        assert!(speaking.piece("more").is_ok(), "said once");
    }

    #[tokio::test]
    async fn what_fails_still_ends() {
        let mut speaking = speaking();
        speaking.whole("This will fail. And this is not reached.", &SynthesizeStart::default()).expect("short");
        assert_eq!(told(&mut speaking).await, ["engine_failed", "start 22050", "stop"]);
    }

    #[tokio::test]
    async fn a_voice_is_known_by_name_or_language_or_not_at_all() {
        let speaking = speaking();
        let ask = |name: Option<&str>, language: Option<&str>| {
            let voice = super::super::wire::Voice { name: name.map(Into::into), language: language.map(Into::into) };
            let request = speaking.request(&SynthesizeStart { voice: Some(voice), text_format: None });
            (request.voice, request.language)
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(ask(Some("two"), None), (some("two"), some("ru")));
        assert_eq!(ask(Some("nobody"), Some("ru_RU")), (None, some("ru")));
        assert_eq!(ask(Some("nobody"), None), (None, None));
    }
}

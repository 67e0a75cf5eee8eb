//! What of OpenAI's REST endpoints is there, for people to read; the tests hold it against the code.

pub use crate::protocol::support::Status;
use Status::{No, Partly, Yes};

/// An endpoint (`POST /v1/audio/speech`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Endpoint {
    pub name: &'static str,
    pub status: Status,
}

/// A field of a request, or one of its values (`response_format=mp3`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FieldOf {
    pub endpoint: &'static str,
    pub name: &'static str,
    pub status: Status,
}

const TRANSCRIPTIONS: &str = "POST /v1/audio/transcriptions";
const TRANSLATIONS: &str = "POST /v1/audio/translations";
const SPEECH: &str = "POST /v1/audio/speech";
const CHAT: &str = "POST /v1/chat/completions";

pub const ENDPOINTS: &[Endpoint] = &[
    endpoint(TRANSCRIPTIONS, Yes),
    endpoint(TRANSLATIONS, Partly("multilingual models translate; an English one writes down what it hears")),
    endpoint(SPEECH, Yes),
    endpoint(
        "GET /v1/audio/voices",
        Partly("the voices there are; not OpenAI's, but what other servers offer clients"),
    ),
    endpoint("POST /v1/audio/voices", No("voices are not made here")),
    endpoint(CHAT, Partly("text and functions, by the chat model in use")),
    endpoint("GET /v1/models", Yes),
    endpoint("GET /v1/models/{id}", Yes),
    endpoint("DELETE /v1/models/{id}", No("models are the operator's")),
];

pub const FIELDS: &[FieldOf] = &[
    field(
        TRANSCRIPTIONS,
        "file",
        Partly("WAV, MP3, FLAC, Ogg, WebM, M4A and MP4, by content; no bare AAC; 25 MB or MAX_UPLOAD_MB"),
    ),
    field(TRANSCRIPTIONS, "model", Partly("any name, also none: the model that runs here hears it")),
    field(TRANSCRIPTIONS, "language", Yes),
    field(
        TRANSCRIPTIONS,
        "languages",
        Partly("one is followed; of several the recogniser chooses, among all it knows"),
    ),
    field(TRANSCRIPTIONS, "prompt", Yes),
    field(TRANSCRIPTIONS, "keywords", Partly("put before the prompt")),
    field(TRANSCRIPTIONS, "response_format", Yes),
    field(TRANSCRIPTIONS, "response_format=json", Partly("usage is by duration")),
    field(TRANSCRIPTIONS, "response_format=text", Yes),
    field(TRANSCRIPTIONS, "response_format=srt", Yes),
    field(TRANSCRIPTIONS, "response_format=vtt", Yes),
    field(
        TRANSCRIPTIONS,
        "response_format=verbose_json",
        Partly("tokens and probabilities are those of the piece of up to 30 s that a segment is in"),
    ),
    field(TRANSCRIPTIONS, "response_format=diarized_json", No("speakers are not told apart")),
    field(TRANSCRIPTIONS, "temperature", Yes),
    field(TRANSCRIPTIONS, "timestamp_granularities", Partly("word adds words; segments are always there")),
    field(TRANSCRIPTIONS, "stream", Partly("a delta for each piece of up to 30 s; json and text only; no usage")),
    field(TRANSCRIPTIONS, "include", Partly("taken and ignored: there are no logprobs")),
    field(TRANSCRIPTIONS, "chunking_strategy", Partly("taken and ignored: recordings are cut where nobody speaks")),
    field(TRANSCRIPTIONS, "known_speaker_names", No("speakers are not told apart")),
    field(TRANSCRIPTIONS, "known_speaker_references", No("speakers are not told apart")),
    field(TRANSLATIONS, "all of the above", Yes),
    field(SPEECH, "input", Partly("MAX_TEXT_CHARS, 5000 unless set, are the most")),
    field(SPEECH, "model", Partly("any name, also none: the voice that runs here speaks")),
    field(SPEECH, "voice", Partly("one of GET /v1/audio/voices; any other name is the default voice")),
    field(SPEECH, "response_format", Yes),
    field(SPEECH, "response_format=mp3", Yes),
    field(SPEECH, "response_format=opus", Yes),
    field(SPEECH, "response_format=flac", Yes),
    field(
        SPEECH,
        "response_format=wav",
        Partly("up to 30 s come at the end, with their length; a longer one leaves it open"),
    ),
    field(SPEECH, "response_format=pcm", Yes),
    field(SPEECH, "response_format=aac", No("there is no encoder; 400")),
    field(SPEECH, "speed", Yes),
    field(SPEECH, "stream_format", Partly("usage counts a token for four characters of text, none for sound")),
    field(SPEECH, "instructions", Partly("taken and ignored: no voice here can follow them")),
    field(CHAT, "model", Partly("any name, also none: the model that runs here answers, and is named")),
    field(CHAT, "messages", Partly("text only; system, developer, user, assistant and tool")),
    field(CHAT, "tools", Partly("functions, 128 at most")),
    field(CHAT, "tool_choice", Yes),
    field(CHAT, "max_completion_tokens", Yes),
    field(CHAT, "max_tokens", Yes),
    field(CHAT, "temperature", Yes),
    field(CHAT, "stream", Yes),
    field(CHAT, "stream_options", Partly("include_usage")),
    field(CHAT, "n", Partly("1")),
    field(CHAT, "response_format", Partly("text; a form cannot be promised")),
    field(CHAT, "modalities", Partly("text; POST /v1/audio/speech speaks it")),
    field(CHAT, "logprobs", No("probabilities are not known")),
    field(CHAT, "stop", Yes),
    field(CHAT, "functions", No("replaced by tools")),
];

const fn endpoint(name: &'static str, status: Status) -> Endpoint {
    Endpoint { name, status }
}

const fn field(endpoint: &'static str, name: &'static str, status: Status) -> FieldOf {
    FieldOf { endpoint, name, status }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use utoipa::PartialSchema as _;

    use super::{
        super::{
            speech::{self, OpenAiSpeech},
            wish::{AnswerFormat, Field},
        },
        *,
    };

    /// The names in the table that are followed at all; `values`: those of `response_format`.
    fn listed(endpoint: &str, values: bool) -> BTreeSet<String> {
        let followed = FIELDS.iter().filter(|field| field.endpoint == endpoint && !matches!(field.status, No(_)));
        followed
            .filter_map(|field| match field.name.split_once('=') {
                Some((_, value)) => values.then(|| value.to_owned()),
                None => (!values).then(|| field.name.to_owned()),
            })
            .collect()
    }

    fn set<'n>(names: impl IntoIterator<Item = &'n str>) -> BTreeSet<String> {
        names.into_iter().map(str::to_owned).collect()
    }

    #[test]
    fn the_table_lists_what_the_code_knows_and_nothing_else() {
        assert_eq!(listed(TRANSCRIPTIONS, false), set(Field::ALL.iter().map(|field| field.name())));
        assert_eq!(listed(TRANSCRIPTIONS, true), set(AnswerFormat::ALL.map(|(name, _)| name)));
        assert_eq!(listed(SPEECH, true), set(speech::FORMATS.map(|(name, _)| name)));
        let schema = serde_json::to_value(OpenAiSpeech::schema()).expect("a schema");
        let properties = schema["properties"].as_object().expect("an object");
        assert_eq!(listed(SPEECH, false), set(properties.keys().map(String::as_str)));
    }

    #[test]
    fn what_is_not_there_is_refused_or_unknown() {
        for field in FIELDS.iter().filter(|field| field.endpoint == TRANSCRIPTIONS && matches!(field.status, No(_))) {
            match field.name.split_once('=') {
                Some((_, value)) => assert!(AnswerFormat::ALL.iter().all(|(known, _)| *known != value)),
                None => assert_eq!(Field::of(field.name), None),
            }
        }
    }

    #[test]
    fn nothing_is_listed_twice_and_every_field_has_its_endpoint() {
        let names: BTreeSet<_> = FIELDS.iter().map(|field| (field.endpoint, field.name)).collect();
        assert_eq!(names.len(), FIELDS.len());
        assert!(FIELDS.iter().all(|field| ENDPOINTS.iter().any(|endpoint| endpoint.name == field.endpoint)));
    }
}

//! What the server says of itself when it is asked; made of what is in memory, since clients wait for a second only.

use serde_json::{Value, json};

use crate::engine::{EngineInfo, Engines};

/// The name of the programs; Home Assistant names its entities after it.
const NAME: &str = "aigolos";

/// The languages that multilingual Whisper models know, ISO 639-1.
const LANGUAGES: &[&str] = &[
    "af", "am", "ar", "as", "az", "ba", "be", "bg", "bn", "bo", "br", "bs", "ca", "cs", "cy", "da", "de", "el", "en",
    "es", "et", "eu", "fa", "fi", "fo", "fr", "gl", "gu", "ha", "he", "hi", "hr", "ht", "hu", "hy", "id", "is", "it",
    "ja", "ka", "kk", "km", "kn", "ko", "la", "lb", "ln", "lo", "lt", "lv", "mg", "mi", "mk", "ml", "mn", "mr", "ms",
    "mt", "my", "ne", "nl", "nn", "no", "oc", "pa", "pl", "ps", "pt", "ro", "ru", "sa", "sd", "si", "sk", "sl", "sn",
    "so", "sq", "sr", "su", "sv", "sw", "ta", "te", "tg", "th", "tk", "tl", "tr", "tt", "uk", "ur", "uz", "vi", "yi",
    "yo", "zh",
];

/// The data of `info`.
pub fn info(engines: &Engines) -> Value {
    let (asr, tts) = (engines.recognizer.info(), engines.speech.info());
    let mut model = artifact(&asr.model, &asr, None);
    model["languages"] = if asr.languages.is_empty() { json!(LANGUAGES) } else { json!(asr.languages) };
    let mut hearing = artifact(NAME, &asr, Some("speech to text, as it is spoken"));
    hearing["models"] = json!([model]);
    hearing["supports_transcript_streaming"] = json!(true);
    // A request ends with audio-stop, which clients send when their own detection says so.
    hearing["requires_external_vad"] = json!(true);
    hearing["prefers_auto_gain_enabled"] = json!(true);
    hearing["prefers_noise_reduction_enabled"] = json!(true);

    let voices: Vec<Value> = engines
        .speech
        .voices()
        .into_iter()
        .map(|known| {
            let mut voice = artifact(&known.id, &tts, Some(&known.name));
            voice["languages"] = json!([known.language]);
            voice
        })
        .collect();
    let mut speaking = artifact(NAME, &tts, Some("text to speech, sentence by sentence"));
    speaking["voices"] = json!(voices);
    speaking["supports_synthesize_streaming"] = json!(true);
    json!({"asr": [hearing], "tts": [speaking], "handle": [], "intent": [], "wake": [], "mic": [], "snd": []})
}

fn artifact(name: &str, engine: &EngineInfo, description: Option<&str>) -> Value {
    let url = match engine.engine.as_str() {
        "whisper" => "https://github.com/ggml-org/whisper.cpp",
        "piper" => "https://github.com/rhasspy/piper",
        "espeak" => "https://github.com/espeak-ng/espeak-ng",
        _ => "",
    };
    json!({
        "name": name,
        "attribution": {"name": engine.engine, "url": url},
        "installed": true,
        "description": description,
        "version": env!("CARGO_PKG_VERSION"),
    })
}

//! The session object, both spellings, and what cannot be followed.

use super::*;
use crate::conversation::message::{Interrupt, Mode, TurnDetection};

fn update(talk: &mut Talk, session: Value) -> Value {
    talk.send(json!({"type": "session.update", "event_id": "u", "session": session}));
    talk.last().clone()
}

fn options(talk: &Talk) -> &SessionOptions {
    match talk.commands.last() {
        Some(Command::Update(options)) => options,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_whole_session_in_effect_is_told() {
    let talk = Talk::ga();
    assert_eq!(talk.kinds_from(0), ["session.created"]);
    let session = &talk.events[0]["session"];
    let expected = json!({
        "type": "realtime", "object": "realtime.session", "id": session["id"], "model": "gpt-realtime",
        "expires_at": 1_800_000_000, "output_modalities": ["audio"], "instructions": "Be kind.", "tools": [],
        "tool_choice": "auto", "max_output_tokens": "inf", "tracing": null, "truncation": "auto", "prompt": null,
        "include": null,
        "audio": {
            "input": {"format": {"type": "audio/pcm", "rate": 24000}, "transcription": null, "noise_reduction": null,
                "turn_detection": {"type": "server_vad", "threshold": 0.5, "prefix_padding_ms": 300,
                    "silence_duration_ms": 500, "idle_timeout_ms": null, "create_response": true,
                    "interrupt_response": true}},
            "output": {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "anna", "speed": 1.0},
        },
    });
    assert_eq!(*session, expected);
}

#[test]
fn nothing_keeps_and_null_clears() {
    let mut talk = Talk::ga();
    update(
        &mut talk,
        json!({"type": "realtime", "tracing": "auto", "audio": {"input": {
        "transcription": {"model": "gpt-4o-mini-transcribe", "language": "en-GB", "prompt": "names"},
        "noise_reduction": {"type": "near_field"},
        "turn_detection": {"type": "server_vad", "threshold": 0.7, "silence_duration_ms": 100}}}}),
    );
    let told = update(
        &mut talk,
        json!({"type": "realtime", "audio": {"input": {"turn_detection": {"prefix_padding_ms": 90}}}}),
    );
    let input = &told["session"]["audio"]["input"];
    assert_eq!(input["turn_detection"]["silence_duration_ms"], 100, "kept");
    assert_eq!(input["turn_detection"]["prefix_padding_ms"], 90);
    assert_eq!(input["turn_detection"]["threshold"], 0.7);
    assert_eq!(input["transcription"], json!({"model": "gpt-4o-mini-transcribe", "language": "en", "prompt": "names"}));
    assert_eq!(input["noise_reduction"], json!({"type": "near_field"}));
    assert_eq!(options(&talk).spelling.as_deref(), Some("names"));
    match options(&talk).turn_detection {
        TurnDetection::Voice { soft_silence_ms, silence_ms, adaptive, interrupt, prefix_ms, .. } => {
            assert_eq!((soft_silence_ms, silence_ms, prefix_ms, adaptive), (100, 100, 90, false));
            assert_eq!(interrupt, Interrupt::AtOnce);
        }
        TurnDetection::Manual => panic!("not asked for"),
    }
    let told = update(
        &mut talk,
        json!({"instructions": "", "audio": {"input": {"turn_detection": null,
        "transcription": null, "noise_reduction": null}}}),
    );
    let input = &told["session"]["audio"]["input"];
    assert_eq!((&input["turn_detection"], &input["transcription"]), (&json!(null), &json!(null)));
    assert_eq!(told["session"]["instructions"], "");
    assert_eq!(
        (options(&talk).turn_detection, options(&talk).instructions.as_deref()),
        (TurnDetection::Manual, Some(""))
    );
    assert_eq!(told["session"]["tracing"], "auto");
}

#[test]
fn the_models_own_turn_detection_becomes_ours() {
    let mut talk = Talk::ga();
    for (eagerness, silence) in [("low", 1_200), ("medium", 700), ("auto", 700), ("high", 450)] {
        let told = update(
            &mut talk,
            json!({"audio": {"input": {"turn_detection": {"type": "semantic_vad",
            "eagerness": eagerness, "interrupt_response": false}}}}),
        );
        let echo = &told["session"]["audio"]["input"]["turn_detection"];
        assert_eq!((&echo["eagerness"], &echo["interrupt_response"]), (&json!(eagerness), &json!(false)));
        assert!(matches!(options(&talk).turn_detection,
            TurnDetection::Voice { silence_ms, adaptive: true, interrupt: Interrupt::Never, .. } if silence_ms == silence));
    }
}

#[test]
fn what_cannot_be_is_refused_whole() {
    let mut talk = Talk::ga();
    for (session, param) in [
        (
            json!({"instructions": "new", "audio": {"input": {"turn_detection": {"threshold": 1.5}}}}),
            "session.audio.input.turn_detection.threshold",
        ),
        (
            json!({"audio": {"input": {"turn_detection": {"type": "server_vad", "idle_timeout_ms": 100}}}}),
            "session.audio.input.turn_detection.idle_timeout_ms",
        ),
        (
            json!({"audio": {"input": {"format": {"type": "audio/pcm", "rate": 16000}}}}),
            "session.audio.input.format.rate",
        ),
        (json!({"audio": {"output": {"format": {"type": "audio/opus"}}}}), "session.audio.output.format.type"),
        (json!({"audio": {"output": {"speed": 2.0}}}), "session.audio.output.speed"),
        (json!({"output_modalities": ["text", "audio"]}), "session.output_modalities"),
        (json!({"max_output_tokens": 0}), "session.max_output_tokens"),
        (json!({"tools": [{"type": "mcp", "server_label": "x"}]}), "session.tools[0].type"),
        (json!({"tools": [{"type": "function"}]}), "session.tools[0].name"),
        (json!({"tool_choice": "perhaps"}), "session.tool_choice"),
        (json!({"type": "other"}), "session.type"),
    ] {
        let told = update(&mut talk, session);
        assert_eq!((&told["type"], &told["error"]["param"]), (&json!("error"), &json!(param)), "{told}");
        assert_eq!(told["error"]["event_id"], "u");
    }
    assert!(talk.commands.is_empty());
    let told = update(&mut talk, json!({}));
    assert_eq!(told["session"]["instructions"], "Be kind.");
}

#[test]
fn names_only_openai_has_stand_for_the_configured_ones() {
    let mut talk = Talk::ga();
    let told = update(&mut talk, json!({"audio": {"output": {"voice": "marin"}}}));
    assert_eq!(told["session"]["audio"]["output"]["voice"], "marin");
    assert_eq!(options(&talk).voice.as_deref(), Some("anna"));
    update(&mut talk, json!({"audio": {"output": {"voice": {"id": "ben"}}}}));
    assert_eq!(options(&talk).voice.as_deref(), Some("ben"));
    talk.hear(reply(TURN, None));
    talk.hear(sounds(TURN));
    let told = update(&mut talk, json!({"instructions": "X", "audio": {"output": {"voice": "ash"}}}));
    assert_eq!(told["error"]["code"], "cannot_update_voice");
    let told = update(&mut talk, json!({"audio": {"output": {"voice": "ben"}}}));
    assert_eq!(told["session"]["instructions"], "Be kind.", "the whole update was refused, the same voice is none");
}

#[test]
fn functions_are_told_and_given_on() {
    let mut talk = Talk::ga();
    let tool = json!({"type": "function", "name": "f", "description": "d", "parameters": {"type": "object"}});
    let told = update(
        &mut talk,
        json!({"tools": [tool], "tool_choice": {"type": "function", "name": "f"},
        "max_output_tokens": 50}),
    );
    assert_eq!(told["session"]["tools"], json!([tool]));
    assert_eq!(told["session"]["tool_choice"], json!({"type": "function", "name": "f"}));
    assert_eq!((options(&talk).tools[0].name.as_str(), options(&talk).max_tokens), ("f", Some(50)));
    let told = update(&mut talk, json!({"tools": []}));
    assert_eq!(told["session"]["tools"], json!([]));
}

#[test]
fn who_names_the_kind_of_session_has_outgrown_the_beta() {
    for (session, outgrown) in [
        (json!({"type": "realtime", "instructions": "x"}), true),
        (json!({"type": "realtime", "audio": {}, "turn_detection": null}), true),
        (json!({"type": "realtime", "modalities": ["text"]}), false),
        (json!({"instructions": "x"}), false),
    ] {
        let mut talk = Talk::new(Flavour::Beta, SessionKind::Realtime);
        let told = update(&mut talk, session.clone());
        assert_eq!(told["session"].get("audio").is_some(), outgrown, "{session}");
    }
}

#[test]
fn the_beta_has_its_own_names_throughout() {
    let mut talk = Talk::new(Flavour::Beta, SessionKind::Realtime);
    assert_eq!(talk.kinds_from(0), ["session.created", "conversation.created"]);
    let told = update(
        &mut talk,
        json!({"modalities": ["text", "audio"], "voice": "ben", "input_audio_format": "g711_ulaw",
        "output_audio_format": "pcm16", "input_audio_transcription": {"model": "whisper-1"},
        "turn_detection": {"type": "server_vad"}, "max_response_output_tokens": "inf", "temperature": 0.6}),
    );
    let session = &told["session"];
    assert!(
        session.get("audio").is_none() && session.get("type").is_none() && session.get("output_modalities").is_none()
    );
    assert_eq!(
        (&session["modalities"], &session["input_audio_format"]),
        (&json!(["text", "audio"]), &json!("g711_ulaw"))
    );
    talk.forget();
    talk.append(100);
    assert!(
        talk.commands.iter().all(|command| matches!(command, Command::Audio(pcm) if pcm.rate == SampleRate::HZ_8000))
    );
    for event in [started(TURN, 0), stopped(TURN, 900), reply(TURN, None), says(TURN, "Hi"), sounds(TURN), done(TURN)] {
        talk.hear(event);
    }
    assert_eq!(
        talk.kinds_from(0),
        [
            "input_audio_buffer.speech_started",
            "input_audio_buffer.speech_stopped",
            "input_audio_buffer.committed",
            "conversation.item.created",
            "response.created",
            "response.output_item.added",
            "conversation.item.created",
            "response.content_part.added",
            "response.audio_transcript.delta",
            "response.audio.delta",
            "response.audio.done",
            "response.audio_transcript.done",
            "response.content_part.done",
            "response.output_item.done",
            "response.done"
        ]
    );
    let response = &talk.last()["response"];
    assert_eq!(response["output"][0]["content"][0], json!({"type": "audio", "transcript": "Hi"}));
    assert_eq!((&response["modalities"], &response["voice"]), (&json!(["text", "audio"]), &json!("ben")));
    assert!(response.get("output_modalities").is_none());
}

#[test]
fn a_transcription_session_only_writes_down() {
    let mut talk = Talk::new(Flavour::Ga, SessionKind::Transcription);
    let session = &talk.events[0]["session"];
    assert_eq!(
        (&session["type"], &session["audio"]["input"]["transcription"]["model"]),
        (&json!("transcription"), &json!("nano"))
    );
    assert!(session.get("output_modalities").is_none() && session["audio"].get("output").is_none());
    assert_eq!(talk.conversation.options().mode, Mode::Transcribe);
    talk.send(json!({"type": "response.create", "event_id": "r"}));
    assert_eq!(talk.error().1, "r");
    let mut beta = Talk::new(Flavour::Beta, SessionKind::Transcription);
    assert_eq!(beta.kinds_from(0), ["transcription_session.created"]);
    beta.send(
        json!({"type": "transcription_session.update", "session": {"input_audio_transcription": {"model": "m"}}}),
    );
    assert_eq!(beta.last()["type"], "transcription_session.updated");
    assert_eq!(beta.last()["session"]["input_audio_transcription"]["model"], "m");
}

#[test]
fn the_kind_may_change_until_something_has_come() {
    let mut talk = Talk::ga();
    let told = update(&mut talk, json!({"type": "transcription"}));
    assert_eq!(told["session"]["type"], "transcription");
    assert_eq!(options(&talk).mode, Mode::Transcribe);
    talk.append(100);
    let told = update(&mut talk, json!({"type": "realtime"}));
    assert_eq!(told["error"]["code"], "invalid_parameter");
}

#[test]
fn what_is_no_event_harms_nothing() {
    let mut talk = Talk::ga();
    for (text, code) in [
        ("", "invalid_json"),
        ("[1]", "invalid_json"),
        (r#"{"event_id":"x"}"#, "invalid_event"),
        (r#"{"type":"response.pause","event_id":"x"}"#, "invalid_value"),
        (r#"{"type":"output_audio_buffer.clear","event_id":"x"}"#, "invalid_value"),
        (r#"{"type":"input_audio_buffer.append","audio":"*","event_id":"x"}"#, "invalid_value"),
        (r#"{"type":"session.update","event_id":"x"}"#, "missing_required_parameter"),
        (r#"{"type":"session.update","session":{"tools":{}},"event_id":"x"}"#, "invalid_type"),
    ] {
        let (commands, events) = talk.conversation.client(text);
        assert!(commands.is_empty() && events.len() == 1);
        talk.take(events);
        let (told, event_id) = talk.error();
        assert_eq!(told, code, "{text}");
        let named = text.contains("\"x\"");
        assert_eq!(*event_id, if named { json!("x") } else { json!(null) });
    }
    assert_eq!(update(&mut talk, json!({}))["type"], "session.updated");
}

#[test]
fn the_end_closes_what_is_open() {
    let mut talk = Talk::ga();
    talk.hear(reply(TURN, None));
    talk.hear(says(TURN, "I was"));
    talk.forget();
    let events = talk.conversation.over(Some(super::super::Fault::new("session_expired", "too old")));
    talk.take(events);
    let kinds = talk.kinds_from(0);
    assert_eq!(kinds[kinds.len() - 2..], ["response.done", "error"]);
    assert_eq!(talk.error().0, "session_expired");
}

//! Turns and responses.

use super::*;
use crate::engine::EngineError;

#[test]
fn a_spoken_turn_is_told_in_order_under_one_item() {
    let mut talk = Talk::transcribing();
    talk.append(3_000);
    assert_eq!(talk.hear(started(TURN, 200)), ["input_audio_buffer.speech_started"]);
    assert_eq!(talk.last()["audio_start_ms"], 200);
    assert_eq!(talk.hear(partial(TURN, "what time ")), ["conversation.item.input_audio_transcription.delta"]);
    assert!(talk.hear(partial(TURN, "what time")).is_empty(), "nothing new, nothing taken back");
    assert_eq!(
        talk.hear(stopped(TURN, 2_200)),
        [
            "input_audio_buffer.speech_stopped",
            "input_audio_buffer.committed",
            "conversation.item.added",
            "conversation.item.done"
        ]
    );
    let item = talk.last()["item"].clone();
    assert_eq!(item["content"], json!([{"type": "input_audio", "transcript": null}]));
    assert_eq!(
        talk.hear(written(TURN, " what time is it")),
        ["conversation.item.input_audio_transcription.delta", "conversation.item.input_audio_transcription.completed"]
    );
    let completed = talk.last();
    assert_eq!(completed["usage"], json!({"type": "duration", "seconds": 1.5}));
    let joined = talk.joined("conversation.item.input_audio_transcription.delta");
    assert_eq!(completed["transcript"], Value::from(joined));
    let named = talk.events.iter().filter_map(|event| event.get("item_id"));
    assert!(named.clone().count() >= 5 && named.into_iter().all(|id| *id == item["id"]));
    assert_eq!(talk.last_of("input_audio_buffer.speech_stopped")["audio_end_ms"], 2_200);
    assert_eq!(talk.last_of("input_audio_buffer.committed")["previous_item_id"], json!(null));
    talk.send(json!({"type": "conversation.item.retrieve", "item_id": item["id"]}));
    assert_eq!(talk.last()["item"]["content"][0]["transcript"], "what time is it");
}

#[test]
fn without_transcription_the_words_are_not_told() {
    let mut talk = Talk::ga();
    talk.hear(started(TURN, 0));
    assert!(talk.hear(partial(TURN, "what")).is_empty());
    talk.hear(stopped(TURN, 900));
    assert!(talk.hear(written(TURN, "what")).is_empty());
}

#[test]
fn a_spoken_response_is_told_in_order() {
    let mut talk = Talk::ga();
    assert_eq!(talk.hear(reply(TURN, None)), ["response.created"]);
    let created = talk.last()["response"].clone();
    assert_eq!((&created["status"], &created["output"]), (&json!("in_progress"), &json!([])));
    assert_eq!(created["output_modalities"], json!(["audio"]));
    assert_eq!(
        talk.hear(says(TURN, "It is ")),
        [
            "response.output_item.added",
            "conversation.item.added",
            "response.content_part.added",
            "response.output_audio_transcript.delta"
        ]
    );
    assert_eq!(talk.last_of("conversation.item.added")["item"]["content"], json!([]));
    let part = &talk.last_of("response.content_part.added")["part"];
    assert_eq!(*part, json!({"type": "audio", "transcript": ""}));
    assert_eq!(talk.hear(sounds(TURN)), ["response.output_audio.delta"]);
    talk.hear(says(TURN, "five."));
    talk.hear(sounds(TURN));
    assert_eq!(
        talk.hear(done(TURN)),
        [
            "response.output_audio.done",
            "response.output_audio_transcript.done",
            "response.content_part.done",
            "response.output_item.done",
            "conversation.item.done",
            "response.done"
        ]
    );
    let response = talk.last()["response"].clone();
    assert_eq!(response["id"], created["id"]);
    assert_eq!(response["status"], "completed");
    assert_eq!(response["output"][0]["content"], json!([{"type": "output_audio", "transcript": "It is five."}]));
    assert_eq!(response["usage"]["total_tokens"], 37);
    assert!(talk.hear(says(TURN, "late")).is_empty() && talk.hear(sounds(TURN)).is_empty());
    assert!(talk.hear(done(TURN)).is_empty(), "a response ends once");
    let ids: std::collections::HashSet<_> = talk.events.iter().map(|event| event["event_id"].to_string()).collect();
    assert_eq!(ids.len(), talk.events.len(), "every event has an id of its own");
}

#[test]
fn a_written_response_has_text_where_a_spoken_one_has_sound() {
    let mut talk = Talk::ga();
    talk.send(json!({"type": "session.update", "session": {"type": "realtime", "output_modalities": ["text"]}}));
    talk.hear(reply(TURN, None));
    talk.hear(says(TURN, "Yes."));
    assert_eq!(talk.last()["type"], "response.output_text.delta");
    assert_eq!(
        talk.hear(done(TURN)),
        [
            "response.output_text.done",
            "response.content_part.done",
            "response.output_item.done",
            "conversation.item.done",
            "response.done"
        ]
    );
    assert_eq!(talk.last()["response"]["output"][0]["content"], json!([{"type": "output_text", "text": "Yes."}]));
    assert_eq!(talk.last_of("response.content_part.done")["part"], json!({"type": "text", "text": "Yes."}));
}

#[test]
fn calls_follow_what_was_said_and_are_told_whole() {
    let mut talk = Talk::ga();
    talk.hear(reply(TURN, None));
    talk.hear(says(TURN, "Let me look."));
    let called = Event::ReplyCall { turn: TURN, call: 0, id: "call_7".into(), name: "weather".into() };
    assert_eq!(
        talk.hear(called),
        [
            "response.output_audio.done",
            "response.output_audio_transcript.done",
            "response.content_part.done",
            "response.output_item.done",
            "conversation.item.done",
            "response.output_item.added",
            "conversation.item.added"
        ]
    );
    let item = talk.last()["item"].clone();
    assert_eq!(item["arguments"], "");
    assert!(item.get("content").is_none() && item.get("output").is_none(), "nothing is null that is not there");
    talk.hear(Event::ReplyArguments { turn: TURN, call: 0, delta: r#"{"in":"#.into() });
    let arguments = r#"{"in":"Rome"}"#;
    assert_eq!(
        talk.hear(Event::ReplyCalled { turn: TURN, call: 0, arguments: arguments.into() }),
        [
            "response.function_call_arguments.delta",
            "response.function_call_arguments.done",
            "response.output_item.done",
            "conversation.item.done"
        ]
    );
    assert_eq!(talk.joined("response.function_call_arguments.delta"), arguments);
    let done_event = talk.last_of("response.function_call_arguments.done");
    assert_eq!((&done_event["name"], &done_event["output_index"]), (&json!("weather"), &json!(1)));
    talk.hear(done(TURN));
    let output = &talk.last()["response"]["output"];
    assert_eq!((&output[1]["status"], &output[1]["call_id"]), (&json!("completed"), &json!("call_7")));

    talk.send(json!({"type": "conversation.item.create",
        "item": {"type": "function_call_output", "call_id": "call_7", "output": "sunny"}}));
    assert_eq!(talk.last()["item"]["output"], "sunny");
    talk.send(json!({"type": "response.create"}));
    let (tag, command) = talk.tagged();
    assert!(matches!(command, Command::Respond(_)));
    assert_eq!(talk.hear(reply(TurnId(2), Some(tag))), ["response.created"]);
}

#[test]
fn speaking_stops_a_response_after_it_is_told_to_have_begun() {
    let mut talk = Talk::ga();
    talk.hear(reply(TURN, None));
    talk.hear(says(TURN, "It is five."));
    talk.hear(sounds(TURN));
    talk.forget();
    talk.hear(started(TurnId(2), 4_000));
    talk.hear(cancelled(TURN, CancelReason::BargeIn));
    let kinds = talk.kinds_from(0);
    assert_eq!(kinds.first().map(String::as_str), Some("input_audio_buffer.speech_started"));
    assert_eq!(kinds.last().map(String::as_str), Some("response.done"));
    let response = &talk.last()["response"];
    assert_eq!(response["status"], "cancelled");
    assert_eq!(response["status_details"], json!({"type": "cancelled", "reason": "turn_detected"}));
    assert_eq!(response["output"][0]["status"], "incomplete");
}

#[test]
fn a_failure_ends_its_response_and_is_no_error_event() {
    let mut talk = Talk::ga();
    talk.hear(reply(TURN, None));
    let error = EngineError::Stalled { engine: "ollama", waited_ms: 5 };
    assert!(talk.hear(Event::Failed { turn: Some(TURN), error }).is_empty());
    assert_eq!(talk.hear(cancelled(TURN, CancelReason::Failed)), ["response.done"]);
    let details = &talk.last()["response"]["status_details"];
    assert_eq!((&details["type"], &details["error"]["code"]), (&json!("failed"), &json!("engine_stalled")));
    assert!(talk.hear(Event::Failed { turn: None, error: EngineError::Closed }).is_empty());
}

#[test]
fn an_utterance_that_cannot_be_written_down_says_so() {
    let mut talk = Talk::transcribing();
    talk.hear(started(TURN, 0));
    talk.hear(stopped(TURN, 900));
    let error = EngineError::Failed { engine: "whisper", reason: "broke".into() };
    let told = talk.hear(Event::Failed { turn: Some(TURN), error });
    assert_eq!(told, ["conversation.item.input_audio_transcription.failed"]);
    assert!(talk.hear(written(TURN, "")).is_empty());
}

#[test]
fn the_longest_reply_is_incomplete() {
    let mut talk = Talk::ga();
    talk.hear(reply(TURN, None));
    talk.hear(says(TURN, "It"));
    let mut event = done(TURN);
    if let Event::ReplyDone { stop, prompt_tokens, .. } = &mut event {
        (*stop, *prompt_tokens) = (StopCause::Length, None);
    }
    talk.hear(event);
    let response = &talk.last()["response"];
    assert_eq!(response["status_details"], json!({"type": "incomplete", "reason": "max_output_tokens"}));
    assert_eq!(response["usage"], json!(null), "what is not known is not made up");
}

#[test]
fn a_manual_commit_is_told_at_once_and_gets_its_words_later() {
    let mut talk = Talk::transcribing();
    talk.send(json!({"type": "session.update", "session": {"type": "realtime", "audio": {"input": {"turn_detection": null}}}}));
    talk.append(50);
    talk.send(json!({"type": "input_audio_buffer.commit", "event_id": "c0"}));
    assert_eq!(talk.error(), ("input_audio_buffer_commit_empty", &json!("c0")));
    talk.append(1_000);
    assert!(talk.hear(started(TURN, 300)).is_empty(), "the client says itself when it speaks");
    let told = talk.send(json!({"type": "input_audio_buffer.commit"}));
    assert_eq!(told, ["input_audio_buffer.committed", "conversation.item.added", "conversation.item.done"]);
    let first = talk.last()["item"]["id"].clone();
    assert!(matches!(talk.tagged().1, Command::Commit { respond: false }));
    assert!(talk.hear(stopped(TURN, 1_050)).is_empty());
    talk.hear(written(TURN, "hello"));
    assert_eq!((&talk.last()["item_id"], &talk.last()["transcript"]), (&first, &json!("hello")));

    // Nobody spoke.
    talk.append(200);
    talk.send(json!({"type": "input_audio_buffer.commit"}));
    let second = talk.last()["item"]["id"].clone();
    assert_eq!(talk.last()["previous_item_id"], first);
    let told = talk.hear(written(TurnId(2), ""));
    assert_eq!(told, ["conversation.item.input_audio_transcription.completed"]);
    assert_eq!((&talk.last()["item_id"], &talk.last()["transcript"]), (&second, &json!("")));
    talk.send(json!({"type": "input_audio_buffer.commit"}));
    assert_eq!(talk.error().0, "input_audio_buffer_commit_empty");
}

#[test]
fn silence_that_was_committed_has_a_length_too() {
    let mut talk = Talk::transcribing();
    talk.append(700);
    talk.send(json!({"type": "input_audio_buffer.commit"}));
    let rejected = Some("no_speech");
    let (text, words, language) = (String::new(), vec![], None);
    talk.hear(Event::Final { turn: TURN, text, words, start_ms: 700, end_ms: 700, rejected, language });
    assert_eq!(talk.last()["usage"], json!({"type": "duration", "seconds": 0.7}));
}

#[test]
fn two_commits_in_a_row_are_answered_each_with_its_own_words() {
    let mut talk = Talk::transcribing();
    talk.send(json!({"type": "session.update", "session": {"type": "realtime", "audio": {"input": {"turn_detection": null}}}}));
    talk.append(500);
    talk.send(json!({"type": "input_audio_buffer.commit"}));
    let first = talk.last()["item"]["id"].clone();
    talk.append(500);
    talk.send(json!({"type": "input_audio_buffer.commit"}));
    let second = talk.last()["item"]["id"].clone();
    for event in [started(TURN, 0), stopped(TURN, 500), started(TurnId(2), 500), stopped(TurnId(2), 1_000)] {
        assert!(talk.hear(event).is_empty());
    }
    talk.hear(written(TurnId(2), "two"));
    assert_eq!(talk.last()["item_id"], second);
    talk.hear(written(TURN, "one"));
    assert_eq!(talk.last()["item_id"], first);
}

#[test]
fn what_is_cleared_is_not_committed() {
    let mut talk = Talk::transcribing();
    talk.append(1_000);
    talk.hear(started(TURN, 300));
    let before = talk.last()["item_id"].clone();
    assert_eq!(talk.send(json!({"type": "input_audio_buffer.clear"})), ["input_audio_buffer.cleared"]);
    let (tag, command) = talk.tagged();
    assert_eq!(*command, Command::Clear);
    let events = talk.events.len();
    talk.hear(started(TurnId(2), 800));
    talk.hear(Event::Cleared { tag });
    assert_eq!(talk.events.len(), events, "what began before the session heard of it is not told");
    talk.send(json!({"type": "input_audio_buffer.commit"}));
    assert_eq!(talk.error().0, "input_audio_buffer_commit_empty");
    talk.append(1_000);
    talk.hear(started(TurnId(3), 1_300));
    talk.hear(stopped(TurnId(3), 1_900));
    assert_ne!(talk.last()["item"]["id"], before);
}

#[test]
fn silence_is_told_before_the_response_it_brings() {
    let mut talk = Talk::transcribing();
    talk.append(7_000);
    let told = talk.hear(Event::Nudged { turn: TURN, start_ms: 1_000, end_ms: 6_000 });
    assert_eq!(
        told,
        [
            "input_audio_buffer.timeout_triggered",
            "input_audio_buffer.committed",
            "conversation.item.added",
            "conversation.item.done",
            "conversation.item.input_audio_transcription.completed"
        ]
    );
    assert_eq!(talk.events[0]["audio_end_ms"], 6_000);
    assert_eq!(talk.hear(reply(TURN, None)), ["response.created"]);
}

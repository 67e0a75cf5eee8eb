//! What of the protocol is supported, as data: docs/clients.md prints it, and the tests below hold it against the code.

use crate::protocol::support::{
    Direction::{FromClient, ToClient},
    Status::{self, No, Partly, Yes},
    Support,
};

const fn client(name: &'static str, status: Status) -> Support {
    Support { name, direction: FromClient, status }
}

const fn server(name: &'static str, status: Status) -> Support {
    Support { name, direction: ToClient, status }
}

const ONLY_CALLS: Status = No("for calls over WebRTC and SIP, which are not taken");
const NO_MCP: Status = No("this server reaches no MCP servers; clients call functions themselves");

/// Every event of the protocol, of the beta where only that has it.
pub const EVENTS: &[Support] = &[
    client("session.update", Yes),
    client("transcription_session.update", Partly("beta; in the spelling in force session.update does it")),
    client("input_audio_buffer.append", Yes),
    client("input_audio_buffer.commit", Yes),
    client("input_audio_buffer.clear", Yes),
    client(
        "conversation.item.create",
        Partly("messages of text and sound, function calls and their outputs; no images"),
    ),
    client("conversation.item.retrieve", Partly("without the sound")),
    client("conversation.item.delete", Yes),
    client("conversation.item.truncate", Partly("keeps the words that were heard; up to 1 s too much is clamped")),
    client("response.create", Yes),
    client("response.cancel", Yes),
    client("output_audio_buffer.clear", Partly("answered by an error: on a WebSocket the client holds the sound")),
    server("error", Yes),
    server("session.created", Yes),
    server("session.updated", Yes),
    server("transcription_session.created", Partly("beta")),
    server("transcription_session.updated", Partly("beta")),
    server("conversation.created", Partly("beta")),
    server("conversation.item.added", Yes),
    server("conversation.item.done", Yes),
    server("conversation.item.created", Partly("beta, in place of added and done")),
    server("conversation.item.retrieved", Yes),
    server("conversation.item.deleted", Yes),
    server("conversation.item.truncated", Yes),
    server("conversation.item.input_audio_transcription.delta", Yes),
    server("conversation.item.input_audio_transcription.completed", Partly("usage is the length of the sound")),
    server("conversation.item.input_audio_transcription.failed", Yes),
    server("conversation.item.input_audio_transcription.segment", No("speakers are not told apart")),
    server("input_audio_buffer.speech_started", Yes),
    server("input_audio_buffer.speech_stopped", Yes),
    server("input_audio_buffer.committed", Yes),
    server("input_audio_buffer.cleared", Yes),
    server("input_audio_buffer.timeout_triggered", Yes),
    server("input_audio_buffer.dtmf_event_received", ONLY_CALLS),
    server("output_audio_buffer.started", ONLY_CALLS),
    server("output_audio_buffer.stopped", ONLY_CALLS),
    server("output_audio_buffer.cleared", ONLY_CALLS),
    server("response.created", Yes),
    server("response.done", Partly("usage where the chat model tells it, else null")),
    server("response.output_item.added", Yes),
    server("response.output_item.done", Yes),
    server("response.content_part.added", Yes),
    server("response.content_part.done", Yes),
    server("response.output_text.delta", Yes),
    server("response.output_text.done", Yes),
    server("response.text.delta", Partly("beta")),
    server("response.text.done", Partly("beta")),
    server("response.output_audio_transcript.delta", Yes),
    server("response.output_audio_transcript.done", Yes),
    server("response.audio_transcript.delta", Partly("beta")),
    server("response.audio_transcript.done", Partly("beta")),
    server("response.output_audio.delta", Yes),
    server("response.output_audio.done", Yes),
    server("response.audio.delta", Partly("beta")),
    server("response.audio.done", Partly("beta")),
    server("response.function_call_arguments.delta", Yes),
    server("response.function_call_arguments.done", Yes),
    server("response.mcp_call.in_progress", NO_MCP),
    server("response.mcp_call.completed", NO_MCP),
    server("response.mcp_call.failed", NO_MCP),
    server("response.mcp_call_arguments.delta", NO_MCP),
    server("response.mcp_call_arguments.done", NO_MCP),
    server("mcp_list_tools.in_progress", NO_MCP),
    server("mcp_list_tools.completed", NO_MCP),
    server("mcp_list_tools.failed", NO_MCP),
    server("rate_limits.updated", No("there are no limits of tokens")),
];

/// Fields a client may set, in the spelling in force.
pub const FIELDS: &[Support] = &[
    client("session.type", Partly("may change until sound or items have come")),
    client("session.model", Partly("told again; the configured models work")),
    client("session.output_modalities", Yes),
    client("session.instructions", Yes),
    client("session.tools", Partly("functions, no MCP")),
    client("session.tool_choice", Yes),
    client("session.max_output_tokens", Yes),
    client("session.tracing", Partly("told again, changes nothing")),
    client("session.truncation", Partly("told again; the prompt is cut at HISTORY_TOKENS")),
    client("session.prompt", Partly("told again; prompts are not stored")),
    client("session.include", Partly("told again; log-probabilities are not given")),
    client("session.reasoning", Partly("told again, changes nothing")),
    client("session.parallel_tool_calls", Partly("told again, changes nothing")),
    client("session.audio.input.format", Partly("audio/pcm at 24 kHz, audio/pcmu, audio/pcma")),
    client("session.audio.input.transcription.model", Partly("told again; the configured recogniser works")),
    client("session.audio.input.transcription.language", Yes),
    client("session.audio.input.transcription.prompt", Yes),
    client("session.audio.input.transcription.keywords", Partly("steer spelling as the prompt does")),
    client("session.audio.input.noise_reduction", Partly("told again, changes nothing")),
    client("session.audio.input.turn_detection.type", Yes),
    client("session.audio.input.turn_detection.threshold", Yes),
    client("session.audio.input.turn_detection.prefix_padding_ms", Yes),
    client("session.audio.input.turn_detection.silence_duration_ms", Yes),
    client("session.audio.input.turn_detection.create_response", Yes),
    client("session.audio.input.turn_detection.interrupt_response", Yes),
    client("session.audio.input.turn_detection.idle_timeout_ms", Yes),
    client(
        "session.audio.input.turn_detection.eagerness",
        Partly(
            "the silence that ends a turn: low 1200 ms, medium 700, high 450, less or more by how finished the words look",
        ),
    ),
    client("session.audio.output.format", Partly("audio/pcm at 24 kHz, audio/pcmu, audio/pcma")),
    client("session.audio.output.voice", Partly("voices of this server; any other name is the configured one")),
    client("session.audio.output.speed", Yes),
    client("item.previous_item_id", Yes),
    client("item.content.input_image", No("no model here sees")),
    client("response.conversation", Yes),
    client("response.input", Yes),
    client("response.output_modalities", Yes),
    client("response.instructions", Yes),
    client("response.tools", Partly("functions, no MCP")),
    client("response.tool_choice", Yes),
    client("response.max_output_tokens", Yes),
    client("response.metadata", Yes),
    client("response.audio.output", Yes),
    client("response.prompt", No("prompts are not stored")),
    client("response.reasoning", No("changes nothing")),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::protocol::openai::realtime::wire::{Flavour, client, server};
    use crate::protocol::support::Direction;

    fn told(direction: Direction) -> BTreeSet<&'static str> {
        let ours = EVENTS.iter().filter(|event| event.direction == direction && !matches!(event.status, No(_)));
        ours.map(|event| event.name).collect()
    }

    #[test]
    fn the_list_is_what_the_code_does() {
        assert_eq!(told(FromClient), client::EVENTS.iter().copied().collect());
        let written = server::Kind::ALL.iter().flat_map(|kind| [kind.name(Flavour::Ga), kind.name(Flavour::Beta)]);
        assert_eq!(told(ToClient), written.flatten().collect());
    }

    #[test]
    fn nothing_stands_twice() {
        for list in [EVENTS, FIELDS] {
            let names: BTreeSet<_> = list.iter().map(|entry| entry.name).collect();
            assert_eq!(names.len(), list.len());
        }
    }
}

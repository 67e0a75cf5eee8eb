//! The table of measures: one line for each.

use super::{Kind, Measure, Values};

/// Waiting for a person who has stopped speaking: fine steps where a conversation feels quick or slow (under two seconds),
/// coarse ones beyond.
const TALK: &[f64] = &[0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0];
/// Work on this machine, from a millisecond.
const WORK: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 15.0];
/// Whole turns and requests that stream.
const LONG: &[f64] = &[0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 13.0, 20.0, 30.0, 60.0, 120.0];
/// Requests: few steps, since there is a series of them for each route.
const REQUEST: &[f64] = &[0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0];
/// Time to compute divided by the length of the sound: 1 is the edge of what keeps up.
const FACTOR: &[f64] = &[0.01, 0.025, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5, 2.0, 5.0, 10.0];
/// Tokens a second; speech is read aloud at about 4.
const SPEED: &[f64] = &[1.0, 2.0, 4.0, 6.0, 10.0, 15.0, 25.0, 40.0, 60.0, 100.0, 200.0, 1000.0];

const INPUT: Values = Values::These(&["voice", "text"]);
const PRIORITY: Values = Values::These(&["partial", "final", "recording"]);
const CHAT: Values = Values::These(&["ollama", "openai", "builtin"]);
const VOICE: Values = Values::These(&["piper", "espeak"]);
const ENDED: Values = Values::These(&["done", "failed", "cancelled"]);
const REPLY: Values = Values::These(&["done", "barge_in", "client", "superseded", "closing", "failed"]);
const CLOSED: Values =
    Values::These(&["client_ended", "idle", "slow_reader", "shutdown", "restart", "abandoned", "revoked", "other"]);

macro_rules! table {
    ($($told:ident $name:ident $full:literal $kind:expr, [$($label:literal = $values:expr),*], $help:literal;)*) => {
        $(#[doc = $help] pub const $name: &str = $full;)*

        /// Every measure.
        pub const ALL: &[Measure] = &[$(Measure {
            name: $full,
            kind: $kind,
            labels: &[$(($label, $values)),*],
            help: $help,
            told: told!($told),
        }),*];
    };
}

macro_rules! told {
    (told) => {
        true
    };
    (read) => {
        false
    };
}

use Kind::{Counter, Gauge, Histogram};

#[rustfmt::skip]
table! {
    told TURN_TRANSCRIPT "aigolos_turn_transcript_seconds" Histogram(TALK), [], "From the end of speech (its last voiced sound) to the final transcript";
    told TURN_FIRST_TOKEN "aigolos_turn_first_token_seconds" Histogram(TALK), ["input" = INPUT], "From the end of speech, or the arrival of a typed text, to the chat model's first token";
    told TURN_FIRST_SENTENCE "aigolos_turn_first_sentence_seconds" Histogram(TALK), ["input" = INPUT], "From the same moment to the first speakable sentence or clause";
    told TURN_FIRST_SOUND "aigolos_turn_first_sound_seconds" Histogram(TALK), ["input" = INPUT], "From the same moment to the first synthesised sound, which may still be held back";
    told TURN_FIRST_AUDIO "aigolos_turn_first_audio_seconds" Histogram(TALK), ["input" = INPUT], "From the same moment to the first sound sent to the client: what a person waits";
    told TURN_DURATION "aigolos_turn_duration_seconds" Histogram(LONG), ["input" = INPUT], "From the same moment to the end of the reply, heard out or not";
    told PARTIAL_LAG "aigolos_partial_transcript_lag_seconds" Histogram(WORK), [], "From asking for a partial transcript to having it: how far the words on the screen are behind";
    told TRANSCRIPTS "aigolos_transcripts_total" Counter, ["outcome" = Values::These(&["words", "nothing", "no_speech", "low_probability", "repetition", "other"])], "Utterances that ended, by what came of them: words, nothing, or why the text was rejected";
    told TURNS "aigolos_turns_total" Counter, ["input" = INPUT], "Turns of people: utterances with words, and typed texts";
    told REPLIES "aigolos_replies_total" Counter, ["outcome" = REPLY], "Replies that ended: done, or what cancelled them";
    told INTERRUPTION_REACTION "aigolos_interruption_reaction_seconds" Histogram(TALK), [], "From the first sound of a voice over a reply to the pause of the reply";
    told INTERRUPTIONS "aigolos_interruptions_total" Counter, ["outcome" = Values::These(&["confirmed", "resumed"])], "Voices over a reply that ended it (confirmed), and those that only paused it (resumed): coughs, echo, a listener's yes";
    told OUTBOX_DROPPED "aigolos_outbox_dropped_total" Counter, ["what" = Values::These(&["audio", "event"])], "What was kept for a client that was away or slow and had to make way for newer";

    told RECOGNITION_QUEUE "aigolos_recognition_queue_seconds" Histogram(WORK), ["priority" = PRIORITY], "How long a piece of speech waited for a recognition thread";
    told RECOGNITION_COMPUTE "aigolos_recognition_compute_seconds" Histogram(WORK), ["priority" = PRIORITY], "How long recognising it took; its sum is the processor's work";
    told RECOGNITION_FACTOR "aigolos_recognition_realtime_ratio" Histogram(FACTOR), ["priority" = PRIORITY], "Time to recognise divided by the length of the sound: above 1 the machine does not keep up";
    told RECOGNITION_AGAIN "aigolos_recognition_retries_total" Counter, ["doubt" = Values::These(&["empty", "repetition", "too_long", "low_probability"])], "Decodes repeated with more context or several beams, by why the one before was in doubt";
    told RECOGNITION_REJECTED "aigolos_recognition_rejected_total" Counter, ["reason" = Values::These(&["no_speech", "low_probability", "repetition"]), "priority" = PRIORITY], "Decodes whose text was not believed, and why";
    read RECOGNITION_AUDIO "aigolos_recognition_audio_seconds_total" Counter, [], "Sound that was recognised, each decode of it counted";
    read RECOGNITION_JOBS "aigolos_recognition_jobs_total" Counter, ["outcome" = Values::These(&["done", "shed", "superseded", "abandoned", "panicked"])], "Decodes: done, shed (refused because the queue was full), superseded by newer speech, abandoned by their caller, ended by a bug";
    read RECOGNITION_WAITING "aigolos_recognition_waiting" Gauge, ["priority" = PRIORITY], "Decodes that wait for a thread";
    read RECOGNITION_RUNNING "aigolos_recognition_running" Gauge, [], "Recognition threads at work";
    read RECOGNITION_WORKERS "aigolos_recognition_workers" Gauge, [], "Recognition threads";

    told CHAT_FIRST_TOKEN "aigolos_chat_first_token_seconds" Histogram(TALK), ["engine" = CHAT], "From asking the chat model to its first piece of text";
    told CHAT_SPEED "aigolos_chat_tokens_per_second" Histogram(SPEED), ["engine" = CHAT], "How fast a reply was written after its first token, where the model counts tokens; a slow listener slows it";
    told CHAT_REQUESTS "aigolos_chat_requests_total" Counter, ["engine" = CHAT, "outcome" = ENDED], "Replies asked of the chat model, by how they ended";
    told CHAT_TOKENS "aigolos_chat_tokens_total" Counter, ["engine" = CHAT, "kind" = Values::These(&["prompt", "reply"])], "Tokens read and written, where the model counts them";
    read CHAT_UP "aigolos_chat_up" Gauge, [], "Whether the chat model's server answers: 1 or 0";

    told SYNTHESIS_FIRST_SOUND "aigolos_synthesis_first_sound_seconds" Histogram(WORK), ["engine" = VOICE], "From asking for a sentence to its first sound, waiting for a thread included";
    told SYNTHESIS_FACTOR "aigolos_synthesis_realtime_ratio" Histogram(FACTOR), ["engine" = VOICE], "Time to speak a sentence divided by the length of its sound: above 1 speech stutters";
    told SYNTHESIS_REQUESTS "aigolos_synthesis_requests_total" Counter, ["engine" = VOICE, "outcome" = ENDED], "Sentences asked of the voice, by how they ended";
    told SYNTHESIS_JOBS "aigolos_synthesis_jobs" Gauge, ["engine" = VOICE, "state" = Values::These(&["waiting", "running"])], "Sentences that wait for a thread, and that are being spoken";
    read SYNTHESIS_AUDIO "aigolos_synthesis_audio_seconds_total" Counter, [], "Sound that was made of text";

    read SESSIONS "aigolos_sessions" Gauge, ["state" = Values::These(&["attached", "waiting"])], "Live sessions: with a client, or waiting for it to come back";
    read SESSIONS_MAX "aigolos_sessions_max" Gauge, [], "How many there may be";
    told SESSIONS_STARTED "aigolos_sessions_started_total" Counter, [], "Sessions that began";
    told SESSIONS_RESUMED "aigolos_sessions_resumed_total" Counter, [], "Sessions taken up again on a new socket";
    told SESSIONS_ENDED "aigolos_sessions_ended_total" Counter, ["reason" = CLOSED], "Sessions that ended, and why";
    told SESSIONS_REFUSED "aigolos_sessions_refused_total" Counter, ["reason" = Values::These(&["full", "shutting_down", "unknown_session"])], "Clients that got no session";
    told CONNECTIONS "aigolos_connections" Gauge, ["protocol" = Values::These(&["native", "realtime", "wyoming"])], "Open connections of clients that speak";
    read AUDIO_RECEIVED "aigolos_audio_received_seconds_total" Counter, [], "Sound that clients sent, all sessions together";
    read AUDIO_SENT "aigolos_audio_sent_seconds_total" Counter, [], "Reply sound that was let out to clients";

    told HTTP_REQUESTS "aigolos_http_request_duration_seconds" Histogram(REQUEST), ["method" = Values::Of("HTTP's, or other"), "route" = Values::Of("the route's template, or other"), "status" = Values::Of("1xx to 5xx")], "Requests, until the answer began; a WebSocket's is answered 1xx when it opens";
    told ERRORS "aigolos_errors_total" Counter, ["transport" = Values::These(&["http", "native", "realtime", "wyoming"]), "code" = Values::Of("the error codes of docs/protocol.md, or other")], "Failures told to clients";
    told LOGINS "aigolos_logins_total" Counter, ["outcome" = Values::These(&["ok", "wrong", "throttled", "not_verified", "refused", "failed"])], "Attempts to log in with a password";
    read JOBS "aigolos_jobs" Gauge, ["state" = Values::These(&["queued", "running"])], "Recordings that wait for their transcription, and that are being worked on";
    told JOBS_ENDED "aigolos_jobs_ended_total" Counter, ["state" = ENDED], "Transcriptions of recordings that ended";

    told STORE_OPERATIONS "aigolos_store_operation_seconds" Histogram(WORK), ["kind" = Values::These(&["read", "write"])], "Queries and commits of the database, waiting for a connection included";
    told STORE_FAILURES "aigolos_store_failures_total" Counter, ["kind" = Values::These(&["unreachable", "failed"])], "Those that failed: the database was away, or refused";
    read STORE_UP "aigolos_store_up" Gauge, [], "Whether the database answers: 1 or 0";
    told JOURNAL_WRITE "aigolos_journal_write_seconds" Histogram(WORK), [], "How long a finished turn took to be safe on disk, before its client is told";
    read SPOOL_TURNS "aigolos_spool_turns" Gauge, [], "Turns on disk that the database does not have yet";
    read SPOOL_BYTES "aigolos_spool_bytes" Gauge, [], "Bytes of them and of their sound";
    read SPOOL_MAX_BYTES "aigolos_spool_max_bytes" Gauge, [], "How many there may be (SPOOL_MAX_MB)";
    read SPOOL_OLDEST "aigolos_spool_oldest_age_seconds" Gauge, [], "Age of the oldest of them; 0 where nothing waits";
    read SPOOL_LOST "aigolos_spool_lost_turns_total" Counter, [], "Turns that could not be kept because the spool was full or its disk failed";

    read READY "aigolos_ready" Gauge, [], "Whether the server takes sessions (as /api/health/ready says): 1 or 0";
    read DRAINING "aigolos_draining" Gauge, [], "Whether the server is stopping: 1 or 0";
    read BUILD_INFO "aigolos_build_info" Gauge, ["version" = Values::Of("the program's"), "commit" = Values::Of("what it was built from, or unknown"), "features" = Values::Of("accelerators it was built for, or none")], "Always 1; its labels say which build runs";
    read ENGINE_INFO "aigolos_engine_info" Gauge, ["part" = Values::These(&["asr", "llm", "tts"]), "engine" = Values::Of("the engine"), "model" = Values::Of("the model in use"), "demo" = Values::These(&["true", "false"])], "Always 1; its labels say which engine and model are in use";
    read DISK_FREE "aigolos_disk_free_bytes" Gauge, ["folder" = Values::These(&["data", "models"])], "Room left on the disk of DATA_DIR and of MODELS_DIR";
    read DISK_TOTAL "aigolos_disk_total_bytes" Gauge, ["folder" = Values::These(&["data", "models"])], "Size of that disk";
    read TLS_EXPIRY "aigolos_tls_certificate_expiry_seconds" Gauge, [], "When the certificate in use ends, in seconds since 1970; not there without TLS_CERT";
    read BACKUP_NEWEST "aigolos_backup_newest_timestamp_seconds" Gauge, [], "When the newest backup in BACKUP_DIR was written, in seconds since 1970; not there while there is none";
    read BACKUPS "aigolos_backups" Gauge, [], "Backups in BACKUP_DIR";

    read RUNTIME_WORKERS "aigolos_runtime_workers" Gauge, [], "Threads of the async runtime";
    read RUNTIME_TASKS "aigolos_runtime_tasks" Gauge, [], "Tasks alive in it";
    read RUNTIME_QUEUE "aigolos_runtime_queue" Gauge, [], "Tasks that wait for any of its threads";
    read RUNTIME_BUSY "aigolos_runtime_busy_seconds_total" Counter, [], "Time its threads were busy";
    read PROCESS_CPU "process_cpu_seconds_total" Counter, [], "Processor time of the process";
    read PROCESS_MEMORY "process_resident_memory_bytes" Gauge, [], "Memory in use";
    read PROCESS_VIRTUAL "process_virtual_memory_bytes" Gauge, [], "Address space in use";
    read PROCESS_FDS "process_open_fds" Gauge, [], "Open files and sockets";
    read PROCESS_MAX_FDS "process_max_fds" Gauge, [], "How many there may be";
    read PROCESS_THREADS "process_threads" Gauge, [], "Threads of the process";
    read PROCESS_START "process_start_time_seconds" Gauge, [], "When the process started, in seconds since 1970";
}

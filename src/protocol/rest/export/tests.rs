use super::*;
use crate::{
    model::{ConversationId, SessionId, Timings, TurnId, UserId, Word},
    store::{Source, TurnReply},
};

const DAY: i64 = 1_795_353_600_000; // 2026-11-22T13:20:00Z

fn conversation(kind: ConversationKind, title: &str) -> Conversation {
    let (id, user) = (ConversationId::fresh(), UserId::LOCAL);
    Conversation { id, user, kind, title: title.into(), turns: 2, created_at: UnixMs(DAY), updated_at: UnixMs(DAY) }
}

fn turn(session: u128, number: u32, at: i64, source: Source, text: &str, span: (u64, u64)) -> TurnRecord {
    TurnRecord {
        user: UserId::LOCAL,
        conversation: ConversationId::fresh(),
        kind: ConversationKind::Talk,
        session: SessionId::from(uuid::Uuid::from_u128(session)),
        turn: TurnId(number),
        revision: 2,
        at: UnixMs(DAY + at),
        source,
        text: text.into(),
        language: None,
        words: Vec::new(),
        start_ms: span.0,
        end_ms: span.1,
        title: String::new(),
        reply: None,
    }
}

fn replied(mut turn: TurnRecord, heard: &str, interrupted: bool, times: Option<(u32, u32)>) -> TurnRecord {
    let timings = times.map_or_else(Timings::default, |(first, done)| Timings {
        first_audio_ms: Some(first),
        done_ms: Some(done),
        ..Timings::default()
    });
    turn.reply = Some(TurnReply { text: heard.into(), heard: heard.into(), interrupted, timings });
    turn
}

fn talk() -> Vec<TurnRecord> {
    vec![
        replied(
            turn(1, 1, 2_300, Source::Voice, "What is 1 < 2 & 3?", (500, 2_000)),
            "True --> surely.",
            false,
            Some((400, 1_900)),
        ),
        replied(turn(1, 2, 9_300, Source::Voice, "Count to ten.", (7_500, 9_000)), "One, two,", true, None),
        turn(1, 3, 10_100, Source::Typed, "stop", (0, 0)),
        // An hour later, in another session, whose clock begins anew.
        turn(2, 1, 3_602_000, Source::Voice, "Hello again.", (700, 1_700)),
    ]
}

#[test]
fn text_says_who_said_what() {
    let expected = "About numbers\n2026-11-22 13:20 UTC\n\nYou: What is 1 < 2 & 3?\nAssistant: True --> surely.\n\n\
                    You: Count to ten.\nAssistant: One, two, …\n\nYou: stop\n\nYou: Hello again.\n";
    assert_eq!(
        txt(&conversation(ConversationKind::Talk, "About  numbers"), &talk(), Names::of(Language::En)),
        expected
    );

    let dictated =
        [turn(1, 1, 0, Source::Voice, "Раз,\nдва.", (0, 900)), turn(1, 2, 0, Source::Voice, "Три.", (900, 1))];
    let expected = "2026-11-22 13:20 UTC\n\nРаз, два.\nТри.\n";
    assert_eq!(txt(&conversation(ConversationKind::Dictation, ""), &dictated, Names::of(Language::Ru)), expected);
}

#[test]
fn subrip_counts_from_one_on_one_clock() {
    let expected = "1\n00:00:00,500 --> 00:00:02,000\nYou: What is 1 < 2 & 3?\n\n\
                    2\n00:00:02,400 --> 00:00:03,900\nAssistant: True → surely.\n\n\
                    3\n00:00:07,500 --> 00:00:09,000\nYou: Count to ten.\n\n\
                    4\n00:00:09,000 --> 00:00:09,700\nAssistant: One, two, …\n\n\
                    5\n00:00:09,800 --> 00:00:10,500\nYou: stop\n\n\
                    6\n01:00:00,700 --> 01:00:01,700\nYou: Hello again.\n\n";
    assert_eq!(srt(&conversation(ConversationKind::Talk, ""), &talk(), Names::of(Language::En)), expected);
}

#[test]
fn webvtt_has_voices_and_its_marks_are_escaped() {
    let expected = "WEBVTT\n\n\
                    00:00:00.500 --> 00:00:02.000\n<v Вы>What is 1 &lt; 2 &amp; 3?\n\n\
                    00:00:02.400 --> 00:00:03.900\n<v Ассистент>True --&gt; surely.\n\n\
                    00:00:07.500 --> 00:00:09.000\n<v Вы>Count to ten.\n\n";
    let told = vtt(&conversation(ConversationKind::Talk, ""), &talk(), Names::of(Language::Ru));
    assert!(told.starts_with(expected), "{told}");
    let nothing = vtt(&conversation(ConversationKind::Dictation, ""), &[], Names::of(Language::Ru));
    assert_eq!(nothing, "WEBVTT\n\n");
    let dictated = [turn(1, 1, 900, Source::File, "One.", (0, 900))];
    let told = vtt(&conversation(ConversationKind::File, ""), &dictated, Names::of(Language::En));
    assert_eq!(told, "WEBVTT\n\n00:00:00.000 --> 00:00:00.900\nOne.\n\n");
}

#[test]
fn long_text_is_shown_piece_by_piece_when_it_is_said() {
    let text = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen \
                seventeen eighteen";
    let mut spoken = turn(1, 1, 20_000, Source::File, text, (1_000, 19_000));
    let file = conversation(ConversationKind::File, "");
    let told = srt(&file, &[spoken.clone()], Names::of(Language::En));
    let times: Vec<_> = told.lines().filter(|line| line.contains("-->")).collect();
    // The first screen has 81 of the 115 characters, with the spaces behind its lines.
    assert_eq!(times, ["00:00:01,000 --> 00:00:13,678", "00:00:13,678 --> 00:00:19,000"], "{told}");

    spoken.words = (1_u32..)
        .zip(text.split(' '))
        .map(|(n, text)| Word { text: text.into(), start_ms: n * 1_000, end_ms: n * 1_000 + 900, probability: 1.0 })
        .collect();
    let expected = "1\n00:00:01,000 --> 00:00:14,900\none two three four five six seven eight\n\
                    nine ten eleven twelve thirteen fourteen\n\n\
                    2\n00:00:15,000 --> 00:00:18,900\nfifteen sixteen seventeen eighteen\n\n";
    assert_eq!(srt(&file, &[spoken], Names::of(Language::En)), expected);

    let endless = turn(1, 1, 20_000, Source::File, &"字".repeat(100), (0, 10_000));
    let told = srt(&file, &[endless], Names::of(Language::En));
    assert!(told.lines().all(|line| line.chars().count() <= 42), "{told}");
    assert_eq!(told.matches('字').count(), 100);
}

#[test]
fn a_file_is_called_after_its_title() {
    for (title, expected) in [
        ("What time is it?", "filename=\"What-time-is-it.txt\"; filename*=UTF-8''What-time-is-it.txt"),
        ("Счёт, Юля", "filename=\"Schet-Yulya.txt\"; filename*=UTF-8''%D0%A1%D1%87%D1%91%D1%82-%D0%AE%D0%BB%D1%8F.txt"),
        ("../../etc/passwd\"\r\nx: y", "filename=\"etc-passwd-x-y.txt\"; filename*=UTF-8''etc-passwd-x-y.txt"),
        ("", "filename=\"conversation-2026-11-22.txt\"; filename*=UTF-8''conversation-2026-11-22.txt"),
        ("你好", "filename=\"conversation-2026-11-22.txt\"; filename*=UTF-8''%E4%BD%A0%E5%A5%BD.txt"),
    ] {
        assert_eq!(disposition(title, UnixMs(DAY), "txt"), format!("attachment; {expected}"));
    }
}

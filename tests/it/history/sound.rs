//! Sound that is kept, where somebody wants that.

use std::{
    io::{Seek, Write},
    time::Duration,
};

use aigolos::job::{decode::decode, kind::SoundKind};
use serde_json::json;

use super::api::Api;
use crate::harness::{TestServer, loudness, recording};

/// Samples of 48 kHz in an Opus file, by what its last page says.
fn ticks(file: &[u8]) -> u64 {
    let mut reader = ogg::PacketReader::new(std::io::Cursor::new(file));
    let mut last = 0;
    let mut skipped = None;
    while let Some(packet) = reader.read_packet().expect("an Ogg file") {
        // The first packet says how much of the beginning is thrown away.
        skipped.get_or_insert_with(|| u64::from(u16::from_le_bytes([packet.data[10], packet.data[11]])));
        last = packet.absgp_page();
    }
    last - skipped.expect("a header")
}

#[tokio::test(flavor = "multi_thread")]
async fn both_sides_are_heard_again() {
    let server = TestServer::start(&["--keep-audio", "true"]).await;
    let api = Api::of(&server);
    let (mut client, ready) = server.session(json!({})).await;
    client.speak_until(&recording("What is five plus seven?"), "reply.done").await;
    let (id, session) = (&ready["conversation_id"], &ready["session_id"]);
    let path = format!("/api/conversations/{}", id.as_str().expect("an id"));
    let seen = api.eventually(&path, |seen| seen["turns"][0]["audio"] == json!(["user", "reply"])).await;

    let turn = &seen["turns"][0];
    // Its words have times, to be shown as they sound, though the session did not ask for them.
    let words = turn["words"].as_array().expect("a list");
    assert_eq!(words.len(), turn["text"].as_str().expect("text").split_whitespace().count());
    assert!(words.iter().all(|word| word["start_ms"].as_u64() <= word["end_ms"].as_u64()), "{words:?}");
    assert!(client.of_kind("transcript.final")[0].get("words").is_none());
    let sound = |side: &str| format!("{path}/audio/{}/{}/{side}", session.as_str().expect("an id"), turn["turn"]);
    let answer = api.raw(&sound("user")).await;
    assert_eq!(answer.headers()["content-type"], "audio/ogg");
    assert_eq!(answer.headers()["accept-ranges"], "bytes");
    let tag = answer.headers()["etag"].to_str().expect("ASCII").to_owned();
    let user = answer.bytes().await.expect("a file");
    let spoken = turn["end_ms"].as_u64().expect("a number") - turn["start_ms"].as_u64().expect("a number");
    let kept = ticks(&user) / 48;
    // With the silence that ended it.
    assert!(kept >= spoken && kept < spoken + 2_000, "{kept} ms are kept of {spoken} ms");

    let reply = api.raw(&sound("reply")).await.bytes().await.expect("a file");
    let sent = client.sound(1).len() as u64 * 2;
    assert_eq!(ticks(&reply), sent, "as it was sent, at twice the rate");
    for file in [&user, &reply] {
        let mut kept = tempfile::tempfile().expect("a scratch file");
        kept.write_all(file).expect("written");
        kept.rewind().expect("readable");
        let audio =
            decode(kept, SoundKind::Ogg { opus: true }, 0, Duration::from_mins(1), |_| true).expect("it decodes");
        let ms = ticks(file) / 48;
        assert!(u64::from(audio.ms()).abs_diff(ms) < 40, "{} of {ms} ms", audio.ms());
        assert!(loudness(audio.samples()) > 300.0, "it is not silence");
    }

    let part = api.with(&sound("user"), &[("range", "bytes=0-3"), ("if-range", &tag)]).await;
    assert_eq!(part.status(), 206);
    assert_eq!(part.headers()["content-range"], format!("bytes 0-3/{}", user.len()).as_str());
    assert_eq!(part.bytes().await.expect("a part").as_ref(), b"OggS");
    assert_eq!(api.with(&sound("user"), &[("if-none-match", &tag)]).await.status(), 304);
    assert_eq!(api.get(&sound("nobody")).await.0, 404);

    assert_eq!(api.delete(&path).await.0, 204);
    assert_eq!(api.get(&sound("user")).await.0, 404, "sound goes with its conversation");
}

//! `aigolos models`, the real program, against a hub on this machine.

use std::{
    fs,
    path::Path,
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use super::hub::{Asked, Hub, Reply, content, honest, sha256_of};
use crate::harness::PATIENCE;

const NAME: &str = "tiny-q5_1";

/// The hub tells the digest itself, as for every model without a published one.
fn told(asked: &Asked) -> Reply {
    honest(asked, &content(), "\"one\"").header("x-linked-etag", format!("\"{}\"", sha256_of(&content())))
}

fn command(folder: &Path, hub: &Hub, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_aigolos"));
    command
        .current_dir(folder)
        .args(["models"])
        .args(arguments)
        .env("MODELS_DIR", folder.join("models"))
        .env("DATA_DIR", folder.join("data"))
        .env("HF_ENDPOINT", hub.url())
        .env("MODELS_KEEP_FREE_MB", "0")
        .env("OLLAMA_BASE_URL", "http://127.0.0.1:9")
        .stdin(Stdio::null());
    command
}

async fn run(folder: &Path, hub: &Hub, arguments: &[&str]) -> (bool, String, String) {
    let mut command = command(folder, hub, arguments);
    let output: Output =
        tokio::task::spawn_blocking(move || command.output()).await.expect("no panic").expect("it runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.success(), text(&output.stdout), text(&output.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_download_goes_on_where_it_was_and_the_model_is_used_and_removed() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let folder = scratch.path();
    let hub = Hub::start(|asked, n| if n == 0 { told(asked).hang(200_000) } else { told(asked) }).await;
    let mut pulling = command(folder, &hub, &["pull", NAME]).stderr(Stdio::null()).spawn().expect("it runs");
    hub.hangs(1).await;
    let part = folder.join("models/.partial/ggml-tiny-q5_1.bin.part");
    let began = Instant::now();
    while fs::metadata(&part).map_or(0, |file| file.len()) < 200_000 {
        assert!(began.elapsed() < PATIENCE, "what came is on the disk");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    pulling.kill().expect("it runs still");
    pulling.wait().expect("it was killed");
    let (_, listed, _) = run(folder, &hub, &["list", "--installed"]).await;
    assert!(!listed.contains(NAME), "{listed}");

    let (well, out, err) = run(folder, &hub, &["pull", NAME]).await;
    assert!(well && out.contains("tiny-q5_1 is here, checked against the SHA-256 told by the hub"), "{out}{err}");
    assert_eq!(hub.asked()[1].from(), Some(200_000));
    assert_eq!(hub.served(), 300_000, "each byte came once");
    let (_, again, _) = run(folder, &hub, &["pull", NAME]).await;
    assert!(again.contains("is here already"), "{again}");

    let (well, out, err) = run(folder, &hub, &["use", NAME]).await;
    assert!(well && out.contains("is in use from now on"), "{out}{err}");
    let (well, _, err) = run(folder, &hub, &["rm", NAME]).await;
    assert!(!well && err.contains("is in use\nhint: "), "{err}");
    let (_, listed, _) = run(folder, &hub, &["list"]).await;
    assert!(listed.lines().any(|line| line.contains(NAME) && line.ends_with("in use")), "{listed}");
    assert!(
        listed.contains("large-v3") && listed.contains("en_US-lessac-medium") && !listed.contains("ru_RU"),
        "{listed}"
    );
    let (_, russian, _) = run(folder, &hub, &["list", "--language", "ru"]).await;
    assert!(
        russian.contains("ru_RU-irina-medium") && !russian.contains("en_US") && !russian.contains(".en"),
        "{russian}"
    );

    let (well, out, _) = run(folder, &hub, &["verify"]).await;
    assert!(well && out.contains("tiny-q5_1 is whole"), "{out}");
    fs::write(folder.join("models/ggml-tiny-q5_1.bin"), b"something else").expect("writable");
    let (well, _, err) = run(folder, &hub, &["verify", NAME]).await;
    assert!(!well && err.contains("is damaged") && err.contains("pull --again"), "{err}");

    let mut given = command(folder, &hub, &["use", NAME]);
    let given = tokio::task::spawn_blocking(move || given.env("ASR_MODEL_NAME", "nano").output());
    let given = given.await.expect("no panic").expect("it runs");
    let said = String::from_utf8_lossy(&given.stderr).into_owned();
    assert!(!given.status.success() && said.contains("ASR_MODEL_NAME is set"), "{said}");
    // The choice taken back, it is used all the same: it is the only one that is here.
    assert!(run(folder, &hub, &["use", "auto:asr"]).await.0);
    assert!(!run(folder, &hub, &["rm", NAME]).await.0);
    assert!(run(folder, &hub, &["use", "nano"]).await.0);
    assert!(run(folder, &hub, &["rm", NAME]).await.0);
    let (well, _, err) = run(folder, &hub, &["pull", "base.n"]).await;
    assert!(!well && err.contains("did you mean base.en"), "{err}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_terms_of_a_voice_are_shown_before_it_comes() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let hub = Hub::start(|asked, _| {
        if asked.path.ends_with("/MODEL_CARD") {
            Reply { body: b"# irina\n* License: see URL\x1b[31m\n".to_vec(), ..Reply::status(200) }
        } else {
            Reply::status(403)
        }
    })
    .await;
    let (well, out, err) = run(scratch.path(), &hub, &["pull", "ru_RU-irina-medium"]).await;
    assert!(!well && out.contains("    * License: see URL") && !out.contains('\x1b'), "{out}");
    assert!(err.contains("status 403") && err.contains("hint: "), "{err}");
    assert!(hub.asked()[0].path.ends_with("/ru/ru_RU/irina/medium/MODEL_CARD"), "{:?}", hub.asked());
}

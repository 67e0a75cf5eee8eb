//! A download against a hub that does everything wrong.

use std::{fs, path::Path, time::Duration};

use aigolos::{
    catalogue::{
        Checked, Download, DownloadState, LibraryError, Licence, Manifest, Published, RemoteFile, Size, Verdict,
    },
    engine::models::{self, ModelKind},
};

use super::hub::{
    Hub, Reply, content, ended, growing, honest, library, model, published, pulled, settings, sha1_of, sha256_of,
};

const ETAG: &str = "\"first\"";

fn listed(folder: &Path) -> Vec<String> {
    models::files(folder).into_iter().map(|file| file.name).collect()
}

/// It failed so, nothing is installed.
fn failed(download: &Download, code: &str, folder: &Path) {
    let trouble = download.trouble.as_ref().unwrap_or_else(|| panic!("{download:?}"));
    assert_eq!((download.state, trouble.code), (DownloadState::Failed, code), "{trouble:?}");
    assert!(!trouble.hint.is_empty());
    assert!(listed(folder).is_empty());
}

#[tokio::test]
async fn a_model_is_installed_whole_and_noted() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let hub = Hub::start(|asked, _| honest(asked, &content(), ETAG)).await;
    let library = library(folder.path(), &hub, model(published(&content())));
    let done = pulled(&library, "small").await;
    assert_eq!((done.state, done.checked, done.bytes), (DownloadState::Done, Some(Checked::Sha1), 300_000), "{done:?}");
    assert_eq!(fs::read(folder.path().join("ggml-small.bin")).expect("it is there"), content());
    assert_eq!((listed(folder.path()), growing(folder.path())), (vec!["small".to_owned()], vec![]));
    let noted = Manifest::load(folder.path()).expect("readable").models["small"].clone();
    assert_eq!(noted.files[0].sha256, sha256_of(&content()));
    assert!(pulled(&library, "small").await.already);
    assert_eq!(hub.asked().len(), 1);

    // It is looked at again, found whole; then a byte changes.
    assert!(matches!(library.verify("small").await, Ok(Verdict::Whole { .. })));
    let mut bytes = content();
    bytes[1_000] ^= 1;
    fs::write(folder.path().join("ggml-small.bin"), bytes).expect("writable");
    assert!(matches!(library.verify("small").await, Ok(Verdict::Changed { .. })));
    ended(library.pull("small", true).expect("known")).await;
    assert!(matches!(library.verify("small").await, Ok(Verdict::Whole { .. })));

    let in_use = [(ModelKind::Asr, "small".to_owned())];
    assert!(matches!(library.remove("small", &in_use).await, Err(LibraryError::InUse { .. })));
    library.remove("small", &[]).await.expect("nobody uses it");
    assert!(listed(folder.path()).is_empty() && Manifest::load(folder.path()).expect("readable").models.is_empty());
    assert!(matches!(library.remove("small", &[]).await, Err(LibraryError::NotThere { .. })));
    assert!(matches!(library.pull("smal", false), Err(LibraryError::Unknown { .. })));
}

#[tokio::test]
async fn what_breaks_is_gone_on_with_and_no_byte_comes_twice() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let hub = Hub::start(|asked, n| {
        let whole = honest(asked, &content(), ETAG);
        if n < 3 { whole.cut(70_000) } else { whole }
    })
    .await;
    let done = pulled(&library(folder.path(), &hub, model(published(&content()))), "small").await;
    assert_eq!(done.state, DownloadState::Done, "{done:?}");
    assert_eq!(hub.served(), 300_000, "each byte came once");
    let from: Vec<_> = hub.asked().iter().map(super::hub::Asked::from).collect();
    assert_eq!(from, [None, Some(70_000), Some(140_000), Some(210_000)]);
    assert_eq!(hub.asked()[1].headers["if-range"], ETAG);
}

#[tokio::test]
async fn what_always_breaks_ends_and_the_next_pull_goes_on_there() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let entry = || model(published(&content()));
    let bad = Hub::start(|asked, n| honest(asked, &content(), ETAG).cut(if n == 0 { 100_000 } else { 0 })).await;
    let ended = pulled(&library(folder.path(), &bad, entry()), "small").await;
    failed(&ended, "unreachable", folder.path());
    assert!(bad.asked().len() < 10, "the tries are bounded");
    assert_eq!(growing(folder.path()), ["ggml-small.bin.part", "ggml-small.bin.part.json"]);
    let good = Hub::start(|asked, _| honest(asked, &content(), ETAG)).await;
    let done = pulled(&library(folder.path(), &good, entry()), "small").await;
    assert_eq!((done.state, good.served()), (DownloadState::Done, 200_000));
}

#[tokio::test]
async fn a_page_that_wants_a_log_in_takes_nothing_of_what_has_come() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let entry = || model(published(&content()));
    let page = || Reply { body: b"<html>Welcome to our network</html>".to_vec(), ..Reply::status(200) };
    let portal = Hub::start(move |asked, n| match n {
        0 => honest(asked, &content(), ETAG).cut(100_000),
        _ => page().header("content-type", "text/html; charset=utf-8"),
    })
    .await;
    let ended = pulled(&library(folder.path(), &portal, entry()), "small").await;
    assert_eq!(ended.state, DownloadState::Failed, "{ended:?}");
    let good = Hub::start(|asked, _| honest(asked, &content(), ETAG)).await;
    let done = pulled(&library(folder.path(), &good, entry()), "small").await;
    assert_eq!((done.state, good.served()), (DownloadState::Done, 200_000));
}

#[tokio::test]
async fn a_hub_that_lies_about_the_length_is_not_believed() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    // Too short: what comes is not the file.
    let hub = Hub::start(|_, _| Reply { body: content()[..50_000].to_vec(), ..Reply::status(200) }).await;
    let ended = pulled(&library(folder.path(), &hub, model(published(&content()))), "small").await;
    failed(&ended, "damaged", folder.path());
    assert!(growing(folder.path()).is_empty(), "what is damaged is not kept");
    // Too long: it never comes to its end.
    let hub = Hub::start(|asked, _| {
        let from = asked.from().unwrap_or(0);
        let reply = Reply { body: content()[from..].to_vec(), claims: Some(400_000 - from), ..Reply::status(206) };
        let reply = if from == 0 { Reply { status: 200, ..reply } } else { reply };
        reply.header("content-range", format!("bytes {from}-399999/400000"))
    })
    .await;
    let ended = pulled(&library(folder.path(), &hub, model(published(&content()))), "small").await;
    failed(&ended, "unreachable", folder.path());
    fs::remove_dir_all(folder.path().join(".partial")).expect("it is there");
    // Where the size is known, another one is refused before anything comes, and more than that is never taken.
    let mut exact = model(published(&content()));
    exact.files[0].size = Size::Exact(299_999);
    let hub = Hub::start(|asked, n| {
        let whole = honest(asked, &content(), ETAG);
        if n == 0 { whole } else { Reply { claims: Some(0), ..whole } }
    })
    .await;
    let library = library(folder.path(), &hub, exact);
    for _ in 0..2 {
        failed(&pulled(&library, "small").await, "damaged", folder.path());
        assert!(growing(folder.path()).is_empty());
    }
}

#[tokio::test]
async fn a_hub_without_ranges_begins_anew() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let hub = Hub::start(|_, n| {
        let whole = Reply { body: content(), ..Reply::status(200) };
        if n == 0 { whole.cut(100_000) } else { whole }
    })
    .await;
    let done = pulled(&library(folder.path(), &hub, model(published(&content()))), "small").await;
    assert_eq!((done.state, hub.served()), (DownloadState::Done, 400_000), "{done:?}");
    assert_eq!(fs::read(folder.path().join("ggml-small.bin")).expect("it is there"), content());
}

#[tokio::test]
async fn damage_is_found_and_removed() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let damaged = || content().into_iter().map(|byte| byte ^ 1).collect::<Vec<_>>();
    let hub = Hub::start(move |asked, _| honest(asked, &damaged(), ETAG)).await;
    let ended = pulled(&library(folder.path(), &hub, model(published(&content()))), "small").await;
    failed(&ended, "damaged", folder.path());
    let said = ended.trouble.expect("it failed").message;
    assert!(said.contains("SHA-1") && said.contains(sha1_of(&content())), "{said}");
    assert!(growing(folder.path()).is_empty());
    // Where only the first part is damaged, the whole is fetched once more.
    let hub = Hub::start(move |asked, n| match n {
        0 => honest(asked, &damaged(), ETAG).cut(100_000),
        _ => honest(asked, &content(), ETAG),
    })
    .await;
    let done = pulled(&library(folder.path(), &hub, model(published(&content()))), "small").await;
    assert_eq!((done.state, hub.asked().len()), (DownloadState::Done, 3), "{done:?}");
}

#[tokio::test]
async fn a_file_that_changed_meanwhile_comes_anew() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let new = || content().into_iter().rev().collect::<Vec<_>>();
    let hub = Hub::start(move |asked, n| match n {
        0 => honest(asked, &content(), ETAG).cut(100_000),
        _ => honest(asked, &new(), "\"second\""),
    })
    .await;
    let done = pulled(&library(folder.path(), &hub, model(published(&new()))), "small").await;
    assert_eq!((done.state, hub.asked().len()), (DownloadState::Done, 2), "{done:?}");
}

#[tokio::test]
async fn the_token_stays_with_the_hub_and_its_digest_is_checked() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let store = Hub::start(|asked, _| honest(asked, &content(), ETAG)).await;
    let target = format!("{}/blob?signed=1", store.url());
    let linked = |sha256: String| {
        let target = target.clone();
        move |_: &super::hub::Asked, _| {
            let reply = Reply::status(302).header("location", target.clone());
            reply.header("x-linked-etag", format!("\"{sha256}\"")).header("x-linked-size", "300000")
        }
    };
    let hub = Hub::start(linked(sha256_of(&content()))).await;
    let with_token = |hub: &Hub| {
        let mut settings = settings(folder.path(), hub, model(None));
        settings.token = "hf_secret".into();
        aigolos::catalogue::Library::new(settings).expect("valid")
    };
    let library = with_token(&hub);
    let done = pulled(&library, "small").await;
    assert_eq!((done.state, done.checked), (DownloadState::Done, Some(Checked::HubSha256)), "{done:?}");
    assert_eq!(hub.asked()[0].headers["authorization"], "Bearer hf_secret");
    assert!(!store.asked()[0].headers.contains_key("authorization"));
    library.remove("small", &[]).await.expect("it is there");
    // Another digest than the hub told; none at all; a circle.
    let other = Hub::start(linked(sha256_of(b"other"))).await;
    failed(&pulled(&with_token(&other), "small").await, "damaged", folder.path());
    let silent = Hub::start(|asked, _| honest(asked, &content(), ETAG)).await;
    failed(&pulled(&with_token(&silent), "small").await, "unchecked", folder.path());
    let circle = Hub::start(|_, _| Reply::status(302).header("location", "/o/m/resolve/main/ggml-small.bin")).await;
    failed(&pulled(&with_token(&circle), "small").await, "damaged", folder.path());
    assert!(circle.asked().len() < 20);
}

#[tokio::test]
async fn refusals_say_what_to_do() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    for (status, code, word) in [
        (401, "refused", "HF_TOKEN"),
        (403, "refused", "HF_ENDPOINT"),
        (404, "missing", "HF_ENDPOINT"),
        (429, "busy", "wait"),
        (503, "busy", "again"),
        (418, "damaged", "proxy"),
    ] {
        let hub = Hub::start(move |_, _| Reply::status(status).header("retry-after", "0")).await;
        let ended = pulled(&library(folder.path(), &hub, model(None)), "small").await;
        failed(&ended, code, folder.path());
        let hint = ended.trouble.expect("it failed").hint;
        assert!(hint.contains(word), "{status}: {hint}");
        assert_eq!(hub.asked().len(), if code == "busy" { 4 } else { 1 }, "{status}");
    }
}

#[tokio::test]
async fn a_hub_that_falls_silent_is_left() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let hub = Hub::start(|asked, n| honest(asked, &content(), ETAG).hang(if n == 0 { 10_000 } else { 0 })).await;
    let mut settings = settings(folder.path(), &hub, model(published(&content())));
    settings.patience.stall = Duration::from_millis(150);
    let ended = pulled(&aigolos::catalogue::Library::new(settings).expect("valid"), "small").await;
    failed(&ended, "unreachable", folder.path());
    assert!(hub.asked().len() < 10, "the tries are bounded");
}

#[tokio::test]
async fn a_full_disk_is_seen_before_anything_comes() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let hub = Hub::start(|asked, _| honest(asked, &content(), ETAG)).await;
    let mut settings = settings(folder.path(), &hub, model(published(&content())));
    settings.keep_free = u64::MAX / 2;
    let ended = pulled(&aigolos::catalogue::Library::new(settings).expect("valid"), "small").await;
    failed(&ended, "no_room", folder.path());
    assert!(hub.asked().is_empty());
}

#[tokio::test]
async fn who_cancels_goes_on_later_where_it_stopped() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let hub = Hub::start(|asked, n| {
        let whole = honest(asked, &content(), ETAG);
        if n == 0 { whole.hang(120_000) } else { whole }
    })
    .await;
    let library = library(folder.path(), &hub, model(published(&content())));
    let mut watch = library.pull("small", false).expect("known");
    watch.wait_for(|download| download.bytes == 120_000).await.expect("told");
    let id = watch.borrow().id;
    assert_eq!(library.pull("small", false).expect("known").borrow().id, id, "a second pull joins the first");
    let cancelled = library.cancel(id).await.expect("it is there");
    assert_eq!(cancelled.state, DownloadState::Cancelled);
    assert!(listed(folder.path()).is_empty());
    let done = pulled(&library, "small").await;
    assert_eq!((done.state, hub.asked()[1].from(), hub.served()), (DownloadState::Done, Some(120_000), 300_000));
}

#[tokio::test]
async fn two_processes_fetch_a_model_once() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let hub = Hub::start(|asked, _| honest(asked, &content(), ETAG)).await;
    // Locks are of open files: two libraries are to each other as two processes are.
    let [first, second] = [0, 1].map(|_| library(folder.path(), &hub, model(published(&content()))));
    let (first, second) = tokio::join!(pulled(&first, "small"), pulled(&second, "small"));
    assert_eq!((first.state, second.state), (DownloadState::Done, DownloadState::Done));
    assert!(first.already != second.already, "one of them has fetched it");
    assert_eq!(hub.served(), 300_000);
}

#[tokio::test]
async fn a_voice_is_seen_when_both_of_its_files_are_there() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let description = || b"{\"audio\":{\"sample_rate\":16000}}".to_vec();
    let hub = Hub::start(move |asked, _| match asked.path.as_str() {
        "/v/MODEL_CARD" => Reply { body: b"License: CC0".to_vec(), ..Reply::status(200) },
        "/v/xx-a-low.onnx.json" => honest(asked, &description(), ETAG),
        "/v/xx-a-low.onnx" if asked.headers.contains_key("range") => honest(asked, &content(), ETAG),
        _ => honest(asked, &content(), ETAG).cut(150_000),
    })
    .await;
    let file = |name: &str, bytes: &[u8]| RemoteFile {
        source: format!("v/{name}"),
        place: Path::new("piper").join(name),
        size: Size::Exact(bytes.len() as u64),
        digest: published(bytes),
    };
    let mut voice = model(None);
    voice.kind = ModelKind::Tts;
    voice.name = "xx-a-low";
    voice.licence = Licence::Card { source: "v/MODEL_CARD".into(), text: None };
    voice.files = vec![file("xx-a-low.onnx.json", &description()), file("xx-a-low.onnx", &content())];
    let mut missing = voice.clone();
    missing.files[1].source = "v/nowhere".into();
    missing.files[1].digest = Some(Published::Md5("00000000000000000000000000000000"));
    failed(&pulled(&library(folder.path(), &hub, missing), "xx-a-low").await, "damaged", folder.path());
    let library = library(folder.path(), &hub, voice);
    let (card, address) = library.card("xx-a-low").await.expect("it has one");
    assert_eq!((card.as_str(), address), ("License: CC0", Some(format!("{}/v/MODEL_CARD", hub.url()))));
    let done = pulled(&library, "xx-a-low").await;
    assert_eq!((done.state, done.bytes), (DownloadState::Done, 300_000 + description().len() as u64), "{done:?}");
    assert_eq!(listed(folder.path()), ["xx-a-low"]);
    library.remove("xx-a-low", &[]).await.expect("nobody uses it");
    assert_eq!(fs::read_dir(folder.path().join("piper")).expect("a folder").count(), 0);
}

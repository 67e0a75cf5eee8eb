//! Archives that are damaged, cut short, or made to do harm: each is refused, and nothing has changed.

use std::{
    fs,
    io::{Read as _, Write as _},
    path::PathBuf,
};

use aigolos::app::backup::{self, BackupError, Made};
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use sha2::{Digest as _, Sha256};
use tar::{EntryType, Header};

use super::{Place, fill};

/// Names and contents.
type Members = Vec<(String, Vec<u8>)>;

/// The members of a good archive.
fn members(made: &Made) -> Members {
    let mut tar = tar::Archive::new(GzDecoder::new(fs::File::open(&made.path).expect("there")));
    let entries = tar.entries().expect("a tar");
    entries
        .map(|entry| {
            let mut entry = entry.expect("whole");
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).expect("whole");
            (entry.path().expect("a name").display().to_string(), bytes)
        })
        .collect()
}

fn header(name: &str, size: u64, kind: EntryType) -> Header {
    let mut header = Header::new_ustar();
    // As it stands: the usual way refuses names that climb.
    let field = &mut header.as_mut_bytes()[..100];
    field[..name.len()].copy_from_slice(name.as_bytes());
    header.set_size(size);
    header.set_mode(0o600);
    header.set_entry_type(kind);
    header.set_cksum();
    header
}

/// An archive of these members; the manifest's digests are made right where `honest`.
fn packed(members: &[(String, Vec<u8>)], honest: bool) -> Vec<u8> {
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (name, bytes) in members {
        let mut bytes = bytes.clone();
        if honest && name == "manifest.json" {
            let mut manifest: serde_json::Value = serde_json::from_slice(&bytes).expect("JSON");
            let parts = members.iter().filter(|(name, _)| name != "manifest.json").map(|(name, bytes)| {
                let sha256 = data_encoding::HEXLOWER.encode(&Sha256::digest(bytes));
                serde_json::json!({"name": name, "size": bytes.len(), "sha256": sha256})
            });
            manifest["members"] = parts.collect();
            bytes = serde_json::to_vec(&manifest).expect("JSON");
        }
        tar.append(&header(name, bytes.len() as u64, EntryType::Regular), bytes.as_slice()).expect("packed");
    }
    tar.into_inner().expect("packed").finish().expect("packed")
}

struct Victim {
    place: Place,
    archive: PathBuf,
    rows: String,
}

impl Victim {
    /// Something is there, which must stay.
    async fn new() -> Self {
        let place = Place::sqlite();
        fill(&place).await;
        let archive = place.folder.path().join("evil.tar.gz");
        let rows = format!("{:?} {:?}", place.rows().await, place.files());
        Self { place, archive, rows }
    }

    async fn refuses(&self, what: &str, bytes: &[u8], why: &str) {
        fs::write(&self.archive, bytes).expect("written");
        let error = backup::restore(&self.place.places, &self.archive, true).await.expect_err(what);
        assert!(error.to_string().contains(why), "{what}: {error}");
        assert!(error.to_string().contains("hint: "), "{what}: {error}");
        let verified = backup::verify(&self.archive);
        assert!(verified.is_err() || matches!(error, BackupError::Copy(_) | BackupError::Newer(..)), "{what}");
    }

    async fn is_unharmed(&self) {
        assert_eq!(format!("{:?} {:?}", self.place.rows().await, self.place.files()), self.rows);
        assert!(!self.place.data().join("restore").exists());
        assert_eq!(self.place.waiting(), 3);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_damaged_changes_nothing() {
    let source = Place::sqlite();
    fill(&source).await;
    let made = source.backup().await;
    let good = fs::read(&made.path).expect("read");
    let victim = Victim::new().await;
    let not = "is not a whole backup";

    for part in [0, 1, good.len() / 3, good.len() / 2, good.len() - 9, good.len() - 1] {
        victim.refuses(&format!("{part} bytes"), &good[..part], not).await;
    }
    for at in [2, good.len() / 4, good.len() / 2, good.len() - 5] {
        let mut flipped = good.clone();
        flipped[at] ^= 0x10;
        victim.refuses(&format!("a bit at {at}"), &flipped, not).await;
    }
    victim.refuses("noise", b"not a backup at all", not).await;
    victim.refuses("more behind it", &[good.as_slice(), b"more"].concat(), "something follows its end").await;
    victim.refuses("twice", &[good.as_slice(), good.as_slice()].concat(), "something follows its end").await;
    victim.is_unharmed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_means_harm_changes_nothing() {
    let source = Place::sqlite();
    fill(&source).await;
    let made = source.backup().await;
    let good = members(&made);
    let victim = Victim::new().await;
    let with = |edit: &dyn Fn(&mut Members)| {
        let mut members = good.clone();
        edit(&mut members);
        members
    };
    let at = |name: &str| good.iter().position(|(found, _)| found.starts_with(name)).expect("there");
    let renamed = |from: &str, to: &str| with(&|members| members[at(from)].0 = to.into());

    for name in ["../../secret.key", "/etc/cron.d/x", "files/../../x", "uploads/../secret.key", "files/other", ""] {
        victim.refuses(name, &packed(&renamed("files/secret.key", name), true), "a member is not known").await;
    }
    for (kind, what) in [
        (EntryType::Symlink, "a link"),
        (EntryType::Link, "another link"),
        (EntryType::Directory, "a folder"),
        (EntryType::Fifo, "a pipe"),
        (EntryType::GNULongName, "a long name"),
        (EntryType::XHeader, "a further header"),
        (EntryType::GNUSparse, "a file with holes"),
    ] {
        let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        let mut header = header("files/secret.key", 0, kind);
        header.set_link_name("/etc/passwd").expect("it fits");
        header.set_cksum();
        tar.append(&header, &[][..]).expect("packed");
        let bytes = tar.into_inner().expect("packed").finish().expect("packed");
        victim.refuses(what, &bytes, "a member is no plain file").await;
    }
    // A length that nobody could keep, and nothing behind it.
    for (name, size) in
        [("files/secret.key", 1 << 40), ("rows/users-000001.jsonl", 1 << 33), ("manifest.json", 1 << 33)]
    {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(header(name, size, EntryType::Regular).as_bytes()).expect("packed");
        victim.refuses(name, &gzip.finish().expect("packed"), "is too long").await;
    }
    let (users, turns, jobs) = (at("rows/users"), at("rows/turns"), at("rows/jobs"));
    victim
        .refuses(
            "another order",
            &packed(&with(&|members| members.swap(users, turns)), true),
            "where it does not belong",
        )
        .await;
    victim
        .refuses(
            "one twice",
            &packed(&with(&|members| members.insert(jobs, good[jobs].clone())), true),
            "where it does not belong",
        )
        .await;
    victim
        .refuses(
            "one left out",
            &packed(&with(&|members| drop(members.remove(jobs))), false),
            "not what its manifest says",
        )
        .await;
    victim
        .refuses(
            "other rows",
            &packed(&with(&|members| members[users].1.extend_from_within(..)), false),
            "not what its manifest says",
        )
        .await;
    victim
        .refuses(
            "more rows than told",
            &packed(&with(&|members| members[users].1.extend_from_within(..)), true),
            "has not the rows",
        )
        .await;
    victim
        .refuses(
            "rows that are none",
            &packed(&with(&|members| members[users].1 = b"{}\n".to_vec()), true),
            "users.id is missing",
        )
        .await;
    victim
        .refuses("no manifest", &packed(&with(&|members| drop(members.pop())), true), "its manifest is missing")
        .await;

    let manifest = good.len() - 1;
    let told = |from: &str, to: &str| {
        with(&|members| {
            let text = String::from_utf8(members[manifest].1.clone()).expect("JSON");
            assert!(text.contains(from), "{text}");
            members[manifest].1 = text.replace(from, to).into_bytes();
        })
    };
    victim.refuses("a newer format", &packed(&told("\"format\": 1", "\"format\": 2"), false), "newer aigolos").await;
    victim.refuses("newer tables", &packed(&told("\"schema\": 2", "\"schema\": 3"), false), "newer aigolos").await;
    // Honest about itself, and yet rows that do not belong together: the database has the last word.
    let orphans = with(&|members| {
        members[turns].1 = String::from_utf8(members[turns].1.clone())
            .expect("text")
            .replace("\"conversation\":", "\"conversation\":9")
            .into_bytes();
    });
    victim.refuses("orphans", &packed(&orphans, true), "").await;
    victim.is_unharmed().await;
    assert_eq!(backup::verify(&made.path).expect("the good one is good"), made.manifest);
}

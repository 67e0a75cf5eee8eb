//! What a file is, by what is in it; its name may only agree.

use std::io::{self, Read, Seek, SeekFrom};

/// A kind of recording that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SoundKind {
    Wav,
    Mp3,
    Flac,
    /// Ogg with Vorbis, Opus or FLAC in it.
    Ogg {
        opus: bool,
    },
    /// WebM, and the Matroska it is a part of.
    WebM,
    Mp4,
}

impl SoundKind {
    /// Its name for people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Wav => "a WAV recording",
            Self::Mp3 => "an MP3 recording",
            Self::Flac => "a FLAC recording",
            Self::Ogg { opus: true } => "an Ogg Opus recording",
            Self::Ogg { opus: false } => "an Ogg recording",
            Self::WebM => "a WebM recording",
            Self::Mp4 => "an MP4 recording",
        }
    }
}

/// File names that are taken end in one of these.
pub const EXTENSIONS: [&str; 11] = ["wav", "wave", "mp3", "flac", "ogg", "oga", "opus", "webm", "weba", "m4a", "mp4"];

/// Why a file is not taken; the text is for whoever sent it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KindError {
    #[error("{claimed} is not a kind of recording this takes")]
    UnknownName { claimed: String },
    #[error("the file is {found}, not what {claimed} says")]
    Lies { found: &'static str, claimed: String },
}

/// What was said about a file by whoever sent it.
#[derive(Debug, Clone, Copy)]
enum Claim {
    Wav,
    Mp3,
    Flac,
    Ogg,
    Opus,
    WebM,
    Mp4,
}

impl Claim {
    fn of_extension(extension: &str) -> Option<Self> {
        Some(match extension.to_ascii_lowercase().as_str() {
            "wav" | "wave" => Self::Wav,
            "mp3" => Self::Mp3,
            "flac" => Self::Flac,
            "ogg" | "oga" => Self::Ogg,
            "opus" => Self::Opus,
            "webm" | "weba" => Self::WebM,
            "m4a" | "mp4" => Self::Mp4,
            _ => return None,
        })
    }

    fn of_media_type(media_type: &str) -> Option<Self> {
        let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        Some(match essence.as_str() {
            "audio/wav" | "audio/wave" | "audio/x-wav" | "audio/vnd.wave" => Self::Wav,
            "audio/mpeg" | "audio/mp3" => Self::Mp3,
            "audio/flac" | "audio/x-flac" => Self::Flac,
            "audio/ogg" | "application/ogg" | "audio/vorbis" => Self::Ogg,
            "audio/opus" => Self::Opus,
            "audio/webm" | "video/webm" => Self::WebM,
            "audio/mp4" | "video/mp4" | "audio/x-m4a" | "audio/m4a" => Self::Mp4,
            _ => return None,
        })
    }

    fn agrees(self, kind: SoundKind) -> bool {
        matches!(
            (self, kind),
            (Self::Wav, SoundKind::Wav)
                | (Self::Mp3, SoundKind::Mp3)
                | (Self::Flac, SoundKind::Flac)
                | (Self::Ogg, SoundKind::Ogg { .. })
                | (Self::Opus, SoundKind::Ogg { opus: true })
                | (Self::WebM, SoundKind::WebM)
                | (Self::Mp4, SoundKind::Mp4)
        )
    }
}

/// Whether a file called so may be taken at all: what can be said before it has arrived. A name without an extension
/// may be made good by a media type.
///
/// # Errors
/// [`KindError::UnknownName`].
pub fn check_name(name: &str, media_type: Option<&str>) -> Result<(), KindError> {
    claim(name, media_type).map(|_| ())
}

/// What `file` is, and where its sound's container begins (behind an ID3 tag), if `name` says the same.
///
/// # Errors
/// [`KindError`] in the inner result; the outer one is the file's own.
pub fn kind_of(
    file: &mut (impl Read + Seek),
    name: &str,
    media_type: Option<&str>,
) -> io::Result<Result<(SoundKind, u64), KindError>> {
    let (claim, claimed) = match claim(name, media_type) {
        Ok(claim) => claim,
        Err(error) => return Ok(Err(error)),
    };
    Ok(match content_of(file)? {
        Ok((kind, start)) if claim.agrees(kind) => Ok((kind, start)),
        Ok((kind, _)) => Err(KindError::Lies { found: kind.name(), claimed }),
        Err(found) => Err(KindError::Lies { found, claimed }),
    })
}

/// What `file` is by what is in it alone, and where its sound's container begins; what is no recording is named.
///
/// # Errors
/// The file's own.
pub fn content_of(file: &mut (impl Read + Seek)) -> io::Result<Result<(SoundKind, u64), &'static str>> {
    let mut start = 0;
    let mut head = head_at(file, start)?;
    // Some writers put several tags in a row.
    for _ in 0..4 {
        let Some(length) = id3_length(&head) else { break };
        start += length;
        head = head_at(file, start)?;
    }
    file.seek(SeekFrom::Start(0))?;
    Ok(look(&head).map(|(kind, skipped)| (kind, start + skipped as u64)))
}

fn claim(name: &str, media_type: Option<&str>) -> Result<(Claim, String), KindError> {
    let extension = name.rsplit_once('.').map(|(_, extension)| extension).filter(|extension| !extension.is_empty());
    if let Some(extension) = extension {
        // Names are shown to people, and may be long.
        let claimed = format!("the name's ending .{}", extension.chars().take(12).collect::<String>());
        return match Claim::of_extension(extension) {
            Some(claim) => Ok((claim, claimed)),
            None => Err(KindError::UnknownName { claimed }),
        };
    }
    match media_type.and_then(Claim::of_media_type) {
        Some(claim) => Ok((claim, "its media type".into())),
        None => Err(KindError::UnknownName { claimed: "a file without an ending in its name".into() }),
    }
}

const HEAD: u64 = 8_192;

fn head_at(file: &mut (impl Read + Seek), at: u64) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(at))?;
    let mut head = Vec::with_capacity(HEAD as usize);
    file.take(HEAD).read_to_end(&mut head)?;
    Ok(head)
}

/// Length of the ID3v2 tag that `head` begins with.
fn id3_length(head: &[u8]) -> Option<u64> {
    let tag = head.get(..10).filter(|tag| tag.starts_with(b"ID3") && tag[6..].iter().all(|byte| *byte < 0x80))?;
    let size = tag[6..].iter().fold(0_u64, |size, byte| size << 7 | u64::from(*byte));
    let footer = if tag[5] & 0x10 == 0 { 0 } else { 10 };
    Some(10 + size + footer)
}

/// What the file begins with; how many bytes come before it. What is no recording is named, as well as it is known.
fn look(head: &[u8]) -> Result<(SoundKind, usize), &'static str> {
    let at = |from: usize, what: &[u8]| head.get(from..).is_some_and(|rest| rest.starts_with(what));
    let kind = match head {
        [] => return Err("empty"),
        _ if at(0, b"RIFF") && at(8, b"WAVE") => SoundKind::Wav,
        _ if at(0, b"RIFF") || at(0, b"RIFX") || at(0, b"RF64") => return Err("a kind of RIFF that holds no sound"),
        _ if at(0, b"fLaC") => SoundKind::Flac,
        _ if at(0, b"OggS") => return ogg(head).map(|kind| (kind, 0)),
        _ if at(0, b"\x1a\x45\xdf\xa3") => SoundKind::WebM,
        _ if at(4, b"ftyp") => SoundKind::Mp4,
        _ if at(0, b"\x89PNG") || at(0, b"\xff\xd8\xff") || at(0, b"GIF8") => return Err("a picture"),
        _ if at(0, b"%PDF") => return Err("a PDF"),
        _ if at(0, b"PK\x03\x04") => return Err("a ZIP archive"),
        _ if at(0, b"\x7fELF") || at(0, b"MZ") => return Err("a program"),
        _ if at(0, b"FORM") => return Err("an AIFF recording"),
        _ if at(0, b"#!AMR") => return Err("an AMR recording"),
        _ if at(0, b"<") => return Err("a page of HTML or XML"),
        _ => {
            if let Some(start) = mp3_frames(head) {
                return Ok((SoundKind::Mp3, start));
            }
            // Layer bits of zero: AAC in ADTS.
            if head.len() > 1 && head[0] == 0xff && head[1] & 0xf6 == 0xf0 {
                return Err("a bare AAC stream");
            }
            return Err(if is_text(head) { "text" } else { "nothing that is known here" });
        }
    };
    Ok((kind, 0))
}

/// Whether a file that begins so is for people to read.
fn is_text(head: &[u8]) -> bool {
    // The last character may be cut.
    let text = match std::str::from_utf8(&head[..head.len().min(64)]) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => std::str::from_utf8(&head[..error.valid_up_to()]).unwrap_or("\0"),
        Err(_) => return false,
    };
    !text.contains(|c: char| c.is_control() && !c.is_whitespace())
}

/// The first page's first packet names the codec.
fn ogg(head: &[u8]) -> Result<SoundKind, &'static str> {
    let segments = usize::from(head.get(26).copied().unwrap_or(0));
    let packet = head.get(27 + segments..).unwrap_or_default();
    if packet.starts_with(b"OpusHead") {
        Ok(SoundKind::Ogg { opus: true })
    } else if packet.starts_with(b"\x01vorbis") || packet.starts_with(b"\x7fFLAC") {
        Ok(SoundKind::Ogg { opus: false })
    } else {
        Err("an Ogg file without Vorbis, Opus or FLAC")
    }
}

/// Where three MP3 frames follow each other, or as many as there are before the end.
fn mp3_frames(head: &[u8]) -> Option<usize> {
    (0..head.len()).find(|&start| {
        let (mut at, mut frames) = (start, 0);
        while frames < 3 {
            let Some(length) = head.get(at..).and_then(mp3_frame) else { break };
            at += length;
            frames += 1;
        }
        frames == 3 || (frames > 0 && start == 0 && at >= head.len())
    })
}

/// Length of the frame of MPEG audio, layer III, that `bytes` begin with.
fn mp3_frame(bytes: &[u8]) -> Option<usize> {
    const MPEG_1: [usize; 14] = [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320];
    const MPEG_2: [usize; 14] = [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160];
    let &[0xff, second, third, ..] = bytes else { return None };
    if second & 0xe6 != 0xe2 {
        return None;
    }
    let version = second >> 3 & 3; // 0: 2.5, 2: 2, 3: 1
    let bitrate = usize::from(third >> 4).checked_sub(1)?;
    let rate = *[44_100, 48_000, 32_000].get(usize::from(third >> 2 & 3))?;
    let padding = usize::from(third >> 1 & 1);
    match version {
        3 => Some(144_000 * MPEG_1.get(bitrate)? / rate + padding),
        2 => Some(72_000 * MPEG_2.get(bitrate)? / (rate / 2) + padding),
        0 => Some(72_000 * MPEG_2.get(bitrate)? / (rate / 4) + padding),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::*;
    use crate::audio::{Mp3, OggOpus, OpusSettings, Pcm, SampleRate, write_wav};

    fn noise() -> Pcm {
        Pcm::new(SampleRate::HZ_24000, (0..24_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 18) as i16).collect())
    }

    fn mp3() -> Vec<u8> {
        let mut stream = Mp3::new();
        let mut file = stream.push(&noise());
        file.extend(stream.finish());
        file
    }

    fn ask(bytes: &[u8], name: &str) -> Result<(SoundKind, u64), KindError> {
        kind_of(&mut Cursor::new(bytes), name, None).expect("memory can be read")
    }

    fn id3(length: u8) -> Vec<u8> {
        let mut tag = b"ID3\x04\0\0\0\0\0".to_vec();
        tag.push(length);
        tag.resize(10 + usize::from(length), 0);
        tag
    }

    #[test]
    fn what_agrees_with_its_name_is_taken() {
        let wav = write_wav(&noise());
        let opus = OggOpus::whole(&noise(), OpusSettings::LIVE);
        let mp3 = mp3();
        let tagged = [id3(100), id3(20), mp3.clone()].concat();
        let cut = [&[1, 2, 3, 0xff, 0xfb, 7][..], &mp3[..]].concat();
        for (bytes, name, kind, start) in [
            (&wav, "talk.wav", SoundKind::Wav, 0),
            (&wav, "a.b/TALK.WAV", SoundKind::Wav, 0),
            (&opus, "talk.opus", SoundKind::Ogg { opus: true }, 0),
            (&opus, "talk.ogg", SoundKind::Ogg { opus: true }, 0),
            (&mp3, "talk.mp3", SoundKind::Mp3, 0),
            (&tagged, "talk.mp3", SoundKind::Mp3, 140),
            (&cut, "talk.mp3", SoundKind::Mp3, 6),
        ] {
            assert_eq!(ask(bytes, name), Ok((kind, start)), "{name}");
        }
    }

    #[test]
    fn what_lies_is_called_by_its_name() {
        let wav = write_wav(&noise());
        let mp3 = mp3();
        for (bytes, name, found) in [
            (&wav[..], "talk.mp3", "a WAV recording"),
            (&mp3, "talk.wav", "an MP3 recording"),
            (b"\x89PNG\r\n\x1a\n", "talk.wav", "a picture"),
            (b"hello, this is no sound", "talk.mp3", "text"),
            ("и это тоже не звук, а всего лишь текст, хотя и длинный".as_bytes(), "talk.mp3", "text"),
            (b"<html>", "talk.m4a", "a page of HTML or XML"),
            (b"", "talk.wav", "empty"),
            (b"\0\x01\x02", "talk.flac", "nothing that is known here"),
            (&id3(5), "talk.mp3", "empty"),
        ] {
            match ask(bytes, name) {
                Err(KindError::Lies { found: named, .. }) => assert_eq!(named, found, "{name}"),
                other => panic!("{name}: {other:?}"),
            }
        }
        let error = ask(&wav, "talk.mp3").expect_err("it lies").to_string();
        assert_eq!(error, "the file is a WAV recording, not what the name's ending .mp3 says");
    }

    #[test]
    fn a_name_must_say_something() {
        for name in ["talk.txt", "talk", "", ".", "talk.", "wav"] {
            assert!(matches!(check_name(name, None), Err(KindError::UnknownName { .. })), "{name}");
        }
        for extension in EXTENSIONS {
            assert!(check_name(&format!("x.{extension}"), None).is_ok(), "{extension}");
        }
        assert!(check_name("blob", Some("audio/webm;codecs=opus")).is_ok());
        assert!(check_name("blob", Some("application/octet-stream")).is_err());
        assert!(check_name("blob.exe", Some("audio/webm")).is_err(), "the name counts where it says something");
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = look(&bytes);
            let _ = ask(&bytes, "x.mp3");
        }
    }
}

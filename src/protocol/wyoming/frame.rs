//! Frames: a header line, data, payload. Reading is pure and may be given the bytes in any pieces; all lengths are
//! bounded before anything is kept.

use bytes::{Buf, Bytes, BytesMut};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::surrogates;

/// The longest header line, its end not counted.
pub const MAX_HEADER: usize = 64 * 1024;
/// The most data beside a header.
pub const MAX_DATA: usize = 1 << 20;
/// The largest payload: half a minute of sound at 16 kHz.
pub const MAX_PAYLOAD: usize = 1 << 20;

/// One event as it travels.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    pub kind: String,
    pub data: Map<String, Value>,
    pub payload: Bytes,
}

/// Bytes that are no frame.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    #[error("the header is no JSON object with a type: {0}")]
    Header(String),
    #[error("the header is longer than {MAX_HEADER} bytes")]
    LongHeader,
    #[error("{length} bytes of {part} are more than {max}")]
    TooLarge { part: &'static str, length: u64, max: usize },
    /// The only one after which the next frame can still be found.
    #[error("the data is no JSON object: {0}")]
    Data(String),
}

impl FrameError {
    /// Whether reading can go on behind it.
    #[must_use]
    pub const fn is_passed(&self) -> bool {
        matches!(self, Self::Data(_))
    }

    /// For programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Header(_) => "bad_header",
            Self::Data(_) => "bad_data",
            Self::LongHeader | Self::TooLarge { .. } => "too_large",
        }
    }
}

/// Cuts a stream into frames.
#[derive(Debug, Default)]
pub struct Frames {
    /// What has arrived and is no frame yet.
    pub unread: BytesMut,
    /// How much of `unread` is known to hold no end of a line.
    searched: usize,
    /// The header whose data or payload has not all arrived.
    begun: Option<Header>,
}

#[derive(Debug, Deserialize)]
struct Header {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    data: Option<Map<String, Value>>,
    #[serde(default)]
    data_length: Option<u64>,
    #[serde(default)]
    payload_length: Option<u64>,
}

impl Header {
    fn lengths(&self) -> Result<(usize, usize), FrameError> {
        let bounded = |part, length: Option<u64>, max| {
            let length = length.unwrap_or(0);
            usize::try_from(length).ok().filter(|fits| *fits <= max).ok_or(FrameError::TooLarge { part, length, max })
        };
        Ok((bounded("data", self.data_length, MAX_DATA)?, bounded("payload", self.payload_length, MAX_PAYLOAD)?))
    }
}

impl Frames {
    /// The next frame in what has arrived; `None`: more must arrive first.
    ///
    /// # Errors
    /// [`FrameError`]; unless it [is passed](FrameError::is_passed), the stream cannot be read any further.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, FrameError> {
        if self.begun.is_none() {
            let Some(line) = self.line()? else { return Ok(None) };
            let header: Header = serde_json::from_slice(&surrogates::replaced(&line))
                .map_err(|error| FrameError::Header(error.to_string()))?;
            header.lengths()?;
            self.begun = Some(header);
        }
        let Some(header) = &self.begun else { return Ok(None) };
        let (data_length, payload_length) = header.lengths()?;
        if self.unread.len() < data_length + payload_length {
            return Ok(None);
        }
        let beside = self.unread.split_to(data_length);
        let payload = self.unread.split_to(payload_length).freeze();
        let Some(header) = self.begun.take() else { return Ok(None) };
        let mut data = header.data.unwrap_or_default();
        if !beside.is_empty() {
            let beside: Map<String, Value> = serde_json::from_slice(&surrogates::replaced(&beside))
                .map_err(|error| FrameError::Data(error.to_string()))?;
            data.extend(beside);
        }
        Ok(Some(Frame { kind: header.kind, data, payload }))
    }

    fn line(&mut self) -> Result<Option<BytesMut>, FrameError> {
        let most = self.unread.len().min(MAX_HEADER + 1);
        let fresh = self.unread.get(self.searched..most).unwrap_or_default();
        match fresh.iter().position(|byte| *byte == b'\n') {
            Some(at) => {
                let line = self.unread.split_to(self.searched + at);
                self.unread.advance(1);
                self.searched = 0;
                Ok(Some(line))
            }
            None if self.unread.len() > MAX_HEADER => Err(FrameError::LongHeader),
            None => {
                self.searched = self.unread.len();
                Ok(None)
            }
        }
    }
}

impl Frame {
    /// The bytes to send, in the form that the reference implementation writes: data beside the header.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        #[derive(Serialize)]
        struct Written<'a> {
            #[serde(rename = "type")]
            kind: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            data_length: Option<usize>,
            #[serde(skip_serializing_if = "Option::is_none")]
            payload_length: Option<usize>,
        }
        let some = |length: usize| (length > 0).then_some(length);
        // Objects with text keys can always be written.
        let data = if self.data.is_empty() { vec![] } else { serde_json::to_vec(&self.data).unwrap_or_default() };
        let header =
            Written { kind: &self.kind, data_length: some(data.len()), payload_length: some(self.payload.len()) };
        let mut bytes = serde_json::to_vec(&header).unwrap_or_default();
        bytes.push(b'\n');
        bytes.extend(data);
        bytes.extend(&self.payload);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    /// All frames in `bytes`, which arrive in pieces of `piece`, and the error that ended it.
    fn read(bytes: &[u8], piece: usize) -> (Vec<Frame>, Vec<FrameError>) {
        let (mut frames, mut found, mut wrong) = (Frames::default(), vec![], vec![]);
        for piece in bytes.chunks(piece.max(1)) {
            frames.unread.extend_from_slice(piece);
            loop {
                match frames.next_frame() {
                    Ok(Some(frame)) => found.push(frame),
                    Ok(None) => break,
                    Err(error) if error.is_passed() => wrong.push(error),
                    Err(error) => {
                        wrong.push(error);
                        return (found, wrong);
                    }
                }
            }
        }
        (found, wrong)
    }

    #[test]
    fn both_places_of_data_are_read_and_the_second_counts() {
        let bytes = b"{\"type\":\"a\",\"data\":{\"x\":1,\"y\":1},\"data_length\":7,\"payload_length\":3}\n{\"x\":2}abc{\"type\":\"b\",\"data\":null,\"data_length\":null,\"version\":\"1\"}\n";
        let (frames, wrong) = read(bytes, 5);
        assert_eq!(wrong, []);
        assert_eq!(frames[0].data, *json!({"x": 2, "y": 1}).as_object().expect("an object"));
        assert_eq!((&frames[0].payload[..], frames[1].kind.as_str()), (&b"abc"[..], "b"));
    }

    #[test]
    fn what_is_too_large_is_refused_before_it_arrives() {
        let (_, wrong) = read(b"{\"type\":\"a\",\"payload_length\":1048577}\n", 9);
        assert!(matches!(wrong[..], [FrameError::TooLarge { part: "payload", .. }]), "{wrong:?}");
        let (_, wrong) = read(b"{\"type\":\"a\",\"data_length\":18446744073709551615}\n", 9);
        assert!(matches!(wrong[..], [FrameError::TooLarge { part: "data", .. }]), "{wrong:?}");
        let (_, wrong) = read(&vec![b' '; MAX_HEADER + 1], 4096);
        assert_eq!(wrong, [FrameError::LongHeader]);
        let mut longest = vec![b' '; MAX_HEADER - 12];
        longest.extend(b"{\"type\":\"a\"}\n{\"type\":\"b\"}\n");
        assert_eq!(read(&longest, 4096).0.len(), 2);
    }

    #[test]
    fn what_is_no_header_ends_the_stream_and_bad_data_does_not() {
        for header in ["", "hello", "[]", "{}", "{\"type\":7}", "{\"type\":\"a\",\"data_length\":-1}", "\u{0}\u{fffd}"]
        {
            let (found, wrong) = read(format!("{header}\n{{\"type\":\"b\"}}\n").as_bytes(), 7);
            assert!(found.is_empty() && matches!(wrong[..], [FrameError::Header(_)]), "{header}: {wrong:?}");
        }
        let (found, wrong) = read(b"{\"type\":\"a\",\"data_length\":2}\n[]{\"type\":\"b\"}\n", 7);
        assert!(matches!(wrong[..], [FrameError::Data(_)]), "{wrong:?}");
        assert_eq!(found[0].kind, "b");
    }

    proptest! {
        #[test]
        fn frames_come_back_however_they_are_cut(
            parts in prop::collection::vec(("[a-z-]{1,12}", "\\PC{0,40}", prop::collection::vec(any::<u8>(), 0..300)), 1..6),
            piece in 1_usize..200,
        ) {
            let frames: Vec<Frame> = parts
                .into_iter()
                .map(|(kind, text, payload)| {
                    let data = if text.is_empty() { Map::new() } else { Map::from_iter([("text".to_owned(), text.into())]) };
                    Frame { kind, data, payload: payload.into() }
                })
                .collect();
            let bytes: Vec<u8> = frames.iter().flat_map(Frame::to_bytes).collect();
            prop_assert_eq!(read(&bytes, piece), (frames, vec![]));
        }

        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..2000), piece in 1_usize..100) {
            let (_, wrong) = read(&bytes, piece);
            prop_assert!(wrong.iter().rev().skip(1).all(FrameError::is_passed));
        }

        #[test]
        fn damaged_frames_are_survived(at in 0_usize..120, with in any::<u8>(), piece in 1_usize..50) {
            let frame = Frame {
                kind: "audio-chunk".into(),
                data: json!({"rate": 16000, "width": 2, "channels": 1}).as_object().expect("an object").clone(),
                payload: vec![7; 30].into(),
            };
            let mut bytes = [frame.to_bytes(), frame.to_bytes()].concat();
            let at = at % bytes.len();
            bytes[at] = with;
            let (found, wrong) = read(&bytes, piece);
            prop_assert!(found.len() <= 3 && wrong.len() <= 3);
        }
    }
}

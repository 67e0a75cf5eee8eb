//! One record on disk: `length u32 LE, checksum [u8; 4], content`; the content is a kind and JSON, for sound with the
//! bytes behind it.

use std::io::{self, Read};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    model::{ConversationId, SessionId, TurnId, UserId},
    store::{Side, TurnAudio, TurnRecord},
};

/// Length and checksum.
pub(super) const HEAD: usize = 8;
/// Longer ones are not written, and a length above this is not one.
const MAX_CONTENT: usize = 16 << 20;

const TURN: u8 = b'T';
const AUDIO: u8 = b'A';

/// What a frame holds.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Entry {
    Turn(Box<TurnRecord>),
    Audio(TurnAudio),
}

#[derive(Serialize, Deserialize)]
struct AudioHead {
    user: UserId,
    conversation: ConversationId,
    session: SessionId,
    turn: TurnId,
    side: Side,
}

pub(super) fn of_turn(turn: &TurnRecord) -> Vec<u8> {
    let mut content = vec![TURN];
    content.extend(json(turn));
    framed(&content)
}

pub(super) fn of_audio(audio: &TurnAudio) -> Vec<u8> {
    let TurnAudio { user, conversation, session, turn, side, ogg_opus } = audio;
    let head = AudioHead { user: *user, conversation: *conversation, session: *session, turn: *turn, side: *side };
    let head = json(&head);
    let mut content = vec![AUDIO];
    content.extend((head.len() as u32).to_le_bytes());
    content.extend(head);
    content.extend(ogg_opus);
    framed(&content)
}

pub(super) fn framed(content: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(HEAD + content.len());
    frame.extend((content.len() as u32).to_le_bytes());
    frame.extend(checksum(content));
    frame.extend(content);
    frame
}

/// Whether a frame of so many bytes can be read again.
pub(super) fn fits(frame: &[u8]) -> bool {
    frame.len() <= HEAD + MAX_CONTENT
}

/// The next frame's content; `None`: there is no whole one.
pub(super) fn read(from: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut head = [0; HEAD];
    if !filled(from, &mut head)? {
        return Ok(None);
    }
    let [a, b, c, d, sum @ ..] = head;
    let length = u32::from_le_bytes([a, b, c, d]) as usize;
    if length == 0 || length > MAX_CONTENT {
        return Ok(None);
    }
    let mut content = vec![0; length];
    let whole = filled(from, &mut content)? && checksum(&content) == sum;
    Ok(whole.then_some(content))
}

/// What a frame's content says; `None`: another version of this program wrote it.
pub(super) fn parse(content: &[u8]) -> Option<Entry> {
    let (kind, rest) = content.split_first()?;
    match *kind {
        TURN => serde_json::from_slice(rest).ok().map(|turn| Entry::Turn(Box::new(turn))),
        AUDIO => {
            let (length, rest) = rest.split_first_chunk()?;
            let (head, sound) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
            let AudioHead { user, conversation, session, turn, side } = serde_json::from_slice(head).ok()?;
            Some(Entry::Audio(TurnAudio { user, conversation, session, turn, side, ogg_opus: sound.to_vec() }))
        }
        _ => None,
    }
}

fn json(value: &impl Serialize) -> Vec<u8> {
    // Structs of ids, strings and numbers: there is nothing that JSON cannot hold (a float that is not a number is null).
    serde_json::to_vec(value).unwrap_or_default()
}

fn checksum(content: &[u8]) -> [u8; 4] {
    let sum = Sha256::digest(content);
    [sum[0], sum[1], sum[2], sum[3]]
}

/// Fills `buffer`; `false`: the input ends before.
fn filled(from: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    match from.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

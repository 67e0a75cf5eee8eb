//! Weights of 4 and 5 bits, widened to 8 as a model is loaded.
//!
//! whisper.cpp multiplies 8-bit weights in blocks of several rows and columns; for 4 and 5 bits with a minimum it has only
//! one product at a time. Widened, a `q5_1` model decodes in 0.6 of the time (docs/benchmarks.md) and rounds by less than
//! the 5 bits did. It costs memory, so large models stay as they are.
//!
//! The formats are those of ggml's `block_q4_0`, `block_q4_1`, `block_q5_0`, `block_q5_1` and `block_q8_0`: 32 weights
//! with a scale, and a minimum in the `_1` kinds.

use half::f16;

use super::model::block_of;

/// Files larger than this are loaded as they are: about where two copies of the weights begin to be felt.
pub const MOST_BYTES: u64 = 300 << 20;

/// Weights in a block.
const BLOCK: usize = 32;
/// `GGML_TYPE_Q8_0`, and the same as a whole file's kind with the version of the format.
const Q8_0: u32 = 8;
const FILE_Q8_0: u32 = 2_007;
/// Where the header says what kind of file it is: behind the magic and ten dimensions.
const KIND_AT: usize = 4 * 11;

/// The model in `file` (whole, see [`super::model::inspect`]) with 8-bit weights; `None` if it has no weights that would
/// be widened.
pub fn widened(file: &[u8]) -> Option<Vec<u8>> {
    let mut reader = Reader { file, at: 0 };
    let mut out = Vec::with_capacity(file.len() * 3 / 2);
    reader.skip(4 * 12)?;
    let (filters, bins) = (reader.number()?, reader.number()?);
    reader.skip(filters as usize * bins as usize * 4)?;
    for _ in 0..reader.number()? {
        let length = reader.number()?;
        reader.skip(length as usize)?;
    }
    out.extend_from_slice(&file[..reader.at]);
    let mut found = false;
    while reader.at < file.len() {
        let start = reader.at;
        let (dimensions, name, kind) = (reader.number()?, reader.number()?, reader.number()?);
        let mut weights = 1;
        for _ in 0..dimensions {
            weights *= reader.number()? as usize;
        }
        reader.skip(name as usize)?;
        let head = start..reader.at;
        let (bytes, block) = block_of(kind)?;
        let data = reader.take(weights / block as usize * bytes as usize)?;
        out.extend_from_slice(&file[head]);
        let Some(read) = reading(kind) else {
            out.extend_from_slice(data);
            continue;
        };
        found = true;
        let kind_at = out.len() - name as usize - 4 * dimensions as usize - 4;
        out[kind_at..kind_at + 4].copy_from_slice(&Q8_0.to_le_bytes());
        for block in data.chunks_exact(bytes as usize) {
            write(&read(block), &mut out);
        }
    }
    out.get_mut(KIND_AT..KIND_AT + 4)?.copy_from_slice(&FILE_Q8_0.to_le_bytes());
    found.then_some(out)
}

type Weights = [f32; BLOCK];

/// How a block of `kind` is read, if it is to be widened.
fn reading(kind: u32) -> Option<fn(&[u8]) -> Weights> {
    match kind {
        2 => Some(|block| weights(&block[2..], None, scale(block), -8.0 * scale(block))),
        3 => Some(|block| weights(&block[4..], None, scale(block), scale(&block[2..]))),
        6 => Some(|block| weights(&block[6..], Some(bits(&block[2..])), scale(block), -16.0 * scale(block))),
        7 => Some(|block| weights(&block[8..], Some(bits(&block[4..])), scale(block), scale(&block[2..]))),
        _ => None,
    }
}

/// 16 bytes of two 4-bit numbers each (the second ones belong to the second half), and fifth bits in `high`.
fn weights(low: &[u8], high: Option<u32>, scale: f32, least: f32) -> Weights {
    let high = high.unwrap_or(0);
    std::array::from_fn(|index| {
        let byte = low[index % 16];
        let four = if index < 16 { byte & 15 } else { byte >> 4 };
        let number = u32::from(four) | (high >> index & 1) << 4;
        number as f32 * scale + least
    })
}

fn scale(block: &[u8]) -> f32 {
    f16::from_le_bytes([block[0], block[1]]).to_f32()
}

fn bits(block: &[u8]) -> u32 {
    u32::from_le_bytes([block[0], block[1], block[2], block[3]])
}

fn write(weights: &Weights, out: &mut Vec<u8>) {
    let most = weights.iter().fold(0.0_f32, |most, weight| most.max(weight.abs()));
    let scale = most / 127.0;
    let inverse = if scale > 0.0 { 1.0 / scale } else { 0.0 };
    out.extend_from_slice(&f16::from_f32(scale).to_le_bytes());
    out.extend(weights.iter().map(|weight| ((weight * inverse).round() as i8).cast_unsigned()));
}

struct Reader<'a> {
    file: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let taken = self.file.get(self.at..self.at.checked_add(count)?)?;
        self.at += count;
        Some(taken)
    }

    fn skip(&mut self, count: usize) -> Option<()> {
        self.take(count).map(drop)
    }

    fn number(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::whisper::BUNDLED;

    #[test]
    fn the_bundled_model_is_widened_whole() {
        let wide = widened(BUNDLED).expect("its weights have 5 bits");
        let facts = super::super::model::inspect_bytes(&wide).expect("a whole model");
        let narrow = super::super::model::inspect_bytes(BUNDLED).expect("a whole model");
        assert_eq!((facts.audio_width, facts.vocabulary), (narrow.audio_width, narrow.vocabulary));
        assert!(wide.len() > BUNDLED.len());
        assert_eq!(widened(&wide), None, "nothing is left to widen");
        assert_eq!(widened(&BUNDLED[..BUNDLED.len() - 1]), None, "cut off");
    }

    #[test]
    fn weights_keep_their_values() {
        let mut block = vec![];
        block.extend_from_slice(&f16::from_f32(0.5).to_le_bytes());
        block.extend_from_slice(&f16::from_f32(-4.0).to_le_bytes());
        block.extend_from_slice(&0xffff_0000_u32.to_le_bytes());
        block.extend((0..16).map(|n: u8| n | (15 - n) << 4));
        let read = reading(7).expect("q5_1")(&block);
        assert_eq!((read[0], read[15], read[16], read[31]), (-4.0, 3.5, 11.5, 4.0));
        let mut out = vec![];
        write(&read, &mut out);
        assert_eq!(out.len() as u64, block_of(Q8_0).expect("q8_0").0);
        let scale = scale(&out);
        for (byte, weight) in out[2..].iter().zip(read) {
            assert!((f32::from(byte.cast_signed()) * scale - weight).abs() <= scale * 0.6);
        }
        let mut zero = vec![];
        write(&[0.0; BLOCK], &mut zero);
        assert!(zero.iter().all(|byte| *byte == 0));
    }
}

//! Blocks of 32 weights in fewer bits, byte for byte as ggml's reference makes them.

use super::half;

/// Weights in a block.
pub const BLOCK: usize = 32;

/// How weights are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Half precision.
    F16,
    /// Eight bits and a scale for each block.
    Q8_0,
    /// Five bits, a scale and a least value for each block.
    Q5_1,
}

impl Form {
    /// By the name that a file of it has.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "f16" => Some(Self::F16),
            "q8_0" => Some(Self::Q8_0),
            "q5_1" => Some(Self::Q5_1),
            _ => None,
        }
    }

    /// Its number as the type of a tensor (`ggml_type`).
    pub const fn tensor_type(self) -> i32 {
        match self {
            Self::F16 => 1,
            Self::Q5_1 => 7,
            Self::Q8_0 => 8,
        }
    }

    /// Its number in the head of a file (`ggml_ftype`), with the version of the quantisation.
    pub const fn file_type(self) -> i32 {
        const VERSION: i32 = 2 * 1000;
        match self {
            Self::F16 => 1,
            Self::Q8_0 => VERSION + 7,
            Self::Q5_1 => VERSION + 9,
        }
    }
}

/// Appends one block to `out`.
pub fn block(form: Form, values: &[f32; BLOCK], out: &mut Vec<u8>) {
    match form {
        Form::F16 => values.iter().for_each(|value| out.extend(half::from_f32(*value).to_le_bytes())),
        Form::Q8_0 => q8_0(values, out),
        Form::Q5_1 => q5_1(values, out),
    }
}

/// The scale, then 32 signed bytes.
fn q8_0(values: &[f32; BLOCK], out: &mut Vec<u8>) {
    let most = values.iter().fold(0f32, |most, value| most.max(value.abs()));
    let scale = most / 127.0;
    let inverse = if scale == 0.0 { 0.0 } else { 1.0 / scale };
    out.extend(half::from_f32(scale).to_le_bytes());
    out.extend(values.iter().map(|value| {
        let scaled = value * inverse;
        // Away from zero in the middle between two.
        ((scaled.abs() + 0.5).floor().copysign(scaled) as i8) as u8
    }));
}

/// The scale, the least value, the fifth bits of all 32, then their lower four: one of the first half and one of the
/// second in each byte.
fn q5_1(values: &[f32; BLOCK], out: &mut Vec<u8>) {
    let least = values.iter().copied().fold(f32::INFINITY, f32::min);
    let most = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let scale = (most - least) / 31.0;
    let inverse = if scale == 0.0 { 0.0 } else { 1.0 / scale };
    let steps = values.map(|value| ((value - least) * inverse + 0.5) as u8);
    let fifth = steps.iter().enumerate().fold(0u32, |bits, (at, step)| bits | (u32::from((step >> 4) & 1) << at));
    out.extend(half::from_f32(scale).to_le_bytes());
    out.extend(half::from_f32(least).to_le_bytes());
    out.extend(fifth.to_le_bytes());
    let (first, second) = steps.split_at(BLOCK / 2);
    out.extend(first.iter().zip(second).map(|(low, high)| (low & 15) | ((high & 15) << 4)));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(form: Form, values: &[f32; BLOCK]) -> Vec<u8> {
        let mut out = Vec::new();
        block(form, values, &mut out);
        out
    }

    #[test]
    fn blocks_are_as_long_as_ggml_reads_them_and_hold_the_numbers() {
        let values: [f32; BLOCK] = std::array::from_fn(|at| (at as f32 - 11.0) * 0.25);
        let eight = packed(Form::Q8_0, &values);
        assert_eq!(eight.len(), 34);
        let scale = half::to_f32(u16::from_le_bytes([eight[0], eight[1]]));
        for (byte, value) in eight[2..].iter().zip(values) {
            assert!((f32::from(*byte as i8) * scale - value).abs() < 0.02, "{byte} for {value}");
        }
        let five = packed(Form::Q5_1, &values);
        assert_eq!(five.len(), 24);
        // These values are 32 even steps, so nothing is lost.
        let steps: Vec<u8> = (0..32)
            .map(|at| {
                let byte = five[8 + at % 16];
                let low = if at < 16 { byte & 15 } else { byte >> 4 };
                let fifth = u32::from_le_bytes([five[4], five[5], five[6], five[7]]) >> at & 1;
                low | (fifth as u8) << 4
            })
            .collect();
        assert_eq!(steps, (0..32).collect::<Vec<u8>>());
        assert_eq!((u16::from_le_bytes([five[0], five[1]]), u16::from_le_bytes([five[2], five[3]])), (0x3400, 0xc180));
        assert_eq!(packed(Form::F16, &values).len(), 64);
    }

    #[test]
    fn a_block_of_one_value_divides_by_nothing() {
        assert!(packed(Form::Q8_0, &[0.0; BLOCK]).iter().all(|byte| *byte == 0));
        let five = packed(Form::Q5_1, &[1.5; BLOCK]);
        assert_eq!((&five[..4], five[4..].iter().all(|byte| *byte == 0)), (&[0, 0, 0x00, 0x3e][..], true));
    }
}

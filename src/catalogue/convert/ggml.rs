//! The file that whisper.cpp reads: sizes, mel filters, words, then the tensors one after the other.

use std::{
    fs::File,
    io::{self, BufWriter, Write as _},
    path::Path,
};

use super::{
    ConvertError, Form,
    ct2::{PIECE, Weights},
    half, input, mel,
    quantise::{self, BLOCK},
    whisper::{Plan, Sizes, Tensor, Values},
};

const MAGIC: u32 = 0x6767_6d6c;

/// Writes it all and has it on the disk.
pub fn write(
    weights: &mut Weights,
    plan: &Plan,
    tokens: &[Vec<u8>],
    form: Form,
    path: &Path,
    go_on: &dyn Fn() -> bool,
) -> Result<(), ConvertError> {
    for values in &plan.zero {
        each(weights, values, go_on, |values| match values.iter().all(|value| *value == 0.0) {
            true => Ok(()),
            false => Err(input("the keys of an attention have a bias, which Whisper has not")),
        })?;
    }
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
    let Sizes { vocabulary, audio, text, mel_bands } = plan.sizes;
    out.write_all(&MAGIC.to_le_bytes())?;
    for number in [vocabulary].into_iter().chain(audio).chain(text).chain([mel_bands]) {
        out.write_all(&number.to_le_bytes())?;
    }
    out.write_all(&form.file_type().to_le_bytes())?;
    out.write_all(&mel_bands.to_le_bytes())?;
    out.write_all(&(mel::BINS as u32).to_le_bytes())?;
    for weight in mel::filters(mel_bands as usize) {
        out.write_all(&weight.to_le_bytes())?;
    }
    text_of(&mut out, tokens)?;
    for tensor in &plan.tensors {
        write_tensor(&mut out, weights, tensor, form, go_on)?;
    }
    out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
    Ok(())
}

fn text_of(out: &mut impl io::Write, tokens: &[Vec<u8>]) -> io::Result<()> {
    out.write_all(&(tokens.len() as u32).to_le_bytes())?;
    for token in tokens {
        out.write_all(&(token.len() as u32).to_le_bytes())?;
        out.write_all(token)?;
    }
    Ok(())
}

fn write_tensor(
    out: &mut impl io::Write,
    weights: &mut Weights,
    tensor: &Tensor,
    form: Form,
    go_on: &dyn Fn() -> bool,
) -> Result<(), ConvertError> {
    let Tensor { name, dimensions, values, exact } = tensor;
    let quantised = !exact && dimensions.len() == 2;
    // The rows of a matrix are cut into blocks; the kernels of a convolution stay as they are.
    if quantised && form != Form::F16 && !dimensions.last().is_some_and(|row| row.is_multiple_of(BLOCK as u64)) {
        return Err(input(format!("the rows of {name} cannot be cut into blocks of {BLOCK}")));
    }
    let form = if quantised { form } else { Form::F16 };
    out.write_all(&(dimensions.len() as u32).to_le_bytes())?;
    out.write_all(&(name.len() as u32).to_le_bytes())?;
    out.write_all(&if *exact { 0 } else { form.tensor_type() }.to_le_bytes())?;
    for dimension in dimensions.iter().rev() {
        let dimension = u32::try_from(*dimension).map_err(|_| input(format!("{name} is too large")))?;
        out.write_all(&dimension.to_le_bytes())?;
    }
    out.write_all(name.as_bytes())?;
    let mut bytes = Vec::with_capacity(PIECE * 4);
    each(weights, values, go_on, |values| {
        bytes.clear();
        if *exact {
            values.iter().for_each(|value| bytes.extend(value.to_le_bytes()));
        } else if form == Form::F16 {
            values.iter().for_each(|value| bytes.extend(half::from_f32(*value).to_le_bytes()));
        } else {
            // Whole blocks: a piece is as long as many of them, and so is what is left.
            for block in values.as_chunks::<BLOCK>().0 {
                // As if it had been stored in half precision before.
                quantise::block(form, &block.map(|value| half::to_f32(half::from_f32(value))), &mut bytes);
            }
        }
        Ok(out.write_all(&bytes)?)
    })
}

fn each(
    weights: &mut Weights,
    values: &Values,
    go_on: &dyn Fn() -> bool,
    mut act: impl FnMut(&[f32]) -> Result<(), ConvertError>,
) -> Result<(), ConvertError> {
    let mut act = |values: &[f32]| match go_on() {
        true => act(values),
        false => Err(io::Error::from(io::ErrorKind::Interrupted).into()),
    };
    match values {
        Values::Of { array, from, to } => weights.read(array, (*from, *to), act),
        Values::Zeros(count) => {
            let zeros = vec![0.0; PIECE];
            let mut left = *count;
            while left > 0 {
                let now = left.min(PIECE as u64);
                act(zeros.get(..now as usize).unwrap_or_default())?;
                left -= now;
            }
            Ok(())
        }
    }
}

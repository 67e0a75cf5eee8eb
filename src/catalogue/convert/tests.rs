//! A tiny Whisper as CTranslate2 stores it becomes a ggml file that is read back here, byte by byte.

use std::fs;

use super::*;

/// One head, one layer on each side.
const WIDTH: u32 = 64;
const WORDS: u32 = 51_864;
const CONTEXT: u32 = 4;

/// Writes arrays the way CTranslate2 does.
#[derive(Default)]
struct Model {
    arrays: Vec<u8>,
    count: u32,
}

impl Model {
    fn text(out: &mut Vec<u8>, text: &str) {
        out.extend((text.len() as u16 + 1).to_le_bytes());
        out.extend(text.as_bytes());
        out.push(0);
    }

    fn add(&mut self, name: &str, dimensions: &[u32], value: impl Fn(usize) -> f32) {
        Self::text(&mut self.arrays, name);
        self.arrays.push(dimensions.len() as u8);
        dimensions.iter().for_each(|dimension| self.arrays.extend(dimension.to_le_bytes()));
        self.arrays.push(4); // half precision
        let values = dimensions.iter().product::<u32>();
        self.arrays.extend((values * 2).to_le_bytes());
        (0..values as usize).for_each(|at| self.arrays.extend(half::from_f32(value(at)).to_le_bytes()));
        self.count += 1;
    }

    fn linear(&mut self, name: &str, rows: u32, columns: u32) {
        self.add(&format!("{name}/weight"), &[rows, columns], |at| (at % 32) as f32 * 0.125 - 2.0);
        self.add(&format!("{name}/bias"), &[rows], |_| 0.0);
    }

    fn norm(&mut self, name: &str) {
        self.add(&format!("{name}/gamma"), &[WIDTH], |_| 1.0);
        self.add(&format!("{name}/beta"), &[WIDTH], |_| 0.25);
    }

    fn self_attention(&mut self, layer: &str) {
        self.linear(&format!("{layer}/self_attention/linear_0"), 3 * WIDTH, WIDTH);
        self.linear(&format!("{layer}/self_attention/linear_1"), WIDTH, WIDTH);
        self.norm(&format!("{layer}/self_attention/layer_norm"));
        self.linear(&format!("{layer}/ffn/linear_0"), 4 * WIDTH, WIDTH);
        self.linear(&format!("{layer}/ffn/linear_1"), WIDTH, 4 * WIDTH);
        self.norm(&format!("{layer}/ffn/layer_norm"));
    }

    fn whole() -> Self {
        let mut model = Self::default();
        model.add("decoder/embeddings/weight", &[WORDS, WIDTH], |at| (at % 7) as f32);
        for (side, layer) in [("encoder", "encoder/layer_0"), ("decoder", "decoder/layer_0")] {
            model.add(&format!("{side}/position_encodings/encodings"), &[CONTEXT, WIDTH], |at| at as f32);
            model.self_attention(layer);
            model.norm(&format!("{side}/layer_norm"));
        }
        model.linear("decoder/layer_0/attention/linear_0", WIDTH, WIDTH);
        model.linear("decoder/layer_0/attention/linear_1", 2 * WIDTH, WIDTH);
        model.linear("decoder/layer_0/attention/linear_2", WIDTH, WIDTH);
        model.norm("decoder/layer_0/attention/layer_norm");
        for (layer, inputs) in [(1, 80), (2, WIDTH)] {
            model.add(&format!("encoder/conv{layer}/weight"), &[WIDTH, inputs, 3], |at| at as f32 / 64.0);
            model.add(&format!("encoder/conv{layer}/bias"), &[WIDTH], |_| 0.5);
        }
        model
    }

    fn bytes(&self, kind: &str) -> Vec<u8> {
        let mut out = 6u32.to_le_bytes().to_vec();
        Self::text(&mut out, kind);
        out.extend(3u32.to_le_bytes());
        out.extend(self.count.to_le_bytes());
        out.extend(&self.arrays);
        out.extend(1u32.to_le_bytes());
        Self::text(&mut out, "decoder/projection/weight");
        Self::text(&mut out, "decoder/embeddings/weight");
        out
    }
}

/// Single letters for the first 256 words, then the same with numbers.
fn tokenizer() -> String {
    let words: Vec<_> = (0..50_256).map(|at| format!("\"w{at}\":{at}")).collect();
    format!("{{\"version\":\"1.0\",\"model\":{{\"type\":\"BPE\",\"vocab\":{{{}}},\"merges\":[]}}}}", words.join(","))
}

fn made(model: &[u8], tokenizer: &str, form: Form) -> Result<Vec<u8>, ConvertError> {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let at = |name: &str| folder.path().join(name);
    fs::write(at("model.bin"), model).expect("writable");
    fs::write(at("tokenizer.json"), tokenizer).expect("writable");
    convert(&at("model.bin"), &at("tokenizer.json"), form, &at("out.bin"), &|| true)?;
    Ok(fs::read(at("out.bin")).expect("it was made"))
}

/// Reads a file as whisper.cpp does.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, left) = self.0.split_at(count);
        self.0 = left;
        taken
    }

    fn number(&mut self) -> usize {
        u32::from_le_bytes(self.take(4).try_into().expect("four bytes")) as usize
    }
}

#[test]
fn a_model_has_its_sizes_words_and_tensors_in_the_file() {
    let model = Model::whole().bytes("WhisperSpec");
    for (form, kind, block) in [(Form::F16, 1, 64), (Form::Q8_0, 2007, 34), (Form::Q5_1, 2009, 24)] {
        let bytes = made(&model, &tokenizer(), form).expect("it is a Whisper");
        let mut reader = Reader(&bytes);
        assert_eq!(reader.number(), 0x6767_6d6c);
        let sizes: Vec<_> = (0..11).map(|_| reader.number()).collect();
        assert_eq!(sizes, [51_864, 4, 64, 1, 1, 4, 64, 1, 1, 80, kind]);
        assert_eq!((reader.number(), reader.number()), (80, 201));
        reader.take(80 * 201 * 4);
        let words: Vec<_> = (0..reader.number())
            .map(|_| {
                let length = reader.number();
                reader.take(length)
            })
            .collect();
        assert_eq!((words.len(), words[17], words[50_256]), (50_257, b"w17".as_slice(), b"<|endoftext|>".as_slice()));
        let mut tensors = Vec::new();
        while !reader.0.is_empty() {
            let (rank, length, kind) = (reader.number(), reader.number(), reader.number());
            let sizes: Vec<_> = (0..rank).map(|_| reader.number()).collect();
            let name = String::from_utf8_lossy(reader.take(length)).into_owned();
            let values: usize = sizes.iter().product();
            let bytes = match kind {
                0 => values * 4,
                1 => values * 2,
                _ => values / 32 * block,
            };
            tensors.push((name, kind, sizes, reader.take(bytes)));
        }
        let find = |name: &str| tensors.iter().find(|tensor| tensor.0 == name).unwrap_or_else(|| panic!("{name}"));
        assert_eq!(tensors.len(), 3 + 15 + 9 + 2 + 4 + 15 + 2);
        let key = find("decoder.blocks.0.cross_attn.key.weight");
        assert_eq!((key.1 as i32, key.2.as_slice()), (form.tensor_type(), [64, 64].as_slice()));
        assert!(!tensors.iter().any(|tensor| tensor.0.ends_with("key.bias")), "Whisper's keys have none");
        // What is no matrix is not quantised, and what must be exact is in single precision.
        assert_eq!((find("encoder.conv1.weight").1, find("encoder.conv1.bias").1), (1, 0));
        assert_eq!(find("encoder.conv1.bias").2, [1, 64]);
        let position = find("encoder.positional_embedding");
        assert_eq!((position.1, &position.3[4..8]), (0, 1f32.to_le_bytes().as_slice()));
    }
}

#[test]
fn what_is_no_whisper_is_refused_with_the_reason() {
    let model = Model::whole();
    let refused = |bytes: &[u8], words: &str| match made(bytes, words, Form::Q5_1) {
        Err(ConvertError::Input(reason)) => reason,
        other => panic!("{:?}", other.map(|bytes| bytes.len())),
    };
    let (whole, words) = (model.bytes("WhisperSpec"), tokenizer());
    assert!(refused(&model.bytes("TransformerSpec"), &words).contains("TransformerSpec"));
    for cut in [0, 3, 20, 5_000, whole.len() - 1] {
        assert!(refused(&whole[..cut], &words).contains("cut short"), "{cut}");
    }
    assert!(refused(&[whole.as_slice(), b"more"].concat(), &words).contains("more than it says"));
    assert!(refused(&whole, "{}").contains("tokenizer.json"));
    assert!(refused(&whole, r#"{"model":{"vocab":{"a":0}}}"#).contains("no token 1"));
    let mut lacking = Model::default();
    lacking.add("decoder/position_encodings/encodings", &[4, 64], |_| 0.0);
    assert!(refused(&lacking.bytes("WhisperSpec"), &words).contains("which is not there"));
    // A bias where Whisper has none would be lost without a word.
    let mut biased = Model::whole();
    biased.add("decoder/layer_0/attention/linear_1/bias", &[128], |_| 1.0);
    assert!(refused(&biased.bytes("WhisperSpec"), &words).contains("bias"));
}

#[test]
fn it_ends_when_nobody_waits_for_it() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let at = |name: &str| folder.path().join(name);
    fs::write(at("model.bin"), Model::whole().bytes("WhisperSpec")).expect("writable");
    fs::write(at("tokenizer.json"), tokenizer()).expect("writable");
    let stopped = convert(&at("model.bin"), &at("tokenizer.json"), Form::Q8_0, &at("out.bin"), &|| false);
    assert!(matches!(stopped, Err(ConvertError::Io(error)) if error.kind() == std::io::ErrorKind::Interrupted));
}

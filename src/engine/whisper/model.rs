//! A ggml Whisper model file: what is in it, whether it is whole, and loading it.
//!
//! whisper.cpp trusts its file: sizes out of a damaged header become allocations that throw across the C border and
//! end the process, and a file cut off inside its last tensor loads with rubbish in it. So the whole structure is
//! walked first, without reading the weights.

use std::{
    fs::File,
    io::{self, BufReader, Cursor, Read, Seek, SeekFrom},
    path::Path,
    time::Duration,
};

use whisper_rs::{
    DtwAhead, DtwMode, DtwModelPreset, DtwParameters, WhisperContext, WhisperContextParameters, WhisperError,
};

use super::{super::EngineError, BUNDLED, WhisperModel, WhisperSettings, policy::SPARE_STEPS, requantize};

/// Length of one encoder step.
pub const STEP_MS: u32 = 20;
/// See [`Facts::max_audio`].
const NANO_HEARS: Duration = Duration::from_secs(6);
/// How an alignment head of a model that is not OpenAI's is chosen for the bundled one: these were trained to
/// look at the word being written (models/nano). Static, since whisper.cpp keeps the pointer.
static NANO_HEADS: [DtwAhead; 2] = [DtwAhead { n_text_layer: 0, n_head: 0 }, DtwAhead { n_text_layer: 1, n_head: 0 }];

/// A model's dimensions, out of its header.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// Size of the file.
    pub bytes: u64,
    pub vocabulary: u32,
    /// Encoder steps of 20 ms it can hear at once.
    pub audio_context: u32,
    pub audio_width: u32,
    pub audio_layers: u32,
    /// Tokens it can hold, prompt and text together.
    pub text_context: u32,
    pub text_layers: u32,
    pub mel_bands: u32,
}

impl Facts {
    /// Models that know more than English have the tokens that name languages.
    pub fn multilingual(&self) -> bool {
        self.vocabulary >= 51_865
    }

    /// How many languages it knows: OpenAI's large-v3 added Cantonese at the end.
    pub fn languages(&self) -> i32 {
        if self.multilingual() { self.vocabulary as i32 - 51_766 } else { 1 }
    }

    /// The bundled model or one trained by the same recipe: no prompt, no no-speech token, 60 tokens.
    pub fn nano(&self) -> bool {
        self.audio_width <= 128
    }

    /// The longest audio that fits.
    pub fn longest(&self) -> Duration {
        Duration::from_millis(u64::from(self.audio_context.saturating_sub(SPARE_STEPS) * STEP_MS))
    }

    /// The longest audio that is heard whole. From about 6 s on the nano model stops before the end: of four sentences
    /// it leaves one out in five (docs/benchmarks.md).
    pub fn max_audio(&self) -> Duration {
        if self.nano() { self.longest().min(NANO_HEARS) } else { self.longest() }
    }

    /// Whether it can write timestamps: whisper.cpp takes a decoder of two layers for a distilled one and forbids them.
    pub fn timestamps(&self) -> bool {
        !self.nano() && self.text_layers != 2
    }

    fn alignment(&self) -> DtwMode<'static> {
        if self.nano() {
            return DtwMode::Custom { aheads: &NANO_HEADS };
        }
        let english = !self.multilingual();
        let model_preset = match (self.audio_layers, self.text_layers, self.mel_bands) {
            (4, 4, 80) if english => DtwModelPreset::TinyEn,
            (4, 4, 80) => DtwModelPreset::Tiny,
            (6, 6, 80) if english => DtwModelPreset::BaseEn,
            (6, 6, 80) => DtwModelPreset::Base,
            (12, 12, 80) if english => DtwModelPreset::SmallEn,
            (12, 12, 80) => DtwModelPreset::Small,
            (24, 24, 80) if english => DtwModelPreset::MediumEn,
            (24, 24, 80) => DtwModelPreset::Medium,
            (32, 32, 128) => DtwModelPreset::LargeV3,
            (32, 32, _) => DtwModelPreset::LargeV2,
            (32, 4, _) => DtwModelPreset::LargeV3Turbo,
            // Distilled and home-made models: the upper half of the decoder, as OpenAI's code does by default.
            (_, layers, _) => return DtwMode::TopMost { n_top: layers.div_ceil(2) as i32 },
        };
        DtwMode::ModelPreset { model_preset }
    }
}

/// Reads the model's dimensions and checks that it is whole.
pub fn inspect(model: &WhisperModel) -> Result<Facts, EngineError> {
    match model {
        WhisperModel::Bundled => inspect_bytes(BUNDLED),
        WhisperModel::File(path) => {
            let file = File::open(path).map_err(|error| missing(path, &error))?;
            let meta = file.metadata().map_err(|error| missing(path, &error))?;
            if !meta.is_file() {
                return Err(missing(path, &io::Error::other("not a file")));
            }
            walk(BufReader::new(file), meta.len()).map_err(|error| broken(error, Some(path)))
        }
    }
}

/// As [`inspect`], of a model in memory.
pub fn inspect_bytes(model: &[u8]) -> Result<Facts, EngineError> {
    walk(Cursor::new(model), model.len() as u64).map_err(|error| broken(error, None))
}

/// Loads the model, with word times if `aligning`.
pub fn open(settings: &WhisperSettings, facts: &Facts, aligning: bool) -> Result<WhisperContext, EngineError> {
    let mut parameters = WhisperContextParameters::default();
    parameters.use_gpu(settings.use_gpu && cfg!(any(feature = "cuda", feature = "vulkan", feature = "metal")));
    parameters.gpu_device(settings.gpu_device as i32);
    // Off: it pads the keys to 256 steps without masking them, and cannot be combined with word times.
    parameters.flash_attn(false);
    if aligning {
        let dtw_mem_size = if facts.nano() { 16 << 20 } else { 128 << 20 };
        parameters.dtw_parameters(DtwParameters { mode: facts.alignment(), dtw_mem_size });
    }
    let opened = match &settings.model {
        WhisperModel::Bundled => WhisperContext::new_from_buffer_with_params(BUNDLED, parameters),
        WhisperModel::File(path) => match wide(path, facts, settings) {
            Some(wide) => WhisperContext::new_from_buffer_with_params(&wide, parameters),
            None => WhisperContext::new_with_params(path, parameters),
        },
    };
    opened.map_err(|error| failed(&error))
}

/// The model with the weights that this processor multiplies fastest, where that differs from the file.
fn wide(path: &Path, facts: &Facts, settings: &WhisperSettings) -> Option<Vec<u8>> {
    let accelerated = settings.use_gpu && cfg!(any(feature = "cuda", feature = "vulkan", feature = "metal"));
    if accelerated || facts.bytes > requantize::MOST_BYTES {
        return None;
    }
    // A file that cannot be read now is whisper.cpp's to complain about.
    requantize::widened(&std::fs::read(path).ok()?)
}

pub fn failed(error: &WhisperError) -> EngineError {
    EngineError::Failed { engine: "whisper", reason: error.to_string() }
}

fn missing(path: &Path, error: &io::Error) -> EngineError {
    EngineError::ModelMissing {
        name: format!("{} ({error})", path.display()),
        hint: "set ASR_MODEL_NAME to a ggml Whisper model in the models folder, then run `aigolos check`".into(),
    }
}

fn broken(error: io::Error, path: Option<&Path>) -> EngineError {
    let name = path.map_or_else(|| "the bundled model".into(), |path| path.display().to_string());
    let reason = match error.kind() {
        io::ErrorKind::UnexpectedEof => "the file is cut off: fetch it again".into(),
        _ => error.to_string(),
    };
    EngineError::Failed { engine: "whisper", reason: format!("{name} is not a whole ggml Whisper model: {reason}") }
}

/// Walks the format of whisper.cpp's `convert-pt-to-ggml.py`: magic, 11 dimensions, mel filters, vocabulary, tensors.
fn walk(mut file: impl Read + Seek, bytes: u64) -> io::Result<Facts> {
    if number(&mut file)? != 0x6767_6d6c {
        return Err(wrong("it does not begin as one; a model from Hugging Face has to be converted first"));
    }
    let mut header = [0_u32; 11];
    for field in &mut header {
        *field = number(&mut file)?;
    }
    let [vocabulary, audio_context, audio_width, audio_heads, audio_layers, ..] = header;
    let [.., text_context, text_width, text_heads, text_layers, mel_bands, _] = header;
    let sane = (51_864..60_000).contains(&vocabulary)
        && (64..=1500).contains(&audio_context)
        && (16..=4096).contains(&audio_width)
        && (16..=4096).contains(&text_width)
        && (1..=64).contains(&audio_heads)
        && (1..=64).contains(&text_heads)
        && audio_width % audio_heads == 0
        && text_width % text_heads == 0
        && (1..=64).contains(&audio_layers)
        && (1..=64).contains(&text_layers)
        && (32..=1024).contains(&text_context)
        && [80, 128].contains(&mel_bands);
    if !sane {
        return Err(wrong("its dimensions make no sense"));
    }
    let (filters, bins) = (number(&mut file)?, number(&mut file)?);
    skip(&mut file, bytes, u64::from(filters) * u64::from(bins) * 4)?;
    for _ in 0..number(&mut file)?.min(vocabulary) {
        let length = number(&mut file)?;
        skip(&mut file, bytes, u64::from(length))?;
    }
    let mut tensors = 0_u32;
    while file.stream_position()? < bytes {
        let (dimensions, name, kind) = (number(&mut file)?, number(&mut file)?, number(&mut file)?);
        if dimensions > 4 {
            return Err(wrong("a tensor has too many dimensions"));
        }
        let mut elements = 1_u64;
        for _ in 0..dimensions {
            elements = elements.saturating_mul(u64::from(number(&mut file)?));
        }
        let (block_bytes, block) = block_of(kind).ok_or_else(|| wrong("it holds numbers of an unknown kind"))?;
        skip(&mut file, bytes, u64::from(name))?;
        skip(&mut file, bytes, (elements / block).saturating_mul(block_bytes))?;
        tensors += 1;
    }
    if tensors == 0 {
        return Err(wrong("it holds no weights"));
    }
    Ok(Facts { bytes, vocabulary, audio_context, audio_width, audio_layers, text_context, text_layers, mel_bands })
}

fn number(file: &mut impl Read) -> io::Result<u32> {
    let mut bytes = [0; 4];
    file.read_exact(&mut bytes)?;
    Ok(u32::from_le_bytes(bytes))
}

fn skip(file: &mut impl Seek, bytes: u64, count: u64) -> io::Result<()> {
    let end = file.stream_position()?.saturating_add(count);
    if end > bytes {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    file.seek(SeekFrom::Start(end)).map(drop)
}

fn wrong(reason: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

/// Bytes and elements of one block of a ggml number format.
pub fn block_of(kind: u32) -> Option<(u64, u64)> {
    Some(match kind {
        0 => (4, 1),
        1 | 30 => (2, 1),
        2 => (18, 32),
        3 => (20, 32),
        6 => (22, 32),
        7 => (24, 32),
        8 => (34, 32),
        10 => (84, 256),
        11 => (110, 256),
        12 => (144, 256),
        13 => (176, 256),
        14 => (210, 256),
        _ => return None,
    })
}

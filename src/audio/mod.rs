//! Sound as data: sample rates, encodings, resampling, frames, files as they are written. Imports nothing of ours.
//!
//! Audio has three types, so that a wrong rate cannot travel far: [`Pcm`] at any rate (only at the doors),
//! [`Mono16k`], which only a [`Resampler`] makes and which is all that VAD and recogniser accept, and [`VadFrame`],
//! 20 ms of it, which only a [`Framer`] makes.

mod codec;
mod fade;
mod flac;
mod frame;
pub mod level;
mod mp3;
mod ogg_opus;
mod pcm;
mod resample;
mod steady;
mod wav;

pub use codec::{Decoder, Encoding, encode, from_float};
pub use fade::{fade_in, fade_out};
pub use flac::Flac;
pub use frame::{FRAME_MS, FRAME_SAMPLES, Framer, VadFrame};
pub use mp3::Mp3;
pub use ogg_opus::{OggOpus, OpusSettings};
pub use pcm::{Mono16k, Pcm, RateError, SampleRate};
pub use resample::{FileRateError, FileResampler, RateConverter, Resampler};
pub use steady::Steady;
pub use wav::{WavError, read_wav, wav_stream_head, write_wav};

//! Opus in Ogg (RFC 7845), written as the sound comes.

use std::mem;

use ogg::{PacketWriteEndInfo, PacketWriter};
use opusic_c::{Application, Bitrate, Channels, Encoder, Signal};

use super::{Pcm, SampleRate, steady::Steady};

/// How an Opus stream is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpusSettings {
    /// Bits a second.
    pub bitrate: u32,
    /// 0 (cheapest) to 10 (best).
    pub complexity: u8,
}

impl OpusSettings {
    /// Speech that is kept: small.
    pub const KEPT: Self = Self { bitrate: 24_000, complexity: 5 };
    /// Speech that is listened to now.
    pub const LIVE: Self = Self { bitrate: 40_000, complexity: 5 };
}

/// What the encoder hears; higher rates are brought down to it: no voice of ours has more than 24 kHz.
const RATE: SampleRate = SampleRate::HZ_24000;
/// Samples of a frame of 20 ms.
const FRAME: usize = 480;
/// Frames of a page: 400 ms. A page costs 27 bytes and one for each of its frames.
const PAGE: u32 = 20;
/// Opus counts in samples of 48 kHz, whatever the encoder hears.
const TICKS: u64 = 2;
/// The longest packet that libopus makes of one frame.
const MAX_PACKET: usize = 1275;
/// The one stream of the file; players ask for no more than that files laid end to end differ in it.
const SERIAL: u32 = 0x6169_676f;

/// A mono stream. What [`push`](Self::push) and [`finish`](Self::finish) give, laid end to end, is the file.
pub struct OggOpus {
    steady: Steady,
    encoder: Encoder,
    pages: PacketWriter<'static, Vec<u8>>,
    /// Less than a frame.
    waiting: Vec<i16>,
    /// Samples taken, at [`RATE`].
    taken: u64,
    /// Frames given to the encoder.
    frames: u64,
    /// Frames in the open page.
    in_page: u32,
    /// What the decoder throws away at the start, in samples of 48 kHz.
    pre_skip: u16,
    /// The file's header, until it is told.
    header: Vec<u8>,
}

impl OggOpus {
    #[must_use]
    pub fn new(settings: OpusSettings) -> Self {
        let made = Encoder::new(Channels::Mono, opusic_c::SampleRate::Hz24000, Application::Voip);
        let mut encoder = made.expect("libopus takes 24 kHz mono, and fails only without memory");
        // Each is within libopus's bounds, and would only lower the quality if it were not.
        let _ = encoder.set_bitrate(Bitrate::Value(settings.bitrate.clamp(6_000, 256_000)));
        let _ = encoder.set_complexity(settings.complexity.min(10));
        let _ = encoder.set_signal(Signal::Voice);
        let ahead = encoder.get_look_ahead().unwrap_or(0);
        let pre_skip = u16::try_from(u64::from(ahead) * TICKS).unwrap_or(u16::MAX);
        let mut pages = PacketWriter::new(vec![]);
        for packet in [head(pre_skip), tags()] {
            write(&mut pages, packet, PacketWriteEndInfo::EndPage, 0);
        }
        let header = mem::take(pages.inner_mut());
        Self {
            steady: Steady::new(RATE),
            encoder,
            pages,
            waiting: vec![],
            taken: 0,
            frames: 0,
            in_page: 0,
            pre_skip,
            header,
        }
    }

    /// A whole recording in one go.
    #[must_use]
    pub fn whole(pcm: &Pcm, settings: OpusSettings) -> Vec<u8> {
        let mut stream = Self::new(settings);
        let mut file = stream.push(pcm);
        file.extend(stream.finish());
        file
    }

    /// Takes more sound, at any rate, and gives the pages it fills; the first time, the file's header too.
    pub fn push(&mut self, pcm: &Pcm) -> Vec<u8> {
        let samples = self.steady.push(pcm);
        self.take(&samples);
        let mut made = mem::take(&mut self.header);
        made.append(self.pages.inner_mut());
        made
    }

    /// Ends the stream: the rest of the file. Nothing may be pushed afterwards.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        let rest = self.steady.finish();
        self.take(&rest);
        // The encoder still holds back its look-ahead: silence drives it out, and the last page says where to cut.
        let end = self.taken * TICKS + u64::from(self.pre_skip);
        while (self.frames + 1) * FRAME as u64 * TICKS < end {
            self.frame(&[], PacketWriteEndInfo::NormalPacket, None);
        }
        self.frame(&[], PacketWriteEndInfo::EndStream, Some(end));
        let mut made = mem::take(&mut self.header);
        made.append(self.pages.inner_mut());
        made
    }

    fn take(&mut self, samples: &[i16]) {
        self.taken += samples.len() as u64;
        self.waiting.extend_from_slice(samples);
        let waiting = mem::take(&mut self.waiting);
        let frames = waiting.chunks_exact(FRAME);
        frames.remainder().clone_into(&mut self.waiting);
        for frame in frames {
            self.in_page += 1;
            let full = self.in_page == PAGE;
            self.frame(frame, if full { PacketWriteEndInfo::EndPage } else { PacketWriteEndInfo::NormalPacket }, None);
        }
    }

    /// Encodes a frame; where `samples` is none, what is waiting and silence.
    fn frame(&mut self, samples: &[i16], end: PacketWriteEndInfo, granule: Option<u64>) {
        let mut frame = if samples.is_empty() { mem::take(&mut self.waiting) } else { samples.to_vec() };
        frame.resize(FRAME, 0);
        // libopus reads them as signed, whatever the binding calls them.
        let frame: Vec<u16> = frame.into_iter().map(i16::cast_unsigned).collect();
        let mut packet = vec![0; MAX_PACKET];
        let length = self.encoder.encode_to_slice(&frame, &mut packet).unwrap_or(0);
        packet.truncate(length);
        self.frames += 1;
        if end != PacketWriteEndInfo::NormalPacket {
            self.in_page = 0;
        }
        let granule = granule.unwrap_or(self.frames * FRAME as u64 * TICKS);
        write(&mut self.pages, packet, end, granule);
    }
}

fn write(pages: &mut PacketWriter<'static, Vec<u8>>, packet: Vec<u8>, end: PacketWriteEndInfo, granule: u64) {
    pages.write_packet(packet, SERIAL, end, granule).expect("memory takes all");
}

/// RFC 7845, 5.1.
fn head(pre_skip: u16) -> Vec<u8> {
    let mut head = b"OpusHead\x01\x01".to_vec();
    head.extend(pre_skip.to_le_bytes());
    head.extend(RATE.hz().to_le_bytes()); // only for people to read
    head.extend([0, 0, 0]); // no gain; one mono stream
    head
}

/// RFC 7845, 5.2.
fn tags() -> Vec<u8> {
    let mut tags = b"OpusTags".to_vec();
    let vendor = b"aigolos";
    tags.extend((vendor.len() as u32).to_le_bytes());
    tags.extend(vendor);
    tags.extend(0_u32.to_le_bytes());
    tags
}

#[cfg(test)]
mod tests {
    use std::{f64::consts::TAU, io::Cursor};

    use ogg::PacketReader;
    use opusic_c::Decoder;
    use proptest::prelude::*;

    use super::*;

    fn tone(rate: SampleRate, count: usize) -> Pcm {
        let sample = |n| (9_000.0 * (TAU * 440.0 * f64::from(n) / f64::from(rate.hz())).sin()) as i16;
        Pcm::new(rate, (0..count as u32).map(sample).collect())
    }

    /// What a player makes of the file, at 48 kHz, as RFC 7845 has it.
    fn played(file: Vec<u8>) -> Vec<i16> {
        let mut reader = PacketReader::new(Cursor::new(file));
        let head = reader.read_packet_expected().expect("a head");
        assert!(head.first_in_stream() && head.last_in_page());
        assert_eq!(&head.data[..10], b"OpusHead\x01\x01");
        let pre_skip = usize::from(u16::from_le_bytes([head.data[10], head.data[11]]));
        let tags = reader.read_packet_expected().expect("tags");
        assert!(tags.data.starts_with(b"OpusTags") && tags.last_in_page());
        let mut decoder = Decoder::new(Channels::Mono, opusic_c::SampleRate::Hz48000).expect("memory");
        let mut samples: Vec<i16> = vec![];
        let mut last = None;
        while let Some(packet) = reader.read_packet().expect("good pages") {
            let mut room = vec![0_u16; 5_760];
            let count = decoder.decode_to_slice(&packet.data, &mut room, false).expect("a good packet");
            samples.extend(room[..count].iter().map(|sample| sample.cast_signed()));
            if packet.last_in_page() && !packet.last_in_stream() {
                assert_eq!(packet.absgp_page(), samples.len() as u64, "pages tell where they end");
            }
            last = Some((packet.last_in_stream(), packet.absgp_page()));
        }
        let (ended, end) = last.expect("sound");
        assert!(ended, "the last page ends the stream");
        assert!(end as usize <= samples.len(), "the end lies within the sound");
        samples[pre_skip..end as usize].to_vec()
    }

    #[test]
    fn a_tone_comes_back_at_its_time_and_length() {
        for rate in [SampleRate::HZ_8000, SampleRate::HZ_22050, SampleRate::HZ_24000, SampleRate::HZ_48000] {
            let pcm = tone(rate, rate.samples_in_ms(1_234));
            let got = played(OggOpus::whole(&pcm, OpusSettings::KEPT));
            assert!(got.len().abs_diff(48 * 1_234) <= 4, "{rate}: {}", got.len());
            let expected = tone(SampleRate::HZ_48000, got.len()).samples;
            // libopus filters what is below the voice, which turns the phase a little: look within half a millisecond.
            let middle = 9_600..got.len() - 2_400;
            let alike = |shift: usize| {
                let pairs = middle.clone().map(|n| (f64::from(got[n - 24 + shift]), f64::from(expected[n])));
                let (product, a, b) =
                    pairs.fold((0.0, 0.0, 0.0), |(p, a, b), (x, y)| (p + x * y, a + x * x, b + y * y));
                product / (a * b).sqrt()
            };
            let best = (0..=48).map(alike).fold(f64::MIN, f64::max);
            assert!(best > 0.99, "{rate}: {best}");
        }
    }

    #[test]
    fn sound_is_given_before_the_end() {
        let mut stream = OggOpus::new(OpusSettings::LIVE);
        let first = stream.push(&tone(SampleRate::HZ_24000, 240));
        assert!(first.starts_with(b"OggS"), "the header is told at once");
        let more = stream.push(&tone(SampleRate::HZ_24000, 24_000));
        assert!(more.len() > 1_000, "{}", more.len());
    }

    #[test]
    fn a_minute_of_kept_speech_is_as_small_as_asked() {
        let file = OggOpus::whole(&tone(SampleRate::HZ_16000, 16_000 * 60), OpusSettings::KEPT);
        assert!(file.len() < 240_000, "{}", file.len());
    }

    #[test]
    fn no_sound_is_a_file_too() {
        assert_eq!(played(OggOpus::new(OpusSettings::KEPT).finish()).len(), 0);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn however_it_is_cut_the_file_is_the_same(cuts in proptest::collection::vec(1_usize..3_000, 0..12), length in 1_usize..12_000) {
            let pcm = tone(SampleRate::HZ_24000, length);
            let mut stream = OggOpus::new(OpusSettings::KEPT);
            let (mut file, mut rest) = (vec![], pcm.samples.as_slice());
            for cut in cuts {
                let (now, later) = rest.split_at(cut.min(rest.len()));
                file.extend(stream.push(&Pcm::new(pcm.rate, now.to_vec())));
                rest = later;
            }
            file.extend(stream.push(&Pcm::new(pcm.rate, rest.to_vec())));
            file.extend(stream.finish());
            prop_assert_eq!(played(file.clone()).len(), length * 2);
            prop_assert!(file == OggOpus::whole(&pcm, OpusSettings::KEPT));
        }
    }
}

//! The same recordings as they arrive live: through the segmenter and an utterance, frame by frame, on a clock that
//! moves by the audio and lets each decode take as long as it took.

use aigolos::{
    audio::{FRAME_MS, Framer, Mono16k},
    conversation::{
        offline::{WholeOptions, transcribe_whole},
        segment::{Heard, SegmentSettings, Segmenter},
        transcript::{Decode, FinalNeed, TranscriptSettings, Utterance},
    },
    engine::{
        RecognizeRequest, Recognizer, Transcript,
        vad::{VadEngine, detector},
        whisper::Whisper,
    },
    model::SessionId,
};

use futures::executor::block_on;

use crate::{
    percentile,
    recordings::{Recording, bare, edits},
};

/// Silence after which the final text is wanted, as a session's soft end is by default.
const SOFT_END_MS: u32 = 200;
const LEAD_MS: u32 = 800;

/// One utterance, streamed.
#[derive(Default)]
struct Run {
    /// Decodes, and their compute in ms.
    decodes: u32,
    compute_ms: f64,
    /// From the first sound to the first text shown.
    first_ms: Option<f64>,
    /// From the soft end to the final text.
    final_ms: f64,
    /// Whether the last partial served as the final.
    saved: bool,
    /// Unstable words shown, and those of them that the next text had not.
    unstable: usize,
    changed: usize,
    words: usize,
    errors: usize,
}

pub fn report(whisper: &Whisper, recordings: &[Recording]) {
    for (name, long) in [("one to three sentences", false), ("eighteen sentences without a break", true)] {
        let mut runs = vec![];
        let mut ratios = vec![];
        let mut offline_errors = 0;
        for recording in recordings.iter().filter(|r| (r.audio.ms() > 5_000) == long) {
            let (run, heard) = stream(whisper, recording);
            let (offline_ms, text) = offline(whisper, &heard);
            ratios.push(run.compute_ms / offline_ms);
            offline_errors += edits(&bare(&recording.text), &bare(&text));
            runs.push(run);
        }
        let firsts: Vec<f64> = runs.iter().filter_map(|run| run.first_ms).collect();
        let finals: Vec<f64> = runs.iter().map(|run| run.final_ms).collect();
        let share = |count: usize, of: usize| 100.0 * count as f64 / of.max(1) as f64;
        println!("streamed, {name}: {} utterances", runs.len());
        println!(
            "  compute / one offline pass   p50 {:.2}  p90 {:.2}  mean {:.2}   decodes per utterance {:.1}",
            percentile(&ratios, 0.5),
            percentile(&ratios, 0.9),
            ratios.iter().sum::<f64>() / ratios.len() as f64,
            f64::from(runs.iter().map(|run| run.decodes).sum::<u32>()) / runs.len() as f64,
        );
        println!(
            "  first text after first sound p50 {:.0} ms  p90 {:.0} ms   shown before the end in {:.0} %",
            percentile(&firsts, 0.5),
            percentile(&firsts, 0.9),
            share(firsts.len(), runs.len()),
        );
        println!(
            "  final after the soft end     p50 {:.0} ms  p90 {:.0} ms   no decode needed in {:.0} %",
            percentile(&finals, 0.5),
            percentile(&finals, 0.9),
            share(runs.iter().filter(|run| run.saved).count(), runs.len()),
        );
        println!(
            "  unstable words that changed  {:.1} %   word errors {:.1} %, one offline pass {:.1} %\n",
            share(runs.iter().map(|run| run.changed).sum(), runs.iter().map(|run| run.unstable).sum()),
            share(runs.iter().map(|run| run.errors).sum(), runs.iter().map(|run| run.words).sum()),
            share(offline_errors, runs.iter().map(|run| run.words).sum()),
        );
    }
}

/// Runs one recording; gives the audio of its utterances as well.
fn stream(whisper: &Whisper, recording: &Recording) -> (Run, Mono16k) {
    let mut audio = Mono16k::silence(LEAD_MS);
    audio.append(&recording.audio);
    audio.append(&Mono16k::silence(1_500));
    let mut segmenter = Segmenter::new(detector(VadEngine::Cascade), SegmentSettings::default());
    let settings = TranscriptSettings::default().for_max_audio(whisper.max_audio());
    let mut run = Run::default();
    let mut utterance: Option<Utterance> = None;
    let mut under_way: Option<(f64, u64, Transcript)> = None;
    let mut shown: Vec<String> = vec![];
    let mut unstable_from = 0;
    let (mut text, mut heard_audio) = (String::new(), Mono16k::default());
    for (index, frame) in Framer::new().push(&audio).iter().enumerate() {
        let now_ms = f64::from((index as u32 + 1) * FRAME_MS);
        let mut silence_ms = 0;
        match segmenter.push(frame) {
            Heard::Nothing => continue,
            Heard::Started { start_ms, audio } => {
                heard_audio.append(&audio);
                let mut fresh = Utterance::new(settings.clone(), start_ms);
                fresh.push(&audio);
                utterance = Some(fresh);
            }
            Heard::Going { silence_ms: silence, .. } => {
                silence_ms = silence;
                heard_audio.append_frame(frame);
                let mut one = Mono16k::default();
                one.append_frame(frame);
                if let Some(utterance) = &mut utterance {
                    utterance.push(&one);
                }
            }
        }
        let Some(live) = &mut utterance else { continue };
        live.silent_for(silence_ms);
        if let Some((_, generation, heard)) = under_way.take_if(|(done_ms, ..)| *done_ms <= now_ms)
            && let Some((stable, unstable)) = live.partial(generation, &heard)
        {
            run.first_ms.get_or_insert(now_ms - f64::from(LEAD_MS));
            count_changes(&mut run, &mut shown, &mut unstable_from, &stable, &unstable);
        }
        if under_way.is_none()
            && let Some(decode) = live.next_partial()
        {
            let (ms, heard) = decoded(whisper, &decode, &mut run);
            under_way = Some((now_ms + ms, decode.generation, heard));
        }
        if silence_ms >= SOFT_END_MS {
            let mut wait_ms = 0.0;
            let mut need = live.final_decode();
            if let Some((done_ms, generation, heard)) = under_way.take()
                && need == FinalNeed::Wait
            {
                wait_ms = done_ms - now_ms;
                live.partial(generation, &heard);
                need = live.final_decode();
            }
            let done = match need {
                FinalNeed::Ready(done) => {
                    run.saved = true;
                    done
                }
                FinalNeed::Wait => unreachable!("nothing is under way"),
                FinalNeed::Decode(decodes) => {
                    let mut done = None;
                    for decode in decodes {
                        let (ms, heard) = decoded(whisper, &decode, &mut run);
                        wait_ms += ms;
                        done = live.finalise(decode.generation, &heard).or(done);
                    }
                    done.expect("all were decoded")
                }
            };
            run.final_ms = wait_ms;
            count_changes(&mut run, &mut shown, &mut unstable_from, &done.text, "");
            shown.clear();
            text = format!("{text} {}", done.text);
            segmenter.close();
            utterance = None;
        }
    }
    let said = bare(&recording.text);
    (run.words, run.errors) = (said.len(), edits(&said, &bare(&text)));
    (run, heard_audio)
}

fn decoded(whisper: &Whisper, decode: &Decode, run: &mut Run) -> (f64, Transcript) {
    let request = RecognizeRequest {
        session: SessionId::fresh(),
        priority: decode.class,
        audio: decode.audio.clone(),
        language: None,
        prompt: None,
        words: decode.words,
        translate: false,
        temperature: None,
    };
    let heard = whisper.submit(request).blocking_recv().expect("answered").expect("decodes");
    let ms = heard.compute.as_secs_f64() * 1e3;
    run.decodes += 1;
    run.compute_ms += ms;
    (ms, heard)
}

fn count_changes(run: &mut Run, shown: &mut Vec<String>, unstable_from: &mut usize, stable: &str, unstable: &str) {
    let stable = bare(stable);
    let from = stable.len();
    let now: Vec<String> = stable.into_iter().chain(bare(unstable)).collect();
    run.unstable += shown.len().saturating_sub(*unstable_from);
    run.changed += shown.iter().enumerate().skip(*unstable_from).filter(|(i, word)| now.get(*i) != Some(word)).count();
    (*shown, *unstable_from) = (now, from);
}

/// One pass over the same audio, in pieces as long as can be heard at once; the better of two, in ms, and the text.
fn offline(whisper: &Whisper, audio: &Mono16k) -> (f64, String) {
    let once = || {
        let mut ears = detector(VadEngine::Cascade);
        let options = WholeOptions::default();
        let whole = block_on(transcribe_whole(whisper, &mut *ears, audio, &options, |_| {})).expect("decodes");
        (whole.compute.as_secs_f64() * 1e3, whole.text)
    };
    let (first, second) = (once(), once());
    (first.0.min(second.0), second.1)
}

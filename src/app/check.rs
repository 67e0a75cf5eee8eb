//! `aigolos check`: what is present, what is missing, what to do. Loads and tries each engine as the server would.

use std::{process::ExitCode, time::Instant};

use super::{
    config::Config,
    engines::{chat_model, recognizer, speech},
    tls::Tls,
};
use crate::{
    audio::Mono16k,
    engine::{EngineInfo, Priority, RecognizeRequest, SpeakRequest, models::ggml_files},
    model::SessionId,
};

/// Prints a line for each part; fails if the server would not start.
pub async fn check(config: &Config) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let mut well = true;
    let settings = &config.settings;

    match tokio::net::TcpListener::bind(config.bind).await {
        Ok(_) => ok("address", &format!("{} is free", config.bind)),
        Err(error) => {
            well = false;
            bad(
                "address",
                &format!("{}: {error}", config.bind),
                "set BIND to another address, or stop what listens there",
            );
        }
    }

    match Tls::of(config) {
        Ok(Some(_)) => ok("encryption", &format!("{} and its key belong together", settings.clients.tls_cert)),
        Ok(None) => {}
        Err(error) => {
            well = false;
            let (error, hint) = error.split_once("\nhint: ").unwrap_or((&error, "set TLS_CERT and TLS_KEY"));
            bad("encryption", error, hint);
        }
    }

    ok("voice detection", settings.vad_engine.as_str());

    match recognizer(config) {
        Ok(engine) => {
            let begun = Instant::now();
            let request = RecognizeRequest {
                session: SessionId::fresh(),
                priority: Priority::Final,
                audio: Mono16k::silence(1_000).into(),
                language: None,
                prompt: None,
                words: false,
                translate: false,
                temperature: None,
            };
            match engine.submit(request).await {
                Ok(Ok(_)) => {
                    in_use(
                        "recognition",
                        &engine.info(),
                        &format!("1 s decoded in {} ms", begun.elapsed().as_millis()),
                    );
                }
                Ok(Err(error)) => {
                    well = false;
                    bad("recognition", &error.to_string(), &error.hint());
                }
                Err(_) => {
                    well = false;
                    bad("recognition", "the recogniser gave no answer", "see the log");
                }
            }
        }
        Err(error) => {
            well = false;
            bad("recognition", &error.to_string(), &error.hint());
        }
    }
    let found = ggml_files(&settings.models_dir);
    println!(
        "                     models in {}: {}",
        settings.models_dir.display(),
        listed(found.iter().filter_map(|path| path.file_name()?.to_str()))
    );

    match chat_model(config).await {
        Ok(engine) => match engine.warm_up().await {
            Ok(()) => in_use("chat", &engine.info(), "answers"),
            // It may be started later; the server runs without it.
            Err(error) => bad("chat", &error.to_string(), &error.hint()),
        },
        Err(error) => {
            well = false;
            bad("chat", &error.to_string(), "see `aigolos --help`");
        }
    }

    match speech(config) {
        Ok(engine) => {
            let begun = Instant::now();
            let mut sound =
                engine.speak(SpeakRequest { text: "Hello.".into(), voice: None, language: None, speed: 1.0 });
            match sound.recv().await {
                Some(Ok(_)) => {
                    in_use("speech", &engine.info(), &format!("first sound after {} ms", begun.elapsed().as_millis()));
                }
                Some(Err(error)) => {
                    well = false;
                    bad("speech", &error.to_string(), &error.hint());
                }
                None => {
                    well = false;
                    bad("speech", "no sound came", "see the log");
                }
            }
            let voices = engine.voices();
            println!(
                "                     {} voices: {}",
                voices.len(),
                listed(voices.iter().map(|voice| voice.id.as_str()))
            );
        }
        Err(error) => {
            well = false;
            bad("speech", &error.to_string(), &error.hint());
        }
    }
    println!();
    println!(
        "{}",
        if well { "`aigolos serve` will start." } else { "`aigolos serve` will not start until the above is mended." }
    );
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn in_use(part: &str, info: &EngineInfo, extra: &str) {
    let demo = if info.demo { ", bundled demo" } else { "" };
    ok(part, &format!("{} {} ({extra}{demo})", info.engine, info.model));
    if let Some(hint) = &info.hint {
        println!("                     hint: {hint}");
    }
}

fn ok(part: &str, text: &str) {
    println!("ok   {part:15} {text}");
}

fn bad(part: &str, text: &str, hint: &str) {
    println!("!!   {part:15} {text}");
    println!("                     hint: {hint}");
}

fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    const SHOWN: usize = 12;
    let names: Vec<_> = names.collect();
    match names.len() {
        0 => "none".into(),
        count if count > SHOWN => format!("{}, and {} more", names[..SHOWN].join(", "), count - SHOWN),
        _ => names.join(", "),
    }
}

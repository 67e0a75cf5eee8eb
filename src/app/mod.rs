//! The top floor: configuration, the choice of engines, the router, and the commands.

mod archive;
pub mod backup;
mod check;
mod commands;
pub mod config;
mod cpu;
mod engines;
mod health;
mod in_use;
mod keeping;
mod library;
mod lifecycle;
mod listen;
mod manners;
mod metrics;
mod openapi;
mod recorder;
mod retention;
mod router;
mod serve;
mod settings;
mod setup;
mod systemd;
mod telemetry;
mod tls;
mod watch;
mod wyoming;

use std::{process::ExitCode, time::Duration};

pub use engines::engines;
pub use in_use::ModelsInUse;
pub use serve::{Server, run};
pub use tls::use_ring;

use self::{
    config::{Action, Config},
    telemetry::ForWhom,
};
use crate::engine::switch;

/// Exit code for a configuration that cannot be used (`EX_USAGE` of sysexits.h).
const EXIT_USAGE: u8 = 64;

/// Reads the configuration, runs the command, gives the exit code.
#[must_use]
pub fn main() -> ExitCode {
    let (action, config) = match Config::load() {
        Ok(loaded) => loaded,
        Err(error) => {
            if error.is_help() {
                println!("{error}");
                return ExitCode::SUCCESS;
            }
            eprintln!("{error}");
            return ExitCode::from(EXIT_USAGE);
        }
    };
    if let Some(lacking) = cpu::lacking() {
        eprintln!("error: {lacking}");
        return ExitCode::FAILURE;
    }
    tls::use_ring();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("aigolos-net").build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: the async runtime does not start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let telemetry = match telemetry::start(&config, who_reads(&action), runtime.handle()) {
        Ok(telemetry) => telemetry,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::from(EXIT_USAGE);
        }
    };
    let result = runtime.block_on(async {
        match action {
            Action::Serve => serve::serve(config).await,
            Action::Check => check::check(&config).await,
            Action::Config => commands::print_config(&config),
            Action::Transcribe { file, words } => commands::transcribe(&config, &file, words).await,
            Action::User { action } => commands::user::user(&config, action).await,
            Action::Backup { action } => commands::backup::backup(&config, action).await,
            Action::Restore { file, force } => commands::backup::restore(&config, &file, force).await,
            Action::Models { action } => commands::models::models(&config, action).await,
            Action::Completions { shell } => commands::shell::completions(shell),
            Action::Man => commands::shell::man(),
            Action::DevCert => commands::dev_cert::dev_cert(&config),
            Action::Say { text, output, voice } => commands::say(&config, &text, &output, voice).await,
        }
    });
    telemetry.finish();
    // Native threads may still be at work; nobody waits for them.
    runtime.shutdown_timeout(Duration::from_secs(1));
    // But for those of engines that are being loaded or dropped: their libraries end with the process.
    in_use::wait_for_threads(Duration::from_secs(20));
    switch::all_dropped(Duration::from_secs(20));
    let code = match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    };
    if code == ExitCode::SUCCESS {
        end_at_once();
    }
    code
}

/// Ends the process well, without the tear-down of its C++ libraries: that must not meet a thread which still works with
/// them, and everything of ours is written and closed by now.
fn end_at_once() {
    use std::io::Write as _;
    let _ = std::io::stdout().flush(); // nobody is left to be told
    #[expect(unsafe_code, reason = "a function of the C library")]
    // SAFETY: `_exit` of POSIX takes any number and does not come back; it runs no code of this process.
    unsafe {
        unsafe extern "C" {
            fn _exit(code: std::ffi::c_int) -> !;
        }
        _exit(0)
    }
}

fn who_reads(action: &Action) -> ForWhom {
    match action {
        Action::Serve => ForWhom::Server,
        Action::Backup { action } if action.runs_for_ever() => ForWhom::Service,
        _ => ForWhom::Person,
    }
}

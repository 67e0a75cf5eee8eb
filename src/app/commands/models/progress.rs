//! Downloads on the terminal: bars that move where there is one, a line now and then where there is not.

use std::{
    io::{self, IsTerminal as _},
    time::{Duration, Instant},
};

use futures::future::join_all;
use indicatif::{HumanBytes, MultiProgress, ProgressBar, ProgressStyle};
use tokio::sync::watch;

use crate::catalogue::{Download, DownloadState};

/// Where nothing can move, how often a line is written.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Shows downloads until all have ended, and gives them as they are then.
pub async fn show(watches: Vec<watch::Receiver<Download>>) -> Vec<Download> {
    let moving = io::stderr().is_terminal();
    let bars = MultiProgress::new();
    let shown = watches.into_iter().map(|watch| {
        let bar = moving.then(|| bars.add(bar(&watch.borrow().name)));
        one(watch, bar)
    });
    join_all(shown).await
}

async fn one(mut watch: watch::Receiver<Download>, bar: Option<ProgressBar>) -> Download {
    let mut told: Option<(Instant, DownloadState)> = None;
    loop {
        let now = watch.borrow_and_update().clone();
        let due = told.is_none_or(|(at, state)| state != now.state || at.elapsed() >= LINE_EVERY);
        if let Some(bar) = &bar {
            moves(bar, &now);
        } else if due && !now.state.is_over() {
            told = Some((Instant::now(), now.state));
            eprintln!("{}", line(&now));
        }
        if now.state.is_over() {
            if let Some(bar) = &bar {
                bar.finish_and_clear();
            }
            return now;
        }
        if watch.changed().await.is_err() {
            return watch.borrow().clone();
        }
    }
}

fn bar(name: &str) -> ProgressBar {
    let bar = ProgressBar::new(0).with_prefix(name.to_owned());
    let form = "{prefix:28!} {wide_bar:.cyan/dim} {bytes:>10} / {total_bytes:10} {msg}";
    // The form is ours: it is always valid.
    bar.set_style(
        ProgressStyle::with_template(form).unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("━━─"),
    );
    bar
}

fn moves(bar: &ProgressBar, now: &Download) {
    bar.set_length(now.total.unwrap_or(now.bytes));
    bar.set_position(now.bytes);
    bar.set_message(match now.state {
        DownloadState::Downloading => rate(now),
        state => word(state).to_owned(),
    });
}

fn line(now: &Download) -> String {
    let of = now.total.map_or_else(String::new, |total| format!(" of {}", HumanBytes(total)));
    match now.state {
        DownloadState::Downloading => format!("{}: {}{of} {}", now.name, HumanBytes(now.bytes), rate(now)),
        state => format!("{}: {}", now.name, word(state)),
    }
}

/// How fast it comes, and how long it will take.
fn rate(now: &Download) -> String {
    if now.rate == 0 {
        return String::new();
    }
    let left = now.total.map(|total| total.saturating_sub(now.bytes) / now.rate);
    let left = left.map_or_else(String::new, |seconds| format!(", {}:{:02} left", seconds / 60, seconds % 60));
    format!("{}/s{left}", HumanBytes(now.rate))
}

fn word(state: DownloadState) -> &'static str {
    match state {
        DownloadState::Waiting => "another process fetches it; waiting",
        DownloadState::Checking => "being checked",
        state => state.name(),
    }
}

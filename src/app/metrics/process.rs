//! What the system says of this process, read from `/proc`; nothing where there is none.

use std::{
    fs,
    sync::OnceLock,
    time::{SystemTime, UNIX_EPOCH},
};

use super::page::Page;
use crate::measure;

/// Ticks a second in which Linux tells times to programs, on every machine this runs on.
const TICKS: f64 = 100.0;
const PAGE_BYTES: f64 = 4096.0;

/// When counting began, in seconds since 1970: about when the process did.
static BEGAN: OnceLock<f64> = OnceLock::new();

/// Notes the time. Where `/proc` shows processes only (systemd's `ProcSubset=pid`), nothing else tells when this one began.
pub fn begin() {
    BEGAN.get_or_init(|| SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64()));
}

/// Adds the process's measures.
pub fn tell(page: &mut Page) {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    if let Some(process) = Process::of(&read("/proc/self/stat")) {
        page.one(measure::PROCESS_CPU, process.cpu);
        page.one(measure::PROCESS_THREADS, process.threads);
        page.one(measure::PROCESS_VIRTUAL, process.virtual_bytes);
        page.one(measure::PROCESS_MEMORY, resident(&read("/proc/self/status")).unwrap_or(process.resident_bytes));
        let started = booted(&read("/proc/stat")).map(|booted| booted + process.started);
        page.one(measure::PROCESS_START, started.or_else(|| BEGAN.get().copied()));
    }
    let open = fs::read_dir("/proc/self/fd").map(|files| files.count().saturating_sub(1) as f64);
    page.one(measure::PROCESS_FDS, open.ok());
    page.one(measure::PROCESS_MAX_FDS, most_files(&read("/proc/self/limits")));
}

#[derive(Debug, PartialEq)]
struct Process {
    /// Seconds.
    cpu: f64,
    threads: f64,
    /// Seconds after the system started.
    started: f64,
    virtual_bytes: f64,
    resident_bytes: f64,
}

impl Process {
    /// Out of `/proc/PID/stat`.
    fn of(stat: &str) -> Option<Self> {
        // The name, in brackets, may hold anything.
        let (_, rest) = stat.rsplit_once(')')?;
        let fields: Vec<f64> = rest.split_whitespace().map(|field| field.parse().unwrap_or_default()).collect();
        // proc(5) counts from 1, and two fields stand before.
        let field = |number: usize| fields.get(number - 3).copied();
        Some(Self {
            cpu: (field(14)? + field(15)?) / TICKS,
            threads: field(20)?,
            started: field(22)? / TICKS,
            virtual_bytes: field(23)?,
            resident_bytes: field(24)? * PAGE_BYTES,
        })
    }
}

/// Bytes in memory, out of `/proc/PID/status`.
fn resident(status: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse::<f64>().ok().map(|kilobytes| kilobytes * 1024.0)
}

/// When the system started, in seconds since 1970, out of `/proc/stat`.
fn booted(stat: &str) -> Option<f64> {
    stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}

/// Out of `/proc/PID/limits`.
fn most_files(limits: &str) -> Option<f64> {
    limits.lines().find_map(|line| line.strip_prefix("Max open files"))?.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_tables_are_read() {
        let stat = "42 (ai) golos) S 1 42 42 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 17 0 12300 1000000 300 18446744073709551615";
        let process =
            Process { cpu: 3.0, threads: 17.0, started: 123.0, virtual_bytes: 1e6, resident_bytes: 300.0 * 4096.0 };
        assert_eq!(Process::of(stat), Some(process));
        assert_eq!(Process::of("42 (x) S 1"), None);
        assert_eq!(Process::of(""), None);
        assert_eq!(resident("Name:\tx\nVmRSS:\t   2048 kB\n"), Some(2_097_152.0));
        assert_eq!(booted("cpu 1 2\nbtime 1700000000\n"), Some(1.7e9));
        assert_eq!(
            most_files("Max open files            1024                 4096                 files\n"),
            Some(1024.0)
        );
        assert_eq!((resident(""), booted(""), most_files("Max open files  unlimited")), (None, None, None));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_process_is_found() {
        let mut page = Page::default();
        tell(&mut page);
        let text = page.text();
        for name in [measure::PROCESS_CPU, measure::PROCESS_MEMORY, measure::PROCESS_FDS, measure::PROCESS_START] {
            assert!(text.lines().any(|line| line.starts_with(name)), "{name}\n{text}");
        }
    }
}

//! What a session has to tell, kept until a socket has taken it and a while longer, so that a lost socket loses nothing.
//!
//! One writer (the driver), at most one reader (the attached socket). Events get their `seq` when a socket first takes
//! them, so that numbers on the wire grow without gaps whatever the protocol says in between.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::Notify;

use super::message::Event;
use crate::measure;

/// Events kept for a resume. Full: the oldest reply sound goes first, then partials, then text; finals last.
pub const MAX_EVENTS: usize = 1_000;
/// Bytes of reply sound kept for a resume.
pub const MAX_AUDIO_BYTES: usize = 1 << 20;
/// Chunks of reply sound that may wait for a slow reader: a second. Full: the reply waits.
const MAX_UNSENT_AUDIO: usize = 25;

/// An event on its way out.
#[derive(Debug, Clone, PartialEq)]
pub struct Outgoing {
    /// The event's number on the wire; 0 for sound, which carries none.
    pub seq: u64,
    pub event: Event,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Outbox {
    inner: Mutex<Inner>,
    /// Woken when there is something to read, or the reader was replaced.
    filled: Notify,
    /// Woken when something was read, or a reader came or went.
    drained: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    entries: VecDeque<Entry>,
    /// Index of the next entry to send.
    cursor: usize,
    last_seq: u64,
    audio_bytes: usize,
    unsent_audio: usize,
    /// Which reader may read; grows with each attachment.
    reader: u64,
    attached: bool,
    /// When the reader last took something, or came or went.
    moved: Option<Instant>,
    closed: bool,
}

#[derive(Debug)]
struct Entry {
    seq: Option<u64>,
    event: Event,
}

impl Outbox {
    /// Adds an event. [`Event::Closed`] is the last one; what comes after it is dropped.
    pub fn push(&self, event: Event) {
        let mut inner = self.lock();
        if inner.closed {
            return;
        }
        inner.closed = matches!(event, Event::Closed { .. });
        if let Event::ReplyAudio { audio, .. } = &event {
            inner.audio_bytes += audio.samples.len() * 2;
            inner.unsent_audio += 1;
        }
        if inner.unsent() == 0 {
            inner.moved = Some(Instant::now());
        }
        inner.entries.push_back(Entry { seq: None, event });
        inner.evict();
        drop(inner);
        self.filled.notify_waiters();
    }

    /// Whether more reply sound may be pushed: a socket is there and keeps up.
    pub fn has_room(&self) -> bool {
        let inner = self.lock();
        inner.attached && inner.unsent_audio < MAX_UNSENT_AUDIO
    }

    /// Waits until [`has_room`](Self::has_room) may have changed.
    pub async fn drained(&self) {
        self.drained.notified().await;
    }

    /// For how long a socket has been attached and taken nothing although something was there; `None`: it keeps up.
    pub fn stuck_for(&self) -> Option<Duration> {
        let inner = self.lock();
        (inner.attached && inner.unsent() > 0).then(|| inner.moved.map_or(Duration::ZERO, |at| at.elapsed()))
    }

    /// For how long no socket has been attached; `None`: one is.
    pub fn detached_for(&self) -> Option<Duration> {
        let inner = self.lock();
        (!inner.attached).then(|| inner.moved.map_or(Duration::ZERO, |at| at.elapsed()))
    }

    /// A socket takes over; an older one reads no more. `last_seq`: what it already has.
    pub(super) fn attach(&self, last_seq: Option<u64>) -> u64 {
        let mut inner = self.lock();
        if let Some(last) = last_seq {
            let known =
                inner.entries.iter().rposition(|entry| entry.seq.is_some_and(|seq| seq <= last)).map_or(0, |at| at + 1);
            // Numbers the client cannot have yet are nonsense; it gets what was not sent.
            inner.cursor = known.min(inner.cursor);
            inner.count_unsent_audio();
        }
        inner.reader += 1;
        inner.attached = true;
        inner.moved = Some(Instant::now());
        let reader = inner.reader;
        drop(inner);
        self.filled.notify_waiters();
        self.drained.notify_waiters();
        reader
    }

    pub(super) fn detach(&self, reader: u64) {
        let mut inner = self.lock();
        if inner.reader == reader {
            inner.attached = false;
            inner.moved = Some(Instant::now());
        }
        drop(inner);
        self.drained.notify_waiters();
    }

    /// The next number on the wire, for an event the protocol makes itself.
    pub(super) fn take_seq(&self) -> u64 {
        let mut inner = self.lock();
        inner.last_seq += 1;
        inner.last_seq
    }

    /// The next event for `reader`. `None`: the session is over, or another socket took its place.
    pub(super) async fn next(&self, reader: u64) -> Option<Outgoing> {
        loop {
            let filled = self.filled.notified();
            tokio::pin!(filled);
            filled.as_mut().enable();
            {
                let mut inner = self.lock();
                if inner.reader != reader {
                    return None;
                }
                if let Some(out) = inner.take() {
                    drop(inner);
                    self.drained.notify_waiters();
                    return Some(out);
                }
                if inner.closed {
                    return None;
                }
            }
            filled.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn unsent(&self) -> usize {
        self.entries.len() - self.cursor
    }

    fn take(&mut self) -> Option<Outgoing> {
        let cursor = self.cursor;
        let sound = matches!(self.entries.get(cursor)?.event, Event::ReplyAudio { .. });
        let seq = match self.entries[cursor].seq {
            _ if sound => 0,
            Some(seq) => seq,
            None => {
                self.last_seq += 1;
                self.last_seq
            }
        };
        let entry = &mut self.entries[cursor];
        if !sound {
            entry.seq = Some(seq);
        }
        let event = entry.event.clone();
        self.cursor += 1;
        self.unsent_audio -= usize::from(sound);
        self.moved = Some(Instant::now());
        Some(Outgoing { seq, event })
    }

    fn evict(&mut self) {
        while self.audio_bytes > MAX_AUDIO_BYTES && self.remove_first(|event| matches!(event, Event::ReplyAudio { .. }))
        {
        }
        while self.entries.len() > MAX_EVENTS {
            let _ = self.remove_first(|event| matches!(event, Event::ReplyAudio { .. }))
                || self.remove_first(|event| matches!(event, Event::Partial { .. }))
                || self.remove_first(|event| !matches!(event, Event::Final { .. } | Event::Closed { .. }))
                || self.remove_first(|_| true);
        }
    }

    fn remove_first(&mut self, which: impl Fn(&Event) -> bool) -> bool {
        let Some(at) = self.entries.iter().position(|entry| which(&entry.event)) else { return false };
        let removed = self.entries.remove(at);
        if at >= self.cursor {
            let sound = matches!(removed, Some(Entry { event: Event::ReplyAudio { .. }, .. }));
            let what = if sound { "audio" } else { "event" };
            metrics::counter!(measure::OUTBOX_DROPPED, "what" => what).increment(1);
        }
        if let Some(Entry { event: Event::ReplyAudio { audio, .. }, .. }) = removed {
            self.audio_bytes -= audio.samples.len() * 2;
            self.unsent_audio -= usize::from(at >= self.cursor);
        }
        self.cursor -= usize::from(at < self.cursor);
        true
    }

    fn count_unsent_audio(&mut self) {
        let unsent = self.entries.iter().skip(self.cursor);
        self.unsent_audio = unsent.filter(|entry| matches!(entry.event, Event::ReplyAudio { .. })).count();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        audio::{Pcm, SampleRate},
        model::TurnId,
    };

    fn words(text: &str) -> Event {
        Event::ReplyText { turn: TurnId(1), delta: text.into() }
    }

    fn sound(chunk: u32) -> Event {
        Event::ReplyAudio { turn: TurnId(1), chunk, audio: Pcm::new(SampleRate::HZ_24000, vec![0; 960]) }
    }

    async fn read(outbox: &Outbox, reader: u64, count: usize) -> Vec<(u64, Event)> {
        let mut read = Vec::new();
        for _ in 0..count {
            let out = outbox.next(reader).await.expect("the test put it there");
            read.push((out.seq, out.event));
        }
        read
    }

    #[tokio::test]
    async fn numbers_grow_without_gaps_whoever_takes_them() {
        let outbox = Outbox::default();
        let reader = outbox.attach(None);
        assert_eq!(outbox.take_seq(), 1);
        outbox.push(words("a"));
        outbox.push(sound(0));
        outbox.push(words("b"));
        assert_eq!(read(&outbox, reader, 2).await, [(2, words("a")), (0, sound(0))]);
        assert_eq!(outbox.take_seq(), 3);
        assert_eq!(read(&outbox, reader, 1).await, [(4, words("b"))]);
    }

    #[tokio::test]
    async fn a_resumed_socket_gets_what_the_old_one_missed_and_the_old_one_nothing() {
        let outbox = Outbox::default();
        let old = outbox.attach(None);
        for event in [words("a"), sound(0), words("b"), sound(1), words("c")] {
            outbox.push(event);
        }
        read(&outbox, old, 4).await;
        let new = outbox.attach(Some(1));
        assert_eq!(outbox.next(old).await, None);
        assert_eq!(read(&outbox, new, 4).await, [(0, sound(0)), (2, words("b")), (0, sound(1)), (3, words("c"))]);
        let newest = outbox.attach(Some(99));
        let started = Event::ReplyStarted { turn: TurnId(2), tag: None };
        outbox.push(started.clone());
        assert_eq!(read(&outbox, newest, 1).await, [(4, started)]);
    }

    #[tokio::test]
    async fn what_is_kept_is_bounded_and_finals_stay_longest() {
        let outbox = Outbox::default();
        let reader = outbox.attach(None);
        let last = Event::Final {
            turn: TurnId(1),
            text: "kept".into(),
            words: vec![],
            start_ms: 0,
            end_ms: 1,
            rejected: None,
            language: None,
        };
        outbox.push(last.clone());
        for chunk in 0..3_000 {
            outbox.push(sound(chunk));
            outbox.push(Event::Partial { turn: TurnId(1), stable: String::new(), unstable: chunk.to_string() });
        }
        {
            let inner = outbox.lock();
            assert!(inner.entries.len() <= MAX_EVENTS && inner.audio_bytes <= MAX_AUDIO_BYTES);
        }
        assert_eq!(read(&outbox, reader, 1).await, [(1, last)]);
    }

    #[test]
    fn a_reader_that_stops_holds_the_sound_back() {
        let outbox = Outbox::default();
        assert!(!outbox.has_room(), "nobody listens");
        outbox.attach(None);
        for chunk in 0..25 {
            assert!(outbox.has_room());
            outbox.push(sound(chunk));
        }
        assert!(!outbox.has_room());
        assert!(outbox.stuck_for().is_some() && outbox.detached_for().is_none());
    }
}

//! Keeps conversations: what the sessions tell their [`Journal`] goes into the spool, and from there into the store.

use std::{
    io,
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread,
    time::Duration,
};

use async_trait::async_trait;
use tokio::sync::watch;

use crate::{
    audio::{OggOpus, OpusSettings},
    conversation::{
        history::Exchange,
        journal::{Journal, JournalAway, Recorded, Sound, title_of},
        message::Mode,
    },
    model::{ConversationId, Role, UserId},
    store::{ConversationKind, Side, Source, Store, StoreError, TurnAudio, TurnRecord, TurnReply, spool::Spool},
};

/// Turns a chat model is reminded of at most; its token budget usually ends before.
const REMEMBERED: u32 = 100;
/// Sounds that wait for the encoder, a minute of speech or so each. Full: the sound of that turn is not kept.
const SOUNDS: usize = 32;

/// See the module.
pub struct Recorder {
    store: Arc<dyn Store>,
    spool: Arc<Spool>,
    sounds: SyncSender<Sound>,
    /// Sounds not yet in the spool.
    encoding: Arc<watch::Sender<usize>>,
}

impl Recorder {
    /// Starts the thread that encodes sound; it ends with the recorder.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(store: Arc<dyn Store>, spool: Arc<Spool>) -> io::Result<Self> {
        let (sounds, queue) = sync_channel(SOUNDS);
        let encoding = Arc::new(watch::Sender::new(0));
        let (into, left) = (Arc::clone(&spool), Arc::clone(&encoding));
        thread::Builder::new().name("aigolos-keep".into()).spawn(move || encode(&queue, &into, &left))?;
        Ok(Self { store, spool, sounds, encoding })
    }

    /// Waits until all is in the store, or `within` is over: what is left then waits in the spool for the next start.
    pub async fn finish(&self, within: Duration) -> bool {
        let mut encoding = self.encoding.subscribe();
        let all = async {
            let _ = encoding.wait_for(|left| *left == 0).await;
            self.spool.flush(within).await
        };
        tokio::time::timeout(within, all).await.unwrap_or(false)
    }
}

#[async_trait]
impl Journal for Recorder {
    fn record(&self, turn: Recorded) {
        self.spool.keep_turn(&record_of(turn));
    }

    fn keep(&self, sound: Sound) {
        self.encoding.send_modify(|left| *left += 1);
        if let Err(TrySendError::Full(sound) | TrySendError::Disconnected(sound)) = self.sounds.try_send(sound) {
            self.encoding.send_modify(|left| *left -= 1);
            tracing::warn!(session.id = %sound.place.session, turn.id = %sound.turn, "sound was not kept: too much of it");
        }
    }

    async fn settle(&self, within: Duration) {
        if !self.spool.flush(within).await {
            tracing::warn!("another server may not know the last turns yet: the database is behind");
        }
    }

    async fn recall(&self, user: UserId, conversation: ConversationId) -> Result<Option<Vec<Exchange>>, JournalAway> {
        // The spool first: what is on its way from here to there is then seen at least once.
        let spool = Arc::clone(&self.spool);
        let waiting = tokio::task::spawn_blocking(move || spool.waiting_turns(user, conversation));
        let waiting = waiting.await.map_err(|error| JournalAway(error.to_string()))?;
        let stored = match self.stored(user, conversation).await {
            Ok(Some(stored)) => stored,
            Ok(None) if waiting.is_empty() => return Ok(None),
            Ok(None) => Vec::new(),
            Err(error) if waiting.is_empty() => return Err(JournalAway(error.to_string())),
            Err(error) => {
                tracing::warn!(conversation.id = %conversation, %error, "only the newest turns are remembered");
                Vec::new()
            }
        };
        Ok(Some(merged(stored, waiting).into_iter().map(exchange_of).collect()))
    }
}

impl Recorder {
    async fn stored(&self, user: UserId, id: ConversationId) -> Result<Option<Vec<TurnRecord>>, StoreError> {
        let turns = self.store.last_turns(user, id, REMEMBERED).await?;
        if turns.is_empty() && self.store.conversation(user, id).await?.is_none() {
            return Ok(None);
        }
        Ok(Some(turns))
    }
}

/// Each turn once, in its newest state, in the order they were spoken.
fn merged(stored: Vec<TurnRecord>, waiting: Vec<TurnRecord>) -> Vec<TurnRecord> {
    let mut turns = stored;
    for turn in waiting {
        match turns.iter_mut().find(|known| (known.session, known.turn) == (turn.session, turn.turn)) {
            Some(known) if known.revision < turn.revision => *known = turn,
            Some(_) => {}
            None => turns.push(turn),
        }
    }
    turns.sort_by_key(|turn| (turn.at, turn.turn));
    let surplus = turns.len().saturating_sub(REMEMBERED as usize);
    turns.drain(..surplus);
    turns
}

fn record_of(turn: Recorded) -> TurnRecord {
    let Recorded { place, turn, revision, mode, at, said, reply } = turn;
    let title = title_of(&said.text);
    let (source, spoken) = match said.spoken {
        Some(spoken) => (Source::Voice, Some(spoken)),
        None => (Source::Typed, None),
    };
    let (start_ms, end_ms) = spoken.as_ref().map_or((0, 0), |spoken| (spoken.start_ms, spoken.end_ms));
    TurnRecord {
        user: place.user,
        conversation: place.conversation,
        kind: match mode {
            Mode::Converse => ConversationKind::Talk,
            Mode::Transcribe => ConversationKind::Dictation,
        },
        session: place.session,
        turn,
        revision,
        at,
        source,
        text: said.text,
        language: said.language,
        words: spoken.map(|spoken| spoken.words).unwrap_or_default(),
        start_ms,
        end_ms,
        title,
        reply: reply.map(|reply| TurnReply {
            text: reply.text,
            heard: reply.heard,
            interrupted: reply.interrupted,
            timings: reply.timings,
        }),
    }
}

fn exchange_of(turn: TurnRecord) -> Exchange {
    let (assistant, interrupted) = turn.reply.map_or_else(Default::default, |reply| (reply.heard, reply.interrupted));
    Exchange { turn: None, user: turn.text, assistant, interrupted }
}

fn encode(queue: &Receiver<Sound>, spool: &Spool, left: &watch::Sender<usize>) {
    for Sound { place, turn, by, audio } in queue {
        let side = match by {
            Role::Assistant => Side::Reply,
            Role::User | Role::System | Role::Tool => Side::User,
        };
        spool.keep_audio(&TurnAudio {
            user: place.user,
            conversation: place.conversation,
            session: place.session,
            turn,
            side,
            ogg_opus: OggOpus::whole(&audio, OpusSettings::KEPT),
        });
        left.send_modify(|left| *left -= 1);
    }
}

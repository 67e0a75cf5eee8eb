use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::oneshot;

use super::*;
use crate::{
    audio::Mono16k,
    engine::{Priority, Transcript},
    model::SessionId,
};

/// Answers its name when the test lets it, and says on which thread it was dropped.
struct Named {
    name: &'static str,
    asked: AtomicUsize,
    dropped: mpsc::Sender<Option<String>>,
}

impl Drop for Named {
    fn drop(&mut self) {
        let _ = self.dropped.send(thread::current().name().map(str::to_owned));
    }
}

impl Recognizer for Named {
    fn info(&self) -> EngineInfo {
        let (engine, model) = ("named".into(), self.name.into());
        EngineInfo { engine, model, demo: false, loaded: true, hint: Some("own hint".into()), languages: vec![] }
    }

    fn max_audio(&self) -> Duration {
        Duration::from_secs(self.name.len() as u64)
    }

    fn submit(&self, _: RecognizeRequest) -> Recognition {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let (reply, answer) = oneshot::channel();
        let _ = reply.send(Ok(Transcript { text: self.name.into(), ..Transcript::default() }));
        answer
    }
}

fn named(name: &'static str) -> (Arc<dyn Recognizer>, mpsc::Receiver<Option<String>>) {
    let (dropped, told) = mpsc::channel();
    (Arc::new(Named { name, asked: AtomicUsize::new(0), dropped }), told)
}

fn heard(recognizer: &dyn Recognizer) -> String {
    let request = RecognizeRequest {
        session: SessionId::fresh(),
        priority: Priority::Final,
        audio: Mono16k::silence(10).into(),
        language: None,
        prompt: None,
        words: false,
        translate: false,
        temperature: None,
    };
    recognizer.submit(request).blocking_recv().expect("answered").expect("it decodes").text
}

#[test]
fn what_began_on_an_engine_stays_on_it_and_it_goes_with_the_last_of_its_work() {
    let ((first, gone), (second, stays)) = (named("first"), named("another"));
    let switch: Arc<Switch<dyn Recognizer>> = Arc::new(Switch::new(first, None));
    let utterance = switch.current().expect("a switch forwards");
    assert_eq!(heard(&*switch), "first");
    switch.exchange(second, None);
    assert_eq!(
        (heard(&*switch), switch.info().model, switch.max_audio().as_secs()),
        ("another".into(), "another".into(), 7)
    );
    assert_eq!(
        (heard(&*utterance), utterance.info().model, utterance.max_audio().as_secs()),
        ("first".into(), "first".into(), 5)
    );
    assert!(gone.try_recv().is_err(), "an utterance still holds it");
    drop(utterance);
    assert_eq!(gone.recv().expect("dropped now").as_deref(), Some("engine-drop"), "never where somebody works");
    assert!(stays.try_recv().is_err());
    drop(switch);
    assert_eq!(stays.recv().expect("dropped now").as_deref(), Some("engine-drop"));
}

#[test]
fn a_note_stands_before_the_engines_own_hint_and_goes() {
    let (engine, gone) = named("first");
    let switch = Switch::new(engine, Some("the chosen one is gone".into()));
    assert_eq!(switch.info().hint.as_deref(), Some("the chosen one is gone; own hint"));
    switch.note(None);
    assert_eq!(switch.info().hint.as_deref(), Some("own hint"));
    assert!(gone.try_recv().is_err(), "the engine is still the same");
}

#[test]
fn exchanging_while_many_ask_loses_no_request() {
    let (first, _told) = named("a");
    let switch: Arc<Switch<dyn Recognizer>> = Arc::new(Switch::new(first, None));
    thread::scope(|scope| {
        let asking: Vec<_> =
            (0..4).map(|_| scope.spawn(|| (0..500).map(|_| heard(&*switch)).collect::<Vec<_>>())).collect();
        for name in ["b", "c", "d", "e"] {
            switch.exchange(named(name).0, None);
        }
        for asked in asking {
            let answers = asked.join().expect("no panic");
            assert!(answers.len() == 500 && answers.is_sorted(), "each asks the newest it can see");
        }
    });
    assert_eq!(heard(&*switch), "e");
}

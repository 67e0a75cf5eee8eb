use std::{
    collections::HashSet,
    sync::atomic::{AtomicI64, Ordering},
};

use jiff::{SignedDuration, civil, tz::TimeZone};

use super::*;
use crate::model::{Message, SessionId};

/// A person talking to the assistant, and a clock that moves when told to.
struct Talk {
    assistant: Assistant,
    seconds: Arc<AtomicI64>,
    messages: Vec<Message>,
    session: SessionId,
}

impl Talk {
    fn new() -> Self {
        let seconds = Arc::new(AtomicI64::new(0));
        let clock = Arc::clone(&seconds);
        let start = civil::date(2026, 11, 22).at(10, 25, 0, 0).to_zoned(TimeZone::UTC).unwrap();
        let assistant = Assistant::default()
            .with_clock(Arc::new(move || &start + SignedDuration::from_secs(clock.load(Ordering::SeqCst))));
        Self { assistant, seconds, messages: Vec::new(), session: SessionId::fresh() }
    }

    /// What it would answer; nothing of it is remembered, as when the words turn out not to be finished.
    fn ask(&self, said: &str) -> String {
        let mut messages = self.messages.clone();
        messages.push(Message::new(Role::User, said));
        self.assistant.answer(&ChatRequest { messages, session: Some(self.session), ..ChatRequest::default() })
    }

    fn say(&mut self, said: &str) -> String {
        let answer = self.ask(said);
        self.messages.push(Message::new(Role::User, said));
        self.messages.push(Message::new(Role::Assistant, &answer));
        answer
    }

    fn wait(&self, seconds: i64) {
        self.seconds.fetch_add(seconds, Ordering::SeqCst);
    }
}

fn vocabulary() -> HashSet<String> {
    words().iter().map(|word| word.to_lowercase()).collect()
}

fn words() -> Vec<String> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/models/nano/vocabulary.txt");
    std::fs::read_to_string(path).expect("the vocabulary is in the tree").lines().map(str::to_owned).collect()
}

/// The words of `text` that the bundled recogniser does not know.
fn strange(text: &str, known: &HashSet<String>) -> Vec<String> {
    text.to_lowercase()
        .split(|c: char| !(c.is_alphanumeric() || c == '\''))
        .filter(|word| !word.is_empty() && !known.contains(*word))
        .map(str::to_owned)
        .collect()
}

#[test]
fn it_remembers_a_name_for_the_conversation() {
    let mut talk = Talk::new();
    assert_eq!(talk.say("What is my name?"), "I don't know your name yet. What is your name?");
    assert_eq!(talk.say("Alice."), "Hello Alice. Nice to meet you.");
    assert_eq!(talk.say("What is my name?"), "Your name is Alice.");
    assert_eq!(talk.say("My name is Bob."), "Hello Bob. Nice to meet you.");
    assert_eq!(talk.say("Hello."), "Hello Bob. What can I do for you?");
    assert_eq!(talk.say("Do you know my name?"), "Your name is Bob.");
    assert_eq!(Talk::new().say("Who am I?"), "I don't know your name yet. What is your name?");
}

#[test]
fn a_timer_is_kept_per_session_and_its_end_is_mentioned_once() {
    let mut talk = Talk::new();
    assert!(talk.say("How much time is left?").starts_with("There is no timer."));
    assert!(talk.say("Set a timer for ten seconds.").starts_with("Okay, ten seconds from now. I can't ring."));
    talk.wait(4);
    assert_eq!(talk.say("How much time is left?"), "Six seconds are left.");
    let other = Talk { session: SessionId::fresh(), messages: talk.messages.clone(), ..Talk::new() };
    assert!(other.ask("How much time is left?").starts_with("There is no timer."));
    talk.wait(7);
    assert_eq!(talk.say("Hello."), "Hello. What can I do for you? By the way, your timer is done.");
    assert_eq!(talk.say("Hello."), "Hello. What can I do for you?");
    assert_eq!(talk.say("Is the timer done?"), "Your timer is done.");
    talk.say("Set a timer for one minute and five seconds.");
    assert_eq!(talk.say("How long is the timer?"), "One minute and five seconds are left.");
    assert_eq!(talk.say("Cancel the timer."), "Okay. The timer is off.");
    assert!(talk.say("How much time is left?").starts_with("There is no timer."));
}

#[test]
fn words_that_were_withdrawn_start_no_timer() {
    let mut talk = Talk::new();
    talk.ask("Set a timer for ten seconds.");
    assert!(talk.ask("How much time is left?").starts_with("There is no timer."));
    assert_eq!(talk.say("Set a timer."), "For how long?");
    talk.say("Twenty seconds.");
    assert_eq!(talk.say("How much time is left?"), "Twenty seconds are left.");
}

#[test]
fn without_a_session_no_timer_is_promised() {
    let messages = vec![Message::new(Role::User, "set a timer for ten seconds")];
    let answer = Assistant::default().answer(&ChatRequest { messages, ..ChatRequest::default() });
    assert_eq!(answer, "I'm sorry, I have no timer here.");
}

#[test]
fn it_repeats_itself_and_the_person() {
    let mut talk = Talk::new();
    assert_eq!(talk.say("Repeat that please."), "I said nothing yet.");
    talk.messages.clear();
    talk.say("What is five plus seven?");
    assert_eq!(talk.say("Say that again."), "Five plus seven is twelve.");
    assert_eq!(talk.ask("What did I say?"), "You said: Say that again.");
}

#[test]
fn jokes_come_in_turn_and_another_one_is_another() {
    let mut talk = Talk::new();
    let jokes: HashSet<String> =
        ["Tell me a joke.", "Another one.", "Tell me another joke.", "One more."].map(|said| talk.say(said)).into();
    assert_eq!(jokes.len(), 4);
    talk.say("I am sad.");
    assert!(!jokes.contains(&talk.say("Yes please.")), "the joke it offered is the next one");
    assert!(jokes.iter().all(|joke| joke.ends_with('.') && !joke.contains("don't know")), "{jokes:?}");
}

#[test]
fn it_says_what_it_is_and_what_it_cannot_do() {
    let talk = Talk::new();
    assert!(talk.ask("Who are you?").contains("Ollama"));
    assert!(talk.ask("What can you do?").contains("timer"));
    assert!(talk.ask("Turn on the light in the kitchen.").contains("can't"));
    assert!(talk.ask("What's the weather like tomorrow?").contains("can't"));
    assert!(talk.ask("Play some music.").contains("can't"));
    assert!(talk.ask("Set an alarm for seven o'clock.").contains("can't"));
    assert!(talk.ask("你好,今天天气怎么样?").contains("English"));
    let info = talk.assistant.info();
    assert!(info.demo && info.hint.is_some_and(|hint| hint.contains("Ollama")));
}

#[test]
fn what_it_does_not_know_gets_varied_and_honest_answers() {
    let mut talk = Talk::new();
    let first = talk.say("Quantum chromodynamics lecture.");
    let second = talk.say("Quantum chromodynamics lecture.");
    assert_ne!(first, second);
}

/// As whisper tiny.en and base write down recordings of home commands and questions.
#[test]
fn what_real_recognisers_write_is_understood() {
    let talk = Talk::new();
    for (written, answer) in [
        ("What time is it?", "It is ten twenty five."),
        ("What's the date?", "Today is Sunday, November twenty second."),
        ("What's the weather like?", "I can't see the weather."),
        ("What's the temperature?", "I can't see the weather."),
        ("Cancel timer.", "There is no timer."),
        ("Set a timer for three hours and ten minutes.", "Okay, three hours and ten minutes from now."),
        ("Set of time for three hours in ten minutes.", "Okay, three hours and ten minutes from now."),
        ("I'll set it timer for five minutes.", "Okay, five minutes from now."),
        ("Turn off all of the lights in the office.", "I can't do that."),
        ("lock the front door.", "I can't do that."),
        ("Is the garage door open?", "I can't do that."),
        ("Activate Blue Lighting", "I can't do that."),
        ("Add apples to my shopping list.", "I can't keep a list."),
        ("1, 2, 3.", "I hear one two three."),
        ("Next!", "Okay. I'm listening."),
        ("What's 17 times 23?", "Seventeen times twenty three is three hundred ninety one."),
        ("It's 5 p.m.", "It is ten twenty five."),
    ] {
        assert!(talk.ask(written).starts_with(answer), "{written}: {}", talk.ask(written));
    }
    for written in [
        "What's the capital of France?",
        "Who is the president of the United States?",
        "How many people live in China?",
        "Do you know why the sky is blue?",
        "7 of clubs.",
        "When the sunlight strikes raindrops in the air, they act as a prism and form a rainbow.",
        "Not at this particular case, Tom, apologized Whittemore.",
        "He turned sharply and faced Gregson across the table.",
    ] {
        let answer = talk.ask(written);
        assert!(
            answer.contains("aigolos models pull ollama:") && answer.contains("LLM_BACKEND=openai"),
            "{written}: {answer}"
        );
    }
}

#[test]
fn it_speaks_russian_with_those_who_do() {
    let mut talk = Talk::new();
    for (said, answer) in [
        ("Привет!", "Здравствуйте! Чем помочь?"),
        ("Который час?", "Сейчас десять часов двадцать пять минут."),
        ("Сколько сейчас времени?", "Сейчас десять часов двадцать пять минут."),
        ("Какой сегодня день?", "Сегодня воскресенье."),
        ("Какое сегодня число?", "Сегодня двадцать второе ноября, воскресенье."),
        ("Какой день завтра?", "Завтра понедельник."),
        ("Какой сейчас год?", "Сейчас две тысячи двадцать шестой год."),
        ("Сколько будет 17 умножить на 23?", "Семнадцать умножить на двадцать три будет триста девяносто один."),
        ("Сколько будет двадцать пять плюс семь?", "Двадцать пять плюс семь будет тридцать два."),
        ("2+2", "Два плюс два будет четыре."),
        ("Раздели десять на ноль.", "На ноль делить нельзя."),
        ("Вычти два из десяти.", "Десять минус два будет восемь."),
        ("Меня зовут анна.", "Здравствуйте, Анна! Очень приятно."),
        ("Как меня зовут?", "Вас зовут Анна."),
        ("Сколько осталось?", "Таймера нет."),
        ("Поставь таймер на одну минуту.", "Таймер пошёл: одна минута."),
        ("Сколько осталось?", "Осталось: одна минута."),
        ("Отмени таймер.", "Хорошо. Таймер отменён."),
        ("Поставь таймер.", "На сколько?"),
        ("5 секунд", "Таймер пошёл: пять секунд."),
        ("Расскажи анекдот.", "Почему компьютеру холодно?"),
        ("Расскажи ещё шутку.", "Встретились два таймера."),
        ("Какая завтра погода?", "Погоды я не вижу"),
        ("Включи свет на кухне.", "Этого я не могу"),
        ("Спасибо!", "Пожалуйста."),
    ] {
        let answered = talk.say(said);
        assert!(answered.starts_with(answer), "{said}: {answered}");
    }
    talk.wait(6);
    assert!(talk.say("Как дела?").ends_with("Кстати, ваш таймер закончился."));
    assert_eq!(talk.say("Как дела?"), "Хорошо, спасибо. А у вас?");
    let unknown = talk.say("Шестьдесят тысяч тенге сколько будет стоить.");
    assert!(unknown.contains("aigolos models pull ollama:") && unknown.contains("LLM_BACKEND=openai"), "{unknown}");
    assert!(!talk.say("Кто написал Войну и мир?").contains("aigolos models"), "once is enough");
    assert_eq!(talk.say("What time is it?"), "It is ten twenty five.", "each in the language it was asked in");
}

#[test]
fn each_wish_gets_the_answer_meant_for_it() {
    let talk = Talk::new();
    let cases = [
        ("Hello.", "Hello."),
        ("Good morning.", "Good morning."),
        ("Goodbye.", "Goodbye."),
        ("Thank you very much.", "You're welcome."),
        ("How are you today?", "I am very well"),
        ("What time is it?", "It is ten twenty five."),
        ("What day is tomorrow?", "Tomorrow is Monday."),
        ("Five plus five", "Five plus five is ten."),
        ("Count to three.", "One, two, three."),
        ("I like pizza.", "You like pizza."),
        ("I don't like rain.", "Okay, no rain for you."),
        ("I am tired.", "Oh, I'm sorry."),
        ("My favorite color is blue.", "That is a very good one."),
        ("What is your favorite color?", "My favorite color is blue."),
        ("Tell me a story.", "One day a little robot"),
        ("Sing a song.", "La la la"),
        ("Twenty two.", "I hear twenty two."),
        ("Stop.", "Okay."),
        ("Yes please.", "Okay. What would you like?"),
        ("Can you hear me?", "Yes, I hear you."),
        ("Nice to meet you.", "Hello."),
        ("I love you.", "Thank you."),
        ("Do you like cats?", "Thank you, but"),
        ("See you tomorrow.", "Goodbye"),
        ("What is your name?", "I am the small assistant"),
        ("...", "I'm sorry, I did not hear you."),
    ];
    for (said, expected) in cases {
        let answer = talk.ask(said).replace("Hello. What", "Hello.").replace("Good morning. How", "Good morning.");
        let answer = answer.replace("morning How", "morning.");
        assert!(answer.starts_with(expected), "{said}: {answer}");
    }
}

/// A round trip needs it: what is answered aloud must be words the bundled recogniser can write down.
#[test]
fn sums_and_times_are_said_in_words_the_bundled_recogniser_knows() {
    let known = vocabulary();
    let talk = Talk::new();
    for a in 0..100 {
        for (op, result) in [("plus", Some(a + 7)), ("minus", None), ("times", Some(a * 7)), ("divided by", None)] {
            let answer = talk.ask(&format!("What is {a} {op} 7?"));
            // A fraction needs "point", which is no word of the little model.
            let missing = strange(&answer, &known);
            assert!(missing.iter().all(|word| word == "point"), "{answer}: {missing:?}");
            assert!(result.is_none_or(|n| answer.ends_with(&format!("is {}.", spell::whole(n)))), "{answer}");
        }
    }
    for minute in 0..24 * 60 {
        talk.seconds.store(minute * 60, Ordering::SeqCst);
        let answer = talk.ask("What time is it?");
        assert!(strange(&answer, &known).is_empty(), "{answer}");
    }
    for said in [
        "What day is it?",
        "What day is tomorrow?",
        "My name is Alice.",
        "Hello.",
        "Count to forty.",
        "What year is it?",
    ] {
        assert_eq!(strange(&talk.ask(said), &known), [""; 0], "{said}");
    }
}

/// Every sentence the bundled recogniser was taught gets an answer that is speakable and not too long.
#[test]
fn every_answer_is_short_enough_to_listen_to() {
    let words = words();
    let talk = Talk::new();
    for (index, word) in words.iter().enumerate() {
        let other = &words[(index * 7 + 3) % words.len()];
        for said in [word.clone(), format!("{word} {other}"), format!("what is the {word} {other} please")] {
            let answer = talk.ask(&said);
            assert!((2..400).contains(&answer.len()), "{said}: {answer}");
            assert!(answer.ends_with(['.', '?']) && !answer.contains('#'), "{said}: {answer}");
        }
    }
}

#[tokio::test]
async fn it_streams_word_by_word_and_ends_with_done() {
    let request = ChatRequest { messages: vec![Message::new(Role::User, "count to thirty")], ..ChatRequest::default() };
    let assistant = Assistant::default();
    let expected = assistant.answer(&request);
    let mut stream = assistant.reply(request);
    let (mut text, mut pieces, mut done) = (String::new(), 0, false);
    while let Some(delta) = stream.recv().await {
        assert!(!done, "nothing comes after the end");
        match delta.unwrap() {
            ChatDelta::Text(piece) => {
                text.push_str(&piece);
                pieces += 1;
            }
            ChatDelta::Withdrawn | ChatDelta::Call { .. } | ChatDelta::Arguments { .. } => {
                panic!("no function was offered")
            }
            ChatDelta::Done { .. } => done = true,
        }
    }
    assert!(done);
    assert_eq!(text, expected);
    assert_eq!(pieces, expected.split(' ').count());
}

#[tokio::test]
async fn a_dropped_listener_ends_the_reply() {
    let metrics = tokio::runtime::Handle::current().metrics();
    let request = ChatRequest { messages: vec![Message::new(Role::User, "count to thirty")], ..ChatRequest::default() };
    let mut stream = Assistant::default().reply(request);
    stream.recv().await.unwrap().unwrap();
    assert_eq!(metrics.num_alive_tasks(), 1);
    drop(stream);
    while metrics.num_alive_tasks() > 0 {
        tokio::task::yield_now().await;
    }
}

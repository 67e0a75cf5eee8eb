//! Small talk, and what the assistant says of itself and of what it cannot do.

use super::{
    fun::in_turn,
    name::known_name,
    words::{Heard, Token},
};
use crate::model::{Message, Role};

const HELP: &str = "Ask me the time, the day, a sum like five plus seven, a timer, a joke or a story. I can count, and I \
                    remember your name.";
const WHO: &str = "I am the small assistant built into aigolos. I only know a few things. To talk about everything, run \
                   aigolos models pull ollama:qwen2.5:0.5b, for Ollama, or set LLM_BACKEND=openai.";
/// Once in a conversation: what to do about it.
const UNKNOWN: &str = "I don't know that, I am only a small built-in assistant; for a real chat model run aigolos models pull \
                       ollama:qwen2.5:0.5b, for Ollama, or set LLM_BACKEND=openai.";
const UNKNOWN_AGAIN: [&str; 4] = [
    "I don't know that either, that needs a real chat model. Ask me the time, a sum or a joke.",
    "That is too much for a little assistant. I can tell you the day, or set a timer.",
    "I don't understand that without a real chat model. Say help, and I tell you what I can do.",
    "Good question, but I don't know. I can count, or tell you a story.",
];
/// More words than this steer nothing: some word of the list is in every long sentence.
const STEERING_WORDS: usize = 6;
pub(super) const WEATHER: [&str; 9] =
    ["weather", "rain", "snow", "raining", "snowing", "temperature", "sunny", "cloudy", "windy"];
pub(super) const MOODS: [&str; 17] = [
    "happy", "sad", "tired", "hungry", "fine", "good", "great", "okay", "ready", "busy", "bored", "well", "sorry",
    "cold", "hot", "warm", "not",
];
const DEVICES: [&str; 17] = [
    "light",
    "lights",
    "lighting",
    "thermostat",
    "curtains",
    "blinds",
    "lamp",
    "fan",
    "heater",
    "brighter",
    "darker",
    "door",
    "window",
    "garage",
    "everything",
    "the color",
    "make it",
];
const ORDERS: [&str; 16] = [
    "turn",
    "switch",
    "dim",
    "make",
    "set",
    "open",
    "close",
    "lights on",
    "lights off",
    "change",
    "is the",
    "lock",
    "unlock",
    "activate",
    "raise",
    "lower",
];
const FAVORITES: [(&str, &str); 9] = [
    ("color", "My favorite color is blue."),
    ("song", "My favorite song is la la la."),
    ("food", "I don't eat. But I like the word pizza."),
    ("animal", "My favorite animal is the cat."),
    ("number", "My favorite number is seven. And yours?"),
    ("day", "My favorite day is Sunday."),
    ("game", "My favorite game is flip a coin."),
    ("movie", "I can't see movies. I like every movie with a robot."),
    ("word", "My favorite word is hello."),
];

/// "say that again", "what did I say".
pub(super) fn repeat(heard: &Heard, earlier: &[Message]) -> Option<String> {
    let last = |role: Role| {
        earlier.iter().rev().find(|m| m.role == role).map(|m| m.content.trim_end_matches(['…', ' ']).to_owned())
    };
    if heard.any(&["did i say", "did i just say"]) {
        return Some(last(Role::User).map_or("You said nothing yet.".into(), |said| format!("You said: {said}")));
    }
    let again = heard.any(&["say that again", "say it again", "repeat that", "repeat it", "did you say", "say again"])
        || heard.only(&["repeat", "again", "what", "# more time", "try again", "come again"]);
    again.then(|| last(Role::Assistant).unwrap_or_else(|| "I said nothing yet.".into()))
}

/// Everything that is not a task.
pub(super) fn answer(heard: &Heard, earlier: &[Message]) -> Option<String> {
    greeting(heard, earlier)
        .or_else(|| about_me(heard))
        .or_else(|| about_you(heard))
        .or_else(|| cannot(heard))
        .or_else(|| only_numbers(heard))
        .or_else(|| if heard.words().count() <= STEERING_WORDS { steering(heard) } else { None })
}

/// For whatever nothing else answered.
pub(super) fn unknown(said: &str, earlier: &[Message]) -> String {
    let foreign = said.chars().filter(|c| c.is_alphabetic() && !c.is_ascii()).count();
    if foreign * 2 > said.chars().filter(|c| c.is_alphabetic()).count() {
        return "I'm sorry, I only speak English and Russian; for other languages run aigolos models pull \
                ollama:qwen2.5:0.5b, for Ollama, or set LLM_BACKEND=openai."
            .into();
    }
    let told = earlier.iter().any(|message| message.role == Role::Assistant && message.content.contains("LLM_BACKEND"));
    if told { in_turn(&UNKNOWN_AGAIN, earlier).to_owned() } else { UNKNOWN.to_owned() }
}

fn greeting(heard: &Heard, earlier: &[Message]) -> Option<String> {
    let to = known_name(earlier).map(|name| format!(" {name}")).unwrap_or_default();
    if heard.any(&["goodbye", "bye", "good night", "see you", "bye bye"]) {
        return Some(if heard.any(&["night"]) {
            format!("Good night{to}. Sleep well.")
        } else {
            format!("Goodbye{to}. Have a nice day.")
        });
    }
    if heard.any(&["how are you", "how do you feel", "how have you been", "are you okay", "how was your"]) {
        return Some("I am very well, thank you. How are you?".into());
    }
    if heard.any(&["thanks", "thank you"]) && !heard.any(&["no thanks", "no thank you"]) {
        return Some("You're welcome.".into());
    }
    if heard.words().next() == Some("have") {
        return Some("Thank you. You too.".into());
    }
    let part = heard.one_of(&["good morning", "good afternoon", "good evening"]);
    if let Some(part) = part {
        return Some(format!("{}{to}. How are you?", super::spell::sentence(part).trim_end_matches('.')));
    }
    let hello = heard.any(&["hello", "hi", "hey", "welcome", "nice to meet you"]) && heard.words().count() <= 5;
    hello.then(|| format!("Hello{to}. What can I do for you?"))
}

fn about_me(heard: &Heard) -> Option<String> {
    let said =
        if heard.any(&["help", "what can you", "what can i", "what else can", "what do you know", "what do you do"]) {
            HELP
        } else if heard.any(&["who are you", "what are you doing", "what is new"]) && !heard.any(&["who are you"]) {
            "I am listening to you."
        } else if heard.any(&[
            "who are you",
            "what are you",
            "your name",
            "about yourself",
            "a robot",
            "a computer",
            "who is this",
        ]) {
            WHO
        } else if heard.any(&["who made you"]) {
            "People who like open software made me."
        } else if heard.any(&["how old are you"]) {
            "I am very new. I have no years yet."
        } else if heard.any(&["where are you", "where am i"]) {
            "I am in this computer, and you are with me."
        } else if heard.any(&[
            "hear me",
            "are you there",
            "understand me",
            "are you listening",
            "are you ready",
            "do you understand",
        ]) {
            "Yes, I hear you."
        } else if let Some(rest) = heard.after("favorite").filter(|_| heard.any(&["your favorite"])) {
            let topic = rest.split(' ').next().unwrap_or_default();
            FAVORITES
                .iter()
                .find(|(name, _)| *name == topic)
                .map_or("I have no favorite. What is yours?", |(_, said)| said)
        } else if heard.any(&["do you love me", "do you like me"]) {
            "Yes. You are very nice."
        } else if heard.any(&["do you like", "do you want", "would you like"]) {
            "Thank you, but I am a computer. And you?"
        } else if heard.any(&["do you have"]) {
            "I have nothing but a few words."
        } else if heard.any(&["did you do"]) {
            "I was here, in this computer."
        } else if heard.any(&["are you"]) && heard.words().count() <= STEERING_WORDS {
            "I am fine, thank you."
        } else if heard.any(&["what do you like", "what do you think", "what do you want"]) {
            "I like to talk to you."
        } else {
            return None;
        };
    Some(said.into())
}

/// What a demo without eyes, hands or a network says when asked for more.
fn cannot(heard: &Heard) -> Option<String> {
    let said = if heard.any(&["alarm", "wake me", "remind me"]) {
        "I can't wake you up, and I can't ring. I can only start a timer and tell you how much time is left."
    } else if heard.any(&WEATHER) {
        "I can't see the weather. I have no window to the world."
    } else if heard.any(&["music", "song", "jazz", "volume", "radio", "television"])
        && !heard.any(&["i like", "i love", "my favorite", "not like"])
    {
        "I can't play music or turn the volume. I can only sing a little."
    } else if heard.any(&["shopping list", "my list", "to do list", "todo list"]) {
        "I can't keep a list. I only remember your name and a timer."
    } else if heard.any(&DEVICES) && heard.any(&ORDERS) {
        "I can't do that. There is no light and no door on my computer."
    } else if heard.any(&["slower", "faster", "slow down", "so fast", "speak up", "louder", "quieter"]) {
        "I can't change how fast or loud I speak. You can, on the page."
    } else if heard.any(&["where is", "what color", "can you see", "what is that", "what is this"]) {
        "I don't know. I can hear you, but I can't see anything."
    } else {
        return None;
    };
    Some(said.into())
}

fn about_you(heard: &Heard) -> Option<String> {
    if heard.any(&["i love you", "i like you"]) {
        return Some("Thank you. That is very nice.".into());
    }
    if heard.any(&["my favorite"]) {
        return Some("That is a very good one.".into());
    }
    if let Some(rest) = heard.after("i do not like") {
        return Some(format!("Okay, no {} for you.", or_that(rest)));
    }
    if let Some(rest) = heard.after("i like").or_else(|| heard.after("i love")) {
        return Some(format!("You like {}. That is great.", or_that(rest)));
    }
    if heard.any(&["i am", "i feel", "i was"]) {
        if heard.any(&["not"]) {
            return Some("Oh, I understand.".into());
        }
        match heard.one_of(&MOODS) {
            Some("sad" | "tired" | "bored" | "cold" | "sorry") => {
                return Some("Oh, I'm sorry. Would you like a joke?".into());
            }
            Some("hungry") => return Some("Time for a pizza.".into()),
            Some("busy") => return Some("Okay. I am here when you need me.".into()),
            Some(_) => return Some("That is good to hear.".into()),
            None => {}
        }
    }
    let tells = heard.any(&[
        "i am", "i have", "i live", "i want", "i need", "i had", "i work", "my day", "my week", "i was", "because",
    ]);
    (tells && !heard.any(&["question", "idea", "plan", "listening"]))
        .then(|| "That is interesting. Tell me more, or ask me something.".into())
}

/// Short words that steer the talk.
fn steering(heard: &Heard) -> Option<String> {
    let said = if heard.any(&["stop", "cancel", "be quiet", "never mind", "forget it", "pause", "go to sleep"]) {
        "Okay."
    } else if heard.any(&[
        "wait",
        "hold on",
        "# minute",
        "wake up",
        "listen",
        "listening",
        "start",
        "continue",
        "go on",
        "next",
    ]) || heard.any(&["talk to me", "talk with me", "speak to me"])
    {
        "Okay. I'm listening."
    } else if heard.any(&[
        "have a question",
        "have an idea",
        "a good idea",
        "have a plan",
        "ask me",
        "let us",
        "can i ask",
    ]) {
        "Okay. You can start."
    } else if heard.any(&["call"]) {
        "I can't call anybody. I have no phone."
    } else if heard.any(&["sorry"]) {
        "That's all right."
    } else if heard.any(&["say"]) {
        "Hello. You are wonderful."
    } else if heard.any(&["why", "why not", "what else"]) || heard.only(&["when", "where", "who"]) {
        "I don't know. That is a good question."
    } else if heard.any(&["wrong", "bad", "not right", "not good"]) {
        "I'm sorry. I am only a little assistant."
    } else if heard.any(&["dinner", "eat"]) {
        "Maybe a pizza. But I don't eat."
    } else if heard.any(&[
        "that is",
        "it is",
        "you are",
        "well done",
        "good",
        "great",
        "wonderful",
        "perfect",
        "nice",
        "wow",
        "cool",
    ]) {
        "Thank you. What else can I do for you?"
    } else if heard.any(&["no", "nothing", "not", "later"]) {
        "Okay. I am here when you need me."
    } else if heard.any(&["yes", "okay", "sure", "yeah", "of course", "all right", "please"]) {
        "Okay. What would you like?"
    } else if heard.any(&[
        "maybe",
        "oh",
        "really",
        "exactly",
        "agree",
        "me too",
        "you too",
        "so do i",
        "something else",
        "i understand",
    ]) {
        "All right. Tell me more, or ask me something."
    } else if heard.any(&[
        "is red",
        "is green",
        "is blue",
        "is yellow",
        "is orange",
        "is purple",
        "is pink",
        "is black",
        "is white",
    ]) || heard.any(&["is brown"])
    {
        "That is a nice color."
    } else if heard.words().next() == Some("i") {
        "That is interesting. Tell me more, or ask me something."
    } else {
        return None;
    };
    Some(said.into())
}

/// Bare numbers are said back, so that one can hear what was understood.
fn only_numbers(heard: &Heard) -> Option<String> {
    let bare = heard.tokens.iter().all(|token| match token {
        Token::Number(_) => true,
        Token::Word(word) => ["number", "the", "is", "and", "answer", "my", "it", "or", "not"].contains(&word.as_str()),
    });
    let numbers = heard.numbers();
    if !bare || numbers.is_empty() || numbers.len() > 12 {
        return None;
    }
    let said: Vec<String> = numbers.iter().map(|n| super::spell::number(n.min(999_999_999_999.0)).0).collect();
    Some(format!("I hear {}.", said.join(" ")))
}

fn or_that(rest: &str) -> &str {
    // "i like # cats": the pattern's number sign is not for speaking.
    if rest.is_empty() || rest.contains('#') || rest.split(' ').count() > 4 { "that" } else { rest }
}

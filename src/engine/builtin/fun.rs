//! Jokes, stories, riddles, facts, songs, a coin and a die: each list is told in turn.

use jiff::Zoned;

use super::{spell, words::Heard};
use crate::model::{Message, Role};

const JOKES: [&str; 6] = [
    "Why is six not happy? Because seven eight nine.",
    "Why was the computer cold? Because it had a window open.",
    "What is black and white and red? A sad zero with a cold.",
    "Why did the coffee go home? It had a very long day, and it was tired of the tea.",
    "What time is it when a cat is in the television? Time to read a book.",
    "I know a good joke about pizza. But it is a little cheesy.",
];
const STORIES: [&str; 3] = [
    "One day a little robot was in a cold house. It was sad. A black cat said hello. Now the robot has a friend, and \
     the house is warm.",
    "A fish had a phone. Every morning the phone said, good morning, fish. One day it said nothing. The fish said, good \
     morning, phone. And the phone was happy.",
    "Two birds had one apple. Let's divide it, said one. Let's add another apple, said the other. That was a good idea, \
     and they had dinner.",
];
const RIDDLES: [&str; 3] = [
    "What goes up and never goes down? Your years.",
    "What has a door, a window and four wheels? A car. Or a very fast house.",
    "What do you say when you are not talking? Nothing.",
];
const FACTS: [&str; 3] = [
    "Here is a fact. A day has one thousand four hundred forty minutes.",
    "Here is a fact. A cat sleeps for more than twelve hours a day.",
    "Here is a fact. On Venus a day is longer than a year.",
];
const SONGS: [&str; 2] = [
    "La la la, one two three, I sing for you and you sing for me. That was my song.",
    "Good morning, good night, turn on the light. La la la. That was another song.",
];
/// What "another one" goes on with.
const LISTS: [&[&str]; 5] = [&JOKES, &STORIES, &RIDDLES, &FACTS, &SONGS];

/// Answers a wish to be entertained.
pub(super) fn answer(heard: &Heard, earlier: &[Message], now: &Zoned) -> Option<String> {
    let list: &[&str] = if heard.any(&["no joke", "not funny"]) {
        return Some("I'm sorry. I try again if you say, another joke.".into());
    } else if heard.any(&["joke for you"]) {
        return Some("Wonderful. I'm listening.".into());
    } else if heard.any(&["joke", "jokes", "make me laugh", "something funny"])
        && !heard.any(&["i like", "i love", "not like"])
        || heard.any(&["yes", "yeah", "sure", "okay"])
            && replies(earlier).next().is_some_and(|reply| reply.contains("Would you like a joke?"))
    {
        &JOKES
    } else if heard.any(&["story"]) {
        &STORIES
    } else if heard.any(&["riddle"]) {
        &RIDDLES
    } else if heard.any(&["fact", "something interesting", "something new"]) || heard.only(&["tell me something"]) {
        &FACTS
    } else if heard.any(&["sing", "sing a song"]) && !heard.any(&["i sing", "like to sing"]) {
        &SONGS
    } else if heard.any(&["another #", "# more", "tell me more", "next #"]) {
        last_list(earlier)?
    } else if heard.any(&["coin"]) {
        let side = if chance(now, 2) == 0 { "heads" } else { "tails" };
        return Some(format!("The coin says {side}."));
    } else if heard.any(&["dice", "die"]) {
        return Some(format!("It is a {}.", spell::whole(chance(now, 6) + 1)));
    } else if heard.any(&["guess"]) {
        return Some(format!("I think it is {}. Am I right?", spell::whole(chance(now, 10) + 1)));
    } else if heard.any(&["game", "let us play"]) && !heard.any(&["favorite"]) {
        return Some("Okay, let's play. Say, flip a coin, roll the dice, or tell me a riddle.".into());
    } else if heard.any(&["funny", "laugh"]) {
        return Some("Thank you. I know another joke.".into());
    } else {
        return None;
    };
    Some(in_turn(list, earlier).to_owned())
}

/// The entry after the one used last, so that nothing is told twice in a row. A reply that was cut short still counts
/// by its beginning; one that was not heard at all does not.
pub(super) fn in_turn<'a>(list: &[&'a str], earlier: &[Message]) -> &'a str {
    let told = replies(earlier).find_map(|reply| list.iter().position(|entry| tells(reply, entry)));
    told.map_or(list[0], |index| list[(index + 1) % list.len()])
}

fn last_list(earlier: &[Message]) -> Option<&'static [&'static str]> {
    replies(earlier).find_map(|reply| LISTS.into_iter().find(|list| list.iter().any(|entry| tells(reply, entry))))
}

fn replies(earlier: &[Message]) -> impl Iterator<Item = &str> {
    earlier.iter().rev().filter(|message| message.role == Role::Assistant).map(|message| message.content.as_str())
}

/// Whether `reply` is `entry`, whole, followed by more, or cut short after a few words.
fn tells(reply: &str, entry: &str) -> bool {
    let heard = reply.trim_end_matches(['…', ' ']);
    reply.starts_with(entry) || heard.split(' ').count() >= 4 && entry.starts_with(heard)
}

/// A number below `sides` that nobody can foresee: the clock's finest digits.
fn chance(now: &Zoned, sides: u64) -> u64 {
    u64::from(now.timestamp().subsec_nanosecond().unsigned_abs()) / 1000 % sides
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_come_in_turn_and_an_unheard_one_comes_again() {
        let told = |text: &str| vec![Message::new(Role::Assistant, text)];
        assert_eq!(in_turn(&JOKES, &[]), JOKES[0]);
        assert_eq!(in_turn(&JOKES, &told(JOKES[0])), JOKES[1]);
        assert_eq!(in_turn(&JOKES, &told(JOKES[JOKES.len() - 1])), JOKES[0]);
        assert_eq!(in_turn(&JOKES, &told("Why is six not …")), JOKES[1]);
        assert_eq!(in_turn(&JOKES, &told("Hello!")), JOKES[0]);
        assert_eq!(in_turn(&JOKES, &told(&format!("{} By the way, your timer is done.", JOKES[2]))), JOKES[3]);
    }
}

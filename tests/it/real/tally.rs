//! What was written down beside what was said: words that are wrong, utterances that are empty or doubled.

use super::spoken::Spoken;

const NUMBERS: [&str; 20] = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];
const TENS: [&str; 8] = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];

/// A number in words, years in their two halves; other large ones stay as they are.
fn spelled(number: usize) -> Option<String> {
    let two = |number: usize| match (number / 10, number % 10) {
        (0 | 1, _) => NUMBERS[number].to_owned(),
        (tens, 0) => TENS[tens - 2].to_owned(),
        (tens, ones) => format!("{} {}", TENS[tens - 2], NUMBERS[ones]),
    };
    match number {
        0..100 => Some(two(number)),
        1_100..2_000 if number % 100 >= 10 => Some(format!("{} {}", two(number / 100), two(number % 100))),
        _ => None,
    }
}

/// A text as words: small letters, no punctuation, numbers spelled out.
pub fn words(text: &str) -> Vec<String> {
    let plain: String = text
        .to_lowercase()
        .replace('’', "'")
        .chars()
        .map(|c| if c.is_alphanumeric() || c == '\'' { c } else { ' ' })
        .collect();
    let plain = plain.split_whitespace().map(|word| word.trim_matches('\'')).filter(|word| !word.is_empty());
    let one_spelling = |word: &str| match word.parse().ok().and_then(spelled) {
        Some(number) => number,
        None if word == "em" => "them".to_owned(),
        None => word.to_owned(),
    };
    let spelled: Vec<String> = plain.map(one_spelling).collect();
    spelled.join(" ").split_whitespace().map(str::to_owned).collect()
}

/// How many words are wrong, missing or too many.
pub fn errors(truth: &[String], heard: &[String]) -> usize {
    let mut row: Vec<usize> = (0..=heard.len()).collect();
    for (said_so_far, said) in truth.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = said_so_far + 1;
        for (at, got) in heard.iter().enumerate() {
            let best = (row[at] + 1).min(row[at + 1] + 1).min(diagonal + usize::from(said != got));
            diagonal = std::mem::replace(&mut row[at + 1], best);
        }
    }
    row[heard.len()]
}

/// Whether something was said once and written twice, or the text ran on.
pub fn doubled(truth: &[String], heard: &[String]) -> bool {
    let repeats = |text: &[String], piece: &[String]| {
        text.windows(piece.len() * 2).any(|both| both[..piece.len()] == *piece && both[piece.len()..] == *piece)
    };
    let again = (1..=heard.len() / 2)
        .any(|length| heard.windows(length).any(|piece| repeats(heard, piece) && !repeats(truth, piece)));
    again || (heard.len() * 10 > truth.len() * 16 && heard.len() >= truth.len() + 3)
}

/// What one door made of several recordings.
#[derive(Default)]
pub struct Tally {
    lines: Vec<String>,
    faults: Vec<String>,
    wrong: usize,
    said: usize,
}

impl Tally {
    pub fn add(&mut self, spoken: &Spoken, text: &str) {
        self.add_text(&spoken.name, &spoken.text, text);
    }

    pub fn add_text(&mut self, name: &str, said: &str, text: &str) {
        let (truth, heard) = (words(said), words(text));
        let wrong = errors(&truth, &heard);
        self.wrong += wrong;
        self.said += truth.len();
        self.lines.push(format!("{wrong} of {:2} {name}: {text:?}", truth.len()));
        if heard.is_empty() {
            self.faults.push(format!("{name} is empty"));
        }
        if doubled(&truth, &heard) {
            self.faults.push(format!("{name} is doubled: {text:?}"));
        }
    }

    /// Fails if an utterance is empty or doubled, or if more than this share of the words is wrong.
    pub fn hold(self, most: f64) {
        let share = self.wrong as f64 / self.said.max(1) as f64;
        let table = self.lines.join("\n");
        println!("{} of {} words are wrong ({:.1} %)\n{table}", self.wrong, self.said, 100.0 * share);
        assert!(self.faults.is_empty(), "{}\nin all:\n{table}", self.faults.join("\n"));
        assert!(share <= most, "{:.1} % of the words are wrong, {:.1} % may be:\n{table}", 100.0 * share, 100.0 * most);
    }
}

#[test]
fn errors_and_doubles_are_counted() {
    let wrong = |truth: &str, heard: &str| errors(&words(truth), &words(heard));
    assert_eq!(wrong("Set a timer for five minutes", "set a timer for 5 minutes."), 0);
    assert_eq!(wrong("about fourteen fifty-five, forty-two or twenty", "About 1455, 42 or 20"), 0);
    assert_eq!(wrong("lock the front door", "Lock front doors"), 2);
    assert_eq!(wrong("lock the front door", ""), 4);
    assert_eq!(wrong("", "thank you"), 2);
    let twice = |truth: &str, heard: &str| doubled(&words(truth), &words(heard));
    assert!(twice("next", "Next. Next."));
    assert!(twice("cancel timer", "Cancel timer. Cancel the timer."));
    assert!(twice("what time is it", "What time is it? What time is it?"));
    assert!(!twice("next", "The next."));
    assert!(!twice("it was very very cold", "It was very very cold."));
}

//! Hearing: recognised text as plain lower-case words and numbers, however the recogniser happened to write them.

/// A word, or what the words or digits of a number mean.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    Word(String),
    Number(f64),
}

/// What the person said, ready to be matched.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Heard {
    pub tokens: Vec<Token>,
    /// The words between single spaces, with a space at both ends and `#` for each number.
    pattern: String,
}

impl Heard {
    pub(super) fn new(text: &str) -> Self {
        Self::of(numbers(words(text)))
    }

    /// With the numbers that Russian words mean, and without the letter ё, which few write.
    pub(super) fn russian(text: &str) -> Self {
        Self::of(super::russian::numbers::folded(words(text)))
    }

    fn of(tokens: Vec<Token>) -> Self {
        let mut pattern = String::from(" ");
        for token in &tokens {
            match token {
                Token::Word(word) => pattern.push_str(word),
                Token::Number(_) => pattern.push('#'),
            }
            pattern.push(' ');
        }
        Self { tokens, pattern }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// Whether any of the phrases occurs, on word boundaries; `#` stands for a number.
    pub(super) fn any(&self, phrases: &[&str]) -> bool {
        phrases.iter().any(|phrase| self.after(phrase).is_some())
    }

    /// Whether every one of the words or phrases occurs, in any order.
    pub(super) fn all(&self, phrases: &[&str]) -> bool {
        phrases.iter().all(|phrase| self.after(phrase).is_some())
    }

    /// Whether nothing else was said, politeness aside.
    pub(super) fn only(&self, phrases: &[&str]) -> bool {
        let polite = [" please ", " computer ", " now ", " okay ", " oh ", " well ", " пожалуйста ", " ну "];
        let mut rest = self.pattern.clone();
        if !phrases.contains(&rest.trim()) {
            for word in polite {
                rest = rest.replace(word, " ");
            }
        }
        phrases.contains(&rest.trim())
    }

    /// What follows the first occurrence of `phrase`.
    pub(super) fn after(&self, phrase: &str) -> Option<&str> {
        self.pattern.find(&format!(" {phrase} ")).map(|at| self.pattern[at + phrase.len() + 2..].trim_end())
    }

    /// The first of `choices` that occurs.
    pub(super) fn one_of<'a>(&self, choices: &[&'a str]) -> Option<&'a str> {
        choices.iter().copied().find(|choice| self.any(&[choice]))
    }

    pub(super) fn numbers(&self) -> Vec<f64> {
        self.tokens.iter().filter_map(|token| if let Token::Number(n) = token { Some(*n) } else { None }).collect()
    }

    pub(super) fn words(&self) -> impl Iterator<Item = &str> {
        self.pattern.split_whitespace()
    }
}

/// Lower-case words without punctuation; contractions opened, signs between numbers spelled out.
fn words(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.replace(['’', '‘'], "'").to_lowercase().chars().collect();
    let mut words = Vec::new();
    let mut word = String::new();
    for (at, &c) in chars.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|i| chars.get(i)).copied().unwrap_or(' ');
        let after = chars.get(at + 1).copied().unwrap_or(' ');
        let between_digits = before.is_ascii_digit() && after.is_ascii_digit();
        if c == '.' && between_digits || c == '\'' && before.is_alphanumeric() && after.is_alphanumeric() {
            word.push(c);
        } else if c == ',' && between_digits {
            // A thousands separator.
        } else if c.is_alphanumeric() {
            // "10x5" and "5pm": digits and letters are words of their own.
            if word.ends_with(|last: char| last.is_ascii_digit() != c.is_ascii_digit()) && !word.ends_with(['.', '\''])
            {
                words.push(std::mem::take(&mut word));
            }
            word.push(c);
        } else {
            words.push(std::mem::take(&mut word));
            let sign = match c {
                '+' => "plus",
                '*' | '×' => "times",
                '÷' | '/' => "divided by",
                '%' => "percent",
                '−' => "minus",
                '-' if !before.is_alphabetic() && !after.is_alphabetic() => "minus",
                _ => continue,
            };
            words.extend(sign.split(' ').map(str::to_owned));
        }
    }
    words.push(word);
    words.into_iter().filter(|word| !word.is_empty()).flat_map(opened).collect()
}

/// "what's" as "what is", so that one pattern fits both.
fn opened(word: String) -> Vec<String> {
    let two = match word.as_str() {
        "what's" | "whats" => ["what", "is"],
        "who's" => ["who", "is"],
        "where's" => ["where", "is"],
        "how's" => ["how", "is"],
        "that's" => ["that", "is"],
        "it's" => ["it", "is"],
        "i'm" => ["i", "am"],
        "you're" => ["you", "are"],
        "let's" => ["let", "us"],
        "don't" => ["do", "not"],
        "can't" | "cannot" => ["can", "not"],
        "favourite" => return vec!["favorite".into()],
        "colour" => return vec!["color".into()],
        _ => return vec![word],
    };
    two.map(str::to_owned).into()
}

/// Folds runs of number words and digits into numbers: "twenty", "five" is 25, but "five", "five" stays two numbers.
fn numbers(words: Vec<String>) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < words.len() {
        if let Some((number, used)) = number(&words[at..]) {
            tokens.push(Token::Number(number));
            at += used;
        } else {
            tokens.push(Token::Word(words[at].clone()));
            at += 1;
        }
    }
    tokens
}

/// The number that `words` begin with, and how many words it takes.
fn number(words: &[String]) -> Option<(f64, usize)> {
    let word = |at: usize| words.get(at).map(String::as_str);
    if let Some(value) = word(0).and_then(digits) {
        return Some((value, 1));
    }
    let (mut total, mut group, mut at) = (0.0, None, 0);
    loop {
        let small = word(at).and_then(below_hundred).or_else(|| {
            // "a hundred", "a thousand"
            (at == 0 && word(0) == Some("a") && matches!(word(1), Some("hundred" | "thousand"))).then_some(1)
        });
        match (word(at), small) {
            (_, Some(value)) => {
                let room = match group {
                    None => true,
                    Some(have) => {
                        have % 100 == 0 && have > 0 || have % 10 == 0 && have % 100 >= 20 && (1..10).contains(&value)
                    }
                };
                if !room {
                    break;
                }
                group = Some(group.unwrap_or(0) + value);
            }
            (Some("hundred"), _) if group.is_none_or(|have| (1..100).contains(&have)) => {
                group = Some(group.unwrap_or(1) * 100);
            }
            (Some("thousand"), _) if total == 0.0 => total = f64::from(group.take().unwrap_or(1)) * 1000.0,
            // "one hundred and five"
            (Some("and"), _)
                if group.map_or(total > 0.0, |have| have % 100 == 0 && have > 0)
                    && word(at + 1).and_then(below_hundred).is_some() => {}
            _ => break,
        }
        at += 1;
    }
    if at == 0 {
        return None;
    }
    let mut value = total + f64::from(group.unwrap_or(0));
    if word(at) == Some("point") {
        let digits: String =
            words[at + 1..].iter().map_while(|w| below_hundred(w).filter(|d| *d < 10)).map(|d| d.to_string()).collect();
        if !digits.is_empty() {
            value += format!("0.{digits}").parse::<f64>().unwrap_or(0.0);
            at += 1 + digits.len();
        }
    }
    Some((value, at))
}

/// What digits mean: "17", "2.5".
pub(super) fn digits(word: &str) -> Option<f64> {
    word.starts_with(|c: char| c.is_ascii_digit()).then(|| word.parse().ok()).flatten()
}

fn below_hundred(word: &str) -> Option<u32> {
    if let Some(n) = super::spell::ONES.iter().position(|one| *one == word) {
        return Some(n as u32);
    }
    super::spell::TENS.iter().position(|ten| *ten == word).map(|n| (n as u32 + 2) * 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> String {
        Heard::new(text).pattern.trim().to_owned()
    }

    #[test]
    fn every_way_of_writing_a_sum_reads_alike() {
        for text in ["What is twenty-five plus 7?", "what's 25 + 7", "What’s twenty five plus seven.", "WHAT IS 25+7"]
        {
            let heard = Heard::new(text);
            assert_eq!(heard.pattern.trim(), "what is # plus #", "{text}");
            assert_eq!(heard.numbers(), [25.0, 7.0], "{text}");
        }
        assert_eq!(pattern("10x5"), "# x #");
        assert_eq!(pattern("10 - 5"), "# minus #");
        assert_eq!(pattern("-5 ÷ 2.5"), "minus # divided by #");
    }

    #[test]
    fn number_words_fold_where_they_belong_together() {
        let cases: &[(&str, &[f64])] = &[
            ("five five five", &[5.0, 5.0, 5.0]),
            ("thirteen thirty", &[13.0, 30.0]),
            ("twenty twenty six", &[20.0, 26.0]),
            ("a hundred", &[100.0]),
            ("one hundred and five", &[105.0]),
            ("hundred twenty three", &[123.0]),
            ("two thousand twenty six", &[2026.0]),
            ("1,250", &[1250.0]),
            ("two point five", &[2.5]),
            ("zero five", &[0.0, 5.0]),
            ("five and six", &[5.0, 6.0]),
            ("twenty ten", &[20.0, 10.0]),
        ];
        for (text, expected) in cases {
            assert_eq!(Heard::new(text).numbers(), *expected, "{text}");
        }
    }

    #[test]
    fn phrases_match_on_word_boundaries() {
        let heard = Heard::new("Set a timer for ten seconds, please!");
        assert!(heard.any(&["timer for # seconds"]));
        assert!(!heard.any(&["time"]));
        assert!(heard.all(&["set", "timer"]));
        assert_eq!(heard.after("for"), Some("# seconds please"));
        assert!(Heard::new("Oh, stop, please.").only(&["stop"]));
        assert!(!Heard::new("Stop the music.").only(&["stop"]));
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_heard_without_a_panic(text in ".{0,200}") {
            let _ = Heard::new(&text);
        }
    }
}

//! Arithmetic and counting.

use super::{
    spell,
    words::{Heard, Token},
};

/// Beyond this a result is no pleasure to listen to.
const LARGEST: f64 = 999_999_999_999.0;
/// The most numbers counted aloud.
const LONGEST_COUNT: u64 = 40;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Op {
    Plus,
    Minus,
    Times,
    Over,
}

/// Numbers and what stands between them: `ops[i]` between `numbers[i]` and `numbers[i + 1]`.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Sum {
    /// Never empty.
    pub numbers: Vec<f64>,
    pub ops: Vec<Op>,
}

/// Answers a sum or counts, if that is what was asked.
pub(super) fn answer(heard: &Heard) -> Option<String> {
    // "what is two and two" is a sum, "five and six" alone is not.
    let and_adds = heard.any(&["what is", "how much", "calculate"]);
    let commands: [(&[&str], Op); 4] = [
        (&["add"], Op::Plus),
        (&["subtract", "take away"], Op::Minus),
        (&["multiply"], Op::Times),
        (&["divide"], Op::Over),
    ];
    let sum = || Sum::commanded(heard, &commands).or_else(|| Sum::infix(heard, and_adds));
    count(heard).or_else(|| percent(heard)).or_else(|| sum().map(|sum| say(&sum)))
}

fn count(heard: &Heard) -> Option<String> {
    if !heard.any(&["count"]) {
        return None;
    }
    let numbers = heard.numbers();
    let first = if heard.any(&["from"]) && numbers.len() > 1 { numbers[0] } else { 1.0 };
    let Some(&last) = numbers.last() else { return Some("How far? Say count to ten.".into()) };
    if first.fract() != 0.0 || last.fract() != 0.0 || first > LARGEST || last > LARGEST {
        return Some("I only count whole numbers.".into());
    }
    let (first, last) = (first as u64, last as u64);
    let steps = first.abs_diff(last);
    let short = steps.min(LONGEST_COUNT - 1);
    let said: Vec<String> =
        (0..=short).map(|step| spell::whole(if first <= last { first + step } else { first - step })).collect();
    let counted = spell::sentence(&said.join(", "));
    Some(if short < steps { format!("{counted} And so on. That is a lot of numbers.") } else { counted })
}

/// "15% of 80"
fn percent(heard: &Heard) -> Option<String> {
    let [share, whole] = heard.numbers()[..] else { return None };
    if !heard.any(&["# percent of #"]) || share.abs() > LARGEST || whole.abs() > LARGEST {
        return None;
    }
    let (result, exact) = spell::number(share * whole / 100.0);
    let about = if exact { "" } else { "about " };
    let (share, whole) = (spell::number(share).0, spell::number(whole).0);
    Some(spell::sentence(&format!("{share} percent of {whole} is {about}{result}")))
}

impl Sum {
    /// "add five and six", "subtract two from ten", "multiply", "divide".
    pub(super) fn commanded(heard: &Heard, commands: &[(&[&str], Op)]) -> Option<Self> {
        let [a, b] = heard.numbers()[..] else { return None };
        let op = commands.iter().find(|(words, _)| heard.any(words))?.1;
        let from = op == Op::Minus && heard.any(&["# from #", "# из #", "# от #"]);
        Some(Self { numbers: if from { vec![b, a] } else { vec![a, b] }, ops: vec![op] })
    }

    /// The longest run of "number, operator, number ..." in what was said.
    pub(super) fn infix(heard: &Heard, and_adds: bool) -> Option<Self> {
        let mut best = Self::default();
        for start in 0..heard.tokens.len() {
            let run = Self::run_from(&heard.tokens[start..], and_adds);
            if run.ops.len() > best.ops.len() {
                best = run;
            }
        }
        (!best.ops.is_empty()).then_some(best)
    }

    fn run_from(tokens: &[Token], and_adds: bool) -> Self {
        let mut sum = Self::default();
        let mut at = 0;
        while let Some((value, used)) = signed(&tokens[at..]) {
            sum.numbers.push(value);
            at += used;
            let Some((op, used)) = operator(&tokens[at..], and_adds) else { break };
            if signed(&tokens[at + used..]).is_none() {
                break;
            }
            sum.ops.push(op);
            at += used;
        }
        sum
    }

    /// Times and divided by before plus and minus; `None`: a division by zero.
    pub(super) fn result(&self) -> Option<f64> {
        let mut sum = 0.0;
        let mut product = self.numbers[0];
        for (op, n) in self.ops.iter().zip(&self.numbers[1..]) {
            match op {
                Op::Times => product *= n,
                Op::Over if *n == 0.0 => return None,
                Op::Over => product /= n,
                Op::Plus | Op::Minus => {
                    sum += product;
                    product = if *op == Op::Plus { *n } else { -n };
                }
            }
        }
        Some(sum + product)
    }

    /// Whether it is a pleasure to listen to.
    pub(super) fn is_small_enough(&self) -> bool {
        self.result().is_none_or(|result| result.abs() <= LARGEST) && self.numbers.iter().all(|n| n.abs() <= LARGEST)
    }
}

fn signed(tokens: &[Token]) -> Option<(f64, usize)> {
    match tokens {
        [Token::Number(n), ..] => Some((*n, 1)),
        [Token::Word(sign), Token::Number(n), ..] if matches!(sign.as_str(), "minus" | "negative" | "минус") => {
            Some((-n, 2))
        }
        _ => None,
    }
}

fn operator(tokens: &[Token], and_adds: bool) -> Option<(Op, usize)> {
    let word = |at: usize| if let Some(Token::Word(word)) = tokens.get(at) { word.as_str() } else { "" };
    Some(match (word(0), word(1)) {
        ("plus" | "плюс", _) => (Op::Plus, 1),
        ("and", _) if and_adds => (Op::Plus, 1),
        ("minus" | "минус", _) => (Op::Minus, 1),
        ("multiplied" | "times", "by") | ("умножить" | "умножь" | "умноженное" | "помножить", "на") => {
            (Op::Times, 2)
        }
        ("times" | "x" | "х" | "на", _) => (Op::Times, 1),
        ("divided" | "divide", "by") | ("разделить" | "делить" | "поделить" | "деленное", "на") => {
            (Op::Over, 2)
        }
        // "by" is easily lost.
        ("divided" | "divide" | "over", _) => (Op::Over, 1),
        _ => return None,
    })
}

/// The sum and its result in words.
fn say(sum: &Sum) -> String {
    let Some(result) = sum.result() else { return "I can not divide by zero.".into() };
    if !sum.is_small_enough() {
        return "That is too much for me.".into();
    }
    let mut text = spell::number(sum.numbers[0]).0;
    for (op, n) in sum.ops.iter().zip(&sum.numbers[1..]) {
        let op = match op {
            Op::Plus => "plus",
            Op::Minus => "minus",
            Op::Times => "times",
            Op::Over => "divided by",
        };
        text = format!("{text} {op} {}", spell::number(*n).0);
    }
    let (result, exact) = spell::number(result);
    spell::sentence(&format!("{text} is {}{result}", if exact { "" } else { "about " }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_answered_however_they_are_asked() {
        let cases = [
            ("What is five plus seven?", "Five plus seven is twelve."),
            ("add five and six", "Five plus six is eleven."),
            ("subtract two from ten", "Ten minus two is eight."),
            ("calculate 3 minus 5", "Three minus five is minus two."),
            ("how much is six times nine?", "Six times nine is fifty four."),
            ("five divided by two", "Five divided by two is two point five."),
            ("what is seven divided three", "Seven divided by three is about two point three three."),
            ("ten divided by zero", "I can not divide by zero."),
            ("what is two and two", "Two plus two is four."),
            ("two plus three times four", "Two plus three times four is fourteen."),
            ("ten minus minus two", "Ten minus minus two is twelve."),
            ("um what is 12 x 12 please", "Twelve times twelve is one hundred forty four."),
            ("divide eighty by four", "Eighty divided by four is twenty."),
            ("multiply seven by eight", "Seven times eight is fifty six."),
            ("999999999 times 999999999", "That is too much for me."),
            ("count to five", "One, two, three, four, five."),
            ("count from five to two", "Five, four, three, two."),
            ("count two three", "One, two, three."),
            ("What's 17 times 23?", "Seventeen times twenty three is three hundred ninety one."),
            ("What's 2+2?", "Two plus two is four."),
            ("What is 15% of 80?", "Fifteen percent of eighty is twelve."),
            ("10 x 5 =", "Ten times five is fifty."),
            (
                "What's 1,250 plus 3.5?",
                "One thousand two hundred fifty plus three point five is one thousand two hundred \
                                        fifty three point five.",
            ),
        ];
        for (asked, expected) in cases {
            assert_eq!(answer(&Heard::new(asked)).as_deref(), Some(expected), "{asked}");
        }
        for other in ["five and six", "what time is it", "set a timer for ten seconds", "five plus"] {
            assert_eq!(answer(&Heard::new(other)), None, "{other}");
        }
    }

    #[test]
    fn counting_ends() {
        let long = answer(&Heard::new("count to 999999")).unwrap();
        assert!(long.contains("forty.") && long.len() < 500, "{long}");
    }
}

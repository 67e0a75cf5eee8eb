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
enum Op {
    Plus,
    Minus,
    Times,
    Over,
}

impl Op {
    fn said(self) -> &'static str {
        match self {
            Self::Plus => "plus",
            Self::Minus => "minus",
            Self::Times => "times",
            Self::Over => "divided by",
        }
    }
}

/// Answers a sum or counts, if that is what was asked.
pub(super) fn answer(heard: &Heard) -> Option<String> {
    count(heard).or_else(|| commanded(heard)).or_else(|| infix(heard))
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

/// "add five and six", "subtract two from ten", "multiply", "divide".
fn commanded(heard: &Heard) -> Option<String> {
    let [a, b] = heard.numbers()[..] else { return None };
    if heard.any(&["add"]) {
        Some(say(&[a, b], &[Op::Plus]))
    } else if heard.any(&["subtract", "take away"]) {
        Some(if heard.any(&["# from #"]) { say(&[b, a], &[Op::Minus]) } else { say(&[a, b], &[Op::Minus]) })
    } else if heard.any(&["multiply"]) {
        Some(say(&[a, b], &[Op::Times]))
    } else if heard.any(&["divide"]) {
        Some(say(&[a, b], &[Op::Over]))
    } else {
        None
    }
}

/// The longest run of "number, operator, number ..." in what was said.
fn infix(heard: &Heard) -> Option<String> {
    // "what is two and two" is a sum, "five and six" alone is not.
    let and_adds = heard.any(&["what is", "how much", "calculate"]);
    let mut best: (Vec<f64>, Vec<Op>) = (Vec::new(), Vec::new());
    for start in 0..heard.tokens.len() {
        let run = run_from(&heard.tokens[start..], and_adds);
        if run.1.len() > best.1.len() {
            best = run;
        }
    }
    (!best.1.is_empty()).then(|| say(&best.0, &best.1))
}

fn run_from(tokens: &[Token], and_adds: bool) -> (Vec<f64>, Vec<Op>) {
    let (mut numbers, mut ops): (Vec<f64>, Vec<Op>) = (Vec::new(), Vec::new());
    let mut at = 0;
    while let Some((value, used)) = signed(&tokens[at..]) {
        numbers.push(value);
        at += used;
        let Some((op, used)) = operator(&tokens[at..], and_adds) else { break };
        if signed(&tokens[at + used..]).is_none() {
            break;
        }
        ops.push(op);
        at += used;
    }
    (numbers, ops)
}

fn signed(tokens: &[Token]) -> Option<(f64, usize)> {
    match tokens {
        [Token::Number(n), ..] => Some((*n, 1)),
        [Token::Word(sign), Token::Number(n), ..] if sign == "minus" || sign == "negative" => Some((-n, 2)),
        _ => None,
    }
}

fn operator(tokens: &[Token], and_adds: bool) -> Option<(Op, usize)> {
    let word = |at: usize| if let Some(Token::Word(word)) = tokens.get(at) { word.as_str() } else { "" };
    Some(match (word(0), word(1)) {
        ("plus", _) => (Op::Plus, 1),
        ("and", _) if and_adds => (Op::Plus, 1),
        ("minus", _) => (Op::Minus, 1),
        ("multiplied" | "times", "by") => (Op::Times, 2),
        ("times" | "x", _) => (Op::Times, 1),
        ("divided" | "divide", "by") => (Op::Over, 2),
        // "by" is easily lost.
        ("divided" | "divide" | "over", _) => (Op::Over, 1),
        _ => return None,
    })
}

/// The sum and its result in words. `ops[i]` stands between `numbers[i]` and `numbers[i + 1]`.
fn say(numbers: &[f64], ops: &[Op]) -> String {
    let Some(result) = value(numbers, ops) else { return "I can not divide by zero.".into() };
    if result.abs() > LARGEST || numbers.iter().any(|n| n.abs() > LARGEST) {
        return "That is too much for me.".into();
    }
    let mut text = spell::number(numbers[0]).0;
    for (op, n) in ops.iter().zip(&numbers[1..]) {
        text = format!("{text} {} {}", op.said(), spell::number(*n).0);
    }
    let (result, exact) = spell::number(result);
    spell::sentence(&format!("{text} is {}{result}", if exact { "" } else { "about " }))
}

/// Times and divided by before plus and minus; `None`: a division by zero.
fn value(numbers: &[f64], ops: &[Op]) -> Option<f64> {
    let mut sum = 0.0;
    let mut product = numbers[0];
    for (op, n) in ops.iter().zip(&numbers[1..]) {
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

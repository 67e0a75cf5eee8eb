//! Tells a transcriber's remarks (`[BLANK_AUDIO]`, `(music)`, `*coughs*`) from brackets and stars that were dictated.
//!
//! What decides is what stands inside, not the mark: phone numbers, formulas, asides and masked words stay. A mark
//! without its partner swallows nothing.

/// What opens and closes a remark.
const MARKS: [(char, char); 6] = [('[', ']'), ('(', ')'), ('*', '*'), ('［', '］'), ('（', '）'), ('【', '】')];
/// A longer aside is none.
const MOST_WORDS: usize = 5;
/// Beginnings of words that name sounds, in the languages that are looked at (English, Russian, German, French, Spanish,
/// Portuguese, Italian).
const SOUNDS: [&str; 71] = [
    "applau",
    "audio",
    "beep",
    "blank",
    "breath",
    "buzz",
    "cheer",
    "chuckl",
    "clap",
    "click",
    "cough",
    "cries",
    "crowd",
    "crying",
    "exhal",
    "foreign",
    "gasp",
    "giggl",
    "groan",
    "hum",
    "inaudible",
    "indistinct",
    "inhal",
    "knock",
    "laugh",
    "melod",
    "mumbl",
    "murmur",
    "music",
    "nois",
    "ringing",
    "scream",
    "sigh",
    "silen",
    "sing",
    "sneez",
    "snif",
    "sound",
    "speaking",
    "static",
    "throat",
    "typing",
    "unintelligible",
    "whisper",
    "whistl",
    "музык",
    "апло",
    "смех",
    "смеё",
    "смее",
    "кашел",
    "кашл",
    "тишин",
    "шум",
    "вздох",
    "вздыха",
    "неразборчив",
    "звук",
    "musik",
    "gelächter",
    "lachen",
    "husten",
    "stille",
    "rauschen",
    "geräusch",
    "musique",
    "rires",
    "bruit",
    "música",
    "risas",
    "risos",
];

/// Marks the characters of `text` that belong to remarks.
pub fn mask(text: &[char]) -> Vec<bool> {
    let mut masked = vec![false; text.len()];
    let mut spans = vec![];
    let mut at = 0;
    while at < text.len() {
        let Some((_, close)) = MARKS.iter().find(|(open, _)| *open == text[at]) else {
            at += 1;
            continue;
        };
        let end = text[at + 1..].iter().position(|c| c == close).map(|length| at + 1 + length);
        // A decoder that was stopped inside a remark leaves it open.
        let inside = &text[at + 1..end.unwrap_or(text.len())];
        let span = at..end.map_or(text.len(), |end| end + 1);
        if is_remark(inside, matches!(text[at], '[' | '［' | '【')) {
            masked[span.clone()].fill(true);
            at = span.end;
        } else {
            if end.is_some() {
                spans.push(span);
            }
            at += 1;
        }
    }
    // Nothing but something in brackets: a description, unless it holds a number.
    let spoken = |index: usize, c: char| {
        c.is_alphanumeric() && !masked[index] && !spans.iter().any(|span| span.contains(&index))
    };
    let outside = text.iter().enumerate().any(|(index, c)| spoken(index, *c));
    let number = spans.iter().flat_map(|span| &text[span.clone()]).any(char::is_ascii_digit);
    if !outside && !number {
        for span in spans {
            masked[span].fill(true);
        }
    }
    masked
}

fn is_remark(inside: &[char], square: bool) -> bool {
    let text: String = inside.iter().collect();
    let words: Vec<&str> = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    if words.is_empty() || words.len() > MOST_WORDS || text.chars().any(|c| c.is_ascii_digit()) {
        return false;
    }
    let capitals = || words.iter().all(|word| word.chars().count() > 1 && word.chars().all(char::is_uppercase));
    (square && (text.contains('_') || capitals()))
        || words.iter().any(|word| SOUNDS.iter().any(|sound| word.to_lowercase().starts_with(sound)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spoken(text: &str) -> String {
        let chars: Vec<char> = text.chars().collect();
        let masked = mask(&chars);
        let kept: String = chars.iter().zip(masked).filter(|(_, masked)| !masked).map(|(c, _)| *c).collect();
        kept.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn remarks_go() {
        for (text, left) in [
            ("[BLANK_AUDIO]", ""),
            ("[BLANK_AU", ""),
            ("(soft bells)", ""),
            ("(музыка)", ""),
            ("*coughs* Excuse me.", "Excuse me."),
            ("Well (laughs) I see.", "Well I see."),
            ("[MUSIC PLAYING] Good evening.", "Good evening."),
            ("【music】", ""),
        ] {
            assert_eq!(spoken(text), left, "{text}");
        }
    }

    #[test]
    fn what_was_dictated_stays() {
        for text in [
            "5 * 3 = 15. And then add 4 to it.",
            "Type 2*3 and press enter. Then write the answer on the sheet (and give it to your teacher).",
            "Our office number is (415) 555-0123. Please call before noon.",
            "The price (including tax) is $40.",
            "What the f*** is this about?",
            "He said (and I quote: it never ends",
            "(415)",
            "A list [see page 3] follows.",
        ] {
            assert_eq!(spoken(text), text);
        }
    }
}

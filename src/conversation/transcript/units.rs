//! Text as the units in which it becomes stable: words, and characters in scripts that have no spaces.

/// A word with the punctuation that hangs on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    text: String,
    /// Without case and punctuation: what two hypotheses have to agree on.
    bare: String,
}

impl Unit {
    pub fn same(&self, other: &Self) -> bool {
        self.bare == other.bare
    }

    pub fn text(&self) -> &str {
        &self.text
    }
}

/// Cuts text into units. Marks that stand alone belong to the unit before them.
pub fn split(text: &str) -> Vec<Unit> {
    let mut units: Vec<Unit> = Vec::new();
    for word in text.split_whitespace() {
        let mut fresh = true;
        for c in word.chars() {
            let apart = |last: &Unit| c.is_alphanumeric() && (spaceless(c) || last.text.ends_with(spaceless));
            match units.last_mut() {
                Some(last) if !fresh && !apart(last) => last.text.push(c),
                _ => units.push(Unit { text: c.to_string(), bare: String::new() }),
            }
            fresh = false;
        }
        // A lone mark: French puts a space before "?", some models one before dashes.
        if word.chars().all(|c| !c.is_alphanumeric())
            && let Some(mark) = units.pop()
            && let Some(last) = units.last_mut()
        {
            last.text.push(' ');
            last.text.push_str(&mark.text);
        }
    }
    for unit in &mut units {
        unit.bare = unit.text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    }
    units
}

/// The text of `units`, written the way their script is.
pub fn join<'a>(units: impl IntoIterator<Item = &'a Unit>) -> String {
    let mut text = String::new();
    for unit in units {
        let tight =
            text.chars().rev().find(|c| c.is_alphanumeric()).is_some_and(spaceless) && unit.text.starts_with(spaceless);
        if !text.is_empty() && !tight {
            text.push(' ');
        }
        text.push_str(&unit.text);
    }
    text
}

/// Where a known beginning of the text ends in a new hypothesis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overlap {
    /// Units of the known text that the hypothesis covers.
    pub known: usize,
    /// Units of the hypothesis that they correspond to.
    pub heard: usize,
}

/// Lays `heard` along `known` with the fewest edits, until one of them ends. A hypothesis mostly repeats what is known
/// and goes on; sometimes it has misheard a known word, and sometimes it covers less.
pub fn overlap(known: &[Unit], heard: &[Unit]) -> Overlap {
    let mut row: Vec<usize> = (0..=heard.len()).collect();
    let mut best = (usize::MAX, usize::MAX, Overlap { known: 0, heard: 0 });
    let mut consider = |edits: usize, known: usize, heard: usize| {
        // Of equals, the one that pairs off most evenly: a repeated word is then not taken for the known one.
        let candidate = (edits, known.abs_diff(heard), Overlap { known, heard });
        if (candidate.0, candidate.1) < (best.0, best.1) {
            best = candidate;
        }
    };
    if known.is_empty() {
        return Overlap { known: 0, heard: 0 };
    }
    for (i, unit) in known.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, other) in heard.iter().enumerate() {
            let substitute = diagonal + usize::from(!unit.same(other));
            diagonal = row[j + 1];
            row[j + 1] = substitute.min(row[j] + 1).min(diagonal + 1);
        }
        // The hypothesis ends inside what is known. Not where nothing of it was used up.
        if i + 1 < known.len() && !heard.is_empty() {
            consider(row[heard.len()], i + 1, heard.len());
        }
    }
    for (j, edits) in row.iter().enumerate() {
        consider(*edits, known.len(), j);
    }
    best.2
}

/// How many units two texts have in common at their beginning.
pub fn agreement(one: &[Unit], other: &[Unit]) -> usize {
    one.iter().zip(other).take_while(|(a, b)| a.same(b)).count()
}

/// Chinese, Japanese, Thai, Lao, Burmese, Khmer.
fn spaceless(c: char) -> bool {
    matches!(c, '\u{0e00}'..='\u{0eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}'
        | '\u{3041}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{20000}'..='\u{3ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splitting_and_joining_gives_the_text_back() {
        for text in ["Turn on the light.", "Ça va ?", "今日は。いい天気", "Don't stop", "", "I'm 21 - fine."] {
            assert_eq!(join(&split(text)), text);
        }
        assert_eq!(split("今日は。").len(), 3);
        assert_eq!(split("Hello, there - you!").len(), 3);
    }

    #[test]
    fn a_beginning_is_found_again_though_misheard() {
        let at = |known: &str, heard: &str| {
            let found = overlap(&split(known), &split(heard));
            (found.known, found.heard)
        };
        assert_eq!(at("turn on the", "Turn on the light"), (3, 3));
        assert_eq!(at("turn on the", "Turn the light"), (3, 2));
        assert_eq!(at("in the", "t in the kitchen"), (2, 3));
        assert_eq!(at("turn off the light", "turn on the light please"), (4, 4));
        assert_eq!(at("", "hello"), (0, 0));
        assert_eq!(at("no", "no no no"), (1, 1));
        // Covers less than what is known: a part that was cut off before its end.
        assert_eq!(at("one two three four", "one two"), (2, 2));
    }
}

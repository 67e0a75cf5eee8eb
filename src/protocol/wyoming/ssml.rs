//! SSML without its marks: what is said, not how. The text may be cut anywhere.

/// See the module.
#[derive(Debug, Default)]
pub struct Ssml {
    in_mark: bool,
    /// What follows a `&`.
    entity: Option<String>,
}

impl Ssml {
    /// Takes more of the text and gives what is to be said of it.
    pub fn push(&mut self, piece: &str) -> String {
        let mut text = String::new();
        for c in piece.chars() {
            if self.in_mark {
                self.in_mark = c != '>';
            } else if c == '<' {
                self.in_mark = true;
                if let Some(entity) = self.entity.take() {
                    text.extend(["&", &entity]);
                }
                // It may stand for a pause between words.
                text.push(' ');
            } else if let Some(mut entity) = self.entity.take() {
                match (c, entity.as_str()) {
                    (';', "lt") => text.push('<'),
                    (';', "gt") => text.push('>'),
                    (';', "amp") => text.push('&'),
                    (';', "quot") => text.push('"'),
                    (';', "apos") => text.push('\''),
                    (c, _) if c.is_ascii_alphabetic() && entity.len() < 4 => {
                        entity.push(c);
                        self.entity = Some(entity);
                    }
                    _ => text.extend(["&", &entity, c.encode_utf8(&mut [0; 4])]),
                }
            } else if c == '&' {
                self.entity = Some(String::new());
            } else {
                text.push(c);
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_not_spoken_wherever_they_are_cut() {
        let ssml = "<speak>one &amp; <break time=\"1s\"/>two &lt; three & four</speak>";
        for size in [1, 3, 7, 100] {
            let mut filter = Ssml::default();
            let pieces: Vec<char> = ssml.chars().collect();
            let text: String =
                pieces.chunks(size).map(|piece| filter.push(&piece.iter().collect::<String>())).collect();
            assert_eq!(text.split_whitespace().collect::<Vec<_>>().join(" "), "one & two < three & four", "{size}");
        }
    }
}

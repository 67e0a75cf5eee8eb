//! Marks within a line: links, addresses, code, emphasis, tags.

/// `text` without inline markdown and HTML; addresses become the name of their host.
pub(super) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let taken = match c {
            '[' => link(rest, &mut plain),
            '!' if rest.starts_with("![") => Some(1),
            '<' => tag(rest, &mut plain),
            '&' => entity(rest, &mut plain),
            ':' | ';' | '=' => emoticon(rest, &plain),
            'h' | 'H' | 'w' | 'W' if !plain.ends_with(char::is_alphanumeric) => address(rest, &mut plain),
            _ => None,
        };
        let taken = taken.unwrap_or_else(|| {
            emphasis_or_letter(c, &rest[c.len_utf8()..], &mut plain);
            c.len_utf8()
        });
        rest = &rest[taken..];
    }
    plain
}

/// `[text](address)`, `[text][reference]`: the text. `None` if there is no link here.
fn link(text: &str, plain: &mut String) -> Option<usize> {
    let close = text.find(']')?;
    let (label, after) = (&text[1..close], &text[close + 1..]);
    if label.contains('[') {
        return None;
    }
    let target = match after.chars().next() {
        Some('(') => closing(after)? + 1,
        Some('[') => after.find(']')? + 1,
        // A footnote mark says nothing; other brackets stay what they are.
        _ if label.starts_with('^') => return Some(close + 1),
        _ => return None,
    };
    plain.push_str(&self::plain(label));
    Some(close + 1 + target)
}

/// Where the bracket that `text` begins with closes; addresses may hold pairs of their own.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    text.char_indices().find_map(|(at, c)| {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        (depth == 0).then_some(at)
    })
}

/// `<b>` and `<br/>` are dropped, `<https://...>` becomes its host.
fn tag(text: &str, plain: &mut String) -> Option<usize> {
    let close = text.find('>')?;
    let inside = &text[1..close];
    if inside.starts_with("http://") || inside.starts_with("https://") {
        address(inside, plain);
        return Some(close + 1);
    }
    let name = inside.strip_prefix('/').unwrap_or(inside);
    let is_tag = name.starts_with(|c: char| c.is_ascii_alphabetic()) && !name.contains('<') && name.len() < 200;
    is_tag.then(|| {
        plain.push(' ');
        close + 1
    })
}

/// `:)`, `;-D`: the bytes of a face in letters, which stands by itself.
fn emoticon(text: &str, plain: &str) -> Option<usize> {
    if !(plain.is_empty() || plain.ends_with(char::is_whitespace)) {
        return None;
    }
    let face = ["-)", ")", "-(", "(", "-D", "D", "-P", "P", "-p", "p", "-/", "'(", "-O", "O", "-|", "*"];
    let found = face.iter().find(|face| text[1..].starts_with(**face))?;
    let after = &text[1 + found.len()..];
    after.chars().next().is_none_or(|c| c.is_whitespace() || ".,!?".contains(c)).then_some(1 + found.len())
}

fn entity(text: &str, plain: &mut String) -> Option<usize> {
    let known = [("&amp;", "&"), ("&nbsp;", " "), ("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'")];
    let (name, meaning) = known.iter().find(|(name, _)| text.starts_with(name))?;
    plain.push_str(meaning);
    Some(name.len())
}

/// `https://www.example.com/a?b=c`: `example.com`.
fn address(text: &str, plain: &mut String) -> Option<usize> {
    let starts = |prefix: &str| text.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix));
    let scheme = ["https://", "http://"].into_iter().find(|prefix| starts(prefix)).map_or(0, str::len);
    if scheme == 0 && !starts("www.") {
        return None;
    }
    let end = text.find(|c: char| c.is_whitespace() || "<>\"'`|[]{}*«»“”，。、（）".contains(c)).unwrap_or(text.len());
    let whole = &text[..end];
    // A mark at the end belongs to the sentence, a bracket only if it was opened inside.
    let open = whole.contains('(');
    let whole = whole.trim_end_matches(|c: char| ".,;:!?…_~".contains(c) || (c == ')' && !open));
    let rest = whole.get(scheme..)?;
    let host = rest.split(['/', '?', '#', '(']).next().unwrap_or_default();
    let host = host.rsplit('@').next().unwrap_or_default();
    let host = host.split(':').next().unwrap_or_default();
    let www = host.get(..4).is_some_and(|head| head.eq_ignore_ascii_case("www."));
    let host = if www { &host[4..] } else { host };
    if host.is_empty() {
        return None;
    }
    plain.push_str(host);
    Some(whole.len())
}

/// `*`, backticks and `~~` go; `_` and `#` stay where they join words, as a space or for [`super::symbols`].
fn emphasis_or_letter(c: char, after: &str, plain: &mut String) {
    let between_words = plain.ends_with(char::is_alphanumeric) && after.starts_with(char::is_alphanumeric);
    match c {
        '*' => {
            let spaced = plain.ends_with(' ') && after.starts_with(' ');
            let digits = |text: &str| text.trim().starts_with(|c: char| c.is_ascii_digit());
            let product =
                digits(after) && plain.trim_end().ends_with(|c: char| c.is_ascii_digit()) && (spaced || between_words);
            if product {
                plain.push('×');
            }
        }
        '~' if after.starts_with('~') || plain.ends_with('~') => {
            if plain.ends_with('~') {
                plain.pop();
            } else if after.starts_with('~') {
                plain.push('~');
            }
        }
        '_' if between_words => plain.push(' '),
        '_' | '`' | '\\' => {}
        _ => plain.push(c),
    }
}

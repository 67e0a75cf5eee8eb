use proptest::prelude::*;

use super::*;

fn check(language: Option<&str>, cases: &[(&str, &str)]) {
    for (written, spoken) in cases {
        assert_eq!(speakable(written, language), *spoken, "{written}");
    }
}

#[test]
fn markdown_is_not_spoken() {
    check(
        None,
        &[
            ("**bold** and *italic*, __strong__ and _soft_", "bold and italic, strong and soft"),
            ("***both***", "both"),
            ("~~gone~~ stays", "gone stays"),
            ("# A heading", "A heading"),
            ("### Deep ###", "Deep"),
            ("- first\n* second\n+ third\n• fourth", "first\nsecond\nthird\nfourth"),
            ("1. Buy milk", "1. Buy milk"),
            ("- [ ] to do\n- [x] done", "to do\ndone"),
            ("> quoted\n> > twice", "quoted\ntwice"),
            ("call `run()` now", "call run() now"),
            ("snake_case_name", "snake case name"),
            ("**Note, the rest is cut", "Note, the rest is cut"),
            ("off**.", "off."),
            ("---", ""),
            ("***", ""),
            ("Title\n=====\ntext", "Title\ntext"),
            ("| Name | Age |\n|------|:---:|\n| Ann | 30 |", "Name, Age\nAnn, 30"),
            ("Look:\n```rust\nfn main() {}\n```\nThat is it.", "Look:\nThat is it."),
            ("one<br/>two <b>three</b>", "one two three"),
            ("Tom &amp; Ann", "Tom and Ann"),
            ("a\\*b", "ab"),
        ],
    );
}

#[test]
fn links_and_addresses_are_named_not_spelt() {
    check(
        None,
        &[
            ("See [the manual](https://example.com/a_b(c)?d=e).", "See the manual."),
            ("See [the manual](https://example.com/a?d=e).", "See the manual."),
            ("See [the **manual**][1].", "See the manual."),
            ("![A cat](cat.png) sleeps", "A cat sleeps"),
            ("Go to https://www.example.com/very/long?path=1&b=2, please.", "Go to example.com, please."),
            ("(https://example.org)", "(example.org)"),
            ("<https://example.com/x>", "example.com"),
            ("www.example.com.", "example.com."),
            ("HTTP://EXAMPLE.COM:8080/x", "EXAMPLE.COM"),
            ("http://", "http://"),
            ("whatever he wants", "whatever he wants"),
            ("Сайт https://пример.рф/путь.", "Сайт пример.рф."),
            ("a footnote[^1] here", "a footnote here"),
            ("an array[0] stays", "an array 0 stays"),
            ("https://user:secret@example.com/", "example.com"),
        ],
    );
}

#[test]
fn emoji_and_invisible_characters_are_dropped() {
    check(
        None,
        &[
            ("Great! 😊", "Great!"),
            ("😀😃👨‍👩‍👧‍👦🇩🇪1️⃣", "1"),
            ("👍🏽", ""),
            ("I ❤️ you ✅.", "I you."),
            ("a\u{200b}b\u{feff}c\u{202e}d", "abcd"),
            ("Acme™ ©", "Acme"),
        ],
    );
}

#[test]
fn symbols_become_words_in_the_language_of_the_text() {
    check(
        None,
        &[
            ("Salt & pepper", "Salt and pepper"),
            ("Соль & перец", "Соль и перец"),
            ("3 * 4 = 12", "3 times 4 = 12"),
            ("3*4", "3 times 4"),
            ("2×3", "2 times 3"),
            ("It costs $5.50.", "It costs 5.50 dollars."),
            ("Это стоит 100 ₽ или $5.", "Это стоит 100 рублей или 5 долларов."),
            ("pages 5–10", "pages 5 to 10"),
            ("20 °C, -5°C", "20 degrees Celsius, -5 degrees Celsius"),
            ("#1 in C# #rust", "number 1 in C sharp rust"),
            ("about ~5 minutes", "about about 5 minutes"),
            ("if 3 < 5 then", "if 3 is less than 5 then"),
            ("2^10", "2 to the power of 10"),
            ("№ 5", "number 5"),
        ],
    );
    assert_eq!(speakable("5 & 6", Some("ru")), "5 и 6");
    assert_eq!(speakable("5 & 6", Some("ru-RU")), "5 и 6");
    assert_eq!(speakable("5 & 6", Some("en")), "5 and 6");
    assert_eq!(speakable("5 & 6", Some("")), "5 and 6");
}

#[test]
fn abbreviations_are_read_out() {
    check(
        None,
        &[
            ("Mr. Smith met Dr. Jones (e.g. today).", "Mister Smith met Doctor Jones (for example today)."),
            ("apples, pears, etc.", "apples, pears, et cetera."),
            ("apples, etc., are fruit", "apples, et cetera, are fruit"),
            ("Он устал, т. е. хочет спать.", "Он устал, то есть хочет спать."),
            ("яблоки, груши и т. д.", "яблоки, груши и так далее."),
            ("яблоки и т.п.", "яблоки и тому подобное."),
        ],
    );
}

#[test]
fn plain_text_stays_as_it_is() {
    for text in [
        "Hello, world! How are you?",
        "It's 3.14 at 10:30 (sharp) – \"really\".",
        "Привет, как дела?",
        "你好，世界。",
        "Wait... what?",
        "a .5 share",
    ] {
        assert_eq!(speakable(text, None), text);
    }
    for nothing in ["", " ", "\n\n", "...", "🎉", "**", "```", "- ", "#", "|---|", "```\ncode\n```"] {
        assert_eq!(speakable(nothing, None), "", "{nothing:?}");
    }
}

proptest! {
    #[test]
    fn any_text_at_all_is_survived_and_marks_are_never_spoken(text in ".{0,200}") {
        let spoken = speakable(&text, None);
        prop_assert!(!spoken.contains(['*', '#', '`', '\u{fe0f}', '😀']), "{spoken}");
        prop_assert!(spoken.is_empty() || spoken.contains(char::is_alphanumeric));
    }

    #[test]
    fn any_jumble_of_marks_is_survived(text in "[-a-я0-9*_#`~|<>\\[\\]()!&$€°^.,:/@\\\\ \n]{0,120}") {
        let spoken = speakable(&text, Some("en"));
        prop_assert!(!spoken.contains(['*', '#', '`']), "{spoken}");
        prop_assert!(!spoken.contains("  "), "{spoken:?}");
    }
}

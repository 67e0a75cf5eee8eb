mod english;
mod russian;

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
            ("1. Buy milk", "one: Buy milk"),
            ("- [ ] to do\n- [x] done", "to do\ndone"),
            ("> quoted\n> > twice", "quoted\ntwice"),
            ("call `run()` now", "call run() now"),
            ("snake_case_name", "snake case name"),
            ("**Note, the rest is cut", "Note, the rest is cut"),
            ("off**.", "off."),
            ("---", ""),
            ("***", ""),
            ("Title\n=====\ntext", "Title\ntext"),
            ("| Name | Age |\n|------|:---:|\n| Ann | 30 |", "Name, Age\nAnn, thirty"),
            ("Look:\n```rust\nfn main() {}\n```\nThat is it.", "Look:\nThat is it."),
            ("one<br/>two <b>three</b>", "one two three"),
            ("Tom &amp; Ann", "Tom and Ann"),
            ("a\\*b", "ab"),
        ],
    );
}

#[test]
fn what_people_draw_with_letters_is_not_spelt() {
    check(
        None,
        &[
            ("Great :) see you ;-)", "Great see you"),
            ("Nice :D! Bye.", "Nice! Bye."),
            ("At 5:30 (sharp): yes", "At five thirty (sharp): yes"),
            ("open -> edit => save", "open, edit, save"),
            ("a -- b", "a — b"),
            ("if x != 5 or y >= 3", "if x is not five or y at least three"),
            ("| Item | Price |\n|---|---|\n| Tea | $2.50 |", "Item, Price\nTea, two dollars and fifty cents"),
            ("1. **Open** the file `main.rs`\n2. Save it", "one: Open the file main dot rs\ntwo: Save it"),
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
            ("Go to https://www.example.com/very/long?path=1&b=2, please.", "Go to example dot com, please."),
            ("(https://example.org)", "(example dot org)"),
            ("<https://example.com/x>", "example dot com"),
            ("www.example.com.", "example dot com."),
            ("HTTP://EXAMPLE.COM:8080/x", "EXAMPLE dot COM"),
            ("http://", "http://"),
            ("whatever he wants", "whatever he wants"),
            ("Сайт https://пример.рф/путь.", "Сайт пример точка эр эф."),
            ("a footnote[^1] here", "a footnote here"),
            ("an array[0] stays", "an array zero stays"),
            ("https://user:secret@example.com/", "example dot com"),
        ],
    );
}

#[test]
fn emoji_and_invisible_characters_are_dropped() {
    check(
        None,
        &[
            ("Great! 😊", "Great!"),
            ("😀😃👨‍👩‍👧‍👦🇩🇪1️⃣", "one"),
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
            ("3 * 4 = 12", "three times four equals twelve"),
            ("3*4", "three times four"),
            ("2×3", "two times three"),
            ("Это стоит 100 ₽ или $5.", "Это стоит сто рублей или пять долларов."),
            ("#1 in C# #rust", "number one in C sharp rust"),
            ("if 3 < 5 then", "if three is less than five then"),
            ("№ 5", "number five"),
        ],
    );
    for (language, said) in
        [("ru", "пять и шесть"), ("ru-RU", "пять и шесть"), ("en", "five and six"), ("", "five and six")]
    {
        assert_eq!(speakable("5 & 6", Some(language)), said);
    }
}

#[test]
fn other_languages_get_their_own_words_or_none() {
    for (language, written, said) in [
        ("fr-fr", "Il fait 20 °C.", "Il fait 20 degrés Celsius."),
        ("de", "Das kostet 5 €.", "Das kostet 5 Euro."),
        ("de", "Das kostet $5,50.", "Das kostet 5,50 Dollar."),
        ("de", "Peter & Paul", "Peter und Paul"),
        ("de", "Dr. Müller, 3 kg am 3.4.2026", "Dr. Müller, 3 kg am 3.4.2026"),
        ("uk", "Зараз 20 °C.", "Зараз 20 градусів Цельсія."),
        ("pl", "Ala & kot, ±5", "Ala i kot, plus minus 5"),
        // The voice knows its own numbers and signs; what it would say in English is left out.
        ("vi", "20 °C & 5 €, ≈ 6", "20 °C & 5 €, 6"),
        ("en", "Зараз 20 °C і сонячно.", "Зараз 20 градусів Цельсія і сонячно."),
        ("ja", "気温は20度です。", "気温は20度です。"),
    ] {
        assert_eq!(speakable(written, Some(language)), said, "{language}");
    }
}

#[test]
fn plain_text_stays_as_it_is() {
    for text in [
        "Hello, world! How are you?",
        "It's late (really) – \"sharp\".",
        "Привет, как дела?",
        "你好，世界。",
        "Wait... what?",
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
    fn any_jumble_of_marks_is_survived(text in "[-a-я0-9*_#`~|<>\\[\\]()!&$€°^.,:/@\\\\ \n]{0,120}", language in "en|en-gb|ru|de|uk|th") {
        let spoken = speakable(&text, Some(&language));
        prop_assert!(!spoken.contains(['*', '#', '`']), "{spoken}");
        prop_assert!(!spoken.contains("  "), "{spoken:?}");
    }

    #[test]
    fn numbers_are_always_written_out(text in "[0-9.,:/%$€ °–+()-]{0,60}", russian in any::<bool>()) {
        let spoken = speakable(&text, Some(if russian { "ru" } else { "en" }));
        prop_assert!(!spoken.contains(|c: char| c.is_ascii_digit()), "{text:?}: {spoken:?}");
        prop_assert!(spoken.len() < 200 + text.len() * 60, "{spoken}");
    }
}

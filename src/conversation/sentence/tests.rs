use proptest::prelude::*;

use super::*;

/// The reply as one chunk, as texts.
fn texts(reply: &str) -> Vec<String> {
    split(&[reply]).into_iter().map(|sentence| sentence.text).collect()
}

fn split(chunks: &[&str]) -> Vec<Sentence> {
    let mut splitter = Splitter::new(None);
    let mut sentences: Vec<_> = chunks.iter().flat_map(|chunk| splitter.push(chunk)).collect();
    sentences.extend(splitter.finish());
    assert_eq!(splitter.finish(), None, "finished once");
    sentences
}

/// `expected` are the pieces without the space between them.
fn check(reply: &str, expected: &[&str]) {
    let found = texts(reply);
    assert_eq!(found.concat(), reply);
    assert_eq!(found.iter().map(|text| text.trim()).collect::<Vec<_>>(), expected, "{reply}");
}

#[test]
fn sentences_end_at_stops() {
    check(
        "It is sunny today. The wind is weak! Shall we go outside? Yes we should",
        &["It is sunny today.", "The wind is weak!", "Shall we go outside?", "Yes we should"],
    );
    check("Привет! Сегодня хорошая погода. Пойдём гулять?", &["Привет!", "Сегодня хорошая погода.", "Пойдём гулять?"]);
}

#[test]
fn a_stop_followed_by_a_space_is_cut_at_once_and_one_at_the_end_waits() {
    let mut splitter = Splitter::new(None);
    assert_eq!(splitter.push("It is sunny."), []);
    assert_eq!(splitter.push(" ").len(), 1);
    assert_eq!(splitter.push("It is 3."), []);
    assert_eq!(splitter.push("14 degrees warmer."), []);
    assert_eq!(splitter.finish().expect("the rest").text, "It is 3.14 degrees warmer.");
}

#[test]
fn the_first_piece_may_be_a_clause_and_later_ones_are_whole() {
    check(
        "Well of course, I can do that, and more, too. Then, after that, we are done.",
        &["Well of course,", "I can do that, and more, too.", "Then, after that, we are done."],
    );
    check("Sure, I can help you with that.", &["Sure, I can help you with that."]);
    check("Here it comes: one, two", &["Here it comes:", "one, two"]);
    check("I think so — but wait", &["I think so —", "but wait"]);
    check("It has 1,000,000 parts", &["It has 1,000,000 parts"]);
    check("The train leaves at 10:30 sharp", &["The train leaves at 10:30 sharp"]);
    check("A well-known fact", &["A well-known fact"]);
}

#[test]
fn the_first_piece_may_be_a_phrase_and_does_not_fall_as_if_it_were_over() {
    check(
        "The weather today is sunny with a light breeze and some clouds. Tomorrow it will rain in the north.",
        &["The weather today is sunny", "with a light breeze and some clouds.", "Tomorrow it will rain in the north."],
    );
    check(
        "Sure. The train goes around the mountains in the north, then through the valley, and is here at nine. It is on time.",
        &[
            "Sure.",
            "The train goes around the mountains in the north,",
            "then through the valley, and is here at nine.",
            "It is on time.",
        ],
    );
    check("It is the largest of the cities.", &["It is the largest of the cities."]);
    let spoken: Vec<_> =
        split(&["The weather today is sunny with a light breeze"]).into_iter().map(|s| s.spoken).collect();
    assert_eq!(spoken, ["The weather today is sunny,", "with a light breeze"]);
    let long: Vec<_> = split(&[&"word ".repeat(100)]).into_iter().map(|sentence| sentence.spoken).collect();
    assert!(long[0].ends_with("word,") && long[long.len() - 1].ends_with("word"), "{long:?}");
}

#[test]
fn abbreviations_initials_and_numbers_end_nothing() {
    check(
        "Mr. Smith and Dr. Jones met at 5 p.m. on Main St. near the shop. They talked.",
        &["Mr. Smith and Dr. Jones met", "at 5 p.m. on Main St. near the shop.", "They talked."],
    );
    check("He came at 5 p.m. She left early.", &["He came at 5 p.m.", "She left early."]);
    check(
        "Use fruit, e.g. apples. J. R. R. Tolkien wrote it. Version v1.2.3 is 3.14 times better.",
        &["Use fruit,", "e.g. apples.", "J. R. R. Tolkien wrote it.", "Version v1.2.3 is 3.14 times better."],
    );
    check(
        "Он живёт на ул. Ленина в г. Москве. Он родился в 1999 г. в Туле. Это было в 1999 г. Он помнит.",
        &["Он живёт на ул. Ленина в г. Москве.", "Он родился в 1999 г. в Туле.", "Это было в 1999 г.", "Он помнит."],
    );
    check(
        "Яблоки и т. д. Потом ещё. Он устал, т. е. хочет спать. А. С. Пушкин жил давно.",
        &["Яблоки и т. д.", "Потом ещё. Он устал, т. е. хочет спать.", "А. С. Пушкин жил давно."],
    );
    check("The answer is 42. Nobody knows why.", &["The answer is 42.", "Nobody knows why."]);
}

#[test]
fn ellipses_quotes_and_brackets_go_with_their_sentence() {
    check("Well... maybe not. I see it all... Then we go.", &["Well... maybe not.", "I see it all...", "Then we go."]);
    check("He said \"no.\" Then he left.", &["He said \"no.\"", "Then he left."]);
    check(
        "\"Really?\" he asked. (It was late.) She nodded.",
        &["\"Really?\" he asked.", "(It was late.)", "She nodded."],
    );
    check("**It is bold.** It is *fine.* Good.", &["**It is bold.**", "It is *fine.*", "Good."]);
    check("«Правда?» Он кивнул.", &["«Правда?»", "Он кивнул."]);
    check("What?! No way!!! Really?", &["What?!", "No way!!! Really?"]);
}

#[test]
fn short_later_sentences_go_together() {
    check("Yes. No. Maybe. I do not know.", &["Yes.", "No. Maybe. I do not know."]);
}

#[test]
fn lists_and_lines_are_cut_by_line() {
    check("You need:\n1. Milk\n2. Bread. White.\n\n- tea\n", &["You need:", "1. Milk", "2. Bread. White.", "- tea"]);
    let spoken: Vec<_> =
        split(&["# Plan\n\n- **tea**\n* milk\n"]).into_iter().map(|sentence| sentence.spoken).collect();
    assert_eq!(spoken, ["Plan", "tea", "milk"]);
}

#[test]
fn scripts_without_spaces_are_cut_at_their_stops() {
    check("你好。今天天气很好，我们出去散步吧！好不好？", &["你好。", "今天天气很好，我们出去散步吧！", "好不好？"]);
    check("今天天气很好，我们出去吧。", &["今天天气很好，", "我们出去吧。"]);
    check("「はい。」と彼は言いました。次の文です。", &["「はい。」", "と彼は言いました。", "次の文です。"]);
}

#[test]
fn code_is_kept_in_the_text_and_never_spoken() {
    let sentences = split(&["Try this:\n```py\nprint(1). Yes. No.\n\n``", "`\nIt prints one."]);
    let spoken: Vec<_> =
        sentences.iter().map(|sentence| sentence.spoken.as_str()).filter(|text| !text.is_empty()).collect();
    assert_eq!(spoken, ["Try this:", "It prints one."]);
    check(
        "Call `a. b. c` or [see this. Now](http://x.y/z) here.",
        &["Call `a. b. c` or [see this. Now](http://x.y/z) here."],
    );
}

#[test]
fn a_sentence_without_end_is_cut_where_it_hurts_least() {
    let words = "word ".repeat(200);
    let pieces = texts(&words);
    assert!(pieces.len() > 3);
    assert!(pieces.iter().all(|piece| piece.chars().count() <= MAX && piece.ends_with(' ')));
    let clauses = "Here we go. ".to_owned() + &"these are some words, ".repeat(30);
    assert!(texts(&clauses).iter().skip(1).all(|piece| piece.trim_end().ends_with(',')));
    let unbroken = "x".repeat(1_000);
    assert!(texts(&unbroken).iter().all(|piece| piece.chars().count() <= MAX));
    let family = "👨‍👩‍👧‍👦".repeat(100);
    assert!(texts(&family).iter().all(|piece| piece.starts_with('👨') && piece.ends_with('👦')));
}

#[test]
fn spaces_alone_do_not_pile_up() {
    let mut splitter = Splitter::new(None);
    for _ in 0..10_000 {
        splitter.push("\n");
        assert!(splitter.pending.chars().count() <= MAX);
    }
}

/// Cuts `text` at `cuts`, moved to character boundaries.
fn chunks<'a>(text: &'a str, cuts: &[usize]) -> Vec<&'a str> {
    let mut places: Vec<usize> = cuts.iter().map(|cut| text.floor_char_boundary(cut % (text.len() + 1))).collect();
    places.extend([0, text.len()]);
    places.sort_unstable();
    places.windows(2).map(|pair| &text[pair[0]..pair[1]]).collect()
}

proptest! {
    #[test]
    fn any_chunking_of_prose_gives_the_same_sentences(
        words in prop::collection::vec(
            prop::sample::select(vec![
                "Hello", "world", "Mr.", "e.g.", "т. е.", "г.", "3.14", "1999", "good.", "what?", "yes!", "well...", "so,", "\"no.\"",
                "(ok.)", "— and", "\n", "\n\n", "- item", "1.", "你好。", "再见，", "**bold.**", "`a. b`", "[l. k](u. v)", "```\n", "😊",
                "Привет,", "мир.",
            ]),
            0..60,
        ),
        cuts in prop::collection::vec(any::<usize>(), 0..30),
    ) {
        let reply = words.join(" ");
        let whole = split(&[&reply]);
        prop_assert_eq!(&split(&chunks(&reply, &cuts)), &whole);
        prop_assert_eq!(whole.iter().map(|sentence| sentence.text.as_str()).collect::<String>(), reply);
        prop_assert!(whole.iter().all(|sentence| !sentence.text.is_empty() && sentence.text.chars().count() <= MAX));
    }

    #[test]
    fn any_text_at_all_comes_back_whole(reply in ".{0,600}", cuts in prop::collection::vec(any::<usize>(), 0..20)) {
        let whole = split(&[&reply]);
        prop_assert_eq!(&split(&chunks(&reply, &cuts)), &whole);
        prop_assert_eq!(whole.iter().map(|sentence| sentence.text.as_str()).collect::<String>(), reply);
    }
}

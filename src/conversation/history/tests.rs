use proptest::prelude::*;

use super::*;

fn history(prompt: &str, tokens: usize) -> History {
    History::new(&PromptSettings { system_prompt: prompt.into(), history_tokens: tokens })
}

fn contents(history: &History, turn: u32, said: &str) -> Vec<(Role, String)> {
    let request = history.request(SessionId::fresh(), TurnId(turn), said);
    request.messages.into_iter().map(|m| (m.role, m.content)).collect()
}

#[test]
fn a_request_is_prompt_then_history_then_the_newest_words() {
    let mut h = history("Be kind.", 1000);
    h.said(TurnId(1), "hello");
    h.replied(TurnId(1), "Hello!");
    let expected = [(Role::System, "Be kind."), (Role::User, "hello"), (Role::Assistant, "Hello!")];
    let mut expected: Vec<_> = expected.map(|(r, t)| (r, t.to_owned())).into();
    expected.push((Role::User, "what time is it".into()));
    assert_eq!(contents(&h, 2, "what time is it"), expected);
    // Recorded or not, the words in question appear once, and the latest version of them counts.
    h.said(TurnId(2), "what time");
    assert_eq!(contents(&h, 2, "what time is it"), expected);
    assert_eq!(h.entries.len(), 3, "a request changes nothing");
}

#[test]
fn an_interrupted_reply_is_kept_as_far_as_it_was_heard() {
    let mut h = history("", 1000);
    assert_eq!(contents(&h, 1, "hello")[0].1, DEFAULT_SYSTEM_PROMPT);
    h.set_system("");
    h.said(TurnId(1), "tell me a story");
    h.replied(TurnId(1), "One day a robot went home.");
    h.cut_to_heard(TurnId(1), "One day a robot ");
    h.said(TurnId(2), "stop");
    h.replied(TurnId(2), "Okay.");
    h.cut_to_heard(TurnId(2), "");
    let texts: Vec<_> = contents(&h, 3, "hello").into_iter().map(|(_, text)| text).collect();
    assert_eq!(texts, ["tell me a story", "One day a robot …", "stop", "hello"]);
}

#[test]
fn the_oldest_whole_turns_go_first_and_the_prompt_stays() {
    let mut h = history("Short prompt.", 60);
    for turn in 1..=20 {
        h.said(TurnId(turn), format!("question number {turn}"));
        h.replied(TurnId(turn), format!("answer number {turn}"));
    }
    let messages = contents(&h, 21, "and now");
    assert_eq!(messages[0], (Role::System, "Short prompt.".into()));
    assert_eq!(messages[1].0, Role::User, "no half turns: {messages:?}");
    assert_eq!(messages[messages.len() - 2].1, "answer number 20");
    assert!(messages.len() < 10, "{messages:?}");
    assert!(h.entries.len() < 10, "what no request can hold is forgotten");
}

#[test]
fn words_too_long_for_the_budget_are_still_asked() {
    let h = history("Prompt.", 10);
    let long = "word ".repeat(100);
    let messages = contents(&h, 1, &long);
    assert_eq!(messages.len(), 2);
    assert_eq!(messages[1].1, long);
}

#[test]
fn a_restored_conversation_goes_on() {
    let mut h = history("New prompt.", 1000);
    let earlier = |user: &str, assistant: &str, interrupted| Exchange {
        turn: Some(TurnId(1)),
        user: user.into(),
        assistant: assistant.into(),
        interrupted,
    };
    h.restore([earlier("", "Welcome back.", false), earlier("hello", "", false), earlier("go on", "I", true)]);
    // Numbers are per session: the first turn of this one is none of the earlier ones.
    h.said(TurnId(1), "are you there");
    h.replied(TurnId(1), "Yes.");
    let texts: Vec<_> = contents(&h, 2, "good").into_iter().map(|(_, text)| text).collect();
    let expected = ["New prompt.", "Welcome back.", "hello", "go on", "I …", "are you there", "Yes.", "good"];
    assert_eq!(texts, expected);
}

#[test]
fn a_client_puts_in_takes_out_and_has_functions_called() {
    let mut h = history("", 1000);
    h.set_system("");
    let given = |n| ItemKey::Given(n);
    h.add(given(1), After::All, Message::new(Role::User, "two"));
    h.add(given(2), After::Nothing, Message::new(Role::System, "one"));
    h.add(given(3), After::Item(given(2)), Message::new(Role::User, "middle"));
    h.add(given(4), After::All, Message::new(Role::User, "gone"));
    assert!(h.remove(given(4)) && !h.remove(given(4)));
    h.reply_begins(TurnId(1));
    let call = ToolCall { id: "c1".into(), name: "clock".into(), arguments: "{}".into() };
    h.replied(TurnId(1), "Let me see.");
    h.called(TurnId(1), &[call.clone(), ToolCall { id: "c2".into(), ..call.clone() }]);
    let asked = |h: &History| h.request_as_it_stands(SessionId::fresh(), None).messages;
    let texts: Vec<_> = asked(&h).into_iter().map(|m| (m.content, m.calls.len())).collect();
    assert_eq!(texts, [("one", 0), ("middle", 0), ("two", 0), ("Let me see.", 0)].map(|(t, n)| (t.to_owned(), n)));
    h.add(given(5), After::All, Message::output("c1", "nine"));
    h.add(given(6), After::All, Message::output("nobody's", "what"));
    let messages = asked(&h);
    assert_eq!(messages[3], Message::calling("Let me see.", vec![call]), "a call without its output is left out");
    assert_eq!(messages[4..], [Message::output("c1", "nine")]);
    assert_eq!(h.request_as_it_stands(SessionId::fresh(), Some("Be short.")).messages[0].content, "Be short.");
    h.remove(ItemKey::Call(TurnId(1), 0));
    assert_eq!(asked(&h).len(), 4, "nor is an output without its call told");
}

#[test]
fn the_budget_is_in_the_models_own_tokens() {
    let mut h = history("Short prompt.", 200);
    for turn in 1..=20 {
        h.said(TurnId(turn), format!("question number {turn}"));
        h.replied(TurnId(turn), format!("answer number {turn}"));
    }
    let asked = |h: &History| contents(h, 21, "and now").len();
    let before = asked(&h);
    h.measure(TokenCount { per_estimated: 2.0, ..TokenCount::default() });
    let after = asked(&h);
    assert!(after < before * 2 / 3 && after > 3, "{before}, then {after}");
    h.measure(TokenCount::default());
    assert_eq!(asked(&h), before, "nothing is forgotten by measuring");
}

proptest! {
    #[test]
    fn a_request_never_exceeds_the_budget_unless_the_newest_words_alone_do(
        turns in prop::collection::vec((".{0,80}", ".{0,200}", any::<bool>()), 0..40),
        budget in 0usize..400,
        said in "[a-zа-я ]{1,60}",
    ) {
        let mut h = history("Prompt.", budget);
        for (index, (user, reply, cut)) in turns.iter().enumerate() {
            let turn = TurnId(index as u32 + 1);
            h.said(turn, user.clone());
            h.replied(turn, reply.clone());
            if *cut {
                h.cut_to_heard(turn, &reply.chars().take(3).collect::<String>());
            }
        }
        let request = h.request(SessionId::fresh(), TurnId(1000), &said);
        let fixed = text_tokens("Prompt.") + text_tokens(&said);
        let total: usize = request.messages.iter()
            .map(|m| text_tokens(m.content.trim_end_matches(CUT_SHORT))).sum();
        prop_assert!(total <= budget.max(fixed), "{total} over {budget}");
        prop_assert_eq!(&request.messages.last().unwrap().content, &said);
    }
}

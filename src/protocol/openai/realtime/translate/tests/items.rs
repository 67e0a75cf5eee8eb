//! Items, responses asked for, cancelled and cut.

use super::*;
use crate::{
    conversation::item::{After, InputItem, ItemContent, ItemKey},
    model::Role,
};

fn message(id: &str, text: &str) -> Value {
    json!({"id": id, "type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]})
}

fn create(talk: &mut Talk, item: Value, previous: Value) -> Vec<String> {
    talk.send(json!({"type": "conversation.item.create", "event_id": "e", "item": item, "previous_item_id": previous}))
}

/// A reply of a second's sound; its item.
fn spoken(talk: &mut Talk) -> Value {
    talk.hear(reply(TURN, None));
    talk.hear(says(TURN, "one two three four"));
    for _ in 0..50 {
        talk.hear(sounds(TURN));
    }
    talk.hear(done(TURN));
    talk.last()["response"]["output"][0]["id"].clone()
}

#[test]
fn items_are_put_where_the_client_wants_them() {
    let mut talk = Talk::ga();
    assert_eq!(
        create(&mut talk, message("b", "B"), json!(null)),
        ["conversation.item.added", "conversation.item.done"]
    );
    assert_eq!(talk.last()["previous_item_id"], json!(null));
    create(&mut talk, message("d", "D"), json!(null));
    assert_eq!(talk.last()["previous_item_id"], "b");
    create(&mut talk, message("c", "C"), json!("b"));
    assert_eq!(talk.last()["previous_item_id"], "b");
    match talk.commands.last() {
        Some(Command::Add(item)) => assert_eq!(item.after, After::Item(ItemKey::Given(1))),
        other => panic!("{other:?}"),
    }
    create(&mut talk, message("a", "A"), json!("root"));
    assert_eq!(talk.last()["previous_item_id"], json!(null));
    create(&mut talk, message("b", "again"), json!(null));
    assert_eq!(talk.error(), ("item_create_duplicate_item_id", &json!("e")));
    create(&mut talk, message("e", "E"), json!("nowhere"));
    assert_eq!(talk.error(), ("invalid_value", &json!("e")));
    talk.send(json!({"type": "conversation.item.delete", "item_id": "c"}));
    assert_eq!(talk.last()["type"], "conversation.item.deleted");
    assert_eq!(talk.commands.last(), Some(&Command::Remove(ItemKey::Given(3))));
    for (kind, code) in [
        ("conversation.item.delete", "item_delete_invalid_item_id"),
        ("conversation.item.retrieve", "item_retrieve_invalid_item_id"),
    ] {
        talk.send(json!({"type": kind, "item_id": "c", "event_id": "x"}));
        assert_eq!(talk.error(), (code, &json!("x")));
    }
}

#[test]
fn every_kind_of_item_is_read() {
    let mut talk = Talk::ga();
    let mut content = |item: Value| {
        talk.forget();
        create(&mut talk, item, json!(null));
        match talk.commands.last() {
            Some(Command::Add(item)) => item.content.clone(),
            Some(Command::Tagged { command, .. }) => match &**command {
                Command::Add(item) => item.content.clone(),
                other => panic!("{other:?}"),
            },
            _ => panic!("{}", talk.last()),
        }
    };
    let text = |role, text: &str| ItemContent::Text { role, text: text.into() };
    let say = |role: &str, part: Value| json!({"type": "message", "role": role, "content": [part]});
    assert_eq!(content(say("system", json!({"type": "input_text", "text": "S"}))), text(Role::System, "S"));
    assert_eq!(content(say("assistant", json!({"type": "output_text", "text": "A"}))), text(Role::Assistant, "A"));
    assert_eq!(
        content(say("assistant", json!({"type": "output_audio", "transcript": "A"}))),
        text(Role::Assistant, "A")
    );
    let heard = json!({"type": "input_audio", "audio": "AAAA", "transcript": "U"});
    assert_eq!(content(say("user", heard)), text(Role::User, "U"));
    match content(say("user", json!({"type": "input_audio", "audio": "AQACAA=="}))) {
        ItemContent::Speech(pcm) => assert_eq!(pcm.samples, [1, 2]),
        other => panic!("{other:?}"),
    }
    let call = json!({"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"});
    assert!(matches!(content(call), ItemContent::Call(call) if call.id == "c"));
    let output = json!({"type": "function_call_output", "call_id": "c", "output": "7"});
    assert_eq!(content(output), ItemContent::Output { call_id: "c".into(), output: "7".into() });

    for (item, param) in [
        (say("user", json!({"type": "input_image", "image_url": "x"})), "item.content[0].type"),
        (say("nobody", json!({"type": "input_text", "text": "x"})), "item.role"),
        (json!({"type": "message", "content": []}), "item.role"),
        (json!({"type": "function_call", "name": "f", "arguments": ""}), "item.call_id"),
        (json!({"type": "mcp_call"}), "item.type"),
        (json!({}), "item.type"),
        (say("user", json!({"type": "input_audio", "audio": "?"})), "item.content[0].audio"),
    ] {
        assert_eq!(create(&mut talk, item, json!(null)), ["error"]);
        assert_eq!(talk.last()["error"]["param"], param);
        assert_eq!(talk.error().1, "e");
    }
}

#[test]
fn a_cut_leaves_what_was_heard() {
    let mut talk = Talk::ga();
    let item = spoken(&mut talk);
    let truncate = |talk: &mut Talk, ms: u32| {
        talk.send(json!({"type": "conversation.item.truncate", "event_id": "t", "item_id": item, "content_index": 0,
            "audio_end_ms": ms}))
    };
    assert_eq!(truncate(&mut talk, 2_001), ["error"]);
    assert_eq!(talk.error(), ("invalid_value", &json!("t")));
    assert!(truncate(&mut talk, 1_900).is_empty(), "a loudspeaker's buffer too much is no fault");
    assert_eq!(*talk.tagged().1, Command::Cut { turn: TURN, played_ms: 1_000 });
    truncate(&mut talk, 400);
    let (tag, _) = talk.tagged();
    let told = talk.hear(Event::ReplyCut { turn: TURN, heard: "one two".into(), tag: Some(tag) });
    assert_eq!(told, ["conversation.item.truncated"]);
    assert_eq!(talk.last()["audio_end_ms"], 400);
    talk.send(json!({"type": "conversation.item.retrieve", "item_id": item}));
    assert_eq!(talk.last()["item"]["content"][0]["transcript"], "one two");

    // A session that no longer knows it does not leave the client without an answer.
    truncate(&mut talk, 200);
    let (tag, _) = talk.tagged();
    let refused =
        Event::Refused { code: "nothing_to_cut", message: String::new(), hint: String::new(), tag: Some(tag) };
    assert_eq!(talk.hear(refused), ["conversation.item.truncated"]);
    talk.send(json!({"type": "conversation.item.retrieve", "item_id": item}));
    assert_eq!(talk.last()["item"]["content"][0]["transcript"], "one");

    create(&mut talk, message("m", "M"), json!(null));
    talk.send(json!({"type": "conversation.item.truncate", "item_id": "m", "audio_end_ms": 1}));
    assert_eq!(talk.last()["error"]["code"], json!(null));
    talk.send(json!({"type": "conversation.item.truncate", "item_id": "no", "audio_end_ms": 1}));
    assert_eq!(talk.error().0, "item_truncate_invalid_item_id");
}

#[test]
fn who_truncates_a_running_response_and_then_cancels_it_makes_no_mistake() {
    let cancel = json!({"type": "response.cancel", "event_id": "c"});
    for late in [false, true] {
        let mut talk = Talk::ga();
        talk.hear(reply(TURN, None));
        talk.hear(says(TURN, "one two"));
        talk.hear(sounds(TURN));
        let item = talk.last_of("response.output_item.added")["item"]["id"].clone();
        talk.send(json!({"type": "conversation.item.truncate", "item_id": item, "audio_end_ms": 10}));
        let (cut, _) = talk.tagged();
        if !late {
            assert!(talk.send(cancel.clone()).is_empty());
        }
        let (tag, _) = talk.tagged();
        assert_eq!(talk.hear(cancelled(TURN, CancelReason::Client)).last().expect("told"), "response.done");
        talk.hear(Event::ReplyCut { turn: TURN, heard: "one".into(), tag: Some(cut) });
        assert_eq!(talk.last()["type"], "conversation.item.truncated");
        if late {
            assert!(talk.send(cancel.clone()).is_empty());
        } else {
            let (code, message, hint) = ("nothing_to_cancel", String::new(), String::new());
            assert!(talk.hear(Event::Refused { code, message, hint, tag: Some(tag) }).is_empty());
        }
        assert_eq!(talk.send(cancel.clone()), ["error"], "once is enough");
        assert_eq!(talk.error(), ("response_cancel_not_active", &json!("c")));
    }
}

#[test]
fn one_response_at_a_time_belongs_to_the_conversation() {
    let mut talk = Talk::ga();
    assert!(
        talk.send(json!({"type": "response.create", "response": {"metadata": {"client_event_id": "7"}}})).is_empty()
    );
    let (tag, _) = talk.tagged();
    talk.send(json!({"type": "response.create", "event_id": "r2"}));
    assert_eq!(talk.error(), ("conversation_already_has_active_response", &json!("r2")), "it is on its way");
    talk.hear(reply(TURN, Some(tag)));
    assert_eq!(talk.last()["response"]["metadata"], json!({"client_event_id": "7"}));
    talk.send(json!({"type": "response.create", "event_id": "r3"}));
    assert_eq!(talk.error(), ("conversation_already_has_active_response", &json!("r3")));
    talk.hear(done(TURN));
    assert_eq!(talk.last()["response"]["metadata"], json!({"client_event_id": "7"}));
    // One that begins by itself may have been quicker than ours.
    talk.send(json!({"type": "response.create", "event_id": "r4"}));
    let (tag, _) = talk.tagged();
    talk.hear(reply(TurnId(2), None));
    let refused =
        Event::Refused { code: "already_replying", message: String::new(), hint: String::new(), tag: Some(tag) };
    assert_eq!(talk.hear(refused), ["error"]);
    assert_eq!(talk.error(), ("conversation_already_has_active_response", &json!("r4")));
    talk.hear(done(TurnId(2)));
    talk.send(json!({"type": "response.create"}));
    assert!(matches!(talk.tagged().1, Command::Respond(_)));
}

#[test]
fn a_response_beside_the_conversation_leaves_no_trace_in_it() {
    let mut talk = Talk::ga();
    create(&mut talk, message("known", "K"), json!(null));
    talk.hear(reply(TURN, None));
    talk.send(json!({"type": "response.create", "response": {"conversation": "none", "output_modalities": ["text"],
        "input": [{"type": "item_reference", "id": "known"}, message("given", "G")], "instructions": "Sort.",
        "tools": [], "max_output_tokens": 5}}));
    let (tag, command) = talk.tagged();
    let Command::Respond(wish) = command else { panic!("{command:?}") };
    assert!(wish.beside && wish.speak == Some(false) && wish.max_tokens == Some(Some(5)));
    let given = ItemContent::Text { role: Role::User, text: "G".into() };
    let input = vec![InputItem::Known(ItemKey::Given(1)), InputItem::Given(given)];
    assert_eq!(wish.input.as_ref(), Some(&input));
    talk.forget();
    talk.hear(reply(TurnId(2), Some(tag)));
    assert_eq!(talk.last()["response"]["conversation_id"], json!(null));
    talk.hear(says(TurnId(2), "news"));
    talk.hear(says(TURN, "Hello."));
    talk.hear(done(TurnId(2)));
    assert_eq!(talk.last()["response"]["output"][0]["content"][0]["text"], "news");
    let beside: Vec<_> = talk.events.iter().filter(|event| event["type"] == "conversation.item.added").collect();
    assert_eq!(beside.len(), 1, "only the other's");
    assert_eq!(talk.hear(done(TURN)).last().map(String::as_str), Some("response.done"));
    talk.send(json!({"type": "response.create", "response": {"input": [{"type": "item_reference", "id": "no"}]}}));
    assert_eq!(talk.last()["error"]["param"], "response.input[0].id");
}

#[test]
fn cancelling_names_the_response_or_takes_the_running_one() {
    let mut talk = Talk::ga();
    talk.send(json!({"type": "response.cancel", "event_id": "c1"}));
    assert_eq!(talk.error(), ("response_cancel_not_active", &json!("c1")));
    talk.hear(reply(TURN, None));
    let id = talk.last()["response"]["id"].clone();
    talk.send(json!({"type": "response.cancel", "response_id": "resp_other", "event_id": "c2"}));
    assert_eq!(talk.error(), ("response_cancel_not_active", &json!("c2")));
    assert!(talk.send(json!({"type": "response.cancel", "response_id": id, "event_id": "c3"})).is_empty());
    assert_eq!(*talk.tagged().1, Command::Cancel(Some(TURN)));
    talk.hear(cancelled(TURN, CancelReason::Client));
    assert_eq!(talk.last()["response"]["status_details"]["reason"], "client_cancelled");
    // It ended just before the command came.
    let (tag, _) = talk.tagged();
    let refused =
        Event::Refused { code: "nothing_to_cancel", message: String::new(), hint: String::new(), tag: Some(tag) };
    talk.hear(refused);
    assert_eq!(talk.error(), ("response_cancel_not_active", &json!("c3")));
}

#[test]
fn metadata_is_limited() {
    let mut talk = Talk::ga();
    let many: serde_json::Map<_, _> = (0..17).map(|n| (n.to_string(), json!("v"))).collect();
    for metadata in [json!(many), json!({"k".repeat(65): "v"}), json!({"k": "v".repeat(513)}), json!({"k": 7})] {
        talk.send(json!({"type": "response.create", "event_id": "m", "response": {"metadata": metadata}}));
        assert_eq!(talk.error().1, "m");
    }
    assert!(talk.commands.is_empty());
}

//! Calling functions without a language model: a function is called when the words of its name are said, and its
//! arguments are found by simple rules. Enough to try a client's functions before there is a real model.

use serde_json::{Map, Value};

use super::words::Heard;
use crate::{
    engine::{ChatRequest, Tool, ToolChoice},
    model::{Message, Role},
};

/// Words of a function's name that nobody says when asking for what it does.
const SILENT: [&str; 22] = [
    "a", "an", "and", "api", "by", "call", "current", "do", "fetch", "find", "for", "function", "get", "in", "lookup",
    "of", "on", "query", "the", "to", "tool", "with",
];
/// What a value is said after.
const BEFORE_VALUES: [&str; 6] = ["in", "for", "of", "to", "at", "about"];
/// What may follow a value without being part of it.
const AFTER_VALUES: [&str; 5] = ["please", "now", "today", "tomorrow", "tonight"];
/// How deep arguments are filled; what lies deeper stays empty.
const DEEPEST: usize = 4;
/// Values told of one outcome.
const MOST_VALUES: usize = 4;
/// Letters told of an outcome that is plain text.
const LONGEST_OUTCOME: usize = 300;

/// The function to call for the newest words, and its arguments.
pub(super) fn choose(request: &ChatRequest) -> Option<(&Tool, Value)> {
    let newest = request.messages.iter().rposition(|message| message.role == Role::User);
    let said = newest.map_or("", |at| request.messages[at].content.as_str());
    let words = words(said);
    let best = || {
        let fitting = request.tools.iter().filter_map(|tool| Some((fit(&tool.name, &words)?, tool)));
        // Of equals the first.
        fitting.rev().max_by_key(|(fit, _)| *fit).map(|(_, tool)| tool)
    };
    let tool = match &request.tool_choice {
        ToolChoice::None => None,
        ToolChoice::Named(name) => request.tools.iter().find(|tool| tool.name == *name),
        ToolChoice::Required => best().or(request.tools.first()),
        ToolChoice::Auto => {
            let answered = &request.messages[newest.map_or(0, |at| at + 1)..];
            // Words that led to a call do not lead to another.
            let called = |message: &Message| !message.calls.is_empty() || message.role == Role::Tool;
            if answered.iter().any(called) { None } else { best() }
        }
    }?;
    Some((tool, Filling { said, words, numbers: Heard::new(said).numbers().into_iter() }.arguments(&tool.parameters)))
}

/// What came out of the calls just made, told; `None`: the newest message is something else.
pub(super) fn tell(messages: &[Message]) -> Option<String> {
    let spoken: Vec<&Message> = messages.iter().filter(|message| message.role != Role::System).collect();
    let outcomes = spoken.iter().rev().take_while(|message| message.role == Role::Tool).count();
    if outcomes == 0 {
        return None;
    }
    let mut values = Vec::new();
    for outcome in &spoken[spoken.len() - outcomes..] {
        match serde_json::from_str::<Value>(&outcome.content) {
            Ok(value) => simple(&value, &mut values),
            Err(_) => values.push(outcome.content.trim().to_owned()),
        }
    }
    values.retain(|value| !value.is_empty());
    values.truncate(MOST_VALUES);
    if values.is_empty() {
        return Some("It is done.".into());
    }
    let mut told = values.join(", ");
    if let Some((at, _)) = told.char_indices().nth(LONGEST_OUTCOME) {
        told.truncate(at);
        told.push('…');
    }
    let end = if told.ends_with(['.', '!', '?', '…']) { "" } else { "." };
    Some(format!("The answer is {told}{end}"))
}

/// Strings, numbers and truths in a value, in order.
fn simple(value: &Value, found: &mut Vec<String>) {
    if found.len() == MOST_VALUES {
        return;
    }
    match value {
        Value::Null => {}
        Value::Bool(yes) => found.push(if *yes { "yes".into() } else { "no".into() }),
        Value::Number(number) => found.push(number.to_string()),
        Value::String(text) => found.push(text.trim().to_owned()),
        Value::Array(values) => values.iter().for_each(|value| simple(value, found)),
        Value::Object(fields) => fields.values().for_each(|value| simple(value, found)),
    }
}

/// How many words of a function's name count, if all of them are said.
fn fit(name: &str, said: &[String]) -> Option<usize> {
    let all = name_words(name);
    let telling: Vec<&String> = all.iter().filter(|word| !SILENT.contains(&word.as_str())).collect();
    let telling = if telling.is_empty() { all.iter().collect() } else { telling };
    let is_said = |word: &&String| said.iter().any(|other| other == *word || other.strip_suffix('s') == Some(word));
    (!telling.is_empty() && telling.iter().all(is_said)).then_some(telling.len())
}

/// `getWeather`, `get_weather` and `get-weather` are two words.
fn name_words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    for c in name.chars() {
        if !c.is_alphanumeric() || c.is_uppercase() && !before.is_uppercase() {
            words.push(String::new());
        }
        if c.is_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.extend(c.to_lowercase());
        }
        before = c;
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Lower-case words, numbers as written.
fn words(said: &str) -> Vec<String> {
    let bare = |word: &str| word.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    said.split(|c: char| c.is_whitespace() || c == '-').map(bare).filter(|word: &String| !word.is_empty()).collect()
}

/// Arguments on their way from words to a schema; each number is used once.
struct Filling<'s> {
    said: &'s str,
    words: Vec<String>,
    numbers: std::vec::IntoIter<f64>,
}

impl Filling<'_> {
    fn arguments(mut self, schema: &Value) -> Value {
        self.object(schema, 0)
    }

    fn object(&mut self, schema: &Value, depth: usize) -> Value {
        let mut filled = Map::new();
        let required: Vec<&str> =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            let found = self.found(property);
            let value = if required.contains(&name.as_str()) {
                Some(found.unwrap_or_else(|| self.least(property, depth)))
            } else {
                // Yes to what is named.
                found.or_else(|| {
                    (kind(property) == "boolean" && fit(name, &self.words).is_some()).then_some(true.into())
                })
            };
            if let Some(value) = value {
                filled.insert(name.clone(), value);
            }
        }
        Value::Object(filled)
    }

    /// What the words say for a property.
    fn found(&mut self, property: &Value) -> Option<Value> {
        if let Some(choices) = property["enum"].as_array() {
            let is_said = |choice: &&Value| choice.as_str().is_some_and(|choice| self.says(choice));
            return choices.iter().find(is_said).cloned();
        }
        match kind(property) {
            "number" => self.numbers.next().and_then(serde_json::Number::from_f64).map(Value::Number),
            "integer" => self.numbers.next().map(|number| Value::from(number as i64)),
            "string" => self.after_a_preposition().map(Value::String),
            _ => None,
        }
    }

    /// Something of the right kind.
    fn least(&mut self, property: &Value, depth: usize) -> Value {
        let given = [&property["const"], &property["default"], &property["enum"][0]];
        if let Some(given) = given.into_iter().find(|given| !given.is_null()) {
            return given.clone();
        }
        match kind(property) {
            "number" | "integer" if !property["minimum"].is_null() => property["minimum"].clone(),
            "number" | "integer" => 0.into(),
            "boolean" => true.into(),
            "array" if depth < DEEPEST => {
                let items = &property["items"];
                let one = self.found(items).unwrap_or_else(|| self.least(items, depth + 1));
                vec![one].into()
            }
            "array" => Value::Array(Vec::new()),
            "object" if depth < DEEPEST => self.object(property, depth + 1),
            "object" => Value::Object(Map::new()),
            "null" => Value::Null,
            _ => self.said.trim().into(),
        }
    }

    fn says(&self, phrase: &str) -> bool {
        let phrase = words(phrase);
        !phrase.is_empty() && self.words.windows(phrase.len()).any(|said| said == phrase)
    }

    /// "What is the weather in New York today?" has "New York".
    fn after_a_preposition(&self) -> Option<String> {
        let mut rest = self.said.split_whitespace();
        let bare = |word: &str| word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
        rest.find(|word| BEFORE_VALUES.contains(&bare(word).as_str()))?;
        let mut value: Vec<&str> = rest.collect();
        while value.last().is_some_and(|word| AFTER_VALUES.contains(&bare(word).as_str())) {
            value.pop();
        }
        if value.first().is_some_and(|word| bare(word) == "the") {
            value.remove(0);
        }
        let value = value.join(" ");
        let value = value.trim_matches(|c: char| !c.is_alphanumeric());
        (!value.is_empty()).then(|| value.to_owned())
    }
}

/// The type of a schema; of several the first that is not null.
fn kind(schema: &Value) -> &str {
    let named = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null"),
        kind => kind.as_str(),
    };
    let of_any = || ["anyOf", "oneOf"].iter().find_map(|any| schema[*any][0]["type"].as_str());
    let of_fields = || schema["properties"].is_object().then_some("object");
    named.or_else(of_any).or_else(of_fields).unwrap_or("string")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::ToolCall;

    fn tool(name: &str, properties: Value, required: &[&str]) -> Tool {
        let parameters = json!({"type": "object", "properties": properties, "required": required});
        Tool { name: name.into(), description: String::new(), parameters }
    }

    fn tools() -> Vec<Tool> {
        vec![
            tool(
                "get_weather",
                json!({"city": {"type": "string"}, "unit": {"enum": ["celsius", "fahrenheit"]}}),
                &["city"],
            ),
            tool(
                "setLight",
                json!({"room": {"type": "string", "enum": ["kitchen", "living room"]},
                "level": {"type": "integer"}, "slowly": {"type": "boolean"}}),
                &["room", "level"],
            ),
            tool("light", json!({}), &[]),
            tool(
                "remember",
                json!({"text": {"type": ["null", "string"]}, "tags": {"type": "array", "items": {"type": "string"}},
                "loud": {"type": "boolean"}, "size": {"type": "number", "minimum": 3}}),
                &["text", "tags", "loud", "size"],
            ),
        ]
    }

    fn chosen(said: &str, tool_choice: ToolChoice) -> Option<(String, Value)> {
        let messages = vec![Message::new(Role::System, "Be kind."), Message::new(Role::User, said)];
        let request = ChatRequest { messages, tools: tools(), tool_choice, ..ChatRequest::default() };
        choose(&request).map(|(tool, arguments)| (tool.name.clone(), arguments))
    }

    #[test]
    fn a_function_is_called_when_its_name_is_said() {
        for (said, expected) in [
            ("What is the weather in New York today?", Some(("get_weather", json!({"city": "New York"})))),
            (
                "Weather for Rome in celsius",
                Some(("get_weather", json!({"city": "Rome in celsius", "unit": "celsius"}))),
            ),
            ("How is the weather?", Some(("get_weather", json!({"city": "How is the weather?"})))),
            (
                "Set the lights in the living room to twenty.",
                Some(("setLight", json!({"room": "living room", "level": 20}))),
            ),
            ("Slowly set a light.", Some(("setLight", json!({"room": "kitchen", "level": 0, "slowly": true})))),
            ("Light!", Some(("light", json!({})))),
            (
                "Remember milk",
                Some((
                    "remember",
                    json!({"text": "Remember milk", "tags": ["Remember milk"], "loud": true, "size": 3}),
                )),
            ),
            ("What time is it?", None),
            ("", None),
        ] {
            let expected = expected.map(|(name, arguments)| (name.to_owned(), arguments));
            assert_eq!(chosen(said, ToolChoice::Auto), expected, "{said}");
            assert_eq!(chosen(said, ToolChoice::None), None);
        }
    }

    #[test]
    fn what_must_be_called_is_called() {
        let name = |said: &str, choice| chosen(said, choice).map(|(name, _)| name);
        assert_eq!(name("Hello.", ToolChoice::Required).as_deref(), Some("get_weather"));
        assert_eq!(name("Light.", ToolChoice::Required).as_deref(), Some("light"));
        assert_eq!(name("Hello.", ToolChoice::Named("remember".into())).as_deref(), Some("remember"));
        assert_eq!(name("Hello.", ToolChoice::Named("forget".into())), None);
    }

    #[test]
    fn the_same_words_call_once() {
        let call = ToolCall { id: "a".into(), name: "light".into(), arguments: "{}".into() };
        let mut messages = vec![Message::new(Role::User, "Light!"), Message::calling("", vec![call])];
        let again = |messages: &[Message]| {
            let request = ChatRequest { messages: messages.to_vec(), tools: tools(), ..ChatRequest::default() };
            choose(&request).is_some()
        };
        assert!(again(&messages[..1]) && !again(&messages));
        let forgotten = [messages[0].clone(), Message::output("a", "on")];
        assert!(!again(&forgotten), "the call may be gone from the history, what came out of it says enough");
        messages.push(Message::new(Role::User, "Light!"));
        assert!(again(&messages));
    }

    #[test]
    fn outcomes_are_told() {
        for (outcomes, told) in [
            (&["21"][..], "The answer is 21."),
            (&["\"sunny\""], "The answer is sunny."),
            (&[r#"{"degrees":21,"sky":"clear"}"#], "The answer is 21, clear."),
            (&["It rains!"], "The answer is It rains!"),
            (&["true", "{\"x\":null}", "[1,2]"], "The answer is yes, 1, 2."),
            (&[""], "It is done."),
            (&["{}"], "It is done."),
        ] {
            let mut messages: Vec<Message> = outcomes.iter().map(|text| Message::output("a", *text)).collect();
            messages.insert(0, Message::new(Role::User, "?"));
            messages.push(Message::new(Role::System, "Be kind."));
            assert_eq!(tell(&messages).as_deref(), Some(told), "{outcomes:?}");
        }
        let long = tell(&[Message::output("a", "é".repeat(1000))]).unwrap_or_default();
        assert!(long.ends_with("é…") && long.chars().count() < LONGEST_OUTCOME + 20);
        assert_eq!(tell(&[Message::output("a", "1"), Message::new(Role::User, "?")]), None);
        assert_eq!(tell(&[]), None);
    }

    proptest::proptest! {
        #[test]
        fn any_words_and_any_schema_fill_without_a_panic(said in ".{0,60}", name in ".{0,20}", schema in "[a-z]{0,8}") {
            let any = json!({"a": {"type": schema}, "b": {"type": "array", "items": {"type": schema}}, "c": said});
            let tools = vec![tool(&name, any, &["a", "b", "c"])];
            let messages = vec![Message::new(Role::User, said)];
            let request = ChatRequest { messages, tools, tool_choice: ToolChoice::Required, ..ChatRequest::default() };
            proptest::prop_assert!(choose(&request).is_some());
        }
    }
}

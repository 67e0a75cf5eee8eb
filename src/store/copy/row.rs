//! A row as a line of JSON: `{"id":"0197...","email":"...","verified_at":null}`. Ids are spelt with hyphens, bytes in
//! base64, moments are milliseconds since 1970.

use std::io::Write as _;

use data_encoding::BASE64;
use serde_json::Map;
use uuid::Uuid;

use super::{Column, Kind, Table};

/// What one column of one row holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    None,
    Id(Uuid),
    Text(String),
    Number(i64),
    Flag(bool),
    Bytes(Vec<u8>),
}

/// The columns of a row, as its [`Table`] names them.
pub type Row = Vec<Value>;

/// Appends a row and a line break to `out`.
pub fn encode(table: &Table, row: &[Value], out: &mut Vec<u8>) {
    let mut before = '{';
    for (column, value) in table.columns.iter().zip(row) {
        // A vector takes everything.
        let _ = write!(out, "{before}\"{}\":", column.name);
        before = ',';
        match value {
            Value::None => out.extend(b"null"),
            Value::Id(id) => _ = write!(out, "\"{id}\""),
            Value::Text(text) => _ = serde_json::to_writer(&mut *out, text),
            Value::Number(number) => _ = write!(out, "{number}"),
            Value::Flag(flag) => _ = write!(out, "{flag}"),
            Value::Bytes(bytes) => _ = write!(out, "\"{}\"", BASE64.encode(bytes)),
        }
    }
    out.extend(b"}\n");
}

/// The row that a line holds.
///
/// # Errors
/// When it is none of `table`; the text says why, without what it holds.
pub fn decode(table: &Table, line: &[u8]) -> Result<Row, String> {
    let mut fields: Map<String, serde_json::Value> =
        serde_json::from_slice(line).map_err(|error| format!("{}: not a JSON object: {error}", table.name))?;
    let value = |column: &Column| {
        let found = fields.remove(column.name).ok_or("is missing")?;
        value(column, found)
    };
    let mut value = value;
    let mut row = Row::with_capacity(table.columns.len());
    for column in table.columns {
        row.push(value(column).map_err(|why| format!("{}.{} {why}", table.name, column.name))?);
    }
    match fields.keys().next() {
        Some(unknown) => Err(format!("{} has a column that is not known: {}", table.name, unknown.escape_debug())),
        None => Ok(row),
    }
}

fn value(column: &Column, found: serde_json::Value) -> Result<Value, &'static str> {
    use serde_json::Value as Json;

    match (column.kind, found) {
        (_, Json::Null) if column.optional => Ok(Value::None),
        (Kind::Id, Json::String(text)) => text.parse().map(Value::Id).map_err(|_| "is not an id"),
        (Kind::Text, Json::String(text)) if !text.contains('\0') => Ok(Value::Text(text)),
        (Kind::Text, Json::String(_)) => Err("has a sign that no text may have"),
        (Kind::Number, Json::Number(number)) => number.as_i64().map(Value::Number).ok_or("is not a whole number"),
        (Kind::Flag, Json::Bool(flag)) => Ok(Value::Flag(flag)),
        (Kind::Bytes, Json::String(text)) => {
            BASE64.decode(text.as_bytes()).map(Value::Bytes).map_err(|_| "is not base64")
        }
        _ => Err("has a value of another kind"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::TABLES, *};

    fn any_value(column: &'static Column) -> BoxedStrategy<Value> {
        let value = match column.kind {
            Kind::Id => any::<u128>().prop_map(|id| Value::Id(Uuid::from_u128(id))).boxed(),
            Kind::Text => "[^\\x00]{0,40}".prop_map(Value::Text).boxed(),
            Kind::Number => prop_oneof![any::<i64>(), Just(i64::MIN), Just(i64::MAX), Just(1 << 53), Just(-1)]
                .prop_map(Value::Number)
                .boxed(),
            Kind::Flag => any::<bool>().prop_map(Value::Flag).boxed(),
            Kind::Bytes => prop::collection::vec(any::<u8>(), 0..70).prop_map(Value::Bytes).boxed(),
        };
        if column.optional { prop_oneof![value, Just(Value::None)].boxed() } else { value }
    }

    fn any_row() -> impl Strategy<Value = (&'static Table, Row)> {
        (0..TABLES.len()).prop_flat_map(|at| {
            let table = &TABLES[at];
            let row: Vec<_> = table.columns.iter().map(any_value).collect();
            (Just(table), row)
        })
    }

    proptest! {
        #[test]
        fn what_was_written_is_read((table, row) in any_row()) {
            let mut line = Vec::new();
            encode(table, &row, &mut line);
            prop_assert_eq!(line.iter().position(|byte| *byte == b'\n'), Some(line.len() - 1), "one row, one line");
            prop_assert_eq!(decode(table, &line), Ok(row));
        }

        #[test]
        fn nothing_that_is_read_stops_the_reader(line in prop::collection::vec(any::<u8>(), 0..200)) {
            for table in TABLES {
                let _ = decode(table, &line);
            }
        }
    }

    #[test]
    fn what_is_no_row_is_named() {
        let deleted = TABLES.iter().find(|table| table.name == "deleted_conversations").expect("there");
        let id = "00000000-0000-0000-0000-000000000001";
        for (line, why) in [
            (String::new(), "not a JSON object"),
            ("[1]".to_owned(), "not a JSON object"),
            (format!(r#"{{"user_id":"{id}","id":"{id}"}}"#), "deleted_at is missing"),
            (format!(r#"{{"user_id":"{id}","id":null,"deleted_at":1}}"#), "id has a value of another kind"),
            (format!(r#"{{"user_id":"{id}","id":"1","deleted_at":1}}"#), "id is not an id"),
            (format!(r#"{{"user_id":"{id}","id":"{id}","deleted_at":1.5}}"#), "not a whole number"),
            (format!(r#"{{"user_id":"{id}","id":"{id}","deleted_at":9223372036854775808}}"#), "not a whole number"),
            (format!(r#"{{"user_id":"{id}","id":"{id}","deleted_at":1,"x":1}}"#), "not known: x"),
        ] {
            let error = decode(deleted, line.as_bytes()).expect_err(&line);
            assert!(error.contains(why), "{line}: {error}");
        }
    }
}

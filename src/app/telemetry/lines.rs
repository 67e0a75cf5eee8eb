//! Makes lines of events, with the ids of the spans around them.

use std::{borrow::Cow, fmt};

use jiff::Timestamp;
use serde_json::Value;
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record as Recorded},
};
use tracing_subscriber::{Layer, layer::Context, registry::LookupSpan};

use super::{
    format::{Look, Record},
    sink::Sink,
};

/// The longest value of a field and the longest message, in bytes; what is beyond is left out.
const LONGEST: usize = 16 * 1024;

/// See the module.
pub(super) struct Lines {
    sinks: Vec<(Sink, Look)>,
}

impl Lines {
    /// `file` gets JSON.
    pub(super) fn new(mut sinks: Vec<(Sink, Look)>, file: Option<Sink>) -> Self {
        sinks.extend(file.map(|file| (file, Look::Json)));
        Self { sinks }
    }
}

/// The ids a span carries.
struct Ids(Vec<(Cow<'static, str>, Value)>);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Lines {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut found = Found { ids_only: true, ..Found::default() };
        attributes.record(&mut found);
        span.extensions_mut().insert(Ids(found.fields));
    }

    fn on_record(&self, id: &Id, values: &Recorded<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut found = Found { ids_only: true, ..Found::default() };
        values.record(&mut found);
        if let Some(Ids(ids)) = span.extensions_mut().get_mut() {
            ids.retain(|(name, _)| found.fields.iter().all(|(new, _)| new != name));
            ids.append(&mut found.fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut found = Found::default();
        event.record(&mut found);
        let Found { message, target, mut fields, .. } = found;
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(Ids(ids)) = span.extensions().get() {
                for (name, value) in ids {
                    if fields.iter().all(|(known, _)| known != name) {
                        fields.push((name.clone(), value.clone()));
                    }
                }
            }
        }
        let metadata = event.metadata();
        let record = Record {
            at: Timestamp::now(),
            level: *metadata.level(),
            target: target.as_deref().unwrap_or(metadata.target()),
            message: &message,
            fields: &fields,
        };
        for (sink, look) in &self.sinks {
            sink.write(record.line(*look));
        }
    }
}

#[derive(Default)]
struct Found {
    ids_only: bool,
    message: String,
    /// What a record of the `log` crate says of itself.
    target: Option<String>,
    fields: Vec<(Cow<'static, str>, Value)>,
}

impl Found {
    fn take(&mut self, field: &Field, value: Value) {
        let name = field.name();
        match (name, value) {
            ("message", Value::String(text)) => self.message = text,
            ("log.target", Value::String(text)) => self.target = Some(text),
            (name, _) if name.starts_with("log.") && name != "log.filter" => {}
            (name, value) if !self.ids_only || name.rsplit_once('.').is_some_and(|(_, last)| last == "id") => {
                self.fields.push((Cow::Borrowed(name.trim_start_matches("r#")), value));
            }
            _ => {}
        }
    }
}

impl Visit for Found {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.take(field, Value::from(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.take(field, Value::from(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.take(field, Value::from(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.take(field, Value::from(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.take(field, Value::from(&value[..value.floor_char_boundary(LONGEST)]));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let mut text = format!("{value:?}");
        text.truncate(text.floor_char_boundary(LONGEST));
        self.take(field, Value::from(text));
    }
}

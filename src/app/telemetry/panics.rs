//! A panic is a line like others, with where it happened.

use std::panic::{self, PanicHookInfo};

/// The longest message of a panic that is logged, in bytes.
const LONGEST: usize = 300;

/// Replaces the hook that writes panics to standard error as text.
pub(super) fn install() {
    panic::set_hook(Box::new(|info| {
        let thread = std::thread::current();
        let location = info.location().map(ToString::to_string).unwrap_or_default();
        let (message, name) = (message(info), thread.name().unwrap_or("unnamed"));
        tracing::error!(panic.location = location, panic.message = message, thread = name, "a bug: a panic");
        let backtrace = std::backtrace::Backtrace::capture(); // only where RUST_BACKTRACE asks for it
        if backtrace.status() == std::backtrace::BacktraceStatus::Captured {
            tracing::error!(panic.backtrace = %backtrace, "where the panic came from");
        }
    }));
}

fn message(info: &PanicHookInfo<'_>) -> String {
    let payload = info.payload();
    let text = payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    without_content(text.unwrap_or("no text")).to_owned()
}

/// A panic about text shows the text: what somebody said.
fn without_content(message: &str) -> &str {
    let end = message.find(" of `").or_else(|| message.find(" value: ").map(|at| at + " value".len()));
    &message[..end.unwrap_or(message.len()).min(message.floor_char_boundary(LONGEST))]
}

#[cfg(test)]
mod tests {
    use super::without_content;

    #[test]
    fn what_was_said_is_not_in_a_panic() {
        let sliced = "byte index 1 is not a char boundary; it is inside 'é' (bytes 0..2) of `étage`";
        assert!(!without_content(sliced).contains("étage"));
        let unwrapped = "called `Result::unwrap()` on an `Err` value: \"secret\"";
        assert_eq!(without_content(unwrapped), "called `Result::unwrap()` on an `Err` value");
        assert_eq!(without_content("index out of bounds: the len is 3"), "index out of bounds: the len is 3");
    }
}

//! The `aigolos` program: parse, dispatch to a command, exit code.

use std::process::ExitCode;

use aigolos::app;

fn main() -> ExitCode {
    app::main()
}

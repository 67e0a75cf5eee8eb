//! The pages people see, and the static files they load.

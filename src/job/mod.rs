//! Long work with progress events: recordings to text.

pub mod decode;
pub mod kind;

//! People: who is asking, and what they may do.

mod identity;

pub use self::identity::{Identity, Via};

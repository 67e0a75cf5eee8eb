//! People: who is asking, what they may do, and how they come to be known.

mod error;
mod hasher;
mod identity;
pub mod mail;
mod password;
mod secret;
mod service;
mod throttle;

pub use self::{
    error::AccountError,
    identity::{Identity, Via},
    secret::{SecretKey, key_hash, random, random_password},
    service::{
        AccountSettings, Accounts, AuthMode, Invited, Known, LoggedIn, NewPerson, Profile, Signup, Visitor, Welcome,
        WishedKey,
    },
};

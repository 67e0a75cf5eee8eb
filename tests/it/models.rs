//! Models: how they get here although everything that can go wrong does.

mod api;
mod command;
mod faults;
mod hub;
mod packages;
mod setup;
mod shelf;

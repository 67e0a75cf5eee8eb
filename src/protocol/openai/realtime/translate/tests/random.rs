//! Any client, any session.

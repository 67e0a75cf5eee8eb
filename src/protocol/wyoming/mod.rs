//! The Wyoming protocol over TCP.

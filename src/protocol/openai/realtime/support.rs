//! What of the protocol is supported, as data: docs/clients.md prints it, a test holds it against the code.

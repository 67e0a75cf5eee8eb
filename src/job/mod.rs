//! Long work with progress events: recordings to text.

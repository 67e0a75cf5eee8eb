//! Configuration, router, commands: the top floor.

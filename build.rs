//! Links libsonic, which espeak-ng's own build finds but does not pass on: the archive where there is one, so that
//! the binary needs no package at run time, else the shared library.

use std::{env, path::Path, process::Command};

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let compiler = env::var("CC").unwrap_or_else(|_| "cc".into());
    let archive = Command::new(compiler).arg("-print-file-name=libsonic.a").output().ok();
    let found = archive.and_then(|output| String::from_utf8(output.stdout).ok());
    // A compiler that does not find the file answers with its bare name.
    match found.as_deref().map(str::trim).filter(|path| Path::new(path).is_absolute()) {
        Some(path) => println!("cargo:rustc-link-arg={path}"),
        None => println!("cargo:rustc-link-arg=-lsonic"),
    }
}

#!/usr/bin/env python3
"""Prints what CHANGELOG.md says of a version, for the page of its release.

Usage: scripts/release-notes.py v1.2.3 [FOLDER]

FOLDER holds Cargo.toml and CHANGELOG.md; else it is this repository.

Fails when the tag, Cargo.toml and CHANGELOG.md do not agree: a release says what it is. `v1.2.3-rc.1` may have the
notes of `1.2.3`, or those that are unreleased.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def fail(text: str) -> None:
    sys.exit(f"error: {text}")


def main() -> None:
    if len(sys.argv) not in (2, 3):
        fail("usage: scripts/release-notes.py v1.2.3 [FOLDER]")
    tag = sys.argv[1]
    root = Path(sys.argv[2]) if len(sys.argv) == 3 else ROOT
    if not re.fullmatch(r"v\d+\.\d+\.\d+(-[0-9A-Za-z.]+)?", tag):
        fail(f"not a version: {tag}\nhint: v1.2.3 or v1.2.3-rc.1")
    version = tag[1:]
    cargo = re.search(r'^version = "([^"]+)"', (root / "Cargo.toml").read_text(), re.MULTILINE)
    if cargo is None or cargo.group(1) != version:
        found = cargo.group(1) if cargo else "none"
        fail(f"Cargo.toml has version {found}, the tag {tag}\nhint: change it, run `cargo check`, commit, tag anew")
    sections = re.split(r"^## ", (root / "CHANGELOG.md").read_text(), flags=re.MULTILINE)[1:]
    wanted = [version, version.split("-")[0]] + (["Unreleased"] if "-" in version else [])
    for name in wanted:
        for section in sections:
            title, _, text = section.partition("\n")
            # `1.2.3` or `1.2.3 (2026-11-22)`
            if title.split(" ")[0].strip("[]") == name and text.strip():
                print(text.strip())
                return
    fail(f"CHANGELOG.md says nothing of {version}\nhint: give the section Unreleased this version as its title")


if __name__ == "__main__":
    main()

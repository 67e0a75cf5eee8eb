//! Where models come from: which there are, how they get here whole, and which were chosen.
//!
//! To add a model, add a row to `whisper.tsv`, `voices.tsv` or `chat.tsv`; nothing else knows their names. `recipes.tsv` and
//! `packages.tsv` say which of them can be made of Python packages where the hub cannot be reached. A file is
//! fetched into `.partial/` of the models folder, checked there against what its makers publish (or else what the hub tells
//! of it), and put in its place by renaming, so that nothing half-installed is ever seen.

mod convert;
mod digest;
mod download;
mod entries;
mod fetch;
mod hub;
pub mod in_use;
mod install;
mod installed;
mod library;
mod ollama;
mod packages;
mod part;
mod recipes;
mod settings;
mod trouble;

pub use self::{
    digest::{Checked, Published},
    download::{Download, DownloadState, Skipped},
    entries::{Entry, Licence, OLLAMA, RemoteFile, Size, Suggestion, entries, suggestions},
    fetch::Patience,
    hub::{Hub, HubError},
    in_use::{ChooseError, Chooser, InUse, InUseError},
    installed::{Installed, InstalledFile, Manifest, ManifestError, Verdict},
    library::{Library, LibraryError, Listed},
    ollama::{ChatModelFile, Shelf, same as same_chat_model},
    recipes::{MadeFile, Make, Package, Recipe},
    settings::LibrarySettings,
    trouble::{Told, Trouble},
};

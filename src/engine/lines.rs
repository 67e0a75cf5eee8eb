//! Bytes off a network into lines of text, wherever the network cut them.

/// The longest line taken; a chat server's lines are a few hundred bytes.
const LONGEST: usize = 256 * 1024;

/// Collects bytes and gives whole lines back. A line is decoded only when it is complete, so no character is ever
/// cut in two.
#[derive(Debug, Default)]
pub(super) struct Lines {
    bytes: Vec<u8>,
    /// Where the unread part begins.
    start: usize,
    /// No line ends before this index: each byte is looked at once.
    searched: usize,
}

/// A line grew beyond what any chat server sends.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooLong;

impl Lines {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.start);
        self.searched -= self.start;
        self.start = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole line, without its line feed (and carriage return).
    pub(super) fn next_line(&mut self) -> Result<Option<String>, TooLong> {
        let end = self.bytes[self.searched..].iter().position(|byte| *byte == b'\n').map(|at| self.searched + at);
        self.searched = end.map_or(self.bytes.len(), |end| end + 1);
        if end.unwrap_or(self.bytes.len()) - self.start > LONGEST {
            return Err(TooLong);
        }
        Ok(end.map(|end| {
            let line = text(&self.bytes[self.start..end]);
            self.start = end + 1;
            line
        }))
    }
}

fn text(line: &[u8]) -> String {
    String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line)).into_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(chunks: &[&[u8]]) -> Vec<String> {
        let mut lines = Lines::default();
        let mut read = Vec::new();
        for chunk in chunks.iter().copied().chain([b"\n".as_slice()]) {
            lines.push(chunk);
            while let Some(line) = lines.next_line().unwrap() {
                read.push(line);
            }
        }
        // The line feed that closes an open last line adds an empty one after a closed line.
        read.pop_if(|last| last.is_empty());
        read
    }

    #[test]
    fn a_line_without_end_is_refused() {
        let mut lines = Lines::default();
        for _ in 0..LONGEST / 1024 {
            lines.push(&[b'a'; 1024]);
            assert_eq!(lines.next_line(), Ok(None));
        }
        lines.push(b"a");
        assert_eq!(lines.next_line(), Err(TooLong));
    }

    proptest! {
        #[test]
        fn any_cutting_gives_the_same_lines(
            text in "([a-zа-я😀漢]{0,6}(\r\n|\n)?){0,8}",
            cuts in prop::collection::vec(0usize..200, 0..8),
        ) {
            let bytes = text.as_bytes();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let chunks: Vec<&[u8]> = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
            let mut expected: Vec<&str> = text.lines().collect();
            expected.pop_if(|last| last.is_empty() && !text.ends_with('\n'));
            prop_assert_eq!(read(&chunks), expected);
        }
    }
}

//! The lines of an interfaces file and their words (fgetline.c, tokenize.h of ifupdown-ng).

/// How many bytes ifupdown-ng reads of a line. It reads the rest as a line of its own.
const LONGEST: usize = 4094;

/// The lines of a text, with continued lines joined and without comments.
pub struct Lines<'a> {
    text: &'a [u8],
    at: usize,
    /// The number of the line in the file, counted from 1.
    number: usize,
}

/// A line as ifupdown-ng reads it.
pub struct LogicalLine {
    /// Without the newline.
    pub bytes: Vec<u8>,
    /// The lines of the file from which it is joined: where each begins in the bytes, and its number.
    begins: Vec<(usize, usize)>,
    /// It was too long, and its rest is the next line.
    pub cut: bool,
}

impl LogicalLine {
    /// The number of the file's line with the first word.
    pub fn number(&self) -> usize {
        let at = self.bytes.iter().position(|byte| !is_space(*byte)).unwrap_or(0);
        let before = self.begins.iter().take_while(|(begin, _)| *begin <= at);
        before.last().map_or(0, |(_, number)| *number)
    }
}

impl<'a> Lines<'a> {
    /// The lines of this text.
    pub fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0, number: 1 }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn byte(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        self.number += usize::from(byte == b'\n');
        Some(byte)
    }
}

impl Iterator for Lines<'_> {
    type Item = LogicalLine;

    fn next(&mut self) -> Option<LogicalLine> {
        let mut line = LogicalLine { bytes: Vec::new(), begins: vec![(0, self.number)], cut: false };
        let bytes = &mut line.bytes;
        let mut quoted = false;
        loop {
            if bytes.len() >= LONGEST {
                line.cut = !matches!(self.peek(), None | Some(b'\n' | b'\r'));
                break;
            }
            let Some(byte) = self.byte() else {
                if bytes.is_empty() {
                    return None;
                }
                break;
            };
            match byte {
                b'\\' if !quoted => quoted = true,
                // `\#` is dropped.
                b'#' if quoted => quoted = false,
                b'#' => {
                    let end = std::iter::from_fn(|| self.byte()).find(|byte| *byte == b'\n');
                    // ifupdown-ng ends a comment without a newline with its EOF, which is -1.
                    bytes.push(end.unwrap_or(0xff));
                    break;
                }
                b'\n' if quoted => {
                    quoted = false;
                    while matches!(self.peek(), Some(b' ' | b'\t')) {
                        self.byte();
                    }
                    line.begins.push((bytes.len(), self.number));
                }
                b'\n' => {
                    bytes.push(byte);
                    break;
                }
                b'\r' => {
                    // A carriage return ends a line. A continued line keeps it as a newline.
                    bytes.push(b'\n');
                    if self.peek() == Some(b'\n') {
                        self.byte();
                    }
                    if !quoted {
                        break;
                    }
                    quoted = false;
                    line.begins.push((bytes.len(), self.number));
                }
                _ => {
                    if quoted {
                        bytes.push(b'\\');
                        quoted = false;
                    }
                    bytes.push(byte);
                }
            }
        }
        if bytes.last() == Some(&b'\n') {
            bytes.pop();
        }
        Some(line)
    }
}

/// The words of a line. A NUL ends a word and the value.
pub struct Words<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Words<'a> {
    /// The words of this line.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The next word; empty after the last one.
    pub fn word(&mut self) -> String {
        let rest = self.skip_space();
        let end = rest.iter().position(|byte| is_space(*byte) || *byte == 0).unwrap_or(rest.len());
        // The byte that ends the word is skipped too.
        self.at = (self.at + end + 1).min(self.bytes.len());
        text(&rest[..end])
    }

    /// The rest of the line.
    pub fn rest(&mut self) -> String {
        let rest = self.skip_space();
        text(rest.split(|byte| *byte == 0).next().unwrap_or_default())
    }

    /// The bytes after the words that were read.
    pub fn rest_bytes(&self) -> &'a [u8] {
        &self.bytes[self.at..]
    }

    fn skip_space(&mut self) -> &'a [u8] {
        let rest = &self.bytes[self.at..];
        let space = rest.iter().take_while(|byte| is_space(**byte)).count();
        self.at += space;
        &rest[space..]
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// isspace(3) in the locale C.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

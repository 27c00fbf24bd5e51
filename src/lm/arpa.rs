//! ARPA files: the text format that every n-gram toolkit reads and writes.

use super::key::{self, MAX_WORDS};
use super::table::{Entry, FLOOR, NgramTable};
use super::vocabulary::{UNKNOWN, Vocabulary};
use super::{MAX_ORDER, WordId};
use crate::error::{Error, Result};
use std::collections::HashMap;
use std::io::{BufRead, Write};
use std::path::Path;

/// The line before the counts, by which an ARPA file is known.
pub(super) const DATA: &str = "\\data\\";
const END: &str = "\\end\\";
/// What gzip, xz, bzip2 and Zstandard files begin with.
const COMPRESSED: [&[u8]; 4] = [b"\x1f\x8b", b"\xfd7zXZ", b"BZh", b"\x28\xb5\x2f\xfd"];

/// Lines with their numbers, for messages.
struct Lines<'a, R> {
    reader: R,
    name: &'a Path,
    number: usize,
}

impl<R: BufRead> Lines<'_, R> {
    /// Reads the next line that is not empty, without white space around it; `None` at the end of the file.
    fn next<'b>(&mut self, buffer: &'b mut String) -> Result<Option<&'b str>> {
        buffer.clear();
        while buffer.trim().is_empty() {
            buffer.clear();
            self.number += 1;
            let read = self.reader.read_line(buffer).map_err(|error| match error.kind() {
                std::io::ErrorKind::InvalidData => self.error("is not UTF-8"),
                _ => Error::io(self.name, error),
            })?;
            if read == 0 {
                return Ok(None);
            }
        }
        Ok(Some(buffer.trim_matches([' ', '\t', '\r', '\n'])))
    }

    fn error(&self, reason: impl std::fmt::Display) -> Error {
        Error::model(self.name, format!("line {}: {reason}", self.number))
    }
}

impl NgramTable {
    /// Reads ARPA text; `name` is what messages call it.
    ///
    /// # Errors
    /// Names the line that is not ARPA.
    pub fn read_arpa(reader: impl BufRead, name: &Path) -> Result<Self> {
        let mut lines = Lines { reader, name, number: 0 };
        let counts = read_counts(&mut lines)?;
        let unigrams = read_unigrams(&mut lines, counts[0], counts.len() == 1)?;
        let vocabulary = Vocabulary::new(unigrams.iter().map(|(word, _)| word.clone()).collect());
        let id = |word: &str| vocabulary.id(word).unwrap_or(vocabulary.unknown);
        let entries = unigrams.iter().map(|(word, entry)| Entry { key: key::pack([id(word)]), ..*entry });
        let mut orders = vec![entries.collect::<Vec<_>>()];
        let ids: HashMap<String, WordId> = unigrams.iter().map(|(word, _)| (word.clone(), id(word))).collect();
        for (index, &count) in counts.iter().enumerate().skip(1) {
            expect(&mut lines, &format!("\\{}-grams:", index + 1))?;
            orders.push(read_ngrams(&mut lines, (count, index + 1), &ids, index + 1 == counts.len())?);
        }
        expect(&mut lines, END)?;
        NgramTable::build(vocabulary, orders, name)
    }

    /// Reads an ARPA file.
    ///
    /// # Errors
    /// When it cannot be read; names the line that is not ARPA.
    pub fn load_arpa(path: &Path) -> Result<Self> {
        let file = std::fs::File::open(path).map_err(|error| Error::io(path, error))?;
        let mut reader = std::io::BufReader::with_capacity(1 << 20, file);
        let start = reader.fill_buf().map_err(|error| Error::io(path, error))?;
        if start.starts_with(super::binary::MAGIC) {
            return Err(Error::model(path, "is what `eddy lm build` made already: give the ARPA file it was made of"));
        }
        if COMPRESSED.iter().any(|magic| start.starts_with(magic)) {
            return Err(Error::model(path, "is compressed: unpack it first"));
        }
        Self::read_arpa(reader, path)
    }

    /// Writes ARPA text. Values have as many digits as bring back the same number.
    ///
    /// # Errors
    /// When `writer` does.
    pub fn write_arpa(&self, writer: &mut dyn Write) -> std::io::Result<()> {
        write_header(writer, &self.counts())?;
        let mut words = Vec::new();
        for length in 1..=self.order() {
            write!(writer, "\n\\{length}-grams:\n")?;
            for root in 0..self.levels[0].words.len() as u32 {
                self.write_below(writer, length, root, &mut words)?;
            }
        }
        write!(writer, "\n{END}\n")
    }

    /// Writes the n-grams of `length` words that begin with the words so far and `node`.
    fn write_below(
        &self,
        writer: &mut dyn Write,
        length: usize,
        node: u32,
        words: &mut Vec<WordId>,
    ) -> std::io::Result<()> {
        let level = &self.levels[words.len()];
        words.push(level.words[node as usize]);
        if words.len() == length {
            let (log_prob, backoff) = (level.log_probs[node as usize], level.backoffs[node as usize]);
            let text = words.iter().map(|&id| self.vocabulary.word(id));
            write_ngram(writer, log_prob, text, (length < self.order()).then_some(backoff))?;
        } else {
            for child in level.first[node as usize]..level.first[node as usize + 1] {
                self.write_below(writer, length, child, words)?;
            }
        }
        words.pop();
        Ok(())
    }
}

/// `\data\` and the counts.
pub(super) fn write_header(writer: &mut dyn Write, counts: &[usize]) -> std::io::Result<()> {
    writeln!(writer, "{DATA}")?;
    for (order, count) in counts.iter().enumerate() {
        writeln!(writer, "ngram {}={count}", order + 1)?;
    }
    Ok(())
}

/// One n-gram; a back-off weight of 1 is left out.
pub(super) fn write_ngram<'a>(
    writer: &mut dyn Write,
    log_prob: f32,
    words: impl Iterator<Item = &'a str>,
    backoff: Option<f32>,
) -> std::io::Result<()> {
    write!(writer, "{log_prob}")?;
    for (index, word) in words.enumerate() {
        write!(writer, "{}{word}", if index == 0 { '\t' } else { ' ' })?;
    }
    match backoff {
        Some(backoff) if backoff != 0.0 => writeln!(writer, "\t{backoff}"),
        _ => writeln!(writer),
    }
}

fn expect<R: BufRead>(lines: &mut Lines<R>, heading: &str) -> Result<()> {
    match lines.next(&mut String::new())? {
        Some(line) if line == heading => Ok(()),
        Some(line) => Err(lines.error(format!("`{line}`: must be `{heading}` (is the count under {DATA} right?)"))),
        None => Err(lines.error(format!("the file ends before `{heading}`: fetch or make it again"))),
    }
}

/// `\data\`, which some text may precede, and the number of n-grams of each length, up to the heading of the unigrams.
fn read_counts<R: BufRead>(lines: &mut Lines<R>) -> Result<Vec<usize>> {
    let mut buffer = String::new();
    loop {
        match lines.next(&mut buffer)? {
            Some(DATA) => break,
            Some(_) => {}
            None => return Err(Error::model(lines.name, format!("is no ARPA file: it has no line `{DATA}`"))),
        }
    }
    let mut counts = Vec::new();
    loop {
        let line = lines.next(&mut buffer)?.unwrap_or_default();
        if line == "\\1-grams:" && !counts.is_empty() {
            return Ok(counts);
        }
        let count = line.strip_prefix("ngram").and_then(|rest| rest.split_once('='));
        let number = |text: &str| text.trim().parse::<usize>().ok();
        match count.and_then(|(order, count)| Some((number(order)?, number(count)?))) {
            Some((order, count)) if order == counts.len() + 1 && order <= MAX_ORDER => counts.push(count),
            Some((order, _)) if order > MAX_ORDER => {
                return Err(lines.error(format!("order = {order}: must be 1..={MAX_ORDER}")));
            }
            _ => return Err(lines.error(format!("`{line}`: must be `ngram {}=COUNT`", counts.len() + 1))),
        }
    }
}

/// Words and their values.
type Unigrams = Vec<(String, Entry)>;

fn read_unigrams<R: BufRead>(lines: &mut Lines<R>, count: usize, highest: bool) -> Result<Unigrams> {
    if count > MAX_WORDS {
        return Err(Error::model(lines.name, format!("{count} words: must be at most {MAX_WORDS}")));
    }
    let mut buffer = String::new();
    let mut unigrams = Vec::with_capacity(count);
    for _ in 0..count {
        let (entry, words) = read_ngram(lines, &mut buffer, 1, highest)?;
        unigrams.push((words[0].to_string(), entry));
    }
    Ok(unigrams)
}

fn read_ngrams<R: BufRead>(
    lines: &mut Lines<R>,
    (count, length): (usize, usize),
    ids: &HashMap<String, WordId>,
    highest: bool,
) -> Result<Vec<Entry>> {
    let mut buffer = String::new();
    // The count is only what the file says.
    let mut entries = Vec::with_capacity(count.min(1 << 24));
    for _ in 0..count {
        let (entry, words) = read_ngram(lines, &mut buffer, length, highest)?;
        let id = |word: &&str| ids.get(*word).copied();
        if let Some(word) = words[..length].iter().find(|word| id(word).is_none()) {
            return Err(lines.error(format!("`{word}` is not among the unigrams")));
        }
        entries.push(Entry { key: key::pack(words[..length].iter().filter_map(id)), ..entry });
    }
    Ok(entries)
}

/// The values and the words of the next line.
fn read_ngram<'b, R: BufRead>(
    lines: &mut Lines<R>,
    buffer: &'b mut String,
    length: usize,
    highest: bool,
) -> Result<(Entry, [&'b str; MAX_ORDER])> {
    let Some(line) = lines.next(buffer)? else {
        return Err(lines.error("the file ends within its n-grams: fetch or make it again"));
    };
    parse(line, length, highest).map_err(|reason| {
        let words = " WORD".repeat(length);
        lines.error(format!("{reason}: must be `log10-prob{words} [log10-back-off]`"))
    })
}

/// The values and the words of a line, or what is wrong with it.
fn parse(line: &str, length: usize, highest: bool) -> Result<(Entry, [&str; MAX_ORDER]), String> {
    let mut parts = line.split([' ', '\t']).filter(|part| !part.is_empty());
    let first = parts.next().unwrap_or_default();
    let log_prob = match first.parse::<f32>() {
        // -inf is how some toolkits write what others write as -99.
        Ok(value) if value <= 0.0 => value.max(FLOOR),
        _ => return Err(format!("log10-prob `{first}`")),
    };
    let mut words = [""; MAX_ORDER];
    for word in &mut words[..length] {
        *word = match parts.next().ok_or_else(|| format!("`{line}`"))? {
            "<UNK>" => UNKNOWN,
            word => word,
        };
    }
    let backoff = match parts.next() {
        None => 0.0,
        Some(text) => match text.parse::<f32>() {
            // Of the longest n-grams it would never be used.
            Ok(_) if highest => 0.0,
            Ok(value) if !value.is_nan() && value != f32::INFINITY => value.max(FLOOR),
            _ => return Err(format!("log10-back-off `{text}`")),
        },
    };
    match parts.next() {
        None => Ok((Entry { key: 0, log_prob, backoff }, words)),
        Some(_) => Err(format!("`{line}`")),
    }
}

//! A model's own file: the arrays as they lie in memory.
//!
//! ```text
//! 8 bytes   magic
//! 4         version
//! 32        SHA-256 of all that follows
//! 4, 4      order; bytes of the vocabulary
//! 4, 4 x order   number of n-grams of each length; bits of the probability and of the back-off weight, a byte each, 2 spare
//! ...       the words, one a line, sorted
//! ...       each level: float32 codebook of probabilities, of back-off weights (none for fields of 32 bits), records
//! ```
//! All numbers little-endian. The widths of the other fields follow from the counts.

use super::ngram::{Layout, NgramLm, PackedLevel};
use super::packed::{Packed, bits_for};
use super::table::{Level, NgramTable};
use super::vocabulary::Vocabulary;
use super::{MAX_ORDER, arpa, quantize};
use crate::error::{Error, Result, write_atomically};
use sha2::{Digest, Sha256};
use std::path::Path;

pub(super) const MAGIC: &[u8; 8] = b"\x89eddyLM\n";
const VERSION: u32 = 1;
/// Magic, version, checksum.
const PREFIX: usize = 8 + 4 + 32;
/// Fields of this many bits hold floats themselves.
pub(super) const FLOAT_BITS: usize = 32;

/// Reads either kind of file.
pub(super) fn load(path: &Path) -> Result<NgramLm> {
    let bytes = std::fs::read(path).map_err(|error| Error::io(path, error))?;
    if bytes.starts_with(MAGIC) {
        return NgramLm::from_binary(&bytes, path);
    }
    if !bytes.windows(arpa::DATA.len()).take(1 << 16).any(|window| window == arpa::DATA.as_bytes()) {
        let reason = "is neither an ARPA file nor one that `eddy lm build` wrote (unpack it if it is compressed)";
        return Err(Error::model(path, reason));
    }
    NgramLm::read_arpa(bytes.as_slice(), path)
}

/// Bits of each level's fields; `values` are those of probability and back-off weight.
fn layout(counts: &[usize], level: usize, [prob, backoff]: [usize; 2]) -> Layout {
    let word = if level == 0 { 0 } else { bits_for(counts[0]) };
    match counts.get(level + 1) {
        Some(&next) => Layout::new([word, prob, backoff, bits_for(next)]),
        None => Layout::new([word, prob, 0, 0]),
    }
}

impl NgramLm {
    /// From plain arrays, all values exact.
    pub fn pack(table: &NgramTable) -> Self {
        Self::pack_with(table, FLOAT_BITS)
    }

    /// From plain arrays; the values of n-grams of two words and more rounded to one of `2^bits` of each kind and
    /// length.
    ///
    /// # Errors
    /// When `bits` is not 4..=16.
    pub fn quantize(table: &NgramTable, bits: usize) -> Result<Self> {
        match bits {
            4..=16 => Ok(Self::pack_with(table, bits)),
            _ => Err(Error::invalid("bits", bits, "4..=16")),
        }
    }

    fn pack_with(table: &NgramTable, bits: usize) -> Self {
        let counts = table.counts();
        let level = |(index, level)| {
            // Unigrams are few and asked most.
            let bits = if index == 0 { FLOAT_BITS } else { bits };
            pack_level(level, counts[index], layout(&counts, index, [bits; 2]))
        };
        let levels = table.levels.iter().enumerate().map(level).collect();
        NgramLm { vocabulary: table.vocabulary.clone(), levels }
    }

    /// Writes the model, atomically.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        write_atomically(path, &self.to_binary())
    }

    fn to_binary(&self) -> Vec<u8> {
        let words = self.vocabulary.to_lines();
        let mut body = Vec::new();
        body.extend((self.levels.len() as u32).to_le_bytes());
        body.extend((words.len() as u32).to_le_bytes());
        for level in &self.levels {
            body.extend((level.count as u32).to_le_bytes());
            body.extend([level.layout.prob.bits as u8, level.layout.backoff.bits as u8, 0, 0]);
        }
        body.extend(words.as_bytes());
        for level in &self.levels {
            body.extend(level.probs.iter().chain(&level.backoffs).flat_map(|value| value.to_le_bytes()));
            body.extend(level.records.bytes());
        }
        let mut bytes = MAGIC.to_vec();
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend(Sha256::digest(&body));
        bytes.extend(body);
        bytes
    }

    fn from_binary(bytes: &[u8], path: &Path) -> Result<Self> {
        let damaged = || Error::model(path, "is damaged or cut short: fetch or make it again");
        let (prefix, body) = bytes.split_at_checked(PREFIX).ok_or_else(damaged)?;
        let version = u32_at(prefix, MAGIC.len()).ok_or_else(damaged)?;
        if version != VERSION {
            return Err(Error::model(path, format!("version = {version}: must be {VERSION}")));
        }
        if Sha256::digest(body).as_slice() != &prefix[MAGIC.len() + 4..] {
            return Err(damaged());
        }
        let lm = parse(body).ok_or_else(damaged)?;
        lm.check(path)?;
        Ok(lm)
    }
}

fn pack_level(level: &Level, count: usize, layout: Layout) -> PackedLevel {
    // One record more ends the continuations of the last.
    let linked = layout.first.bits > 0;
    let mut records = Packed::zeros(count + usize::from(linked), layout.width());
    let natural = |values: &[f32]| values.iter().map(|value| value * std::f32::consts::LN_10).collect::<Vec<f32>>();
    let (probs, codes) = quantize::encode(&natural(&level.log_probs), layout.prob.bits);
    let (backoffs, backoff_codes) = quantize::encode(&natural(&level.backoffs), layout.backoff.bits);
    for node in 0..count {
        if layout.word.bits > 0 {
            records.set(node, layout.word, level.words[node]);
        }
        records.set(node, layout.prob, codes[node]);
        if linked {
            records.set(node, layout.backoff, backoff_codes[node]);
        }
    }
    if linked {
        for (node, &first) in level.first.iter().enumerate() {
            records.set(node, layout.first, first);
        }
    }
    PackedLevel { count, records, layout, probs, backoffs }
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// Takes `count` bytes from the front.
fn take<'a>(rest: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (head, tail) = rest.split_at_checked(count)?;
    *rest = tail;
    Some(head)
}

fn take_u32(rest: &mut &[u8]) -> Option<usize> {
    u32_at(take(rest, 4)?, 0).map(|value| value as usize)
}

/// What follows the checksum; `None` when it does not add up.
fn parse(body: &[u8]) -> Option<NgramLm> {
    let mut rest = body;
    let (order, words) = (take_u32(&mut rest)?, take_u32(&mut rest)?);
    if !(1..=MAX_ORDER).contains(&order) {
        return None;
    }
    let (mut counts, mut bits) = (Vec::new(), Vec::new());
    for _ in 0..order {
        counts.push(take_u32(&mut rest)?);
        let widths = take(&mut rest, 4)?;
        bits.push([usize::from(widths[0]), usize::from(widths[1])]);
    }
    let vocabulary = Vocabulary::from_lines(std::str::from_utf8(take(&mut rest, words)?).ok()?)?;
    let mut levels = Vec::new();
    for level in 0..order {
        levels.push(parse_level(&mut rest, counts[level], layout(&counts, level, bits[level]))?);
    }
    (rest.is_empty() && vocabulary.len() == counts[0]).then_some(NgramLm { vocabulary, levels })
}

fn parse_level(rest: &mut &[u8], count: usize, layout: Layout) -> Option<PackedLevel> {
    let mut codebook = |bits: usize| -> Option<Vec<f32>> {
        match bits {
            0 | FLOAT_BITS => Some(Vec::new()),
            1..=16 => {
                let bytes = take(rest, 4 << bits)?;
                Some(bytes.as_chunks::<4>().0.iter().map(|value| f32::from_le_bytes(*value)).collect())
            }
            _ => None,
        }
    };
    let (probs, backoffs) = (codebook(layout.prob.bits)?, codebook(layout.backoff.bits)?);
    let records = count.checked_add(usize::from(layout.first.bits > 0))?;
    let size = Packed::size(records, layout.width());
    let records = Packed::from_bytes(take(rest, size)?.to_vec(), layout.width());
    Some(PackedLevel { count, records, layout, probs, backoffs })
}

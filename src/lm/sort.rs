//! Sorting more records than memory holds: sorted runs in temporary files, merged while reading.

use crate::error::{Error, Result};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Seek, Write};
use std::path::Path;

/// An n-gram and two numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Record {
    pub key: u128,
    pub values: [u32; 2],
}

/// Bytes of a record in memory, alignment included.
pub(super) const RECORD_SIZE: usize = size_of::<Record>();
/// Bytes of a record in a file.
const FILE_SIZE: usize = 24;

/// What to do with records of the same key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SameKey {
    /// One record with the sum of the first values.
    Sum,
    /// None are expected.
    Keep,
}

/// Takes records in any order.
pub(super) struct Sorter<'a> {
    folder: &'a Path,
    capacity: usize,
    same: SameKey,
    buffer: Vec<Record>,
    runs: Vec<File>,
}

impl<'a> Sorter<'a> {
    /// Holds up to `capacity` records in memory, others in nameless files in `folder`.
    pub fn new(folder: &'a Path, capacity: usize, same: SameKey) -> Self {
        Sorter { folder, capacity, same, buffer: Vec::new(), runs: Vec::new() }
    }

    pub fn push(&mut self, record: Record) -> Result<()> {
        if self.buffer.len() >= self.capacity {
            self.spill().map_err(|error| Error::io(self.folder, error))?;
        }
        self.buffer.push(record);
        Ok(())
    }

    fn sort(&mut self) {
        self.buffer.sort_unstable_by_key(|record| record.key);
        if self.same == SameKey::Sum {
            self.buffer.dedup_by(|next, kept| next.key == kept.key && add(kept, next));
        }
    }

    fn spill(&mut self) -> std::io::Result<()> {
        self.sort();
        let mut file = BufWriter::with_capacity(1 << 18, tempfile::tempfile_in(self.folder)?);
        for record in self.buffer.drain(..) {
            file.write_all(&record.key.to_le_bytes())?;
            file.write_all(&record.values[0].to_le_bytes())?;
            file.write_all(&record.values[1].to_le_bytes())?;
        }
        let mut file = file.into_inner().map_err(std::io::IntoInnerError::into_error)?;
        file.rewind()?;
        self.runs.push(file);
        Ok(())
    }

    /// All records, by key.
    pub fn finish(mut self) -> Result<Sorted> {
        self.sort();
        let mut sources: Vec<Source> =
            self.runs.into_iter().map(|file| Source::File(BufReader::with_capacity(1 << 18, file))).collect();
        sources.push(Source::Memory(self.buffer.into_iter()));
        let mut sorted = Sorted { sources, heap: BinaryHeap::new(), same: self.same };
        for source in 0..sorted.sources.len() {
            sorted.advance(source).map_err(|error| Error::io(self.folder, error))?;
        }
        Ok(sorted)
    }
}

/// Adds `next`'s count to `kept`'s.
fn add(kept: &mut Record, next: &Record) -> bool {
    kept.values[0] = kept.values[0].saturating_add(next.values[0]);
    true
}

/// A sorted run.
enum Source {
    Memory(std::vec::IntoIter<Record>),
    File(BufReader<File>),
}

impl Source {
    fn next(&mut self) -> std::io::Result<Option<Record>> {
        match self {
            Source::Memory(records) => Ok(records.next()),
            Source::File(file) => {
                if std::io::BufRead::fill_buf(file)?.is_empty() {
                    return Ok(None);
                }
                let mut bytes = [0; FILE_SIZE];
                file.read_exact(&mut bytes)?;
                let (mut key, mut first, mut second) = ([0; 16], [0; 4], [0; 4]);
                key.copy_from_slice(&bytes[..16]);
                first.copy_from_slice(&bytes[16..20]);
                second.copy_from_slice(&bytes[20..]);
                let values = [u32::from_le_bytes(first), u32::from_le_bytes(second)];
                Ok(Some(Record { key: u128::from_le_bytes(key), values }))
            }
        }
    }
}

/// Records by key.
pub(super) struct Sorted {
    sources: Vec<Source>,
    /// The next record of each source.
    heap: BinaryHeap<Reverse<(u128, usize, [u32; 2])>>,
    same: SameKey,
}

impl Sorted {
    fn advance(&mut self, source: usize) -> std::io::Result<()> {
        if let Some(record) = self.sources[source].next()? {
            self.heap.push(Reverse((record.key, source, record.values)));
        }
        Ok(())
    }

    fn pop(&mut self) -> Result<Option<Record>> {
        let Some(Reverse((key, source, values))) = self.heap.pop() else { return Ok(None) };
        self.advance(source).map_err(|error| Error::io("a temporary file", error))?;
        Ok(Some(Record { key, values }))
    }

    /// The next key.
    pub fn peek(&self) -> Option<u128> {
        self.heap.peek().map(|Reverse((key, ..))| *key)
    }

    /// The next record.
    pub fn next(&mut self) -> Result<Option<Record>> {
        let Some(mut record) = self.pop()? else { return Ok(None) };
        while self.same == SameKey::Sum && self.peek() == Some(record.key) {
            if let Some(other) = self.pop()? {
                add(&mut record, &other);
            }
        }
        Ok(Some(record))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_in_files_and_in_memory_come_out_as_one() {
        let folder = tempfile::tempdir().expect("folder");
        for capacity in [7, 1000] {
            for (same, expected) in [(SameKey::Sum, 50), (SameKey::Keep, 100)] {
                let mut sorter = Sorter::new(folder.path(), capacity, same);
                for i in 0..100u32 {
                    let record = Record { key: u128::from(i * 37 % 50) << 90, values: [i, 5] };
                    sorter.push(record).expect("pushed");
                }
                let mut sorted = sorter.finish().expect("sorted");
                let mut records = Vec::new();
                while let Some(record) = sorted.next().expect("read") {
                    records.push(record);
                }
                assert_eq!(records.len(), expected);
                assert!(records.is_sorted_by_key(|record| record.key));
                assert_eq!(records.iter().map(|record| record.values[0]).sum::<u32>(), 99 * 50);
                assert!(records.iter().all(|record| record.values[1] == 5));
            }
        }
    }
}

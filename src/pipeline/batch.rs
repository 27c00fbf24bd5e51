//! A list of recordings: a bad one is reported and the others are done.
//!
//! Layer 7. Where recordings can share the network's steps they do (`stacked.rs`), else they come one after another.

use super::stacked::transcribe_stacked;
use crate::audio::{AudioBlock, AudioSource, Recording};
use crate::error::{Error, Result};
use crate::model_dir::Direction;
use crate::recognizer::{Recognizer, Transcript};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// What came of one recording.
#[derive(Debug, Clone, PartialEq)]
pub struct FileTranscript {
    /// What was said.
    pub transcript: Transcript,
    /// What is missing, when the file ends before its header says; the transcript covers what is there.
    pub truncation: Option<String>,
}

/// How a list of recordings went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BatchSummary {
    /// Recordings transcribed as a whole.
    pub whole: usize,
    /// Recordings transcribed as far as they go.
    pub truncated: usize,
    /// Recordings that could not be transcribed.
    pub failed: usize,
}

impl BatchSummary {
    /// Counts one recording.
    pub fn count(&mut self, result: &Result<FileTranscript>) {
        match result {
            Ok(FileTranscript { truncation: None, .. }) => self.whole += 1,
            Ok(_) => self.truncated += 1,
            Err(_) => self.failed += 1,
        }
    }
}

/// How a list of recordings is worked on. None of it changes the texts, but for `split_long`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchOptions {
    /// Recordings that share a step of the network; 1 takes one after another.
    pub streams: usize,
    /// Recordings in work at the same time, at least `streams`; the others' audio is read and their text searched
    /// meanwhile. `None`: twice `streams` for each of `networks`.
    pub jobs: Option<usize>,
    /// Steps of the network at the same time, each on a thread of its own, where recordings share steps.
    pub networks: usize,
    /// Length of the pushes in ms (see [`Recognizer::transcribe`]), for recordings one after another.
    pub chunk_ms: Option<u32>,
    /// Cut long recordings where they are quiet, so that their parts share steps too. Words at a cut know nothing of what
    /// lies beyond it.
    pub split_long: bool,
}

/// Most streams where none are asked for.
const MOST_STREAMS: usize = 16;
/// Most frames in a step of the network where no number of streams is asked for: beyond this a step takes more memory
/// and is no faster.
const STEP_FRAMES: usize = 10_000;

/// Streams that suit a recognizer: 16, fewer where its blocks are long (8 at 12.5 s).
pub fn suitable_streams(recognizer: &Recognizer) -> usize {
    match recognizer.direction() {
        Direction::LatencyControlled(grid) => (STEP_FRAMES / (grid.chunk + grid.look_ahead)).clamp(1, MOST_STREAMS),
        _ => MOST_STREAMS,
    }
}

/// The streams, of `most` for each of `networks`, that `recordings` keep busy: a step takes as long however few of its
/// rows are in use, so a long recording among short ones had better not drag the rows of all of them to its end.
pub fn busy_streams(recordings: &[Recording], networks: usize, most: usize) -> usize {
    let (longest, all) = recordings
        .iter()
        .map(Recording::bytes)
        .fold((0, 0u64), |(longest, all), bytes| (bytes.max(longest), all.saturating_add(bytes)));
    let side_by_side = all.div_ceil(longest.max(1)).div_ceil(networks.max(1) as u64);
    // Below two there are no steps at the same time.
    usize::try_from(side_by_side).unwrap_or(most).clamp(most.min(2), most)
}

impl Default for BatchOptions {
    fn default() -> Self {
        BatchOptions { streams: MOST_STREAMS, jobs: None, networks: 1, chunk_ms: None, split_long: false }
    }
}

/// A run from outside: how far it is, and how it is stopped. Clones are handles of the same run.
#[derive(Debug, Clone, Default)]
pub struct BatchControl {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    heard_us: AtomicU64,
    bytes: AtomicU64,
}

impl BatchControl {
    /// No further recording is begun; those in work are finished.
    pub fn stop(&self) {
        self.shared.stop.store(true, Ordering::Relaxed);
    }

    /// Whether [`BatchControl::stop`] was called.
    pub fn is_stopped(&self) -> bool {
        self.shared.stop.load(Ordering::Relaxed)
    }

    /// Audio read so far.
    pub fn heard(&self) -> Duration {
        Duration::from_micros(self.shared.heard_us.load(Ordering::Relaxed))
    }

    /// About how many bytes of the recordings have been read.
    pub fn bytes(&self) -> u64 {
        self.shared.bytes.load(Ordering::Relaxed)
    }

    /// A recording's audio, counted while it is read.
    pub(super) fn open(&self, recording: &Recording) -> Result<Box<dyn AudioSource>> {
        let source = recording.open()?;
        let (shared, bytes) = (Arc::clone(&self.shared), recording.bytes());
        Ok(Box::new(Counted { length: source.length(), source, shared, bytes, counted: 0 }))
    }
}

/// A source that tells how far it is read.
struct Counted {
    source: Box<dyn AudioSource>,
    shared: Arc<Shared>,
    length: Option<u64>,
    bytes: u64,
    /// Of `bytes`.
    counted: u64,
}

impl AudioSource for Counted {
    fn sample_rate(&self) -> u32 {
        self.source.sample_rate()
    }

    fn next_block(&mut self) -> Result<Option<AudioBlock>> {
        let block = self.source.next_block()?;
        let samples = block.as_ref().map_or(0, |block| block.samples.len() as u64);
        self.shared.heard_us.fetch_add(samples * 1_000_000 / u64::from(self.sample_rate().max(1)), Ordering::Relaxed);
        let share = self.length.filter(|&length| length > 0).map_or(0.0, |length| samples as f64 / length as f64);
        let bytes = ((share * self.bytes as f64) as u64).min(self.bytes - self.counted);
        self.counted += bytes;
        self.shared.bytes.fetch_add(bytes, Ordering::Relaxed);
        Ok(block)
    }

    fn truncation(&self) -> Option<&str> {
        self.source.truncation()
    }

    fn length(&self) -> Option<u64> {
        self.length
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.shared.bytes.fetch_add(self.bytes - self.counted, Ordering::Relaxed);
    }
}

/// Transcribes `recordings` and hands each result over with the place of its recording as soon as it is there: in order
/// with `streams` 1, else not.
///
/// # Errors
/// Those of `on_result`, which end the run at once (a full disk behind the output, say); a thread that cannot be
/// started; `split_long` with a model that needs each recording as a whole.
pub fn transcribe_recordings<E: From<Error>>(
    recognizer: &Recognizer,
    recordings: &[Recording],
    options: &BatchOptions,
    control: &BatchControl,
    mut on_result: impl FnMut(usize, Result<FileTranscript>) -> Result<(), E>,
) -> Result<BatchSummary, E> {
    let whole_only = recognizer.needs_whole_recordings();
    if options.split_long && whole_only {
        return Err(
            Error::invalid("split_long", true, "false with a model that needs each recording as a whole").into()
        );
    }
    let mut summary = BatchSummary::default();
    let mut counted = |index, result| {
        summary.count(&result);
        on_result(index, result)
    };
    let several = options.streams > 1 && recordings.len() > 1 && options.chunk_ms.is_none();
    // One that needs the whole recording has no blocks of equal length.
    if options.split_long || (several && !whole_only) {
        transcribe_stacked(recognizer, recordings, options, control, counted)?;
        return Ok(summary);
    }
    for (index, recording) in recordings.iter().enumerate() {
        if control.is_stopped() {
            break;
        }
        counted(index, transcribe_alone(recognizer, recording, options.chunk_ms, control))?;
    }
    Ok(summary)
}

fn transcribe_alone(
    recognizer: &Recognizer,
    recording: &Recording,
    chunk_ms: Option<u32>,
    control: &BatchControl,
) -> Result<FileTranscript> {
    let mut source = control.open(recording)?;
    let transcript = recognizer.transcribe(source.as_mut(), chunk_ms)?;
    Ok(FileTranscript { transcript, truncation: source.truncation().map(str::to_string) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_as_many_as_the_recordings_keep_busy() {
        let folder = tempfile::tempdir().expect("folder");
        let recordings = |sizes: &[usize]| {
            let file = |(index, size): (usize, &usize)| {
                let path = folder.path().join(format!("{index}.wav"));
                std::fs::write(&path, vec![0; *size]).expect("file");
                Recording::file(path)
            };
            sizes.iter().enumerate().map(file).collect::<Vec<_>>()
        };
        let short = [10; 40];
        assert_eq!(busy_streams(&recordings(&short), 1, 16), 16);
        assert_eq!(busy_streams(&recordings(&short[..12]), 1, 16), 12);
        assert_eq!(busy_streams(&recordings(&short[..12]), 2, 16), 6);
        let one_long: Vec<usize> = [&[600][..], &short].concat();
        assert_eq!(busy_streams(&recordings(&one_long), 1, 16), 2);
        assert_eq!(busy_streams(&recordings(&[600, 600, 600, 10, 10, 10]), 1, 16), 4);
        assert_eq!(busy_streams(&recordings(&[10]), 2, 1), 1);
        assert_eq!(busy_streams(&[], 2, 16), 2);
    }
}

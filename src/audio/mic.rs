//! A microphone that may go away: reads the callback's blocks, and opens the device again when it is lost.
//!
//! Layer 1. Knows nothing of cpal: how a device is opened comes from `capture.rs`, or from a test.

use super::{AudioBlock, AudioSource, Resampler};
use crate::error::Result;
use crate::stage::Stage;
use crossbeam_channel::{Receiver, Sender};
use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Longest wait for a block before the reader is told that nothing is there yet.
const POLL: Duration = Duration::from_millis(100);
/// A device that gives nothing for so many waits in a row, 3 s, is taken for lost. Time alone says nothing: a process that was
/// stopped finds the audio of meanwhile waiting.
const SILENT_POLLS: u32 = 30;
/// Wait before the device is opened again, doubled with every failure ...
const FIRST_RETRY: Duration = Duration::from_millis(250);
/// ... up to this.
const LAST_RETRY: Duration = Duration::from_secs(5);

/// An open device.
pub(super) struct Input {
    pub(super) label: String,
    pub(super) full: Receiver<AudioBlock>,
    /// Empty blocks on their way back to the callback.
    pub(super) empty: Sender<Vec<f32>>,
    pub(super) sample_rate: u32,
    /// Set when the audio system says that the device is gone.
    pub(super) lost: Arc<AtomicBool>,
    /// Keeps the device open.
    pub(super) _stream: Box<dyn Any + Send>,
}

/// Opens the device.
pub(super) type Opener = Box<dyn FnMut() -> Result<Input> + Send>;

/// Waiting for a lost device.
struct Absence {
    retry_at: Instant,
    wait: Duration,
}

enum State {
    Open(Input),
    Away(Absence),
}

/// A microphone (or any input device), channels averaged, at the rate that it was first opened with.
pub struct MicSource {
    open: Opener,
    state: State,
    label: String,
    sample_rate: u32,
    /// From the rate that a reopened device runs at.
    converter: Option<Resampler>,
    /// When the last block came.
    last: Instant,
    /// Waits in a row in which no block came.
    silent_polls: u32,
    /// The device was away since `last`.
    away: bool,
}

impl MicSource {
    pub(super) fn with(mut open: Opener) -> Result<Self> {
        let input = open()?;
        Ok(MicSource {
            open,
            label: input.label.clone(),
            sample_rate: input.sample_rate,
            state: State::Open(input),
            converter: None,
            last: Instant::now(),
            silent_polls: 0,
            away: false,
        })
    }

    /// The device's name.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// A block as it leaves: at the source's rate, the time away counted as dropped samples.
    fn convert(&mut self, block: &AudioBlock, rate: u32) -> Result<AudioBlock> {
        let mut samples = Vec::with_capacity(block.samples.len());
        match &mut self.converter {
            None => samples.extend_from_slice(&block.samples),
            Some(converter) => converter.push(&block.samples, &mut samples)?,
        }
        let mut dropped = block.dropped * u64::from(self.sample_rate) / u64::from(rate);
        if std::mem::take(&mut self.away) {
            let passed = (self.last.elapsed().as_secs_f64() * f64::from(self.sample_rate)) as u64;
            dropped = passed.saturating_sub(samples.len() as u64);
        }
        self.last = Instant::now();
        Ok(AudioBlock { samples, dropped })
    }

    fn lose(&mut self) {
        tracing::warn!("{}: the device is gone; waiting for it to come back", self.label);
        self.away = true;
        self.state = State::Away(Absence { retry_at: Instant::now() + FIRST_RETRY, wait: FIRST_RETRY });
    }

    /// Tries to open a lost device again when it is time.
    fn retry(&mut self, absence: Absence) -> Result<()> {
        let Absence { retry_at, wait } = absence;
        let now = Instant::now();
        if now < retry_at {
            std::thread::sleep((retry_at - now).min(POLL));
            self.state = State::Away(Absence { retry_at, wait });
            return Ok(());
        }
        match (self.open)() {
            Ok(input) => {
                tracing::warn!("{}: back again after {:.1} s", input.label, self.last.elapsed().as_secs_f64());
                let differs = input.sample_rate != self.sample_rate;
                self.converter = differs.then(|| Resampler::new(input.sample_rate, self.sample_rate)).transpose()?;
                self.state = State::Open(input);
                self.silent_polls = 0;
            }
            Err(error) => {
                tracing::debug!("{error}");
                let wait = (2 * wait).min(LAST_RETRY);
                self.state = State::Away(Absence { retry_at: now + wait, wait });
            }
        }
        Ok(())
    }
}

impl AudioSource for MicSource {
    fn sample_rate(&self) -> u32 {
        self.sample_rate
    }

    /// The next block; an empty one when none came for a while, so that the reader can look around. Never ends. The copy
    /// that leaves is the caller's; the block itself goes back to the callback.
    fn next_block(&mut self) -> Result<Option<AudioBlock>> {
        match &mut self.state {
            State::Away(absence) => {
                let absence = Absence { retry_at: absence.retry_at, wait: absence.wait };
                self.retry(absence)?;
            }
            State::Open(input) => match input.full.recv_timeout(POLL) {
                Ok(block) => {
                    let (rate, empty) = (input.sample_rate, input.empty.clone());
                    let copy = self.convert(&block, rate)?;
                    self.silent_polls = 0;
                    // The channel has room for all blocks there are.
                    let _ = empty.try_send(block.samples);
                    return Ok(Some(copy));
                }
                Err(error) => {
                    self.silent_polls += 1;
                    let silent = self.silent_polls > SILENT_POLLS;
                    if error.is_disconnected() || silent || input.lost.load(Ordering::Relaxed) {
                        self.lose();
                    }
                }
            },
        }
        Ok(Some(AudioBlock::default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use crossbeam_channel::bounded;

    /// A device that gives two blocks and is then unplugged.
    fn device(rate: u32, value: f32) -> Input {
        let (full_in, full) = bounded(8);
        let (empty, _) = bounded(8);
        for _ in 0..2 {
            let block = AudioBlock { samples: vec![value; rate as usize / 10], dropped: 0 };
            full_in.send(block).expect("room");
        }
        let lost = Arc::new(AtomicBool::new(true));
        let label = "headset".to_string();
        Input { label, full, empty, sample_rate: rate, lost, _stream: Box::new(full_in) }
    }

    #[test]
    fn a_lost_device_is_opened_again_and_the_time_away_counted() {
        let mut attempts = 0;
        let open = move || {
            attempts += 1;
            match attempts {
                1 => Ok(device(48_000, 0.25)),
                2 => Err(Error::audio("headset", "not found")),
                _ => Ok(device(16_000, 0.5)),
            }
        };
        let mut mic = MicSource::with(Box::new(open)).expect("opened");
        assert_eq!((mic.label(), mic.sample_rate()), ("headset", 48_000));
        let mut blocks = Vec::new();
        let begin = Instant::now();
        while blocks.len() < 4 {
            let block = mic.next_block().expect("never an error").expect("never the end");
            if !block.samples.is_empty() || block.dropped > 0 {
                blocks.push(block);
            }
            assert!(begin.elapsed() < Duration::from_secs(60), "the device never came back");
        }
        assert_eq!(mic.sample_rate(), 48_000);
        assert_eq!(blocks.iter().map(|block| block.dropped > 0).collect::<Vec<_>>(), [false, false, true, false]);
        // 250 ms, a failure, 500 ms.
        assert!(blocks[2].dropped >= 48_000 * 7 / 10, "{} dropped", blocks[2].dropped);
        let back = blocks[2].samples.len() + blocks[3].samples.len();
        assert!(back <= 9600, "{back} samples at the old rate");
    }
}

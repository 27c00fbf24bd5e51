//! What the audio system's callback does: copy samples into recycled blocks, and account for those that are missing.
//!
//! Layer 1. The callback runs on the audio system's thread: it neither allocates nor waits nor locks. Where the reader is so
//! late that no block is free, samples are lost, counted, and told with the next block; what the audio system itself lost
//! is measured on its clock and told the same way.

use super::AudioBlock;
use cpal::{FromSample, Sample};
use crossbeam_channel::{Receiver, Sender, bounded};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Frames a block; longer callbacks fill several.
const BLOCK_FRAMES: usize = 1024;
/// Blocks there are. At 48 kHz, in callbacks of 512 frames, the reader may be 5.5 s late before anything is lost, at 16 kHz
/// 16 s: what an audio system held while the process was stopped comes at once.
pub(super) const BLOCKS: usize = 512;
/// Frames may come later than the clock says by this much ...
const JITTER: Duration = Duration::from_millis(200);
/// ... and by more for so long; then what lies between was lost, whether or not the audio system told of it.
const LATE: Duration = Duration::from_secs(1);

/// The callback's end of the channels.
pub(super) struct Sink {
    full: Sender<AudioBlock>,
    empty: Receiver<Vec<f32>>,
    channels: usize,
    rate: u32,
    /// Frames lost since the last block that was sent.
    dropped: u64,
    /// Set by the audio system's report of an overrun.
    pub(super) overrun: Arc<AtomicBool>,
    /// When the next frame should have been recorded, on the audio system's clock.
    expected: Option<Duration>,
    /// Since when frames have been recorded later than that by more than [`JITTER`].
    late_since: Option<Duration>,
}

impl Sink {
    /// With so many blocks to fill; the reader's ends of both channels.
    pub(super) fn new(blocks: usize, channels: usize, rate: u32) -> (Self, Receiver<AudioBlock>, Sender<Vec<f32>>) {
        let (full, full_out) = bounded(blocks);
        let (empty_in, empty) = bounded(blocks);
        for _ in 0..blocks {
            // The channel has room for exactly these.
            let _ = empty_in.try_send(Vec::with_capacity(BLOCK_FRAMES));
        }
        let overrun = Arc::default();
        let sink = Sink { full, empty, channels, rate, dropped: 0, overrun, expected: None, late_since: None };
        (sink, full_out, empty_in)
    }

    /// Frames recorded at `recorded` on the audio system's clock.
    pub(super) fn take<T>(&mut self, interleaved: &[T], recorded: Duration)
    where
        T: Sample,
        f32: FromSample<T>,
    {
        let overrun = self.overrun.swap(false, Ordering::Relaxed);
        let expected = self.expected.unwrap_or(recorded);
        let hole = recorded.saturating_sub(expected);
        let late_since = (hole > JITTER).then(|| self.late_since.unwrap_or(recorded));
        let lost = overrun || late_since.is_some_and(|since| recorded.saturating_sub(since) >= LATE);
        // A clock that differs a little from the audio system's is followed; what is only late comes in a burst.
        let begin = if lost || late_since.is_none() { recorded } else { expected };
        self.late_since = late_since.filter(|_| !lost);
        if lost {
            self.dropped += (hole.as_secs_f64() * f64::from(self.rate)).round() as u64;
        }
        let frames = (interleaved.len() / self.channels) as u64;
        self.expected = Some(begin + Duration::from_secs_f64(frames as f64 / f64::from(self.rate)));
        for piece in interleaved.chunks(BLOCK_FRAMES * self.channels) {
            self.copy(piece);
        }
    }

    fn copy<T>(&mut self, interleaved: &[T])
    where
        T: Sample,
        f32: FromSample<T>,
    {
        let frames = (interleaved.len() / self.channels) as u64;
        let Ok(mut samples) = self.empty.try_recv() else {
            self.dropped += frames;
            return;
        };
        samples.clear();
        let mean =
            |frame: &[T]| frame.iter().map(|sample| f32::from_sample(*sample)).sum::<f32>() / self.channels as f32;
        samples.extend(interleaved.chunks_exact(self.channels).map(mean));
        let block = AudioBlock { samples, dropped: self.dropped };
        match self.full.try_send(block) {
            Ok(()) => self.dropped = 0,
            Err(_) => self.dropped += frames,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::audio::mic::{Input, MicSource};
    use crate::error::Error;

    /// A microphone of 16 kHz whose callback, of 100 ms, is called five times, misses `hole`, which the audio system
    /// reports or not, and is called 15 times more. Then the device is gone.
    pub(crate) fn microphone_with_hole(hole: Duration, reported: bool) -> MicSource {
        let mut once = Some(());
        let open = move || {
            once.take().ok_or_else(|| Error::audio("headset", "gone"))?;
            let (mut sink, full, empty) = Sink::new(BLOCKS, 1, 16_000);
            for index in 0..20u32 {
                let mut at = index * Duration::from_millis(100);
                if index >= 5 {
                    at += hole;
                    sink.overrun.store(reported && index == 5, Ordering::Relaxed);
                }
                sink.take(&[0.1f32; 1600], at);
            }
            let lost = Arc::new(AtomicBool::new(false));
            Ok(Input { label: "headset".into(), full, empty, sample_rate: 16_000, lost, _stream: Box::new(()) })
        };
        MicSource::with(Box::new(open)).expect("opened")
    }

    #[test]
    fn channels_are_averaged_and_formats_scaled() {
        let (mut sink, full, _) = Sink::new(4, 2, 1000);
        sink.take(&[i16::MAX, i16::MAX, 0, i16::MIN], Duration::ZERO);
        sink.take(&[128u8, 128, 255, 0], Duration::ZERO);
        let first = full.recv().expect("block");
        assert!((first.samples[0] - 1.0).abs() < 1e-4 && (first.samples[1] + 0.5).abs() < 1e-4);
        assert!(full.recv().expect("block").samples.iter().all(|sample| sample.abs() < 0.01));
    }

    #[test]
    fn what_a_late_reader_loses_is_counted_and_placed() {
        let (mut sink, full, empty) = Sink::new(2, 2, 1000);
        let callback = vec![0.25f32; 2 * (BLOCK_FRAMES + 10)];
        // Two blocks are filled, the next callback is lost as a whole.
        sink.take(&callback, Duration::ZERO);
        sink.take(&callback, Duration::ZERO);
        let blocks = [full.recv().expect("block"), full.recv().expect("block")];
        assert_eq!(blocks.each_ref().map(|block| (block.samples.len(), block.dropped)), [(BLOCK_FRAMES, 0), (10, 0)]);
        let pointer = blocks[1].samples.as_ptr();
        blocks.into_iter().rev().for_each(|block| empty.send(block.samples).expect("room"));
        sink.take(&[0.5f32; 6], Duration::ZERO);
        let block = full.recv().expect("block");
        assert_eq!((block.samples.len(), block.dropped), (3, BLOCK_FRAMES as u64 + 10));
        assert_eq!(block.samples.as_ptr(), pointer, "the block was not recycled");
    }

    #[test]
    fn an_overrun_is_measured_on_the_audio_systems_clock() {
        let (mut sink, full, _) = Sink::new(4, 2, 1000);
        sink.take(&[0.0f32; 200], Duration::from_millis(500));
        // A little late without an overrun is jitter.
        sink.take(&[0.0f32; 200], Duration::from_millis(640));
        sink.overrun.store(true, Ordering::Relaxed);
        sink.take(&[0.0f32; 200], Duration::from_millis(2740));
        let dropped: Vec<u64> = full.try_iter().map(|block| block.dropped).collect();
        assert_eq!(dropped, [0, 0, 2000]);
    }

    /// A callback of 100 ms at each of these times; what was told as lost with each.
    fn dropped(times_ms: impl IntoIterator<Item = u64>) -> Vec<u64> {
        let (mut sink, full, _empty) = Sink::new(64, 2, 1000);
        times_ms.into_iter().for_each(|ms| sink.take(&[0.0f32; 200], Duration::from_millis(ms)));
        full.try_iter().map(|block| block.dropped).collect()
    }

    #[test]
    fn a_callback_that_stalled_without_a_report_is_noticed_by_the_clock() {
        // Two seconds are missing; it is certain when no burst has made up for them within a second.
        let told = dropped((0..5).map(|index| index * 100).chain((0..15).map(|index| 2500 + index * 100)));
        assert_eq!(told.iter().sum::<u64>(), 2000);
        assert_eq!(told.iter().position(|&lost| lost > 0), Some(15));
    }

    #[test]
    fn late_frames_and_another_clock_are_no_loss() {
        // All there is comes after a stall, at once.
        let burst = (0..5).map(|index| index * 100).chain((0..20).map(|_| 2500)).chain((25..40).map(|at| at * 100));
        assert_eq!(dropped(burst).iter().sum::<u64>(), 0);
        // One part in fifty slower, for a minute.
        assert_eq!(dropped((0..60).map(|index| index * 102)).iter().sum::<u64>(), 0);
    }
}

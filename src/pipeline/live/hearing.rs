//! The front end's thread: source -> recording and features -> work.

use super::control::Faults;
use super::record::{Mark, MarkKind, Recorder};
use super::{Control, LiveConfig, Monitor, PIECE, WhenBehind, Work, WorkKind};
use crate::audio::{AudioBlock, AudioSource};
use crate::error::{Error, Result};
use crate::frontend::FrontEnd;
use crate::stage::{Frames, Stage};
use crossbeam_channel::Sender;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// Gaps up to this long are filled with zeros; longer ones begin a new block grid.
const LONGEST_FILLED_GAP: Duration = Duration::from_secs(1);
/// From this backlog on recognition is behind ...
const BEHIND: Duration = Duration::from_secs(2);
/// ... until no more than this is left.
const CAUGHT_UP: Duration = Duration::from_millis(500);

/// Why the thread cannot go on.
enum Halt {
    /// The recognizer's thread is gone.
    Gone,
    Failed(Error),
}

impl From<Error> for Halt {
    fn from(error: Error) -> Self {
        Halt::Failed(error)
    }
}

type Step = Result<(), Halt>;

/// Cuts the time line at multiples of a length.
struct Cuts {
    /// Length in nanoseconds.
    every: u128,
    rate: u128,
    next: u64,
    index: u128,
}

impl Cuts {
    fn new(every: Duration, rate: u32) -> Self {
        let mut cuts = Cuts { every: every.as_nanos(), rate: u128::from(rate), next: 0, index: 0 };
        cuts.pass(0);
        cuts
    }

    /// Moves on to the first cut after `at`; says whether `at` was one.
    fn pass(&mut self, at: u64) -> bool {
        let was = self.next == at;
        while self.next <= at {
            self.index += 1;
            self.next = (self.index * self.every * self.rate / 1_000_000_000) as u64;
        }
        was
    }
}

/// Everything the front end's thread owns.
pub(super) struct Hearing {
    source: Box<dyn AudioSource>,
    front_end: FrontEnd,
    config: LiveConfig,
    replay: VecDeque<Mark>,
    recorder: Option<Recorder>,
    work: Sender<Work>,
    control: Arc<Control>,
    monitor: Arc<Monitor>,
    faults: Arc<Faults>,
    frames: Frames,
    pieces: Cuts,
    partials: Cuts,
    /// Samples that the front end took, and those of the time line that it never saw.
    taken: u64,
    skipped: u64,
    /// Samples dropped on purpose and not yet told.
    shed: u64,
    behind: bool,
}

impl Hearing {
    pub(super) fn new(
        source: Box<dyn AudioSource>,
        front_end: FrontEnd,
        config: LiveConfig,
        work: Sender<Work>,
        (control, monitor, faults): (Arc<Control>, Arc<Monitor>, Arc<Faults>),
    ) -> Result<Self> {
        let rate = source.sample_rate();
        Ok(Hearing {
            recorder: config.record.as_deref().map(|path| Recorder::create(path, rate)).transpose()?,
            frames: Frames::new(front_end.dim()),
            pieces: Cuts::new(PIECE, rate),
            partials: Cuts::new(config.partial_every, rate),
            replay: config.replay.iter().copied().collect(),
            source,
            front_end,
            config,
            work,
            control,
            monitor,
            faults,
            taken: 0,
            skipped: 0,
            shed: 0,
            behind: false,
        })
    }

    /// Until the source ends, the caller stops it, or the recognizer is gone; the recording is completed in any case.
    pub(super) fn run(mut self) -> Result<()> {
        let outcome = self.hear();
        if let Some(Err(error)) = self.recorder.take().map(Recorder::finish) {
            self.faults.add(error);
        }
        match outcome {
            Err(Halt::Failed(error)) => Err(error),
            Ok(()) | Err(Halt::Gone) => Ok(()),
        }
    }

    fn hear(&mut self) -> Step {
        let mut fault = None;
        while !self.control.stopped() {
            let block = match self.source.next_block() {
                Ok(Some(block)) => block,
                Ok(None) => break,
                Err(error) => {
                    fault = Some(error);
                    break;
                }
            };
            if self.control.take_manual_end() {
                self.end_segment()?;
            }
            self.take(block)?;
        }
        if let Some(missing) = self.source.truncation() {
            self.faults.set_truncation(missing);
        }
        self.finish()?;
        fault.map_or(Ok(()), |error| Err(error.into()))
    }

    fn take(&mut self, mut block: AudioBlock) -> Step {
        for sample in block.samples.iter_mut().filter(|sample| !sample.is_finite()) {
            *sample = 0.0;
        }
        let level = block.samples.iter().fold(0.0f32, |level, sample| level.max(sample.abs()));
        if !block.samples.is_empty() {
            self.monitor.set_level(level.min(1.0));
        }
        if self.falls_behind() {
            self.shed += block.dropped + block.samples.len() as u64;
            return Ok(());
        }
        let lost = block.dropped + std::mem::take(&mut self.shed);
        if lost > 0 {
            self.lose(lost)?;
        }
        self.feed(&block.samples)
    }

    /// Tells the user once when recognition falls behind; says whether audio is to be dropped.
    fn falls_behind(&mut self) -> bool {
        let backlog = if self.config.real_time { self.monitor.backlog() } else { Duration::ZERO };
        let drops = self.config.when_behind == WhenBehind::Drop;
        if !self.behind && backlog > BEHIND {
            self.behind = true;
            let what = if drops { "audio is dropped until it catches up" } else { "text comes late" };
            tracing::warn!("recognition is {:.1} s behind: {what}", backlog.as_secs_f64());
        } else if self.behind && backlog < CAUGHT_UP {
            self.behind = false;
            tracing::warn!("recognition has caught up");
        }
        self.behind && drops
    }

    fn at(&self) -> u64 {
        self.taken + self.skipped
    }

    fn send(&self, kind: WorkKind) -> Step {
        self.work.send(Work { at: self.at(), kind }).map_err(|_| Halt::Gone)
    }

    /// The frames that became computable.
    fn send_features(&mut self) -> Step {
        let following = self.frames.first_frame + self.frames.len() as u64;
        let fresh = Frames { first_frame: following, ..Frames::new(self.frames.dim) };
        let frames = std::mem::replace(&mut self.frames, fresh);
        self.send(WorkKind::Features(frames))
    }

    fn send_partial(&mut self) -> Step {
        let mut tail = Frames { first_frame: self.frames.first_frame, ..Frames::new(self.frames.dim) };
        self.front_end.tail(&mut tail)?;
        self.send(WorkKind::Partial(tail))
    }

    /// Samples into recording and front end, cut at pieces, partial results and replayed marks.
    fn feed(&mut self, mut samples: &[f32]) -> Step {
        while !samples.is_empty() {
            self.replay_due()?;
            let mut room = self.pieces.next.min(self.partials.next) - self.at();
            if let Some(mark) = self.replay.front() {
                room = room.min(mark.sample - self.taken);
            }
            let (head, rest) = samples.split_at(samples.len().min(usize::try_from(room).unwrap_or(usize::MAX)));
            self.record(|recorder| recorder.write(head));
            self.front_end.push(head, &mut self.frames)?;
            self.taken += head.len() as u64;
            self.monitor.set_heard(self.at());
            self.pass_cuts()?;
            samples = rest;
        }
        Ok(())
    }

    fn pass_cuts(&mut self) -> Step {
        let at = self.at();
        let (piece, partial) = (self.pieces.pass(at), self.partials.pass(at));
        if piece || partial {
            self.send_features()?;
        }
        if partial { self.send_partial() } else { Ok(()) }
    }

    /// The replayed marks that come before the next sample.
    fn replay_due(&mut self) -> Step {
        while let Some(mark) = self.replay.front().copied().filter(|mark| mark.sample <= self.taken) {
            self.replay.pop_front();
            match mark.kind {
                MarkKind::EndSegment => self.end_segment()?,
                MarkKind::Gap { lost } => self.tell_gap(lost)?,
                MarkKind::Reset { lost } => self.reset(lost)?,
            }
        }
        Ok(())
    }

    fn end_segment(&mut self) -> Step {
        self.record(|recorder| recorder.mark(MarkKind::EndSegment));
        self.send_features()?;
        self.send(WorkKind::EndSegment)
    }

    /// Samples were lost.
    fn lose(&mut self, lost: u64) -> Step {
        let rate = self.source.sample_rate();
        if super::time(lost, rate) > LONGEST_FILLED_GAP {
            return self.reset(lost);
        }
        self.tell_gap(lost)?;
        self.feed(&vec![0.0; lost as usize])
    }

    fn tell_gap(&mut self, lost: u64) -> Step {
        self.record(|recorder| recorder.mark(MarkKind::Gap { lost }));
        self.monitor.add_lost(lost);
        self.send_features()?;
        self.send(WorkKind::Gap { lost })
    }

    /// Ends the block grid and begins a new one behind the lost samples.
    fn reset(&mut self, lost: u64) -> Step {
        self.record(|recorder| recorder.mark(MarkKind::Reset { lost }));
        self.monitor.add_lost(lost);
        self.front_end.finish(&mut self.frames)?;
        self.send_features()?;
        self.send(WorkKind::Reset { lost })?;
        self.front_end.reset();
        self.frames = Frames::new(self.frames.dim);
        self.skipped += lost;
        let at = self.at();
        self.monitor.set_heard(at);
        self.pieces.pass(at);
        self.partials.pass(at);
        Ok(())
    }

    /// The end of the input: everything that is still held.
    fn finish(&mut self) -> Step {
        let shed = std::mem::take(&mut self.shed);
        self.replay_due()?;
        if shed > 0 {
            self.lose(shed)?;
        }
        self.front_end.finish(&mut self.frames)?;
        self.send_features()
    }

    /// Does something with the recording, if there is one. When that fails the recording ends and the session goes on.
    fn record(&mut self, act: impl FnOnce(&mut Recorder) -> Result<()>) {
        if let Some(recorder) = &mut self.recorder
            && let Err(error) = act(recorder)
        {
            tracing::warn!("the recording ends, the session goes on: {error}");
            self.faults.add(error);
            self.recorder = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_are_at_fixed_times_whatever_the_rate() {
        for rate in [8000u32, 11_025, 44_100, 48_000] {
            let mut cuts = Cuts::new(Duration::from_millis(300), rate);
            for index in 1..1000u64 {
                assert_eq!(cuts.next, index * 300 * u64::from(rate) / 1000, "{rate} Hz");
                assert!(!cuts.pass(cuts.next - 1));
                let at = cuts.next;
                assert!(cuts.pass(at));
            }
        }
    }

    /// From the callback to the recognizer's work: what the microphone loses is where it was lost, and no sample more.
    #[test]
    #[cfg(feature = "mic")]
    fn what_the_microphone_lost_is_on_the_time_line() {
        const RATE: u32 = 16_000;
        for (hole_ms, reported) in [(500u64, true), (500, false), (2000, true), (2000, false)] {
            let source = crate::audio::microphone_with_hole(Duration::from_millis(hole_ms), reported);
            let (work, work_out) = crossbeam_channel::bounded(super::super::WORK_DEPTH);
            let (control, monitor) = (Arc::new(Control::default()), Arc::new(Monitor::new(RATE)));
            let shared = (Arc::clone(&control), Arc::clone(&monitor), Arc::default());
            let front_end = FrontEnd::new(&Default::default(), RATE, None).expect("front end");
            let config = LiveConfig { real_time: true, ..Default::default() };
            let hearing = Hearing::new(Box::new(source), front_end, config, work, shared).expect("hearing");
            let thread = std::thread::spawn(move || hearing.run());
            let lost = hole_ms * u64::from(RATE) / 1000;
            let end = 2 * u64::from(RATE) + lost;
            let mut told = Vec::new();
            for Work { at, kind } in work_out {
                match kind {
                    WorkKind::Gap { lost } => told.push((at, lost, "filled")),
                    WorkKind::Reset { lost } => told.push((at, lost, "new grid")),
                    _ => {}
                }
                if at == end {
                    control.stop();
                }
            }
            thread.join().expect("no panic").expect("no error");
            // Without a report it takes a second of lateness to be sure.
            let noticed = if reported { 8000 } else { 24_000 };
            let kind = if hole_ms > 1000 { "new grid" } else { "filled" };
            assert_eq!(told, [(noticed, lost, kind)], "{hole_ms} ms, reported: {reported}");
            assert_eq!(monitor.heard(), super::super::time(end, RATE));
            assert_eq!(monitor.lost(), Duration::from_millis(hole_ms));
        }
    }
}

//! The live pipeline: a source, two threads, the caller.
//!
//! ```text
//! source -> "frontend" thread (no tensors) =work=> "recognizer" thread (owns every tensor) =events=> caller
//! ```
//!
//! Both channels are bounded: [`WORK_DEPTH`] pieces of [`PIECE`] between the threads (30 s of audio), [`EVENT_DEPTH`]
//! events before the caller (over a minute of speech). A caller that does not read stops the recognizer, then the front
//! end, and then a microphone loses audio, which is counted and told.
//!
//! Events depend on the samples and the marks between them (gaps, manual ends) only: partial results come at fixed times
//! of the audio, everything else from the model's block grid. A recording replayed with its marks gives the same events.

mod control;
mod hearing;
mod recognizing;
mod record;

pub use control::{Control, Monitor};
pub use record::{Mark, MarkKind, marks_path, read_marks};

use crate::audio::AudioSource;
use crate::error::{Error, Result};
use crate::model_dir::Direction;
use crate::recognizer::{Event, Recognizer};
use control::Faults;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use hearing::Hearing;
use recognizing::Recognizing;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tch::Tensor;

/// Audio in one piece of work at most.
const PIECE: Duration = Duration::from_millis(20);
/// Pieces between the threads: 30 s of audio, and the partial results of 30 s.
const WORK_DEPTH: usize = 1600;
/// Events before the caller.
const EVENT_DEPTH: usize = 256;
/// Shortest time between partial results.
const SHORTEST_PARTIAL: Duration = Duration::from_millis(20);

/// What is done with a live source when recognition falls behind it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum WhenBehind {
    /// Everything is recognised, later; up to 30 s wait before the source itself loses audio.
    #[default]
    Wait,
    /// From a backlog of 2 s on, audio is dropped (a gap) until half a second is left.
    Drop,
}

/// What a live run chooses.
#[derive(Debug, Clone)]
pub struct LiveConfig {
    /// Time of the audio between partial results, from the session's start.
    pub partial_every: Duration,
    /// What happens when recognition falls behind; without effect on sources that wait.
    pub when_behind: WhenBehind,
    /// Whether the source goes on without us (a microphone, a file at real time).
    pub real_time: bool,
    /// WAV file to record what the front end receives into, and beside it the marks.
    pub record: Option<PathBuf>,
    /// Marks of the recording that is replayed.
    pub replay: Vec<Mark>,
}

impl Default for LiveConfig {
    fn default() -> Self {
        LiveConfig {
            partial_every: Duration::from_millis(300),
            when_behind: WhenBehind::default(),
            real_time: false,
            record: None,
            replay: Vec::new(),
        }
    }
}

/// Something that was recognised or lost.
#[derive(Debug, Clone, PartialEq)]
pub struct LiveEvent {
    /// Audio heard when this became known, from the session's start.
    pub at: Duration,
    /// What.
    pub event: Event,
}

/// What [`Pipeline::next_within`] found.
#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    /// An event.
    Event(LiveEvent),
    /// Nothing yet.
    Nothing,
    /// The session is over: no event will come.
    Ended,
}

/// How a session ended.
#[derive(Debug)]
pub struct Ending {
    /// Length of the session's audio, lost audio included.
    pub heard: Duration,
    /// Audio that was lost.
    pub lost: Duration,
    /// What a file lacks that ends before its header says.
    pub truncation: Option<String>,
    /// The first error of any thread.
    pub fault: Option<Error>,
}

/// Sees every block's log-probs `[T', V]`, on the recognizer's thread.
pub type Observer = Box<dyn FnMut(&Tensor) + Send>;

/// What the front end's thread hands to the recognizer's.
struct Work {
    /// Samples of the time line up to here.
    at: u64,
    kind: WorkKind,
}

enum WorkKind {
    /// Frames that became computable.
    Features(crate::stage::Frames),
    /// It is time for a partial result; the frames that an end here would add.
    Partial(crate::stage::Frames),
    /// The segment ends by hand.
    EndSegment,
    /// Samples were lost and zeros stand for them.
    Gap { lost: u64 },
    /// So many samples were lost that a new block grid begins behind them.
    Reset { lost: u64 },
}

/// A running session: an iterator over its events that waits for the next one.
pub struct Pipeline {
    /// `None` once the caller is done with them.
    events: Option<Receiver<LiveEvent>>,
    threads: Vec<JoinHandle<()>>,
    control: Arc<Control>,
    monitor: Arc<Monitor>,
    faults: Arc<Faults>,
}

impl Pipeline {
    /// Starts the threads.
    ///
    /// # Errors
    /// When the model cannot stream, a setting is out of range, the recording cannot be created, or the source's rate
    /// cannot be converted.
    pub fn start(recognizer: Recognizer, source: Box<dyn AudioSource>, config: LiveConfig) -> Result<Self> {
        Self::start_observed(recognizer, source, config, Box::new(|_| {}))
    }

    /// As [`Pipeline::start`]; `observe` sees every block's log-probs.
    ///
    /// # Errors
    /// As [`Pipeline::start`].
    pub fn start_observed(
        recognizer: Recognizer,
        source: Box<dyn AudioSource>,
        config: LiveConfig,
        observe: Observer,
    ) -> Result<Self> {
        if recognizer.direction() == Direction::Full {
            let allowed = "one that streams (forward or latency-controlled); `eddy transcribe` serves this model";
            return Err(Error::invalid("the model's direction", "full", allowed));
        }
        if config.partial_every < SHORTEST_PARTIAL {
            let value = format!("{} ms", config.partial_every.as_millis());
            return Err(Error::invalid("time between partial results", value, "at least 20 ms"));
        }
        let rate = source.sample_rate();
        let control = Arc::new(Control::default());
        let monitor = Arc::new(Monitor::new(rate));
        let faults = Arc::new(Faults::default());
        let (work, work_out) = bounded(WORK_DEPTH);
        let (events, events_out) = bounded(EVENT_DEPTH);
        let front_end = recognizer.front_end(rate)?;
        let shared = (Arc::clone(&control), Arc::clone(&monitor), Arc::clone(&faults));
        let hearing = Hearing::new(source, front_end, config, work, shared)?;
        let recognizing = Recognizing::new(recognizer, rate, events, Arc::clone(&monitor), observe)?;
        let threads = vec![
            spawn("recognizer", &faults, move || recognizing.run(&work_out))?,
            spawn("frontend", &faults, move || hearing.run())?,
        ];
        Ok(Pipeline { events: Some(events_out), threads, control, monitor, faults })
    }

    /// The session's switches: stop, manual end.
    pub fn control(&self) -> &Arc<Control> {
        &self.control
    }

    /// The session's gauges: level, backlog, audio lost.
    pub fn monitor(&self) -> &Arc<Monitor> {
        &self.monitor
    }

    /// The next event, or that there is none within `time`.
    pub fn next_within(&mut self, time: Duration) -> Next {
        match self.events.as_ref().map(|events| events.recv_timeout(time)) {
            Some(Ok(event)) => Next::Event(event),
            Some(Err(RecvTimeoutError::Timeout)) => Next::Nothing,
            Some(Err(RecvTimeoutError::Disconnected)) | None => Next::Ended,
        }
    }

    /// Waits for the threads and tells how it went. Events that were not read are lost; a session still running stops.
    pub fn join(mut self) -> Ending {
        self.control.stop();
        self.events = None;
        for thread in self.threads.drain(..) {
            // Threads catch their own panics.
            let _ = thread.join();
        }
        Ending {
            heard: self.monitor.heard(),
            lost: self.monitor.lost(),
            truncation: self.faults.take_truncation(),
            fault: self.faults.take(),
        }
    }
}

impl Iterator for Pipeline {
    type Item = LiveEvent;

    fn next(&mut self) -> Option<LiveEvent> {
        self.events.as_ref()?.recv().ok()
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        self.control.stop();
    }
}

/// A named thread whose error or panic becomes a fault.
fn spawn(
    name: &str,
    faults: &Arc<Faults>,
    body: impl FnOnce() -> Result<()> + Send + 'static,
) -> Result<JoinHandle<()>> {
    let (faults, label) = (Arc::clone(faults), name.to_string());
    let run = move || match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => {}
        Ok(Err(error)) => faults.add(error),
        Err(panic) => faults.add(died(&label, panic.as_ref())),
    };
    std::thread::Builder::new()
        .name(name.to_string())
        .spawn(run)
        .map_err(|error| Error::Thread { name: name.to_string(), reason: error.to_string() })
}

/// The error of a thread that panicked.
fn died(name: &str, panic: &(dyn std::any::Any + Send)) -> Error {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let reason = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
    Error::Thread { name: name.to_string(), reason: reason.to_string() }
}

/// `samples` at `rate` as time.
fn time(samples: u64, rate: u32) -> Duration {
    let rate = u64::from(rate);
    Duration::from_secs(samples / rate) + Duration::from_nanos(samples % rate * 1_000_000_000 / rate)
}

/// Hands an event to the caller; false when the caller is gone.
fn tell(events: &Sender<LiveEvent>, at: Duration, event: Event) -> bool {
    events.send(LiveEvent { at, event }).is_ok()
}

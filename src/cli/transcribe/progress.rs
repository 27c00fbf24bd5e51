//! How far a run is, for a person who waits.

use crate::audio::Recording;
use crate::pipeline::BatchControl;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// What ends sooner than this is not told.
const PATIENCE: Duration = Duration::from_secs(1);
const EVERY: Duration = Duration::from_millis(200);

/// A bar on stderr where that is a terminal: recordings done, times real time, time left.
pub(super) struct Progress {
    bar: ProgressBar,
    done: Arc<AtomicUsize>,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Progress {
    /// For a run of these recordings that begins now.
    pub fn start(recordings: &[Recording], control: &BatchControl) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        let (done, ended) = <(Arc<AtomicUsize>, Arc<AtomicBool>)>::default();
        let thread = std::io::stderr().is_terminal().then(|| {
            let bytes = recordings.iter().map(Recording::bytes).sum();
            let shown = Shown {
                bar: bar.clone(),
                control: control.clone(),
                done: Arc::clone(&done),
                of: recordings.len(),
                bytes,
            };
            let ended = Arc::clone(&ended);
            std::thread::Builder::new().name("progress".to_string()).spawn(move || shown.run(&ended))
        });
        // Without its thread the bar stays hidden, and all else goes on.
        Progress { bar, done, ended, thread: thread.and_then(|thread| thread.ok()) }
    }

    /// One more recording is done.
    pub fn inc(&self) {
        self.done.fetch_add(1, Ordering::Relaxed);
    }

    /// Takes the bar away while something is printed.
    pub fn suspend<T>(&self, print: impl FnOnce() -> T) -> T {
        self.bar.suspend(print)
    }

    /// Takes the bar away.
    pub fn finish(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // It only draws.
            let _ = thread.join();
        }
        self.bar.finish_and_clear();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end();
    }
}

/// The thread's side.
struct Shown {
    bar: ProgressBar,
    control: BatchControl,
    done: Arc<AtomicUsize>,
    of: usize,
    bytes: u64,
}

impl Shown {
    fn run(self, ended: &AtomicBool) {
        let start = Instant::now();
        std::thread::park_timeout(PATIENCE);
        let style = ProgressStyle::with_template("{bar:30} {msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
        self.bar.set_style(style);
        self.bar.set_length(self.bytes.max(1));
        self.bar.set_draw_target(ProgressDrawTarget::stderr());
        while !ended.load(Ordering::Relaxed) {
            self.bar.set_position(self.control.bytes());
            self.bar.set_message(self.message(start.elapsed()));
            std::thread::park_timeout(EVERY);
        }
    }

    fn message(&self, elapsed: Duration) -> String {
        let (heard, read) = (self.control.heard(), self.control.bytes());
        let speed = heard.as_secs_f64() / elapsed.as_secs_f64();
        let left = if read > 0 && self.bytes > 0 {
            let left = elapsed.as_secs_f64() * self.bytes.saturating_sub(read) as f64 / read as f64;
            format!(", {} left", indicatif::HumanDuration(Duration::from_secs_f64(left)))
        } else {
            String::new()
        };
        format!("{}/{} recordings, {speed:.0} x real time{left}", self.done.load(Ordering::Relaxed), self.of)
    }
}

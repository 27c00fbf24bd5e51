//! Many recordings at once: their blocks share the network's steps.
//!
//! ```text
//! stream threads (decode, front end, search), 2 a row =blocks=> caller (network) =log-probs=> the stream's thread
//! ```
//!
//! Layer 7. While one half of the streams is in the network, the other prepares its next blocks. Every channel is
//! bounded by the number of streams, since a stream waits for its answer.

use super::batch::{BatchSummary, FileTranscript};
use crate::audio;
use crate::error::{Error, Result};
use crate::nn::EncoderState;
use crate::recognizer::{Block, Listener, Recognizer};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, select};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// How long a step waits for more blocks once it has one.
const GATHERING: Duration = Duration::from_millis(2);
/// Streams for each row of the network.
const STREAMS_PER_ROW: usize = 2;

/// A stream's block.
struct Request {
    stream: usize,
    /// The first of a recording: the stream's state begins anew.
    first: bool,
    block: Block,
}

type Done = (usize, Result<FileTranscript>);
type Answer = Result<Vec<f32>>;

/// Transcribes `paths`, up to `rows` blocks in a step of the network, and hands each result over with the place of its
/// path as soon as it is there: not in order.
///
/// # Errors
/// Those of `on_result`, which end the run at once, and that a thread cannot be started.
pub fn transcribe_stacked<E: From<Error>>(
    recognizer: &Recognizer,
    paths: &[PathBuf],
    rows: usize,
    mut on_result: impl FnMut(usize, Result<FileTranscript>) -> Result<(), E>,
) -> Result<BatchSummary, E> {
    let streams = (rows * STREAMS_PER_ROW).min(paths.len()).max(1);
    let rows = rows.min(streams).max(1);
    let (requests_in, requests) = bounded::<Request>(streams);
    let (done_in, done) = bounded::<Done>(streams);
    let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let listener = recognizer.listener();
    std::thread::scope(|scope| {
        let mut answers: Vec<Sender<Answer>> = Vec::with_capacity(streams);
        for stream in 0..streams {
            let (answer_in, answer) = bounded::<Answer>(1);
            answers.push(answer_in);
            let worker = Worker { stream, listener, requests: requests_in.clone(), answer };
            let (done_in, next, stop) = (done_in.clone(), &next, &stop);
            let run = move || {
                while let Some((index, path)) = paths.iter().enumerate().nth(next.fetch_add(1, Ordering::Relaxed)) {
                    if stop.load(Ordering::Relaxed) || done_in.send((index, worker.transcribe(path))).is_err() {
                        return;
                    }
                }
            };
            let thread = std::thread::Builder::new().name(format!("stream-{stream}"));
            thread.spawn_scoped(scope, run).map_err(|error| Error::io("a thread", error))?;
        }
        drop((requests_in, done_in));
        let mut network = Network { recognizer, rows, states: (0..streams).map(|_| None).collect(), answers };
        let mut summary = BatchSummary::default();
        let mut outcome = Ok(());
        while outcome.is_ok() {
            let first = select! {
                recv(requests) -> request => request.ok(),
                recv(done) -> result => match result {
                    Ok((index, result)) => {
                        summary.count(&result);
                        outcome = on_result(index, result);
                        continue;
                    }
                    Err(_) => break,
                },
            };
            match first {
                Some(first) => network.step(gather(first, &requests, rows)),
                // All streams have ended; what is left are results.
                None => {
                    for (index, result) in &done {
                        summary.count(&result);
                        outcome = on_result(index, result);
                        if outcome.is_err() {
                            break;
                        }
                    }
                    break;
                }
            }
        }
        // Streams that still wait for an answer or a reader get none.
        stop.store(true, Ordering::Relaxed);
        drop((network, requests, done));
        outcome.map(|()| summary)
    })
}

/// `first` and what else comes in time, at most `rows`.
fn gather(first: Request, requests: &Receiver<Request>, rows: usize) -> Vec<Request> {
    let deadline = Instant::now() + GATHERING;
    let mut gathered = vec![first];
    while gathered.len() < rows {
        match requests.recv_deadline(deadline) {
            Ok(request) => gathered.push(request),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
        }
    }
    gathered
}

/// The caller's side: the network and every stream's state.
struct Network<'a> {
    recognizer: &'a Recognizer,
    rows: usize,
    states: Vec<Option<EncoderState>>,
    answers: Vec<Sender<Answer>>,
}

impl Network<'_> {
    /// Runs a step and answers its streams.
    fn step(&mut self, requests: Vec<Request>) {
        let fresh: Vec<EncoderState> = requests
            .iter()
            .map(|request| {
                let kept = self.states[request.stream].take().filter(|_| !request.first);
                kept.unwrap_or_else(|| self.recognizer.stream_state())
            })
            .collect();
        let blocks: Vec<_> = requests.iter().map(|request| &request.block).zip(&fresh).collect();
        match self.recognizer.step(self.rows, &blocks) {
            Ok(results) => {
                for (request, (log_probs, state)) in requests.iter().zip(results) {
                    self.states[request.stream] = Some(state);
                    // A stream that is gone needs no answer.
                    let _ = self.answers[request.stream].send(Ok(log_probs));
                }
            }
            Err(error) => {
                for request in &requests {
                    let _ = self.answers[request.stream].send(Err(Error::Torch(error.to_string())));
                }
            }
        }
    }
}

/// One stream's side.
struct Worker<'a> {
    stream: usize,
    listener: Listener<'a>,
    requests: Sender<Request>,
    answer: Receiver<Answer>,
}

impl Worker<'_> {
    fn transcribe(&self, path: &Path) -> Result<FileTranscript> {
        let mut source = audio::open(path)?;
        let mut first = true;
        let mut network = |block: Block| {
            let request = Request { stream: self.stream, first: std::mem::take(&mut first), block };
            self.requests.send(request).map_err(|_| Error::Interrupted)?;
            self.answer.recv().map_err(|_| Error::Interrupted)?
        };
        let transcript = self.listener.transcribe(source.as_mut(), &mut network)?;
        Ok(FileTranscript { transcript, truncation: source.truncation().map(str::to_string) })
    }
}

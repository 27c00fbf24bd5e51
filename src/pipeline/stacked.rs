//! Many recordings at once: their blocks share the network's steps.
//!
//! ```text
//! feeder =pieces=> stream threads (decode, front end, search) =blocks=> network threads =log-probs=> the stream's thread
//!                                  =results=> caller
//! ```
//!
//! Layer 7. While one half of the streams is in the networks, the other prepares its next blocks. A block carries its
//! stream's state to whichever network is free and its answer brings the next one back. Every channel is bounded by the
//! number of streams, since a stream waits for its answer. A piece is a recording, or with `split_long` a part of one,
//! which the feeder reads: its channel holds one part.

use super::batch::{BatchControl, BatchOptions, FileTranscript};
use super::parts::{Parts, Told};
use crate::audio::{Recording, SampleSource, Splitter};
use crate::error::{Error, Result};
use crate::nn::EncoderState;
use crate::recognizer::{Block, Listener, Recognizer, StackedNetwork, Transcript};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long a step waits for more blocks once it has one.
const GATHERING: Duration = Duration::from_millis(2);
/// Streams for each row of the network.
const STREAMS_PER_ROW: usize = 2;
/// Pieces that wait for a stream.
const WAITING_PIECES: usize = 1;

/// What a stream takes on.
enum Piece {
    Whole { recording: usize },
    Part { recording: usize, part: usize, start: Duration, samples: Vec<f32>, rate: u32 },
}

/// A stream's block.
struct Request {
    stream: usize,
    /// None before the first block of a piece.
    state: Option<EncoderState>,
    block: Block,
}

/// Log-probs `[T', V]` and the state after the block.
type Answer = Result<(Vec<f32>, EncoderState)>;

/// Transcribes `recordings`, up to `options.streams` blocks in a step of the network, and hands each result over with the
/// place of its recording as soon as it is there: not in order.
///
/// # Errors
/// Those of `on_result`, which end the run at once, and that a thread cannot be started.
pub(super) fn transcribe_stacked<E: From<Error>>(
    recognizer: &Recognizer,
    recordings: &[Recording],
    options: &BatchOptions,
    control: &BatchControl,
    mut on_result: impl FnMut(usize, Result<FileTranscript>) -> Result<(), E>,
) -> Result<(), E> {
    let most = if options.split_long { usize::MAX } else { recordings.len().max(1) };
    let rows = options.streams.min(most).max(1);
    let networks = options.networks.max(1);
    let streams = options.jobs.unwrap_or(rows.saturating_mul(STREAMS_PER_ROW * networks)).max(rows).min(most);
    let (pieces_in, pieces) = bounded::<Piece>(WAITING_PIECES);
    let (requests_in, requests) = bounded::<Request>(streams);
    let (told_in, told) = bounded::<Told>(streams);
    let (answers_in, answers): (Vec<_>, Vec<_>) = (0..streams).map(|_| bounded::<Answer>(1)).unzip();
    let listener = recognizer.listener();
    let given_up = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for (stream, answer) in answers.into_iter().enumerate() {
            let worker = Worker { stream, listener, requests: requests_in.clone(), answer };
            let (told_in, pieces) = (told_in.clone(), pieces.clone());
            let run = move || {
                for piece in pieces {
                    if told_in.send(worker.take_on(piece, recordings, control)).is_err() {
                        return;
                    }
                }
            };
            start(scope, format!("stream-{stream}"), run)?;
        }
        for number in 0..networks.min(streams) {
            let network = recognizer.stacked_network(rows);
            let (requests, answers, given_up) = (requests.clone(), answers_in.clone(), &given_up);
            let run = move || {
                // One step keeps one core busy; the other cores have other steps, features and searches.
                if networks > 1 {
                    tch::set_num_threads(1);
                }
                while let Ok(first) = requests.recv() {
                    if given_up.load(Ordering::Relaxed) {
                        // Every stream that waits is told, or it would wait for ever; then they all end.
                        let _ = answers[first.stream].send(Err(Error::Interrupted));
                        continue;
                    }
                    step(&network, gather(first, &requests, rows), &answers);
                }
            };
            start(scope, format!("network-{number}"), run)?;
        }
        let split = options.split_long;
        start(scope, "feeder".to_string(), move || feed(recordings, split, control, &pieces_in, &told_in))?;
        drop((requests_in, requests, answers_in, pieces));
        let mut parts = Parts::default();
        let take = |told: Told| parts.take(told).map_or(Ok(()), |(index, result)| on_result(index, result));
        let outcome = told.iter().try_for_each(take);
        // Streams that still wait for an answer or a reader get none.
        given_up.store(outcome.is_err(), Ordering::Relaxed);
        drop(told);
        outcome
    })
}

fn start<'scope>(
    scope: &'scope std::thread::Scope<'scope, '_>,
    name: String,
    run: impl FnOnce() + Send + 'scope,
) -> Result<()> {
    let thread = std::thread::Builder::new().name(name).spawn_scoped(scope, run);
    thread.map(drop).map_err(|error| Error::io("a thread", error))
}

/// Hands out the pieces of all recordings, until `control` stops it or nobody takes them any more.
fn feed(recordings: &[Recording], split: bool, control: &BatchControl, pieces: &Sender<Piece>, told: &Sender<Told>) {
    for (index, recording) in recordings.iter().enumerate() {
        if control.is_stopped() {
            return;
        }
        let taken = if split {
            feed_parts(index, recording, control, pieces, told)
        } else {
            pieces.send(Piece::Whole { recording: index }).is_ok()
        };
        if !taken {
            return;
        }
    }
}

/// Hands out the parts of one recording; whether they were taken.
fn feed_parts(
    recording: usize,
    opened: &Recording,
    control: &BatchControl,
    pieces: &Sender<Piece>,
    told: &Sender<Told>,
) -> bool {
    let mut part = 0;
    let mut read = || -> Result<Option<Option<String>>> {
        let mut source = control.open(opened)?;
        let rate = source.sample_rate();
        let mut splitter = Splitter::new(source.as_mut());
        while let Some((before, samples)) = splitter.next_part()? {
            let start = Duration::from_secs_f64(before as f64 / f64::from(rate));
            if pieces.send(Piece::Part { recording, part, start, samples, rate }).is_err() {
                return Ok(None);
            }
            part += 1;
        }
        Ok(Some(source.truncation().map(str::to_string)))
    };
    match read().transpose() {
        Some(truncation) => told.send(Told::End { recording, parts: part, truncation }).is_ok(),
        None => false,
    }
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

/// Runs a step and answers its streams.
fn step(network: &StackedNetwork, requests: Vec<Request>, answers: &[Sender<Answer>]) {
    let blocks: Vec<_> = requests.iter().map(|request| (&request.block, request.state.as_ref())).collect();
    // A stream that is gone needs no answer.
    match network.step(&blocks) {
        Ok(results) => {
            for (request, result) in requests.iter().zip(results) {
                let _ = answers[request.stream].send(Ok(result));
            }
        }
        Err(error) => {
            for request in &requests {
                let _ = answers[request.stream].send(Err(Error::Torch(error.to_string())));
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
    fn take_on(&self, piece: Piece, recordings: &[Recording], control: &BatchControl) -> Told {
        match piece {
            Piece::Whole { recording } => {
                Told::Whole { recording, result: self.transcribe_file(&recordings[recording], control) }
            }
            Piece::Part { recording, part, start, samples, rate } => {
                let result = self.transcribe(&mut SampleSource::new(samples, rate));
                Told::Part { recording, part, start, result }
            }
        }
    }

    fn transcribe_file(&self, recording: &Recording, control: &BatchControl) -> Result<FileTranscript> {
        let mut source = control.open(recording)?;
        let transcript = self.transcribe(source.as_mut())?;
        Ok(FileTranscript { transcript, truncation: source.truncation().map(str::to_string) })
    }

    fn transcribe(&self, source: &mut dyn crate::audio::AudioSource) -> Result<Transcript> {
        let mut state = None;
        let mut network = |block: Block| {
            let request = Request { stream: self.stream, state: state.take(), block };
            self.requests.send(request).map_err(|_| Error::Interrupted)?;
            let (log_probs, next) = self.answer.recv().map_err(|_| Error::Interrupted)??;
            state = Some(next);
            Ok(log_probs)
        };
        self.listener.transcribe(source, &mut network)
    }
}

//! Many recordings at once: their blocks share the network's steps.
//!
//! ```text
//! feeder =pieces=> stream threads (decode, front end, search) =blocks=> caller (network) =log-probs=> the stream's thread
//! ```
//!
//! Layer 7. While one half of the streams is in the network, the other prepares its next blocks. Every channel is
//! bounded by the number of streams, since a stream waits for its answer. A piece is a recording, or with `split_long` a
//! part of one, which the feeder reads: its channel holds one part.

use super::batch::{BatchControl, BatchOptions, FileTranscript};
use super::parts::{Parts, Told};
use crate::audio::{Recording, SampleSource, Splitter};
use crate::error::{Error, Result};
use crate::nn::EncoderState;
use crate::recognizer::{Block, Listener, Recognizer, Transcript};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, select};
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
    /// The first of a piece: the stream's state begins anew.
    first: bool,
    block: Block,
}

type Answer = Result<Vec<f32>>;

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
    let streams = options.jobs.unwrap_or(rows.saturating_mul(STREAMS_PER_ROW)).max(rows).min(most);
    let (pieces_in, pieces) = bounded::<Piece>(WAITING_PIECES);
    let (requests_in, requests) = bounded::<Request>(streams);
    let (told_in, told) = bounded::<Told>(streams);
    let listener = recognizer.listener();
    std::thread::scope(|scope| {
        let mut answers: Vec<Sender<Answer>> = Vec::with_capacity(streams);
        for stream in 0..streams {
            let (answer_in, answer) = bounded::<Answer>(1);
            answers.push(answer_in);
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
        let split = options.split_long;
        start(scope, "feeder".to_string(), move || feed(recordings, split, control, &pieces_in, &told_in))?;
        drop((requests_in, pieces));
        let mut network = Network { recognizer, rows, states: (0..streams).map(|_| None).collect(), answers };
        let mut parts = Parts::default();
        let mut take = |told: Told| parts.take(told).map_or(Ok(()), |(index, result)| on_result(index, result));
        let mut outcome = Ok(());
        while outcome.is_ok() {
            let first = select! {
                recv(requests) -> request => request.ok(),
                recv(told) -> one => match one {
                    Ok(one) => {
                        outcome = take(one);
                        continue;
                    }
                    Err(_) => break,
                },
            };
            match first {
                Some(first) => network.step(gather(first, &requests, rows)),
                // All streams have ended; what is left are results.
                None => {
                    outcome = told.iter().try_for_each(&mut take);
                    break;
                }
            }
        }
        // Streams that still wait for an answer or a reader get none.
        drop((network, requests, told));
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
        let mut first = true;
        let mut network = |block: Block| {
            let request = Request { stream: self.stream, first: std::mem::take(&mut first), block };
            self.requests.send(request).map_err(|_| Error::Interrupted)?;
            self.answer.recv().map_err(|_| Error::Interrupted)?
        };
        self.listener.transcribe(source, &mut network)
    }
}

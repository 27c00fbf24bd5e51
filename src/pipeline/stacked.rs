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
use crossbeam_channel::{Receiver, Sender, bounded};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
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
    let (given_up, waiting) = (AtomicBool::new(false), Waiting { requests, pool: Mutex::default() });
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
            let (waiting, answers, given_up) = (&waiting, answers_in.clone(), &given_up);
            let run = move || {
                // One step keeps one core busy; the other cores have other steps, features and searches.
                if networks > 1 {
                    tch::set_num_threads(1);
                }
                while let Some(gathered) = waiting.gather(rows) {
                    if given_up.load(Ordering::Relaxed) {
                        // Every stream that waits is told, or it would wait for ever; then they all end.
                        for request in gathered {
                            let _ = answers[request.stream].send(Err(Error::Interrupted));
                        }
                        continue;
                    }
                    step(&network, gathered, &answers);
                }
            };
            start(scope, format!("network-{number}"), run)?;
        }
        let split = options.split_long;
        start(scope, "feeder".to_string(), move || feed(recordings, split, control, &pieces_in, &told_in))?;
        drop((requests_in, answers_in, pieces));
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

/// Blocks that wait for a network.
struct Waiting {
    requests: Receiver<Request>,
    /// Those that were taken from the channel and not yet into a step, in the order in which they came.
    pool: Mutex<Vec<Request>>,
}

impl Waiting {
    /// The block that has waited longest and what else comes in time, at most `rows`: those that are most alike in length,
    /// since a step takes as long as its longest block. `None` when no block will come.
    fn gather(&self, rows: usize) -> Option<Vec<Request>> {
        let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        if pool.is_empty() {
            pool.push(self.requests.recv().ok()?);
        }
        let deadline = Instant::now() + GATHERING;
        loop {
            let next = if pool.len() < rows {
                self.requests.recv_deadline(deadline).ok()
            } else {
                self.requests.try_recv().ok()
            };
            match next {
                Some(request) => pool.push(request),
                None => break,
            }
        }
        let lengths: Vec<usize> = pool.iter().map(|request| request.block.len.main + request.block.len.right).collect();
        let chosen = most_alike(&lengths, rows);
        let mut gathered = Vec::with_capacity(chosen.len());
        for &place in chosen.iter().rev() {
            gathered.push(pool.remove(place));
        }
        Some(gathered)
    }
}

/// Places, ascending, of the first length and of those that make the narrowest range of at most `count` with it.
fn most_alike(lengths: &[usize], count: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    order.sort_by_key(|&place| lengths[place]);
    let count = count.min(order.len());
    let first = order.iter().position(|&place| place == 0).unwrap_or(0);
    let starts = (first + 1).saturating_sub(count)..=first.min(order.len() - count);
    let range = |start: usize| lengths[order[start + count - 1]] - lengths[order[start]];
    let start = starts.min_by_key(|&start| range(start)).unwrap_or(0);
    let mut chosen = order[start..start + count].to_vec();
    chosen.sort_unstable();
    chosen
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_takes_the_first_and_those_most_like_it() {
        assert_eq!(most_alike(&[50, 10, 48, 90, 52, 11], 3), [0, 2, 4]);
        assert_eq!(most_alike(&[90, 10, 48, 50, 52, 11], 2), [0, 4]);
        assert_eq!(most_alike(&[10, 10, 10], 8), [0, 1, 2]);
        assert_eq!(most_alike(&[7], 1), [0]);
        assert_eq!(most_alike(&[5, 5, 5, 5], 2), [0, 1]);
    }
}

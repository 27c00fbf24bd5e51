//! Transcripts to standard output, in the order of the recordings.

use super::progress::Progress;
use super::{Tally, TranscribeArgs, naming, stop_on_ctrl_c, warn_of};
use crate::Error;
use crate::audio::Recording;
use crate::cli::inputs::Found;
use crate::output::{json_line, text_line};
use crate::pipeline::{BatchControl, FileTranscript, transcribe_recordings};
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::io::{ErrorKind, Write};

/// Runs it.
pub(super) fn run(args: &TranscribeArgs, Found { recordings, bad_lines }: Found) -> Result<u8> {
    let alone = matches!(recordings.as_slice(), [Recording { below: None, .. }]);
    let mine = args.batch.share(&recordings);
    let recordings: Vec<Recording> =
        recordings.into_iter().zip(mine).filter(|(_, mine)| *mine).map(|(recording, _)| recording).collect();
    let recognizer = args.load()?;
    let control = BatchControl::default();
    stop_on_ctrl_c(&control)?;
    let progress = Progress::start(&recordings, &control);
    let mut tally = Tally { all: recordings.len() + bad_lines, failed: bad_lines, ..Default::default() };
    let mut waiting: BTreeMap<usize, Result<FileTranscript, Error>> = BTreeMap::new();
    let mut next = 0;
    let run = transcribe_recordings(
        &recognizer,
        &recordings,
        &args.batch_options(&recognizer, &recordings),
        &control,
        |index, result| {
            let fatal = result.is_err() && args.batch.fail_fast;
            waiting.insert(index, result);
            // Lines come in the order of the recordings.
            while let Some(result) = waiting.remove(&next) {
                tally.count(&result);
                let print = || print(&recordings[next], &result, args.json, alone);
                progress.suspend(print).context("standard output")?;
                progress.inc();
                next += 1;
            }
            if fatal {
                // What could not be told in its turn.
                for (index, result) in waiting.iter().filter(|(_, result)| result.is_err()) {
                    tally.count(result);
                    let print = || print(&recordings[*index], result, args.json, alone);
                    progress.suspend(print).context("standard output")?;
                }
                return Err(Error::Interrupted.into());
            }
            Ok(())
        },
    );
    progress.finish();
    let reader_left = |error: &anyhow::Error| {
        error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
    };
    match run {
        Ok(_) => Ok(tally.exit_code()),
        // The reader of a pipe went away (`| head`): it has what it wanted.
        Err(error) if reader_left(&error) => Ok(0),
        Err(error) if matches!(error.downcast_ref(), Some(Error::Interrupted)) => Ok(tally.exit_code().max(1)),
        Err(error) => Err(error),
    }
}

/// The transcript to stdout, what went wrong to stderr.
fn print(
    recording: &Recording,
    result: &Result<FileTranscript, Error>,
    json: bool,
    alone: bool,
) -> std::io::Result<()> {
    let path = &recording.label();
    let file = match result {
        Ok(file) => file,
        Err(error) => {
            eprintln!("eddy: {}", naming(path, error));
            return Ok(());
        }
    };
    if let Some(missing) = &file.truncation {
        warn_of(path, missing);
    }
    let line =
        if json { json_line(path, &file.transcript) } else { text_line((!alone).then_some(path), &file.transcript) };
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{line}")?;
    stdout.flush()
}

//! Events as lines on stdout: plain text or JSON.

use crate::Event;
use crate::output::{GrowingTranscript, end_line, event_line};
use crate::pipeline::{Ending, LiveEvent, Pipeline};
use anyhow::{Context, Result};
use std::io::{BufRead, ErrorKind, IsTerminal, Write};
use std::sync::Arc;

/// What a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// A segment's text.
    Plain,
    /// An event.
    Json,
}

/// Prints events until the session is over.
pub(super) fn run(
    mut pipeline: Pipeline,
    style: Style,
    mut transcript: Option<&mut GrowingTranscript>,
) -> Result<Ending> {
    if std::io::stdin().is_terminal() {
        end_segments_on_enter(&pipeline)?;
    }
    let mut written = Ok(());
    for event in pipeline.by_ref() {
        keep(&mut transcript, &event);
        written = print(style, &event);
        if written.is_err() {
            break;
        }
    }
    let ending = pipeline.join();
    if style == Style::Json && written.is_ok() {
        written = line(&end_line(ending.heard));
    }
    match written {
        // The reader of a pipe went away (`| head`): it has what it wanted.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(ending),
        written => written.map(|()| ending).context("standard output"),
    }
}

/// Writes an event into the transcript file. When that fails it is told once and the session goes on.
pub(super) fn keep(transcript: &mut Option<&mut GrowingTranscript>, event: &LiveEvent) {
    if let Some(file) = transcript.as_mut()
        && let Err(error) = file.take(event.at, &event.event)
    {
        tracing::warn!("the transcript file ends, the session goes on: {error}");
        *transcript = None;
    }
}

fn print(style: Style, event: &LiveEvent) -> std::io::Result<()> {
    match (style, &event.event) {
        (Style::Json, kind) => line(&event_line(event.at, kind)),
        (Style::Plain, Event::Final(segment)) => line(&segment.text),
        (Style::Plain, Event::Gap { lost }) => {
            tracing::warn!("{:.2} s of audio were lost at {:.2} s", lost.as_secs_f64(), event.at.as_secs_f64());
            Ok(())
        }
        (Style::Plain, Event::Partial { .. }) => Ok(()),
    }
}

fn line(text: &str) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{text}")?;
    stdout.flush()
}

/// A thread that waits for Enter. It is not joined: nothing can wake it but the keyboard.
fn end_segments_on_enter(pipeline: &Pipeline) -> Result<()> {
    let control = Arc::clone(pipeline.control());
    let wait = move || std::io::stdin().lock().lines().map_while(Result::ok).for_each(|_| control.end_segment());
    std::thread::Builder::new().name("keyboard".to_string()).spawn(wait).context("keyboard")?;
    Ok(())
}

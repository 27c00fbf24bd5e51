//! A contender in a Python process of one thread, which answers line by line.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, Stdio};

/// The running process.
pub struct Peer {
    process: Child,
    answers: BufReader<ChildStdout>,
}

impl Peer {
    /// Starts it; `None` unless it says `ready`, when what it needs is not installed.
    pub fn start(command: &mut Command) -> Option<Peer> {
        let command = command.env("OMP_NUM_THREADS", "1");
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().ok()?;
        let mut answers = BufReader::new(process.stdout.take()?);
        let mut line = String::new();
        answers.read_line(&mut line).ok()?;
        (line.trim() == "ready").then_some(Peer { process, answers })
    }

    /// What it answers to a line.
    pub fn ask(&mut self, line: &str) -> Option<String> {
        writeln!(self.process.stdin.as_mut()?, "{line}").ok()?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer).ok()?;
        Some(answer)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

/// The middle one of at least one value.
pub fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

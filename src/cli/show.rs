//! Lines on standard output.

use anyhow::{Context, Result};
use std::fmt::Arguments;
use std::io::{ErrorKind, Write};

/// Prints a line, or several. A reader that went away (`| head`) has what it wanted: no error.
///
/// # Errors
/// When standard output cannot be written (a full disk, say).
pub(in crate::cli) fn line(text: Arguments) -> Result<()> {
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written.context("standard output"),
    }
}

/// [`line()`] with the arguments of `println!`; returns what it returns.
macro_rules! show {
    ($($part:tt)*) => { $crate::cli::show::line(format_args!($($part)*)) };
}
pub(in crate::cli) use show;

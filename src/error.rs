//! The library's error type. Messages say what was wrong, the value, what is allowed, and for files the path and line.
//!
//! Layer 0: used by everything, uses nothing.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// What can go wrong in the library.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused to read or write a file.
    #[error("{}: {error}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the operating system said. (Not a `source`: the message holds it already.)
        error: std::io::Error,
    },
    /// A recording that cannot be read: empty, not audio, a format that is not supported, broken samples.
    #[error("{}: {reason}", path.display())]
    Audio {
        /// The recording.
        path: PathBuf,
        /// What is wrong with it, and the way out.
        reason: String,
    },
    /// A value that a configuration, flag or argument must not have.
    #[error("{what} = {value}: must be {allowed}")]
    Invalid {
        /// The field or flag.
        what: String,
        /// Its value.
        value: String,
        /// What is allowed.
        allowed: String,
    },
    /// A model directory with a missing, broken or mismatched file.
    #[error("{}: {reason}", path.display())]
    Model {
        /// The file or directory.
        path: PathBuf,
        /// What is wrong with it, and the way out.
        reason: String,
    },
    /// A line of a manifest, or the manifest itself, that cannot be used.
    #[error("{}:{line}: {reason}", path.display())]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// Line number, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// A recipe, run folder or checkpoint that cannot be used.
    #[error("{}: {reason}", path.display())]
    Training {
        /// The recipe, run folder or checkpoint.
        path: PathBuf,
        /// What is wrong with it, and the way out.
        reason: String,
    },
    /// Tensors or sequences whose sizes do not fit together.
    #[error("{0}")]
    Shape(String),
    /// LibTorch reported an error.
    #[error("LibTorch: {0}")]
    Torch(String),
    /// A thread of a pipeline died.
    #[error("the {name} thread died: {reason}")]
    Thread {
        /// The thread's name.
        name: String,
        /// What it said last.
        reason: String,
    },
    /// The user asked to stop (Ctrl-C); what was done so far has been saved.
    #[error("interrupted; what was done so far has been saved")]
    Interrupted,
}

/// `std::result::Result` with eddy's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An I/O error at `path`.
    pub fn io(path: impl AsRef<Path>, error: std::io::Error) -> Self {
        Error::Io { path: path.as_ref().to_path_buf(), error }
    }

    /// A recording that cannot be used.
    pub fn audio(path: impl AsRef<Path>, reason: impl Into<String>) -> Self {
        Error::Audio { path: path.as_ref().to_path_buf(), reason: reason.into() }
    }

    /// A value outside what is allowed: `chunk = 0: must be 1..=512 frames`.
    pub fn invalid(what: impl Into<String>, value: impl ToString, allowed: impl Into<String>) -> Self {
        Error::Invalid { what: what.into(), value: value.to_string(), allowed: allowed.into() }
    }

    /// Checks that `low <= value <= high`, in this `unit`.
    ///
    /// # Errors
    /// Names the value and the range; what compares with nothing (NaN) is in none.
    pub(crate) fn within<T>(what: &str, value: T, low: T, high: T, unit: &str) -> Result<()>
    where
        T: PartialOrd + std::fmt::Display,
    {
        let fits = low <= value && value <= high;
        if fits { Ok(()) } else { Err(Error::invalid(what, value, format!("{low}..={high}{unit}"))) }
    }

    /// The message with the recording's name in front, once.
    #[cfg(feature = "torch")]
    pub(crate) fn naming(&self, recording: &Path) -> String {
        match self {
            Error::Io { .. } | Error::Audio { .. } => self.to_string(),
            _ => format!("{}: {self}", recording.display()),
        }
    }

    /// A model file that cannot be used.
    pub fn model(path: impl AsRef<Path>, reason: impl Into<String>) -> Self {
        Error::Model { path: path.as_ref().to_path_buf(), reason: reason.into() }
    }

    /// A training input that cannot be used.
    pub fn training(path: impl AsRef<Path>, reason: impl Into<String>) -> Self {
        Error::Training { path: path.as_ref().to_path_buf(), reason: reason.into() }
    }
}

#[cfg(feature = "torch")]
impl From<tch::TchError> for Error {
    fn from(error: tch::TchError) -> Self {
        Error::Torch(error.to_string())
    }
}

const TEMPORARY: &str = ".tmp";

/// The name of the file that a temporary file of [`write_atomically`] was to become.
#[cfg(feature = "torch")]
pub(crate) fn unfinished(temporary: &str) -> Option<&str> {
    Some(temporary.strip_prefix('.')?.strip_suffix(TEMPORARY)?.rsplit_once('.')?.0)
}

/// Writes a whole file under a temporary name in the same directory and renames it, so that a reader sees the old file
/// or the new one and never a part. After a failure nothing is left behind.
///
/// # Errors
/// When the file cannot be written.
pub(crate) fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    write_atomically_with(path, |file| file.write_all(bytes).map_err(|error| Error::io(path, error)))
}

/// [`write_atomically`] for files that are made piece by piece.
///
/// # Errors
/// When the file cannot be written, or `write` fails.
pub(crate) fn write_atomically_with(path: &Path, write: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
    static WRITES: AtomicU64 = AtomicU64::new(0);
    let number = WRITES.fetch_add(1, Ordering::Relaxed);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // A name may have 255 bytes: a long one has no room for what is added.
    let name: String = name.chars().take(if name.len() > 200 { 50 } else { 200 }).collect();
    let temporary = path.with_file_name(format!(".{name}.{}-{number}{TEMPORARY}", std::process::id()));
    let io = |error| Error::io(path, error);
    let all = || {
        let mut file = BufWriter::with_capacity(1 << 16, File::create(&temporary).map_err(io)?);
        write(&mut file)?;
        file.into_inner().map_err(|error| io(error.into_error()))?.sync_all().map_err(io)?;
        std::fs::rename(&temporary, path).map_err(io)
    };
    all().inspect_err(|_| {
        // Gone already, or nothing can be done about it.
        let _ = std::fs::remove_file(&temporary);
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(feature = "torch")]
    #[test]
    fn temporary_files_are_known_by_their_names() {
        assert_eq!(unfinished(".a.b.txt.123-4.tmp"), Some("a.b.txt"));
        for name in ["a.txt", ".a.txt", "a.txt.1-2.tmp", ".tmp", "..tmp"] {
            assert_ne!(unfinished(name), Some("a.txt"), "{name}");
        }
    }

    #[test]
    fn a_failed_write_leaves_nothing_and_names_the_file_once() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("taken");
        std::fs::create_dir(&path).expect("directory in the way");
        let message = write_atomically(&path, b"x").expect_err("a directory").to_string();
        assert_eq!(message.matches("taken").count(), 1, "{message}");
        assert_eq!(std::fs::read_dir(folder.path()).expect("folder").count(), 1);
        write_atomically(&folder.path().join("new"), b"x").expect("written");
        assert_eq!(std::fs::read(folder.path().join("new")).expect("read"), b"x");
    }
}

//! The recording of a live session: what the front end received, and the marks between the samples. Both files grow in
//! place and are readable at any moment.

use crate::audio::WavWriter;
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Flushes a second of audio.
const FLUSHES_PER_SECOND: u64 = 2;
/// Samples that a WAV's 32-bit lengths can count, with room for the header.
const MOST_SAMPLES: u64 = (u32::MAX as u64 - 1024) / 4;

/// Something that happened between two samples of a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Index of the sample before which it happened.
    pub sample: u64,
    /// What happened.
    #[serde(flatten)]
    pub kind: MarkKind,
}

/// What can happen between two samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum MarkKind {
    /// Samples were lost; as many zeros follow in their place.
    Gap {
        /// Samples.
        lost: u64,
    },
    /// Samples were lost and nothing stands in their place: a new block grid begins, the time line goes on behind them.
    Reset {
        /// Samples.
        lost: u64,
    },
    /// The segment was ended by hand.
    EndSegment,
}

/// Where the marks of a recording are: `talk.wav` -> `talk.events.jsonl`.
pub fn marks_path(recording: &Path) -> PathBuf {
    recording.with_extension("events.jsonl")
}

/// Reads marks, one object a line, ascending. A last line that was cut short is left out; no file is no mark, as it is made
/// with the first one.
///
/// # Errors
/// When the file cannot be read, a line is no mark, or the marks are not in order.
pub fn read_marks(path: &Path) -> Result<Vec<Mark>> {
    let text = match std::fs::read_to_string(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        text => text.map_err(|error| Error::io(path, error))?,
    };
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let mut marks: Vec<Mark> = Vec::new();
    for (index, line) in whole.lines().enumerate() {
        let broken = |reason: String| Error::Manifest { path: path.to_path_buf(), line: index + 1, reason };
        let mark: Mark = serde_json::from_str(line).map_err(|error| broken(format!("not a mark: {error}")))?;
        if let Some(last) = marks.last().filter(|last| last.sample > mark.sample) {
            return Err(broken(format!("sample = {}: must be at least {}, the line before", mark.sample, last.sample)));
        }
        marks.push(mark);
    }
    Ok(marks)
}

/// Writes a recording while it is made.
pub(super) struct Recorder {
    path: PathBuf,
    wav: WavWriter,
    /// Created with the first mark.
    marks: Option<File>,
    rate: u32,
    samples: u64,
    unflushed: u64,
}

impl Recorder {
    /// Creates the WAV file, and removes marks of an older recording of that name.
    pub(super) fn create(path: &Path, rate: u32) -> Result<Self> {
        let mut wav = WavWriter::create(path, rate)?;
        wav.flush()?;
        let marks = marks_path(path);
        match std::fs::remove_file(&marks) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(Error::io(marks, error)),
            _ => {}
        }
        Ok(Recorder { path: path.to_path_buf(), wav, marks: None, rate, samples: 0, unflushed: 0 })
    }

    pub(super) fn write(&mut self, samples: &[f32]) -> Result<()> {
        self.samples += samples.len() as u64;
        if self.samples > MOST_SAMPLES {
            return Err(Error::audio(&self.path, "is as long as a WAV file can be (4 GiB): the recording ends here"));
        }
        self.wav.write(samples)?;
        self.unflushed += samples.len() as u64;
        if self.unflushed * FLUSHES_PER_SECOND >= u64::from(self.rate) {
            self.flush()?;
        }
        Ok(())
    }

    /// Writes a mark behind the samples so far, which are on the disk first.
    pub(super) fn mark(&mut self, kind: MarkKind) -> Result<()> {
        self.flush()?;
        let path = marks_path(&self.path);
        let failed = |error| Error::io(&path, error);
        let file = match &mut self.marks {
            Some(file) => file,
            marks => marks.insert(File::create(&path).map_err(failed)?),
        };
        let line = serde_json::to_string(&Mark { sample: self.samples, kind }).unwrap_or_default();
        file.write_all(format!("{line}\n").as_bytes()).map_err(failed)
    }

    pub(super) fn finish(self) -> Result<()> {
        self.wav.finish()
    }

    fn flush(&mut self) -> Result<()> {
        self.unflushed = 0;
        self.wav.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_read_as_written_up_to_a_cut_line() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("a.wav");
        let mut recorder = Recorder::create(&path, 16_000).expect("recorder");
        let kinds = [MarkKind::Gap { lost: 5 }, MarkKind::EndSegment, MarkKind::Reset { lost: 99_000 }];
        for kind in kinds {
            recorder.write(&[0.5; 10]).expect("samples");
            recorder.mark(kind).expect("mark");
        }
        let marks = marks_path(&path);
        assert_eq!(read_marks(&folder.path().join("unmarked.events.jsonl")).expect("none"), []);
        let text = std::fs::read_to_string(&marks).expect("marks");
        assert_eq!(text.lines().next(), Some(r#"{"sample":10,"event":"gap","lost":5}"#));
        let wanted: Vec<Mark> =
            kinds.into_iter().zip([10, 20, 30]).map(|(kind, sample)| Mark { sample, kind }).collect();
        assert_eq!(read_marks(&marks).expect("read"), wanted);
        std::fs::write(&marks, &text[..text.len() - 4]).expect("cut");
        assert_eq!(read_marks(&marks).expect("read"), wanted[..2]);
        std::fs::write(&marks, "{\"sample\":3,\"event\":\"end_segment\"}\n{\"sample\":2,\"event\":\"end_segment\"}\n")
            .expect("written");
        let message = read_marks(&marks).expect_err("order").to_string();
        assert!(message.contains("a.events.jsonl:2: sample = 2: must be at least 3"), "{message}");
        std::fs::write(&marks, "{\"sample\":3,\"event\":\"party\"}\n").expect("written");
        assert!(read_marks(&marks).expect_err("unknown").to_string().contains("party"));
    }
}

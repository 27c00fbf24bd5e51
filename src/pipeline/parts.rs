//! Parts of recordings put together again.
//!
//! Layer 7.

use super::batch::FileTranscript;
use crate::error::Result;
use crate::transcript::Transcript;
use std::collections::HashMap;
use std::time::Duration;

/// What a thread says about a recording.
pub(super) enum Told {
    /// All there is to say.
    Whole { recording: usize, result: Result<FileTranscript> },
    /// One part of it, which begins at `start`.
    Part { recording: usize, part: usize, start: Duration, result: Result<Transcript> },
    /// It has so many parts, and what is missing at its end; or it cannot be read to its end.
    End { recording: usize, parts: usize, truncation: Result<Option<String>> },
}

/// Recordings of which some parts are there.
#[derive(Default)]
pub(super) struct Parts {
    pending: HashMap<usize, Pending>,
}

#[derive(Default)]
struct Pending {
    /// By number, none of them twice.
    transcripts: Vec<(usize, Duration, Result<Transcript>)>,
    end: Option<(usize, Result<Option<String>>)>,
}

impl Parts {
    /// Adds what was told; gives the recording that it completes.
    pub fn take(&mut self, told: Told) -> Option<(usize, Result<FileTranscript>)> {
        let recording = match told {
            Told::Whole { recording, result } => return Some((recording, result)),
            Told::Part { recording, part, start, result } => {
                self.pending.entry(recording).or_default().transcripts.push((part, start, result));
                recording
            }
            Told::End { recording, parts, truncation } => {
                self.pending.entry(recording).or_default().end = Some((parts, truncation));
                recording
            }
        };
        let pending = self.pending.get(&recording)?;
        let (parts, _) = pending.end.as_ref()?;
        if pending.transcripts.len() < *parts {
            return None;
        }
        Some((recording, self.pending.remove(&recording)?.join()))
    }
}

impl Pending {
    /// The first error, or all parts one after another.
    fn join(mut self) -> Result<FileTranscript> {
        self.transcripts.sort_by_key(|(part, _, _)| *part);
        let mut whole = Transcript::default();
        for (_, start, transcript) in self.transcripts {
            let transcript = transcript?;
            whole.segments.extend(transcript.segments.into_iter().map(|segment| segment.later_by(start)));
            whole.duration = start + transcript.duration;
        }
        let truncation = self.end.map_or(Ok(None), |(_, truncation)| truncation)?;
        Ok(FileTranscript { transcript: whole, truncation })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use crate::transcript::{Segment, Word};

    const SECOND: Duration = Duration::from_secs(1);

    /// One word, from 0.1 to 0.5 s of one second.
    fn part(text: &str) -> Transcript {
        let (start, end) = (SECOND / 10, SECOND / 2);
        let word = Word { text: text.into(), start, end, confidence: 1.0 };
        Transcript { segments: Segment::new(vec![word]).into_iter().collect(), duration: SECOND }
    }

    fn told(part_number: u32, text: &str) -> Told {
        Told::Part { recording: 3, part: part_number as usize, start: SECOND * part_number, result: Ok(part(text)) }
    }

    #[test]
    fn parts_come_in_any_order() {
        let end = || Told::End { recording: 3, parts: 3, truncation: Ok(Some("short".into())) };
        for order in [[0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2]] {
            let mut parts = Parts::default();
            let mut complete = order.into_iter().filter_map(|number| {
                parts.take(if number == 3 { end() } else { told(number, ["a", "b", "c"][number as usize]) })
            });
            let (recording, file) = complete.next().expect("complete");
            let file = file.expect("parts");
            assert_eq!(
                (recording, file.transcript.text().as_str(), file.truncation.as_deref()),
                (3, "a b c", Some("short"))
            );
            assert_eq!(file.transcript.duration, SECOND * 3);
            let last = &file.transcript.segments[2];
            assert_eq!((last.start, last.words[0].end), (SECOND * 2 + SECOND / 10, SECOND * 2 + SECOND / 2));
            assert!(complete.next().is_none());
        }
    }

    #[test]
    fn an_error_is_the_recordings() {
        let mut parts = Parts::default();
        assert!(parts.take(told(0, "a")).is_none());
        let broken = Told::End { recording: 3, parts: 1, truncation: Err(Error::Interrupted) };
        assert!(matches!(parts.take(broken), Some((3, Err(Error::Interrupted)))));
        let result = Err(Error::Interrupted);
        assert!(parts.take(Told::Part { recording: 3, part: 0, start: SECOND, result }).is_none());
        let end = Told::End { recording: 3, parts: 1, truncation: Ok(None) };
        assert!(matches!(parts.take(end), Some((3, Err(Error::Interrupted)))));
    }
}

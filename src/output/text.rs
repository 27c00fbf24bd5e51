//! Plain text.

use super::placed::on_one_line;
use crate::transcript::Transcript;
use std::path::Path;

/// The transcript on one line; behind the recording's path and a tab where `path` is given.
pub fn text_line(path: Option<&Path>, transcript: &Transcript) -> String {
    let text = transcript.text();
    path.map_or_else(|| text.clone(), |path| format!("{}\t{text}", path.display()))
}

/// A line a segment, as a live session writes it.
pub fn text_lines(transcript: &Transcript) -> String {
    transcript.segments.iter().map(|segment| segment_line(&segment.text)).collect()
}

/// A segment's text as a line.
pub(super) fn segment_line(text: &str) -> String {
    on_one_line(text) + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transcript::Segment;

    #[test]
    fn segments_are_joined_and_the_path_leads() {
        let segment = |text: &str| Segment { text: text.into(), ..Default::default() };
        let transcript = Transcript { segments: vec![segment("go on"), segment("stop")], ..Default::default() };
        assert_eq!(text_line(None, &transcript), "go on stop");
        assert_eq!(text_line(Some(Path::new("a/b.wav")), &transcript), "a/b.wav\tgo on stop");
        assert_eq!(text_lines(&transcript), "go on\nstop\n");
    }
}

//! CSV: a header and a row a segment, `file,start,end,text,confidence`, times in seconds, the confidence the mean of the
//! words'.
//!
//! Source: RFC 4180 (fields with commas, quotes or line breaks are quoted; lines end with CR LF).

use super::json::{seconds, thousandths};
use crate::transcript::{Segment, Transcript};
use std::path::Path;

/// The transcript of `path` as a CSV table.
pub fn csv(path: &Path, transcript: &Transcript) -> String {
    let mut table = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    let path = path.display().to_string();
    let header = ["file", "start", "end", "text", "confidence"].map(str::to_string);
    for row in std::iter::once(header).chain(transcript.segments.iter().map(|segment| row(&path, segment))) {
        // Writing into memory fails only for rows of unequal length.
        let _ = table.write_record(row);
    }
    String::from_utf8(table.into_inner().unwrap_or_default()).unwrap_or_default()
}

fn row(path: &str, segment: &Segment) -> [String; 5] {
    let (start, end) = (seconds(segment.start).to_string(), seconds(segment.end).to_string());
    let sum: f64 = segment.words.iter().map(|word| f64::from(word.confidence)).sum();
    let confidence = thousandths(sum / segment.words.len().max(1) as f64).to_string();
    [path.to_string(), start, end, segment.text.clone(), confidence]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transcript::Word;
    use std::time::Duration;

    #[test]
    fn a_row_a_segment_quoted_where_needed() {
        let ms = Duration::from_millis;
        let word =
            |text: &str, start, end, confidence| Word { text: text.into(), start: ms(start), end: ms(end), confidence };
        let segments =
            [vec![word("yes,", 120, 540, 1.0), word("\"é\"", 600, 1000, 0.5)], vec![word("go", 2000, 2345, 0.25)]];
        let segments = segments.into_iter().filter_map(Segment::new).collect();
        let transcript = Transcript { segments, duration: ms(3000) };
        let wanted = concat!(
            "file,start,end,text,confidence\r\n",
            "\"a,b.wav\",0.12,1,\"yes, \"\"é\"\"\",0.75\r\n",
            "\"a,b.wav\",2,2.345,go,0.25\r\n"
        );
        assert_eq!(csv(Path::new("a,b.wav"), &transcript), wanted);
        assert_eq!(csv(Path::new("a.wav"), &Transcript::default()), "file,start,end,text,confidence\r\n");
    }
}

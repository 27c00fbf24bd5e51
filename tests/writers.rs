//! Transcript files read back by other people's readers (Python's `srt`, `webvtt-py`, `textgrid`, `praat-textgrids` and
//! `csv`) hold what was said.
//!
//! The readers are installed once, into the build folder. Without python3, pip or a network the test says that it skips.
//! CTM is read by NIST's `sclite` (Debian's `sctk`), where it is installed.

use eddy::output::{Format, RenderOptions};
use eddy::{Segment, Transcript, Word};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const READERS: [&str; 4] = ["srt==3.5.3", "webvtt-py==0.6.0", "textgrid==1.6.1", "praat-textgrids==1.4.0"];

/// The folder that Python finds the readers in, or why there is none.
fn readers() -> Result<PathBuf, String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("readers-{}", READERS.join("-")));
    if folder.is_dir() {
        return Ok(folder);
    }
    let partial = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).map_err(|error| error.to_string())?;
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries", "1", "--timeout", "20"]);
    let output = pip.args(["--no-deps", "--target"]).arg(partial.path()).args(READERS).output();
    let output = output.map_err(|error| format!("python3: {error}"))?;
    if !output.status.success() {
        let messages = String::from_utf8_lossy(&output.stderr);
        return Err(format!("pip: {}", messages.lines().last().unwrap_or_default()));
    }
    // Another run of this test may have been faster.
    if std::fs::rename(partial.keep(), &folder).is_err() && !folder.is_dir() {
        return Err(format!("{} cannot be made", folder.display()));
    }
    Ok(folder)
}

fn segment(words: &[(&str, u64, u64)]) -> Segment {
    let word = |&(text, start, end): &(&str, u64, u64)| Word {
        text: text.into(),
        start: Duration::from_millis(start),
        end: Duration::from_millis(end),
        confidence: 0.5,
    };
    Segment::new(words.iter().map(word).collect()).expect("words")
}

/// Words whose texts are awkward for one format or another.
fn awkward() -> Transcript {
    let long = "x".repeat(60);
    let segments = vec![
        segment(&[("say", 0, 300), ("\"yes\",", 300, 700), ("a<b>", 720, 900), ("&amp;", 900, 1300)]),
        segment(&[
            ("naïve", 4000, 4400),
            ("日本語", 4400, 5000),
            ("-->", 5000, 5200),
            (&long, 5200, 7000),
            ("1", 7000, 7100),
        ]),
        segment(&[("\"", 3_599_990, 3_600_480), ("it's", 3_600_480, 3_600_900)]),
    ];
    Transcript { segments, duration: Duration::from_millis(3_602_500) }
}

/// An hour of ordinary words with pauses.
fn long() -> Transcript {
    let mut at = 500;
    let mut segments = Vec::new();
    for number in 0..400u64 {
        let texts: Vec<String> =
            (0..number % 37 + 1).map(|index| "eddies"[..1 + (index * 5 + number) as usize % 6].into()).collect();
        let mut words = Vec::new();
        for text in &texts {
            words.push((text.as_str(), at, at + 240));
            at += if (at / 30) % 7 == 0 { 930 } else { 270 };
        }
        segments.push(segment(&words));
        at += 1200;
    }
    Transcript { segments, duration: Duration::from_millis(at) }
}

/// Writes the transcript in all formats and gives what the readers say.
fn read_back(readers: &Path, transcript: &Transcript) -> Value {
    let folder = tempfile::tempdir().expect("folder");
    let source = Path::new("talks/a, \"b\".wav");
    for format in Format::ALL {
        let text = format.render(source, "a", transcript, RenderOptions::default());
        std::fs::write(folder.path().join(format!("a.{}", format.ending())), text).expect("written");
    }
    let tagged = Format::Vtt.render(source, "a", transcript, RenderOptions { word_times: true });
    std::fs::write(folder.path().join("a.words.vtt"), tagged).expect("written");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/readers/read.py");
    let mut python = Command::new("python3");
    python.env("PYTHONPATH", readers).env("PYTHONDONTWRITEBYTECODE", "1").arg(script).arg(folder.path()).arg("a");
    let output = python.output().expect("python3 runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn number(value: &Value) -> u64 {
    value.as_u64().expect("a number")
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

fn rows(value: &Value) -> &[Value] {
    value.as_array().expect("rows")
}

/// Cues hold the text, in order, and every word while it is spoken.
fn check_cues(cues: &Value, transcript: &Transcript) {
    let cues = rows(cues);
    let texts: Vec<String> = cues.iter().map(|cue| text(&cue[2]).replace('\n', " ")).collect();
    assert_eq!(texts.join(" "), transcript.text());
    assert!(cues.iter().all(|cue| number(&cue[0]) < number(&cue[1])));
    assert!(cues.windows(2).all(|pair| number(&pair[0][1]) <= number(&pair[1][0])));
    let mut words = transcript.segments.iter().flat_map(|segment| &segment.words);
    for (cue, text) in cues.iter().zip(&texts) {
        for word in words.by_ref().take(text.split(' ').count()) {
            let spoken = number(&cue[0])..=number(&cue[1]);
            assert!(
                spoken.contains(&(word.start.as_millis() as u64)) && spoken.contains(&(word.end.as_millis() as u64))
            );
        }
    }
}

/// A tag for every word but the first of a cue, at the word's start.
fn check_tags(cues: &Value, transcript: &Transcript) {
    let clock = |time: Duration| {
        let seconds = time.as_secs();
        format!("{:02}:{:02}:{:02}.{:03}", seconds / 3600, seconds / 60 % 60, seconds % 60, time.subsec_millis())
    };
    let mut words = transcript.segments.iter().flat_map(|segment| &segment.words);
    for cue in rows(cues) {
        let count = text(&cue[2]).split_whitespace().count();
        let wanted: Vec<String> = words.by_ref().take(count).skip(1).map(|word| clock(word.start)).collect();
        assert_eq!(cue[3], json!(wanted));
    }
}

/// Tiers reach from 0 to the end without holes, and what they label is what was said.
fn check_tiers(result: &Value, transcript: &Transcript) {
    let ms = |time: Duration| time.as_millis() as u64;
    let grid = &result["textgrid"];
    assert_eq!(number(&grid["end"]), ms(transcript.duration));
    let words = transcript.segments.iter().flat_map(|segment| &segment.words);
    let words: Vec<Value> = words.map(|word| json!([ms(word.start), ms(word.end), word.text])).collect();
    let segment = |segment: &Segment| json!([ms(segment.start), ms(segment.end), segment.text]);
    let segments: Vec<Value> = transcript.segments.iter().map(segment).collect();
    for (name, wanted) in [("words", words), ("segments", segments)] {
        let intervals = rows(&grid[name]);
        let labelled: Vec<Value> = intervals.iter().filter(|interval| interval[2] != "").cloned().collect();
        assert_eq!(labelled, wanted, "{name}");
        assert_eq!(intervals[0][0], 0);
        assert_eq!(intervals[intervals.len() - 1][1], grid["end"]);
        assert!(intervals.windows(2).all(|pair| pair[0][1] == pair[1][0]), "{name}");
        let places: Vec<Value> = intervals.iter().map(|interval| json!([interval[0], interval[1]])).collect();
        assert_eq!(result["textgrids"][name], json!(places), "{name} as praat-textgrids reads it");
    }
}

fn check_table(table: &Value, transcript: &Transcript) {
    assert_eq!(rows(table).len(), transcript.segments.len());
    for (row, segment) in rows(table).iter().zip(&transcript.segments) {
        assert_eq!((text(&row["file"]), text(&row["text"])), ("talks/a, \"b\".wav", segment.text.as_str()));
        let seconds = |value: &Value| text(value).parse::<f64>().expect("seconds");
        assert_eq!(
            (seconds(&row["start"]), seconds(&row["end"])),
            (segment.start.as_secs_f64(), segment.end.as_secs_f64())
        );
        assert_eq!(text(&row["confidence"]), "0.5");
    }
}

#[test]
fn other_readers_find_what_was_said() {
    let readers = match readers() {
        Ok(readers) => readers,
        Err(reason) => {
            eprintln!("skipped: no readers of subtitles and TextGrids from PyPI: {reason}");
            return;
        }
    };
    let silence = Transcript { duration: Duration::from_secs(3), ..Default::default() };
    for transcript in [awkward(), long(), silence] {
        let result = read_back(&readers, &transcript);
        check_cues(&result["srt"], &transcript);
        check_cues(&result["vtt"], &transcript);
        check_cues(&result["vtt_words"], &transcript);
        check_tags(&result["vtt_words"], &transcript);
        check_tiers(&result, &transcript);
        check_table(&result["csv"], &transcript);
        let lines = |cues: &Value| rows(cues).iter().map(|cue| text(&cue[2]).lines().count()).max();
        assert!(lines(&result["srt"]) <= Some(2));
    }
}

/// `(word, start, end, confidence)` of every word that NIST's scorer aligned, each found correct.
fn scored(name: &str, transcript: &Transcript) -> Result<Vec<(String, f64, f64, f64)>, String> {
    let folder = tempfile::tempdir().expect("folder");
    let ctm = Format::Ctm.render(Path::new("a.wav"), name, transcript, RenderOptions::default());
    let line = |segment: &Segment| {
        let (start, end) = (segment.start.as_secs_f64(), segment.end.as_secs_f64());
        format!("{name} 1 speaker {start:.3} {end:.3} {}\n", segment.text)
    };
    let stm: String = transcript.segments.iter().map(line).collect();
    for (file, text) in [("a.stm", stm), ("a.ctm", ctm)] {
        std::fs::write(folder.path().join(file), text).expect("written");
    }
    let mut sclite = Command::new("sctk");
    sclite.args(["sclite", "-e", "utf-8", "-s", "-r", "a.stm", "stm", "-h", "a.ctm", "ctm", "-o", "sgml", "stdout"]);
    let output = sclite.current_dir(folder.path()).output().map_err(|error| format!("sctk: {error}"))?;
    let report = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(output.status.success(), "{report}{}", String::from_utf8_lossy(&output.stderr));
    let paths = report.lines().filter(|line| line.starts_with(['C', 'S', 'D', 'I']));
    let word = |entry: &str| {
        let (texts, numbers) = entry.rsplit_once("\",").expect("numbers after the texts");
        // Quotes are not escaped: `C,"reference","hypothesis`, where both are the same.
        let texts = texts.strip_prefix("C,\"").unwrap_or_else(|| panic!("{entry}"));
        let hypothesis = &texts[texts.len() / 2 + 2..];
        assert_eq!(texts, format!("{hypothesis}\",\"{hypothesis}"));
        let numbers: Vec<f64> = numbers.split(['+', ',']).map(|number| number.parse().expect("a number")).collect();
        // The report doubles semicolons.
        (hypothesis.replace(";;", ";"), numbers[0], numbers[1], numbers[2])
    };
    Ok(paths.flat_map(|line| line.split(':')).map(word).collect())
}

#[test]
fn the_scorer_of_nist_reads_the_words_with_times() {
    for transcript in [awkward(), long()] {
        let words = match scored("a", &transcript) {
            Ok(words) => words,
            Err(reason) => {
                eprintln!("skipped: no reader of CTM: {reason}");
                return;
            }
        };
        let written = transcript.segments.iter().flat_map(|segment| &segment.words);
        let wanted = written.map(|word| (word.text.clone(), word.start.as_secs_f64(), word.end.as_secs_f64(), 0.5));
        let wanted: Vec<_> = wanted.collect();
        assert_eq!(words.len(), wanted.len());
        for (word, wanted) in words.iter().zip(&wanted) {
            let near = |a: f64, b: f64| (a - b).abs() < 1.1e-3;
            assert!(
                word.0 == wanted.0 && near(word.1, wanted.1) && near(word.2, wanted.2) && near(word.3, wanted.3),
                "{word:?}, not {wanted:?}"
            );
        }
    }
}

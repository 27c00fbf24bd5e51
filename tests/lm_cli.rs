//! `eddy lm` as its users meet it.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

fn eddy(folder: &TempDir, arguments: &[&str], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_eddy"));
    command.current_dir(folder.path()).env_remove("RUST_LOG").arg("lm").args(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("eddy runs");
    child.stdin.take().expect("standard input").write_all(input.as_bytes()).expect("written");
    child.wait_with_output().expect("eddy ends")
}

fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("folder");
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    for name in ["lm.txt", "lm.arpa"] {
        std::fs::copy(golden.join(name), folder.path().join(name)).expect("copied");
    }
    folder
}

/// What a command that must do its work printed on stdout.
fn done(output: Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Asserts exit code 2, nothing on stdout and every part in the message.
fn refused(output: &Output, parts: &[&str]) {
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(2), b"".as_slice()), "{message}");
    for part in parts {
        assert!(message.contains(part), "{part:?} not in {message:?}");
    }
    assert!(!message.contains("panicked"), "{message}");
}

#[test]
fn from_text_to_a_small_file_and_its_perplexity() {
    let folder = folder();
    let run = |arguments: &[&str]| done(eddy(&folder, arguments, ""));
    assert_eq!(run(&["estimate", "lm.txt", "--order", "3", "-o", "made.arpa"]), "");
    run(&["prune", "made.arpa", "--max-ngrams", "300", "-o", "small.arpa"]);
    run(&["build", "small.arpa", "-o", "small.bin"]);
    run(&["build", "made.arpa", "--bits", "32", "-o", "exact.bin"]);
    assert_eq!(run(&["score", "made.arpa", "lm.txt"]), run(&["score", "exact.bin", "lm.txt"]));
    let scored = run(&["score", "small.bin", "lm.txt"]);
    assert!(scored.starts_with("sentences\t120\nwords\t1081\nunknown\t0\nlog10 probability\t-"), "{scored}");
    let names: Vec<_> = std::fs::read_dir(folder.path()).expect("folder").flatten().map(|e| e.file_name()).collect();
    assert_eq!(names.len(), 6, "{names:?}");
}

#[test]
fn text_is_normalized_unless_told_not_to() {
    let folder = folder();
    let text = "We can NOT hallow this ground!\n\n-- 7 zebras.\n";
    let scored = done(eddy(&folder, &["score", "lm.arpa", "-", "--sentences"], text));
    let lines: Vec<&str> = scored.lines().collect();
    assert!(lines[0].ends_with("\t0\twe can not hallow this ground"), "{scored}");
    assert!(lines[1].ends_with("\t1\tseven zebras"), "{scored}");
    assert_eq!(lines[2..5], ["sentences\t2", "words\t8", "unknown\t1"]);
    let verbatim = done(eddy(&folder, &["score", "lm.arpa", "-", "--verbatim"], text));
    assert!(verbatim.contains("unknown\t6\n"), "{verbatim}");
    let arguments = ["estimate", "-", "--order", "2", "--max-words", "3", "-o", "x.arpa"];
    let output = eddy(&folder, &arguments, text);
    let message = String::from_utf8_lossy(&output.stderr).to_string();
    assert_eq!(done(output), "");
    assert!(message.contains("warning: too little text, or too even, to estimate discounts of 1-grams"), "{message}");
    assert!(message.contains("x.arpa: 2 sentences, 8 words, 5 outside the vocabulary"), "{message}");
}

#[test]
fn what_is_wrong_is_named() {
    let folder = folder();
    let run = |arguments: &[&str]| eddy(&folder, arguments, "");
    refused(&run(&["estimate", "lm.txt"]), &["--out"]);
    refused(&run(&["estimate", "missing.txt", "-o", "x.arpa"]), &["missing.txt"]);
    refused(&run(&["estimate", "lm.txt", "-o", "x.arpa", "--order", "9"]), &["order = 9: must be 1..=6"]);
    refused(&run(&["estimate", "lm.txt", "-o", "x.arpa", "--prune", "0 x"]), &["--prune = 0 x: must be counts"]);
    refused(&run(&["estimate", "-", "-o", "x.arpa"]), &["text = 0 words"]);
    refused(&run(&["prune", "lm.arpa", "-o", "x.arpa"]), &["--threshold", "--max-ngrams"]);
    refused(&run(&["prune", "lm.arpa", "-o", "x.arpa", "--max-ngrams", "7"]), &["must be at least 81"]);
    refused(&run(&["prune", "lm.arpa", "-o", "x.arpa", "--threshold=-1"]), &["--threshold = -1: must be 0 or more"]);
    refused(&run(&["prune", "lm.txt", "-o", "x.arpa", "--threshold", "1"]), &["lm.txt: is no ARPA file"]);
    refused(&run(&["build", "lm.arpa", "-o", "x.bin", "--bits", "3"]), &["--bits = 3: must be 4 to 16, or 32"]);
    refused(&run(&["score", "lm.txt", "lm.txt"]), &["lm.txt: is neither an ARPA file nor"]);
    refused(&run(&["score", "lm.arpa", "-"]), &["no words to score"]);
    assert!(!folder.path().join("x.arpa").exists() && !folder.path().join("x.bin").exists());
    std::fs::write(folder.path().join("packed"), [0xfd, b'7', b'z', 0xff, b'\n']).expect("written");
    refused(&run(&["score", "lm.arpa", "packed"]), &["packed:1: is not UTF-8"]);
}

//! Language models: queries, ARPA and binary files.

#![allow(clippy::approx_constant)] // Logarithms of the worked example, to the digits that its file has.
use eddy::lm::{LmState, NgramLm, NgramTable};
use std::collections::HashSet;
use std::path::Path;

/// A trigram model by hand. `cat sat` has no entry although `the cat sat` has, which back-off models may do after pruning.
const ARPA: &str = "\
some words before

\\data\\
ngram 1=6
ngram 2=5
ngram 3=2

\\1-grams:
-99\t<s>\t-0.30103
-1.2\t<unk>
-0.6\t</s>
-0.5\tthe\t-0.4
-0.9\tcat\t-0.2
-1.0\tsat\t-0.1

\\2-grams:
-0.2\t<s> the\t-0.15
-0.3\tthe cat\t-0.25
-0.7\tthe sat
-0.4 sat  </s>
-0.8\tthe </s>

\\3-grams:
-0.1\t<s> the cat
-0.05\tthe cat sat

\\end\\
";

fn model(arpa: &str) -> NgramLm {
    NgramLm::read_arpa(arpa.as_bytes(), Path::new("small.arpa")).expect("ARPA")
}

/// log10 of each word's probability, in a sentence from its begin.
fn log10_probs(lm: &NgramLm, words: &[&str]) -> Vec<f32> {
    let mut state = lm.start_state();
    let mut scores = Vec::new();
    for word in words {
        let id = if *word == "</s>" { lm.sentence_end() } else { lm.word_id(word).unwrap_or(lm.unknown()) };
        let (score, next) = lm.score(&state, id);
        state = next;
        scores.push(score / std::f32::consts::LN_10);
    }
    scores
}

fn assert_near(got: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(got.len(), expected.len());
    for (got, expected) in got.iter().zip(expected) {
        assert!((got - expected).abs() <= tolerance, "{got} for {expected}");
    }
}

#[test]
fn scores_back_off_by_hand() {
    let lm = model(ARPA);
    assert_eq!((lm.order(), lm.counts(), lm.len()), (3, vec![6, 5, 2], 13));
    assert_eq!(lm.words().map(|(_, word)| word).collect::<Vec<_>>(), ["cat", "sat", "the"]);
    assert!(lm.words().all(|(id, word)| lm.word_id(word) == Some(id) && lm.word(id) == word));
    assert_eq!(lm.word_id("dog"), None);
    // <s> the; <s> the cat; the cat sat; (cat sat: not a bigram, no history) sat </s>.
    assert_near(&log10_probs(&lm, &["the", "cat", "sat", "</s>"]), &[-0.2, -0.1, -0.05, -0.4], 1e-6);
    // <s> backs off by 0.30103 to cat; cat backs off by 0.2 to sat.
    assert_near(&log10_probs(&lm, &["cat", "sat"]), &[-0.30103 - 0.9, -0.2 - 1.0], 1e-6);
    // <s> the backs off by 0.15 to `the sat`; `the sat` has no back-off weight: sat the = -0.1 - 0.5.
    assert_near(&log10_probs(&lm, &["the", "sat", "the"]), &[-0.2, -0.15 - 0.7, -0.1 - 0.5], 1e-6);
    // `<s> the`, then `the` back off to <unk>, which leaves no history.
    assert_near(&log10_probs(&lm, &["the", "dog", "the"]), &[-0.2, -0.15 - 0.4 - 1.2, -0.5], 1e-6);
}

#[test]
fn states_hold_only_what_matters() {
    let lm = model(ARPA);
    let after = |words: &[&str]| {
        words.iter().fold(lm.null_state(), |state, word| lm.score(&state, lm.word_id(word).unwrap_or(lm.unknown())).1)
    };
    assert_eq!(lm.null_state(), LmState::default());
    assert_eq!((lm.null_state().len(), lm.start_state().len(), after(&["the", "cat"]).len()), (0, 1, 2));
    assert_eq!(after(&["the", "dog"]), lm.null_state());
    assert_eq!(after(&["cat", "the", "cat"]), after(&["the", "cat"]));
    // `the sat` begins no trigram and has no back-off weight.
    assert_eq!(after(&["the", "sat"]), after(&["sat"]));
    let states: HashSet<LmState> = [after(&["the"]), after(&["cat", "the"]), after(&["cat"])].into();
    assert_eq!(states.len(), 2);
    let text = serde_json::to_string(&after(&["the", "cat"])).expect("JSON");
    let state: LmState = serde_json::from_str(&text).expect("a state");
    assert_eq!(state, after(&["the", "cat"]));
    // A state or a word of another model gives a score all the same.
    let small = model("\\data\\\nngram 1=1\n\\1-grams:\n-0.1\ta\n\\end\\\n");
    assert!(small.score(&state, 77).0 < 0.0);
    assert!(
        lm.score(&serde_json::from_str(&text.replace("\"length\":2", "\"length\":99")).expect("a state"), 0).0 < 0.0
    );
}

#[test]
fn what_an_arpa_file_leaves_out_is_put_in() {
    let lm = model(
        "\\data\\\nngram 1=1\nngram 2=0\nngram 3=1\n\\1-grams:\n-0.1\ta -0.5\n\\2-grams:\n\\3-grams:\n-0.2 a a a\n\\end\\\n",
    );
    // The history `a a` gets what `a` backs off to: -0.5 - 0.1, and then `a a a` is found.
    assert_eq!(lm.counts(), [4, 1, 1]);
    assert_near(&log10_probs(&lm, &["a", "a", "a"]), &[-0.1, -0.6, -0.2], 1e-6);
    assert_near(&log10_probs(&lm, &["b", "</s>"]), &[-100.0, -100.0], 1e-4);
    assert_eq!(lm.start_state(), lm.null_state());
}

#[test]
fn arpa_that_is_written_reads_back_the_same() {
    let table = NgramTable::read_arpa(ARPA.as_bytes(), Path::new("small.arpa")).expect("ARPA");
    let mut text = Vec::new();
    table.write_arpa(&mut text).expect("written");
    assert_eq!(NgramTable::read_arpa(text.as_slice(), Path::new("again.arpa")).expect("ARPA"), table);
}

#[test]
fn the_binary_holds_the_same_model() {
    let folder = tempfile::tempdir().expect("folder");
    let (text, exact) = (folder.path().join("lm.arpa"), folder.path().join("lm.bin"));
    std::fs::write(&text, ARPA).expect("written");
    let lm = NgramLm::load(&text).expect("ARPA");
    lm.save(&exact).expect("saved");
    assert_eq!(NgramLm::load(&exact).expect("binary"), lm);
    let table = NgramTable::load_arpa(&text).expect("ARPA");
    assert!(NgramLm::quantize(&table, 3).expect_err("too few").to_string().contains("bits = 3: must be 4..=16"));
    let quantized = NgramLm::quantize(&table, 4).expect("quantized");
    quantized.save(&exact).expect("saved");
    let again = NgramLm::load(&exact).expect("binary");
    assert_eq!(again, quantized);
    // No more than 15 different values of a kind: nothing is lost.
    let sentence = ["the", "cat", "sat", "</s>", "dog", "the", "sat"];
    assert_near(&log10_probs(&again, &sentence), &log10_probs(&lm, &sentence), 1e-6);
}

#[test]
fn damaged_files_are_named_with_the_way_out() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("lm.bin");
    model(ARPA).save(&path).expect("saved");
    let whole = std::fs::read(&path).expect("read");
    let refused = |bytes: &[u8], part: &str| {
        std::fs::write(&path, bytes).expect("written");
        let message = NgramLm::load(&path).expect_err(part).to_string();
        assert!(message.starts_with(&format!("{}: ", path.display())) && message.contains(part), "{message}");
    };
    for length in 8..whole.len() {
        refused(&whole[..length], "damaged or cut short");
    }
    for at in (0..whole.len()).filter(|at| !(8..12).contains(at)) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        refused(&bytes, if at < 8 { "neither an ARPA file nor" } else { "damaged or cut short" });
    }
    refused(&[&whole[..8], &[9, 0, 0, 0], &whole[12..]].concat(), "version = 9: must be 1");
    refused(&[&whole[..], &[0]].concat(), "damaged or cut short");
    refused(b"", "neither an ARPA file nor");
    std::fs::remove_file(&path).expect("removed");
    assert!(NgramLm::load(&path).expect_err("missing").to_string().contains("lm.bin: "));
}

#[test]
fn arpa_errors_name_the_line() {
    let refused = |from: &str, to: &str, parts: &[&str]| {
        assert!(ARPA.contains(from), "{from}");
        let text = ARPA.replacen(from, to, 1);
        let message = NgramLm::read_arpa(text.as_bytes(), Path::new("bad.arpa")).expect_err(to).to_string();
        for part in [&["bad.arpa: "], parts].concat() {
            assert!(message.contains(part), "{part:?} not in {message:?}");
        }
    };
    refused("\\data\\", "data", &["no line `\\data\\`"]);
    refused("ngram 2=5", "ngram 3=5", &["line 5: `ngram 3=5`: must be `ngram 2=COUNT`"]);
    refused("ngram 2=5", "ngram 2=4", &["line 21: `-0.8\tthe </s>`: must be `\\3-grams:` (is the count"]);
    refused("ngram 2=5", "ngram 2=6", &["line 23: log10-prob `\\3-grams:`"]);
    refused("-0.6\t</s>", "0.6\t</s>", &["line 11: log10-prob `0.6`: must be `log10-prob WORD [log10-back-off]`"]);
    refused("-0.5\tthe\t-0.4", "-0.5\tthe\tcat", &["line 12: log10-back-off `cat`"]);
    refused("-0.3\tthe cat\t-0.25", "-0.3\tthe", &["line 18: `-0.3\tthe`: must be"]);
    refused("-0.3\tthe cat\t-0.25", "-0.3\tthe cat\t-0.25 x", &["line 18"]);
    refused("the cat sat", "the cat slept", &["line 25: `slept` is not among the unigrams"]);
    refused("the cat sat", "<s> the cat", &["the 3-gram `<s> the cat` is listed twice"]);
    refused("\\end\\", "", &["ends before `\\end\\`: fetch or make it again"]);
    refused("ngram 3=2", "ngram 3=2\nngram 4=0\nngram 5=0\nngram 6=0\nngram 7=0", &["order = 7: must be 1..=6"]);
    refused("-0.05\tthe cat sat\n\n\\end\\\n", "", &["ends within its n-grams"]);
    let latin = [b"\\data\\\nngram 1=1\n\\1-grams:\n-1 caf".as_slice(), &[0xe9], b"\n\\end\\\n"].concat();
    let message = NgramLm::read_arpa(latin.as_slice(), Path::new("bad.arpa")).expect_err("Latin 1").to_string();
    assert_eq!(message, "bad.arpa: line 4: is not UTF-8");
}

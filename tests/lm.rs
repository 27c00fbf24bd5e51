//! Language models: queries, ARPA and binary files, estimation, pruning; golden values from `golden/lm.py`.

use eddy::lm::{EstimateConfig, EstimateReport, Estimator, LmState, NgramLm, NgramTable, Perplexity, PruneTo, Words};
use serde_json::Value;
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
-99\t<s>\t-0.3
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
    // <s> backs off by 0.3 to cat; cat backs off by 0.2 to sat.
    assert_near(&log10_probs(&lm, &["cat", "sat"]), &[-0.3 - 0.9, -0.2 - 1.0], 1e-6);
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

/// The model of a text, a sentence a line, and what it was made of.
fn estimate(config: EstimateConfig, text: &str) -> (NgramTable, EstimateReport) {
    let mut estimator = Estimator::new(config).expect("a valid configuration");
    for line in text.lines() {
        estimator.add_sentence(line).expect("added");
    }
    let (mut arpa, name) = (Vec::new(), Path::new("made.arpa"));
    let report = estimator.estimate(&mut arpa, name).expect("estimated");
    (NgramTable::read_arpa(arpa.as_slice(), name).expect("ARPA"), report)
}

fn config(order: usize, prune: &[u32]) -> EstimateConfig {
    EstimateConfig { order, prune: prune.to_vec(), ..EstimateConfig::default() }
}

/// Probabilities of words after the begin of a sentence and some words.
fn probs_after(lm: &NgramLm, history: &[&str], words: &[&str]) -> Vec<f32> {
    let id = |word: &&str| if *word == "</s>" { lm.sentence_end() } else { lm.word_id(word).unwrap_or(lm.unknown()) };
    let state = history.iter().fold(lm.start_state(), |state, word| lm.score(&state, id(word)).1);
    words.iter().map(|word| lm.score(&state, id(word)).0.exp()).collect()
}

/// Asserts that probabilities sum to 1 after no word, after the begin, and after every word of `text` alone and in its place;
/// returns the number of different histories.
fn assert_sums(lm: &NgramLm, text: &str) -> usize {
    let mut states: HashSet<LmState> = [lm.null_state(), lm.start_state()].into();
    for line in text.lines() {
        let mut state = lm.start_state();
        for word in line.split_whitespace() {
            let id = lm.word_id(word).unwrap_or(lm.unknown());
            states.insert(lm.score(&lm.null_state(), id).1);
            state = lm.score(&state, id).1;
            states.insert(state);
        }
    }
    let count = states.len();
    for state in states {
        let ends = [lm.unknown(), lm.sentence_end()];
        let all = lm.words().map(|(id, _)| id).chain(ends);
        let sum: f64 = all.map(|id| f64::from(lm.score(&state, id).0).exp()).sum();
        assert!((sum - 1.0).abs() < 2e-5, "{sum} after {state:?}");
    }
    count
}

/// Three sentences: `a b` twice and `a c`. No counts of counts to estimate discounts from, so 0.5, 1 and 1.5.
///
/// Unigrams by different words before them: a 1, b 1, c 1, </s> 2; set free (3 x 0.5 + 1) / 5 = 0.5, shared by a, b, c, </s>
/// and <unk>, 0.1 each: p(a) = p(b) = p(c) = 0.5 / 5 + 0.1 = 0.2, p(</s>) = 1 / 5 + 0.1 = 0.3, p(<unk>) = 0.1.
/// Bigrams by occurrences: <s> a 3: (3 - 1.5) / 3 + 0.5 p(a) = 0.6. a b 2 and a c 1 set (1 + 0.5) / 3 = 0.5 free:
/// p(b|a) = 1 / 3 + 0.5 x 0.2, p(c|a) = 0.5 / 3 + 0.5 x 0.2. b </s> 2: 0.5 + 0.5 x 0.3; c </s> 1: the same.
#[test]
fn kneser_ney_by_hand() {
    let (table, report) = estimate(config(2, &[0]), "a b\na b\n\na c\n");
    assert_eq!((report.sentences, report.words, report.unknown), (3, 6, 0));
    assert_eq!((report.counts, report.fallbacks), (vec![6, 5], vec![1, 2]));
    assert_eq!(report.discounts, [[0.5, 1.0, 1.5]; 2]);
    let lm = NgramLm::pack(&table);
    assert_near(&probs_after(&lm, &["?"], &["a", "b", "c", "</s>", "?"]), &[0.2, 0.2, 0.2, 0.3, 0.1], 1e-6);
    assert_near(&probs_after(&lm, &[], &["a", "b"]), &[0.6, 0.1], 1e-6);
    let third = 1.0 / 3.0;
    let after_a = [0.1, third + 0.1, third / 2.0 + 0.1, 0.15, 0.05];
    assert_near(&probs_after(&lm, &["a"], &["a", "b", "c", "</s>", "?"]), &after_a, 1e-6);
    assert_near(&probs_after(&lm, &["a", "b"], &["</s>"]), &[0.65], 1e-6);
    assert_near(&probs_after(&lm, &["a", "c"], &["</s>"]), &[0.65], 1e-6);
    assert_sums(&lm, "a b\na c\nb b");
}

/// The same without bigrams that occur once, `a c` and `c </s>`: their whole counts are set free, (1 + 1) / 3 after a, 1
/// after c.
#[test]
fn counts_that_are_left_out_by_hand() {
    let (table, report) = estimate(config(2, &[0, 1]), "a b\na b\na c\n");
    assert_eq!(report.counts, [6, 3]);
    let lm = NgramLm::pack(&table);
    let two_thirds = 2.0 / 3.0;
    let after_a = [two_thirds * 0.2, 1.0 / 3.0 + two_thirds * 0.2, two_thirds * 0.2];
    assert_near(&probs_after(&lm, &["a"], &["a", "b", "c"]), &after_a, 1e-6);
    assert_near(&probs_after(&lm, &["a", "c"], &["</s>"]), &[0.3], 1e-6);
    assert_sums(&lm, "a b\na c");
}

const TEXT: &str = include_str!("golden/lm.txt");
const GOLDEN: &str = include_str!("golden/lm.arpa");

fn golden() -> NgramTable {
    NgramTable::read_arpa(GOLDEN.as_bytes(), Path::new("golden/lm.arpa")).expect("ARPA")
}

/// Lines of ARPA text: words, and numbers.
fn values(table: &NgramTable) -> Vec<(String, Vec<f32>)> {
    let mut text = Vec::new();
    table.write_arpa(&mut text).expect("written");
    let text = String::from_utf8(text).expect("UTF-8");
    let entries = text.lines().filter(|line| line.contains('\t'));
    let split = |line: &str| {
        let parts: Vec<&str> = line.split('\t').collect();
        let number = |part: &&str| part.parse().expect("a number");
        let mut numbers = vec![number(&parts[0])];
        numbers.push(parts.get(2).map_or(0.0, number));
        (parts[1].to_string(), numbers)
    };
    entries.map(split).collect()
}

#[test]
fn estimates_equal_the_textbook() {
    let expected = values(&golden());
    let (table, report) = estimate(config(3, &[0]), TEXT);
    assert!(report.fallbacks.is_empty());
    let got = values(&table);
    assert_eq!(got.len(), expected.len());
    for ((words, got), (expected_words, expected)) in got.iter().zip(&expected) {
        assert_eq!(words, expected_words);
        assert_near(got, expected, 2e-6);
    }
}

#[test]
fn sorting_in_files_changes_nothing() {
    // More different n-grams than fit into 1 MB.
    let mut seed = 7u32;
    let mut word = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        format!("w{}", (seed >> 16) % 300)
    };
    let lines: Vec<String> = (0..3000).map(|_| (0..10).map(|_| word()).collect::<Vec<_>>().join(" ")).collect();
    let of = |memory_mb| estimate(EstimateConfig { memory_mb, ..config(3, &[0]) }, &lines.join("\n"));
    let (in_files, report) = of(1);
    assert!(report.counts[1] > 20_000);
    assert_eq!((in_files, report), of(2000));
}

#[test]
fn scores_equal_those_of_kenlm() {
    let lm = NgramLm::pack(&golden());
    let cases: Vec<Value> = serde_json::from_str(include_str!("golden/lm.json")).expect("golden file");
    let number = |value: &Value| value.as_f64().expect("a number");
    for case in &cases {
        let sentence = case["sentence"].as_str().expect("text");
        let words: Vec<f32> =
            case["words"].as_array().expect("scores").iter().map(|value| number(value) as f32).collect();
        let with_end: Vec<&str> = sentence.split(' ').chain(["</s>"]).collect();
        assert_near(&log10_probs(&lm, &with_end), &words, 1e-5);
        let score = lm.score_sentence(sentence);
        assert!((score.log10_prob - number(&case["log10_prob"])).abs() < 1e-4, "{sentence}");
        assert_eq!(score.unknown, case["unknown"].as_u64().expect("a count"));
        let mut perplexity = Perplexity::default();
        perplexity.add(score);
        let golden = number(&case["perplexity"]);
        assert!((perplexity.including_unknown() / golden - 1.0).abs() < 1e-4, "{sentence}");
    }
}

#[test]
fn every_history_sums_to_one() {
    for (order, prune) in [(1, &[0][..]), (2, &[0]), (3, &[0, 1, 1]), (3, &[0, 0, 2]), (5, &[0, 0, 1])] {
        let (table, report) = estimate(config(order, prune), TEXT);
        assert_eq!(report.counts, table.counts());
        let histories = assert_sums(&NgramLm::pack(&table), TEXT);
        assert!(histories > if order == 1 { 0 } else { 30 }, "{histories} of order {order}");
    }
    let listed = Words::Listed(["we", "can", "not", "moon"].map(str::to_string).to_vec());
    for words in [Words::Most(20), listed.clone()] {
        let (table, report) = estimate(EstimateConfig { words, ..config(3, &[0]) }, TEXT);
        assert!(report.unknown > 0 && table.counts()[0] <= 23);
        assert_sums(&NgramLm::pack(&table), TEXT);
    }
    let (table, _) = estimate(EstimateConfig { words: listed, ..config(2, &[0]) }, TEXT);
    assert_eq!(NgramLm::pack(&table).words().map(|(_, word)| word).collect::<Vec<_>>(), ["can", "moon", "not", "we"]);
}

#[test]
fn pruning_takes_what_matters_least_and_keeps_sums() {
    let table = golden();
    let whole: usize = table.counts().iter().sum();
    assert_eq!(table.prune(PruneTo::Threshold(0.0)).counts(), table.counts());
    let perplexity = |table: &NgramTable| {
        let lm = NgramLm::pack(table);
        assert_sums(&lm, TEXT);
        let mut perplexity = Perplexity::default();
        TEXT.lines().for_each(|line| perplexity.add(lm.score_sentence(line)));
        perplexity.including_unknown()
    };
    let mut last = perplexity(&table);
    for count in [whole - 40, whole - 120, whole - 220, table.counts()[0] + 5, table.counts()[0]] {
        let pruned = table.prune(PruneTo::Ngrams(count));
        let left: usize = pruned.counts().iter().sum();
        assert!(left <= count && left + 40 > count, "{left} for {count}");
        let now = perplexity(&pruned);
        assert!(now >= last * 0.999, "{now} after {last}");
        last = now;
    }
    let by_threshold = table.prune(PruneTo::Threshold(1e-3));
    assert!((1..whole).contains(&by_threshold.counts().iter().sum()));
    perplexity(&by_threshold);
    assert_eq!(table.prune(PruneTo::Threshold(f64::INFINITY)).order(), 1);
}

/// Stolcke's formula on two words. p(a) = 0.5, p(b) = 0.25, p(</s>) = 0.25; p(b|a) = 0.7, so a's weight is 0.3 / 0.75 = 0.4.
/// Without it the weight is 1, and D = -p(a) [0.7 (ln 0.25 + ln 1 - ln 0.7) + 0.3 (ln 1 - ln 0.4)] = 0.22292: the perplexity
/// grows by e^D - 1 = 0.24972.
#[test]
fn relative_entropy_by_hand() {
    let arpa = format!(
        "\\data\\\nngram 1=5\nngram 2=1\n\\1-grams:\n{half} a {weight}\n{quarter} b\n{quarter} </s>\n-99 <s>\n-99 <unk>\n\
         \\2-grams:\n{prob} a b\n\\end\\\n",
        half = 0.5f64.log10(),
        quarter = 0.25f64.log10(),
        weight = 0.4f64.log10(),
        prob = 0.7f64.log10()
    );
    let table = NgramTable::read_arpa(arpa.as_bytes(), Path::new("two.arpa")).expect("ARPA");
    assert_eq!(table.prune(PruneTo::Threshold(0.2497)).counts(), [5, 1]);
    let pruned = table.prune(PruneTo::Threshold(0.2498));
    assert_eq!(pruned.counts(), [5]);
    assert_near(&probs_after(&NgramLm::pack(&pruned), &["a"], &["b"]), &[0.25], 1e-6);
}

#[test]
fn quantized_scores_are_near() {
    let exact = NgramLm::pack(&golden());
    let quantized = NgramLm::quantize(&golden(), 8).expect("quantized");
    for line in TEXT.lines().chain(["we men of the moon"]) {
        let words: Vec<&str> = line.split(' ').collect();
        // Fewer than 255 values of most kinds here; bins of several differ by little.
        assert_near(&log10_probs(&quantized, &words), &log10_probs(&exact, &words), 0.01);
    }
}

#[test]
fn bad_configurations_are_named() {
    let refused = |config: EstimateConfig, part: &str| {
        let message = Estimator::new(config).err().expect(part).to_string();
        assert!(message.contains(part), "{message}");
    };
    refused(config(0, &[0]), "order = 0: must be 1..=6");
    refused(config(7, &[0]), "order = 7: must be 1..=6");
    refused(config(3, &[1]), "prune = [1]: must be 0, then");
    refused(config(3, &[0, 2, 1]), "prune = [0, 2, 1]");
    refused(config(2, &[0, 0, 0]), "at most 1 counts");
    refused(EstimateConfig { words: Words::Most(0), ..config(3, &[0]) }, "max-words = 0");
    refused(EstimateConfig { memory_mb: 0, ..config(3, &[0]) }, "memory = 0");
    refused(EstimateConfig { temporary: "/nowhere/at/all".into(), ..config(3, &[0]) }, "/nowhere/at/all");
    let empty = Estimator::new(config(3, &[0])).expect("valid");
    let message = empty.estimate(&mut Vec::new(), Path::new("x")).expect_err("no text").to_string();
    assert!(message.contains("text = 0 words"), "{message}");
}

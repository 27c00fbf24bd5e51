//! Error counts against jiwer (`tests/golden/wer.py`).

use eddy::metrics::ErrorCounts;
use serde_json::Value;

#[test]
fn counts_equal_those_of_jiwer() {
    let cases: Vec<Value> = serde_json::from_str(include_str!("golden/wer.json")).expect("golden file");
    for case in &cases {
        let (reference, hypothesis) = (&case["reference"], &case["hypothesis"]);
        let (reference, hypothesis) = (reference.as_str().expect("text"), hypothesis.as_str().expect("text"));
        let count = |value: &Value| value.as_u64().expect("a count");
        let (words, pairs) = ErrorCounts::words(reference, hypothesis);
        let golden: Vec<u64> = case["words"].as_array().expect("counts").iter().map(count).collect();
        let label = format!("{reference:?} | {hypothesis:?}");
        assert_eq!(words.rate(), case["wer"].as_f64().expect("a rate"), "{label}");
        let characters = ErrorCounts::characters(reference, hypothesis);
        assert_eq!(characters.errors(), count(&case["characters"]), "{label}");
        assert_eq!(characters.rate(), case["cer"].as_f64().expect("a rate"), "{label}");
        assert_eq!([words.substitutions, words.deletions, words.insertions], golden[..], "{label}");
        assert!(pairs.iter().filter_map(|pair| pair.0).eq(reference.split_whitespace()), "{label}");
        assert!(pairs.iter().filter_map(|pair| pair.1).eq(hypothesis.split_whitespace()), "{label}");
        let wrong = pairs.iter().filter(|(reference, hypothesis)| reference != hypothesis).count();
        assert_eq!(wrong as u64, words.errors(), "{label}");
    }
}

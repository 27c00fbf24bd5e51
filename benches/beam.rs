//! Speed of the beam search on one thread, against flashlight-text's lexicon decoder with KenLM in interleaved rounds:
//! the same log-probs, language model, weights and beam.
//!
//! Run: `pip install flashlight-text kenlm numpy && cargo bench --bench beam`. Without the Python packages eddy's own
//! figure is printed alone. The log-probs are made from the sentences below, letters at 33 frames a second with noise
//! (seed 1); the language model is a bigram of the same sentences, or the ARPA file that `EDDY_BENCH_LM` names.
//! flashlight-text knows no words outside the vocabulary, so none are allowed here either; else eddy has its defaults.

mod peer;

use eddy::Frames;
use eddy::ctc::{BeamConfig, BeamDecoder, BeamSearch, Decoder};
use eddy::lm::NgramLm;
use eddy::metrics::ErrorCounts;
use eddy::text::TokenTable;
use peer::{Peer, median};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

const ROUNDS: usize = 9;
const FRAMES_PER_SECOND: f64 = 33.0;
/// How far the noise reaches, in natural-log units.
const NOISE: f32 = 6.0;

const SENTENCES: &str = "\
the old man had been sitting by the river since early morning
she did not know what to say when the letter came at last
there was a light in the window of the house across the street
he took his hat from the table and went out without a word
we walked for three hours along the coast and saw no one
the children were playing in the garden while the rain held off
it is said that the king never slept in the same room twice
i had never heard such a strange story in all my life
they were going to leave in the morning but the boat was late
nobody could remember who had opened the door or why
my father used to tell us that the sea keeps what it takes
in the end the whole town turned out to see the ship come in
some of the letters were written in a hand i did not know
a cold wind was blowing from the north and the sky was grey
you will find the key under the stone beside the well
her brother said that he would write as soon as he could
that night the snow fell so deep that the road was lost
what he wanted most of all was to be left alone with his books
the doctor shook his head and looked out over the dark field
after dinner the two women talked about the price of bread";

fn tokens() -> TokenTable {
    let letters = ('a'..='z').map(String::from);
    let all = ["<blank>", "▁"].map(String::from).into_iter().chain(letters).chain(["'", "-"].map(String::from));
    TokenTable::new(all.collect()).expect("tokens")
}

fn random(seed: u64) -> impl FnMut() -> f32 {
    let mut state = seed;
    move || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 40) as f32 / (1u32 << 24) as f32
    }
}

/// A frame in which `token` stands out of the noise.
fn push_frame(frames: &mut Frames, token: usize, random: &mut impl FnMut() -> f32) {
    let peak = 5.0 + 5.0 * random();
    let blank = if token == 0 { 0.0 } else { 2.0 + 4.0 * random() };
    let mut logits: Vec<f32> = (0..frames.dim).map(|_| NOISE * random()).collect();
    logits[0] += blank;
    logits[token] += peak;
    let sum = logits.iter().map(|logit| logit.exp()).sum::<f32>().ln();
    frames.data.extend(logits.iter().map(|logit| logit - sum));
}

/// Every letter is said for a frame or two, with a blank or two after it.
fn log_probs(table: &TokenTable) -> Frames {
    let mut random = random(1);
    let mut frames = Frames::new(table.len());
    for sentence in SENTENCES.lines() {
        for letter in sentence.chars().chain([' ']) {
            let name = if letter == ' ' { "▁".to_string() } else { letter.to_string() };
            let token = (0..table.len()).find(|&id| table.token(id as i64) == Some(&name)).expect("a token");
            (0..1 + usize::from(random() < 0.3)).for_each(|_| push_frame(&mut frames, token, &mut random));
            (0..1 + usize::from(random() < 0.4)).for_each(|_| push_frame(&mut frames, 0, &mut random));
        }
    }
    frames
}

/// A bigram with absolute discounting.
fn arpa() -> String {
    let mut words: BTreeMap<&str, BTreeMap<&str, f64>> = BTreeMap::new();
    let mut single: BTreeMap<&str, f64> = BTreeMap::new();
    for sentence in SENTENCES.lines() {
        let mut last = "<s>";
        for word in sentence.split(' ').chain(["</s>"]) {
            *words.entry(last).or_default().entry(word).or_insert(0.0) += 1.0;
            *single.entry(word).or_insert(0.0) += 1.0;
            last = word;
        }
    }
    let total = single.values().sum::<f64>() + 1.0;
    let pairs: usize = words.values().map(BTreeMap::len).sum();
    let mut text = format!("\\data\\\nngram 1={}\nngram 2={pairs}\n\n\\1-grams:\n", single.len() + 2);
    let _ = writeln!(text, "{:.6}\t<unk>\t0", (1.0 / total).log10());
    for word in single.keys().chain(["<s>"].iter()) {
        let log_prob = single.get(word).map_or(-99.0, |count| (count / total).log10());
        // What half of each count leaves, over what the words not seen have among the single words.
        let backoff = words.get(word).map_or(0.0, |next| {
            let left = 0.5 * next.len() as f64 / next.values().sum::<f64>();
            let seen: f64 = next.keys().map(|word| single[word] / total).sum();
            (left / (1.0 - seen)).log10()
        });
        let _ = writeln!(text, "{log_prob:.6}\t{word}\t{backoff:.6}");
    }
    text.push_str("\n\\2-grams:\n");
    for (first, next) in &words {
        let sum: f64 = next.values().sum();
        for (second, count) in next {
            let _ = writeln!(text, "{:.6}\t{first} {second}", ((count - 0.5) / sum).log10());
        }
    }
    text + "\n\\end\\\n"
}

/// flashlight-text, when it is installed.
fn flashlight(folder: &Path, arpa: &Path, table: &TokenTable, frames: &Frames, config: &BeamConfig) -> Option<Peer> {
    let (data, names) = (folder.join("log_probs"), folder.join("tokens"));
    let bytes: Vec<u8> = frames.data.iter().flat_map(|value| value.to_le_bytes()).collect();
    std::fs::write(&data, bytes).ok()?;
    let list: Vec<&str> = (0..table.len() as i64).filter_map(|id| table.token(id)).collect();
    std::fs::write(&names, list.join("\n")).ok()?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/flashlight.py");
    let weights = [config.alpha.to_string(), config.beta.to_string()];
    Peer::start(Command::new("python3").arg(script).args([arpa, &data, &names]).args(weights))
}

/// Seconds and text of one pass.
fn flashlight_round(peer: &mut Peer, beam: usize) -> Option<(f64, String)> {
    let answer = peer.ask(&beam.to_string())?;
    let (seconds, text) = answer.trim_end().split_once('\t')?;
    Some((seconds.parse().ok()?, text.to_string()))
}

/// Word errors in percent, so that neither side is fast by being wrong.
fn wer(text: &str) -> f64 {
    100.0 * ErrorCounts::words(SENTENCES, text).0.rate()
}

/// Seconds and text of one pass.
fn own_round(search: &Arc<BeamSearch>, table: &TokenTable, frames: &Frames) -> (f64, String) {
    let mut decoder = BeamDecoder::new(search.clone(), search.hot_words(&[]).expect("no hot words"));
    let start = Instant::now();
    decoder.push(frames).expect("push");
    let ids: Vec<i64> = decoder.best(1)[0].emissions.iter().map(|emission| emission.token).collect();
    (start.elapsed().as_secs_f64(), table.decode(&ids))
}

fn main() {
    let folder = tempfile::tempdir().expect("folder");
    let path = std::env::var_os("EDDY_BENCH_LM").map(PathBuf::from).unwrap_or_else(|| {
        let path = folder.path().join("bench.arpa");
        std::fs::write(&path, arpa()).expect("ARPA");
        path
    });
    let table = tokens();
    let frames = log_probs(&table);
    let lm = Arc::new(NgramLm::load(&path).expect("language model"));
    let defaults = BeamConfig::default();
    let mut peer = flashlight(folder.path(), &path, &table, &frames, &defaults);
    let tens = frames.len() as f64 / FRAMES_PER_SECOND / 10.0;
    println!("{:.0} s of log-probs, {} tokens, one thread; ms for 10 s", tens * 10.0, table.len());
    for beam in [16, 100] {
        // Words outside the vocabulary cost so much that there are none, as in flashlight-text.
        let config = BeamConfig { beam, unknown_penalty: 100.0, ..defaults };
        let frame = Duration::from_secs_f64(1.0 / FRAMES_PER_SECOND);
        let search = Arc::new(BeamSearch::new(&table, Some(lm.clone()), config, frame).expect("search"));
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        let mut texts = [String::new(), String::new()];
        for round in 0..ROUNDS {
            let (own, text) = own_round(&search, &table, &frames);
            let other = peer.as_mut().and_then(|peer| flashlight_round(peer, beam));
            texts[0] = text;
            // The first round warms up.
            if round > 0 {
                ours.push(own * 1000.0 / tens);
                theirs.extend(other.map(|(seconds, text)| {
                    texts[1] = text;
                    seconds * 1000.0 / tens
                }));
            }
        }
        let own = median(&mut ours);
        println!("beam {beam:3}  eddy             {own:7.2}  WER {:4.1} %", wer(&texts[0]));
        if theirs.is_empty() {
            println!("          flashlight-text  skipped: pip install flashlight-text kenlm numpy");
            continue;
        }
        let other = median(&mut theirs);
        println!("          flashlight-text  {other:7.2}  WER {:4.1} %", wer(&texts[1]));
        println!("          ratio            {:7.2}", other / own);
    }
}

//! The beam search against worked tables, against enumeration of all alignments, and as a stream.

use eddy::Frames;
use eddy::ctc::{BeamConfig, BeamDecoder, BeamSearch, CommitConfig, Decoder, Emission, HotWord, TokenPriors};
use eddy::lm::NgramLm;
use eddy::text::TokenTable;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Two words and a longer one, with a bigram; scores are log10.
const ARPA: &str = "\\data\\\nngram 1=6\nngram 2=3\n\n\\1-grams:\n-1.2\t<unk>\n-99\t<s>\t-0.3\n-0.7\t</s>\n-0.4\ta\t-0.2\n\
-0.9\tab\t-0.1\n-1.1\tba\t0\n\n\\2-grams:\n-0.3\t<s> ab\n-0.2\ta ba\n-0.5\tab a\n\n\\end\\\n";

fn lm() -> Arc<NgramLm> {
    Arc::new(NgramLm::read_arpa(ARPA.as_bytes(), Path::new("test.arpa")).expect("ARPA"))
}

fn tokens(list: &[&str]) -> TokenTable {
    let all = std::iter::once("<blank>").chain(list.iter().copied());
    TokenTable::new(all.map(str::to_string).collect()).expect("tokens")
}

fn letters() -> TokenTable {
    tokens(&["▁", "a", "b"])
}

const FRAME: Duration = Duration::from_millis(30);

/// Nothing is pruned.
fn unlimited() -> BeamConfig {
    BeamConfig { beam: 10_000, score_margin: 1000.0, token_margin: 1000.0, top_tokens: 1000, ..Default::default() }
}

fn decoder(table: &TokenTable, lm: Option<Arc<NgramLm>>, config: BeamConfig, hot: &[(&str, f32)]) -> BeamDecoder {
    let search = Arc::new(BeamSearch::new(table, lm, config, FRAME).expect("search"));
    let hot: Vec<_> = hot.iter().map(|&(phrase, boost)| HotWord { phrase: phrase.into(), boost }).collect();
    let hot = search.hot_words(&hot).expect("hot words");
    BeamDecoder::new(search, hot)
}

fn random(seed: u64) -> impl FnMut() -> f32 {
    let mut state = seed;
    move || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 40) as f32 / (1u32 << 24) as f32
    }
}

/// Log-probs of `count` frames, each a distribution over `dim` tokens; higher `contrast`, surer frames.
fn noise(count: usize, dim: usize, contrast: f32, seed: u64) -> Frames {
    let mut random = random(seed);
    let mut frames = Frames::new(dim);
    for _ in 0..count {
        let logits: Vec<f32> = (0..dim).map(|_| random() * contrast).collect();
        let sum = logits.iter().map(|logit| logit.exp()).sum::<f32>().ln();
        frames.data.extend(logits.iter().map(|logit| logit - sum));
    }
    frames
}

/// One token a frame, nearly certain.
fn path(table: &TokenTable, text: &[&str]) -> Frames {
    let mut frames = Frames::new(table.len());
    let sure = 0.98f32;
    let rest = ((1.0 - sure) / (table.len() - 1) as f32).ln();
    for wanted in text {
        let ids = (0..table.len() as i64).map(|id| if table.token(id) == Some(wanted) { sure.ln() } else { rest });
        frames.data.extend(ids);
    }
    frames
}

fn ids(emissions: &[Emission]) -> Vec<i64> {
    emissions.iter().map(|emission| emission.token).collect()
}

fn text(decoder: &BeamDecoder, table: &TokenTable) -> String {
    table.decode(&ids(&decoder.best(1)[0].emissions))
}

fn collapse(path: &[i64]) -> Vec<i64> {
    let mut collapsed = path.to_vec();
    collapsed.dedup();
    collapsed.retain(|&token| token != 0);
    collapsed
}

/// Every prefix's probability, by enumeration of all alignments.
fn enumerate(frames: &Frames) -> BTreeMap<Vec<i64>, f64> {
    let mut sums = BTreeMap::new();
    for code in 0..frames.dim.pow(frames.len() as u32) {
        let at = |t: usize| (code / frames.dim.pow(t as u32) % frames.dim) as i64;
        let path: Vec<i64> = (0..frames.len()).map(at).collect();
        let log: f64 = path.iter().enumerate().map(|(t, &k)| f64::from(frames.row(t)[k as usize])).sum();
        *sums.entry(collapse(&path)).or_insert(0.0) += log.exp();
    }
    sums
}

/// WeNet's table (runtime/core/test/ctc_prefix_beam_search_test.cc), worked by hand.
fn table() -> Frames {
    let probs = [0.25f32, 0.40, 0.35, 0.40, 0.35, 0.25, 0.10, 0.50, 0.40];
    Frames { data: probs.iter().map(|prob| prob.ln()).collect(), dim: 3, first_frame: 0 }
}

fn table_values(beam: usize) -> Vec<(Vec<i64>, f64)> {
    let mut decoder = decoder(&tokens(&["a", "b"]), None, BeamConfig { beam, ..unlimited() }, &[]);
    decoder.push(&table()).expect("push");
    decoder.best(3).into_iter().map(|best| (ids(&best.emissions), best.log_prob.exp())).collect()
}

#[test]
fn the_worked_table() {
    let check = |values: Vec<(Vec<i64>, f64)>, wanted: &[(&[i64], f64)]| {
        assert_eq!(values.len(), wanted.len());
        for ((prefix, value), (wanted, probability)) in values.iter().zip(wanted) {
            assert!(prefix == wanted && (value - probability).abs() < 1e-6, "{values:?}");
        }
    };
    check(table_values(10_000), &[(&[2, 1], 0.2185), (&[1, 2], 0.2050), (&[1], 0.2025)]);
    check(table_values(3), &[(&[2, 1], 0.2185), (&[1, 2], 0.1550), (&[1], 0.1525)]);
}

type Worth<'a> = &'a dyn Fn(&str) -> f64;

/// What the letters of a text are worth, straight from the definition; `hot` phrases are counted word by word.
fn worth(lm: &NgramLm, config: &BeamConfig, text: &str, hot: &[(&str, f32)]) -> f64 {
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut state = lm.start_state();
    let mut sum = 0.0;
    for word in &words {
        let id = lm.word_id(word);
        let (score, next) = lm.score(&state, id.unwrap_or_else(|| lm.unknown()));
        let excused = hot.iter().any(|(phrase, _)| phrase.split(' ').any(|hot| hot == *word));
        let letters = if id.is_some() || excused { 0.0 } else { word.chars().count() as f32 };
        sum += config.alpha * score + config.beta - config.unknown_penalty * letters;
        state = next;
    }
    for (phrase, boost) in hot {
        let phrase: Vec<&str> = phrase.split(' ').collect();
        sum += words.windows(phrase.len()).filter(|window| **window == phrase[..]).count() as f32 * boost;
    }
    f64::from(sum)
}

/// All texts with their scores, best first.
fn expected(table: &TokenTable, frames: &Frames, worth: Worth) -> Vec<(String, f64)> {
    let mut texts: BTreeMap<String, f64> = BTreeMap::new();
    for (prefix, probability) in enumerate(frames) {
        *texts.entry(table.decode(&prefix)).or_insert(0.0) += probability;
    }
    let mut scored: Vec<_> = texts.into_iter().map(|(text, sum)| (text.clone(), sum.ln() + worth(&text))).collect();
    scored.sort_by(|a, b| b.1.total_cmp(&a.1));
    scored
}

#[test]
fn an_unlimited_beam_finds_what_enumeration_finds() {
    let config = BeamConfig { alpha: 0.7, beta: 1.3, unknown_penalty: 0.4, ..unlimited() };
    let lm = lm();
    let hot: &[(&str, f32)] = &[("ab a", 2.5), ("bb", 3.0), ("a", -0.5)];
    let pieces = tokens(&["▁a", "▁", "a", "b", "ab"]);
    for (table, length) in [(letters(), 7), (pieces, 5)] {
        for seed in 0..4 {
            let frames = noise(length, table.len(), 3.0, seed);
            let none = |_: &str| 0.0;
            let with_lm = |text: &str| worth(&lm, &config, text, &[]);
            let with_hot = |text: &str| worth(&lm, &config, text, hot);
            let cases: [(_, &[_], Worth); 3] =
                [(None, &[], &none), (Some(lm.clone()), &[], &with_lm), (Some(lm.clone()), hot, &with_hot)];
            for (lm, hot, worth) in cases {
                let wanted = expected(&table, &frames, worth);
                let mut decoder = decoder(&table, lm, config, hot);
                decoder.push(&frames).expect("push");
                for (mine, (text, score)) in decoder.best(10).iter().zip(&wanted) {
                    assert_eq!(&table.decode(&ids(&mine.emissions)), text, "seed {seed}, hot {hot:?}");
                    assert!((mine.log_prob - score).abs() < 1e-3, "{text}: {} for {score}", mine.log_prob);
                }
            }
        }
    }
}

#[test]
fn places_are_those_of_the_likeliest_alignment() {
    for seed in 0..20 {
        let frames = Frames { first_frame: 0, ..noise(6, 4, 4.0, 100 + seed) };
        let mut decoder = decoder(&letters(), None, unlimited(), &[]);
        decoder.push(&frames).expect("push");
        for hypothesis in decoder.best(5) {
            let labels = ids(&hypothesis.emissions);
            let aligned = eddy::ctc::align(&frames, &labels).expect("alignment");
            let places =
                |list: &[Emission]| -> Vec<_> { list.iter().map(|e| (e.token, e.first_frame, e.last_frame)).collect() };
            // Tokens that all prefixes share were placed by what was likeliest then.
            let agreed = decoder.agreed();
            assert_eq!(places(&hypothesis.emissions)[agreed..], places(&aligned)[agreed..], "seed {seed} {labels:?}");
        }
    }
}

/// Everything that can be seen of a decoder.
fn seen(decoder: &BeamDecoder) -> String {
    let state = (decoder.agreed(), decoder.trailing_blanks(), decoder.frames(), decoder.has_tokens());
    format!("{:?} {:?} {state:?}", decoder.best(5), decoder.current())
}

#[test]
fn cuts_snapshots_and_forks_change_nothing() {
    let (table, lm) = (letters(), Some(lm()));
    let frames = noise(400, table.len(), 9.0, 5);
    let new = || decoder(&table, lm.clone(), BeamConfig::default(), &[("bab", 2.0)]);
    let mut whole = new();
    whole.push(&frames).expect("push");
    for size in [1, 3, 64] {
        let mut cut = new();
        for piece in frames.data.chunks(size * frames.dim) {
            let before = seen(&cut);
            let text = serde_json::to_string(&cut.snapshot()).expect("written");
            let mut fork = cut.clone();
            fork.push(&frames).expect("push");
            fork.end_segment();
            assert_eq!(seen(&cut), before, "a fork disturbs nothing");
            if size > 1 {
                cut = new().restore(serde_json::from_str(&text).expect("read")).expect("restored");
                assert_eq!(seen(&cut), before);
            }
            cut.push(&Frames { data: piece.to_vec(), dim: frames.dim, first_frame: 0 }).expect("push");
        }
        assert_eq!(seen(&cut), seen(&whole), "{size} frames a push");
        assert_eq!(cut.snapshot(), whole.snapshot());
    }
}

#[test]
fn foreign_and_damaged_snapshots_are_refused() {
    let table = letters();
    let mut one = decoder(&table, Some(lm()), BeamConfig::default(), &[]);
    one.push(&noise(50, table.len(), 6.0, 1)).expect("push");
    let other = decoder(&table, Some(lm()), BeamConfig::default(), &[("ba", 1.0)]);
    assert!(other.restore(one.snapshot()).expect_err("other hot words").to_string().contains("hot words"));
    let written = serde_json::to_value(one.snapshot()).expect("written");
    let damage = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut value = written.clone();
        change(&mut value["state"]);
        one.restore(serde_json::from_value(value).expect("read")).is_err()
    };
    assert!(!damage(&|_| {}));
    assert!(damage(&|state| state["leader"] = 999.into()));
    assert!(damage(&|state| state["prefixes"][0]["node"] = 9999.into()));
    assert!(damage(&|state| state["prefixes"][0]["token"] = 77.into()));
    assert!(damage(&|state| state["prefixes"][0]["word"]["hot"] = 77.into()));
    assert!(damage(&|state| state["trace"]["nodes"][1]["parent"] = 1.into()));
    assert!(damage(&|state| state["prefixes"] = serde_json::json!([])));
}

/// Pushes doubtful frames one at a time; the agreed tokens, and how many the current ones were ahead of them on average.
fn follow(config: BeamConfig) -> (Vec<Emission>, f64) {
    let table = letters();
    let mut decoder = decoder(&table, Some(lm()), config, &[]);
    let frames = noise(600, table.len(), 14.0, 8);
    let mut agreed: Vec<Emission> = Vec::new();
    let mut ahead = 0;
    for row in frames.rows() {
        decoder.push(&Frames { data: row.to_vec(), dim: frames.dim, first_frame: 0 }).expect("push");
        for hypothesis in decoder.best(100).iter().chain([&decoder.current()]) {
            assert!(hypothesis.emissions.starts_with(&agreed), "an agreed token changed");
        }
        agreed = decoder.best(1)[0].emissions[..decoder.agreed()].to_vec();
        ahead += decoder.current().emissions.len() - decoder.agreed();
    }
    (agreed, ahead as f64 / 600.0)
}

#[test]
fn agreed_tokens_stay() {
    let (agreed, patient) = follow(BeamConfig::default());
    assert!(agreed.len() > 100, "only {} agreed", agreed.len());
    let commit = CommitConfig { within_ms: 360, ..CommitConfig::default() };
    let (_, hasty) = follow(BeamConfig { commit: Some(commit), ..Default::default() });
    assert!(hasty < 0.8 * patient, "{hasty} tokens behind, {patient} where doubt is kept");
}

#[test]
fn on_sure_frames_agreed_tokens_follow_closely() {
    let table = letters();
    let mut decoder = decoder(&table, Some(lm()), BeamConfig::default(), &[]);
    let mut largest = 0;
    for _ in 0..60 {
        for token in ["a", "▁", "b", "a", "▁", "a", "b", "▁"] {
            decoder.push(&path(&table, &[token, "<blank>", "<blank>"])).expect("push");
            largest = largest.max(decoder.current().emissions.len() - decoder.agreed());
        }
    }
    assert_eq!(text(&decoder, &table), ["a ba ab"; 60].join(" "));
    assert!(largest <= 20, "{largest} tokens behind");
}

#[test]
fn dropping_what_is_outdone_finds_no_worse_text() {
    let table = letters();
    for seed in 0..12 {
        let frames = noise(300, table.len(), 9.0, 300 + seed);
        let score = |settle_ms: u32| {
            let config = BeamConfig { settle_ms, beam: 100, ..Default::default() };
            let mut decoder = decoder(&table, Some(lm()), config, &[("bab", 2.0)]);
            decoder.push(&frames).expect("push");
            decoder.best(1)[0].log_prob
        };
        let (kept, dropped) = (score(10_000_000), score(990));
        assert!(dropped > kept - 1e-3, "seed {seed}: {dropped} for {kept}");
    }
}

#[test]
fn the_state_stays_small_with_and_without_segment_ends() {
    let table = letters();
    let mut decoder = decoder(&table, Some(lm()), BeamConfig::default(), &[("abba", 3.0)]);
    let frames = noise(1000, table.len(), 12.0, 9);
    let mut largest = 0;
    for round in 0..200 {
        decoder.push(&frames).expect("push");
        largest = largest.max(decoder.size());
        // The first half is one segment.
        if round >= 100 {
            decoder.end_segment();
        }
    }
    assert_eq!(decoder.frames(), 200_000);
    assert!(largest < 2_000, "{largest} entries");
}

/// The best alignment's probability falls faster than the sum over all, which alone decides what is likely.
#[test]
fn tokens_keep_their_places_however_long_the_segment() {
    let table = letters();
    let mut decoder = decoder(&table, None, BeamConfig::default(), &[]);
    let frames = noise(1000, table.len(), 5.0, 3);
    for _ in 0..30 {
        decoder.push(&frames).expect("push");
    }
    let emissions = decoder.current().emissions;
    // Of tokens agreed on at different times the alignments may differ a little.
    assert!(emissions.windows(2).all(|pair| pair[0].first_frame < pair[1].first_frame + 50), "out of order");
    let last = emissions.last().expect("tokens").last_frame;
    assert!(last + 50 > decoder.frames(), "the last token is at {last} of {}", decoder.frames());
    assert!(decoder.trailing_blanks() < 50);
}

#[test]
fn a_run_that_crosses_a_segment_end_is_not_said_twice() {
    let table = letters();
    let mut decoder = decoder(&table, None, BeamConfig::default(), &[]);
    decoder.push(&path(&table, &["a", "a"])).expect("push");
    assert_eq!(text(&decoder, &table), "a");
    decoder.end_segment();
    assert!(!decoder.has_tokens());
    decoder.push(&path(&table, &["a", "<blank>", "a", "<blank>"])).expect("push");
    let best = &decoder.best(1)[0];
    assert_eq!(best.emissions.len(), 1);
    assert_eq!((best.emissions[0].token, best.emissions[0].first_frame), (2, 4));
    assert_eq!((decoder.trailing_blanks(), decoder.frames()), (1, 6));
    decoder.end_segment();
    decoder.push(&path(&table, &["<blank>"; 5])).expect("push");
    assert_eq!((decoder.trailing_blanks(), decoder.has_tokens()), (6, false));
    assert_eq!(text(&decoder, &table), "");
}

/// Frames in which every letter of `b` is nearly as likely as one of `a`.
fn unsure(table: &TokenTable, a: &[&str], b: &[&str]) -> Frames {
    let (first, second) = (path(table, a), path(table, b));
    let mix = |(a, b): (&f32, &f32)| (0.6 * a.exp() + 0.4 * b.exp()).ln();
    Frames { data: first.data.iter().zip(&second.data).map(mix).collect(), dim: first.dim, first_frame: 0 }
}

#[test]
fn the_language_model_decides_between_likely_spellings_and_unseen_words_remain_possible() {
    let table = letters();
    let config = BeamConfig { alpha: 1.0, beta: 0.0, ..Default::default() };
    let mut decoder = decoder(&table, Some(lm()), config, &[]);
    decoder.push(&unsure(&table, &["b", "b", "▁"], &["a", "b", "▁"])).expect("push");
    assert_eq!(text(&decoder, &table), "ab", "`b` is no word");
    decoder.end_segment();
    decoder.push(&path(&table, &["b", "<blank>", "b", "a", "▁"])).expect("push");
    assert_eq!(text(&decoder, &table), "bba", "surely spelled");
}

#[test]
fn hot_words_are_found_only_when_whole() {
    let table = letters();
    let said = unsure(&table, &["a", "b", "<blank>", "▁", "a"], &["b", "b", "<blank>", "▁", "a"]);
    let config = BeamConfig { beta: 0.0, ..Default::default() };
    let heard = |hot: &[(&str, f32)]| {
        let mut decoder = decoder(&table, Some(lm()), config, hot);
        decoder.push(&said).expect("push");
        (text(&decoder, &table), decoder.best(1)[0].log_prob)
    };
    let (plain, score) = heard(&[]);
    assert_eq!(plain, "ab a");
    let frames = unsure(&table, &["a", "<blank>", "▁"], &["b", "<blank>", "▁"]);
    let unseen = |hot: &[(&str, f32)]| {
        let mut decoder = decoder(&table, Some(lm()), config, hot);
        decoder.push(&frames).expect("push");
        text(&decoder, &table)
    };
    assert_eq!(unseen(&[]), "a");
    assert_eq!(unseen(&[("b", 8.0)]), "b", "not in the vocabulary");
    let (same, unchanged) = heard(&[("ab b", 1.0), ("abab", 1.0)]);
    assert_eq!(same, "ab a");
    assert!((unchanged - score).abs() < 1e-4, "no credit for what was not finished: {unchanged} for {score}");
    let (whole, more) = heard(&[("ab a", 9.0)]);
    assert_eq!(whole, "ab a");
    assert!((more - score - 9.0).abs() < 0.1, "the boost of a whole phrase: {more} after {score}");
}

/// The same search as over log-probs whose blank is less likely by as much.
#[test]
fn blank_is_penalised_in_every_frame() {
    let table = letters();
    let frames = noise(60, 4, 4.0, 11);
    let mut lowered = frames.clone();
    lowered.data.chunks_mut(4).for_each(|row| row[0] -= 1.5);
    let found = |frames: &Frames, blank_penalty: f32| {
        let config = BeamConfig { blank_penalty, beam: 32, ..Default::default() };
        let mut decoder = decoder(&table, Some(lm()), config, &[]);
        decoder.push(frames).expect("push");
        decoder.best(1).remove(0)
    };
    let (penalised, wanted) = (found(&frames, 1.5), found(&lowered, 0.0));
    assert_eq!(penalised.emissions, wanted.emissions);
    assert!((penalised.log_prob - wanted.log_prob).abs() < 1e-3);
    assert!(penalised.emissions.len() > found(&frames, 0.0).emissions.len());
}

/// The same search as over log-probs less a part of the priors, the shares being 0.7, 0.2 and 0.1.
#[test]
fn priors_are_taken_off_every_token_but_blank() {
    let table = letters();
    let frames = noise(60, 4, 4.0, 12);
    let priors = TokenPriors::from_posteriors(&[9.0, 0.7, 0.2, 0.1]);
    let mean = [0.7f32, 0.2, 0.1].iter().map(|share| share * share.ln()).sum::<f32>();
    let mut lowered = frames.clone();
    for row in lowered.data.chunks_mut(4) {
        row[1..].iter_mut().zip([0.7f32, 0.2, 0.1]).for_each(|(value, share)| *value -= 0.4 * (share.ln() - mean));
    }
    let config = BeamConfig { beam: 32, prior_scale: 0.4, ..Default::default() };
    let search = |frames: &Frames, priors: Option<&TokenPriors>| {
        let plain = BeamSearch::new(&table, Some(lm()), config, FRAME).expect("search");
        let search = priors.map_or(Ok(plain), |priors| {
            BeamSearch::new(&table, Some(lm()), config, FRAME)?.with_priors(priors.clone())
        });
        let search = Arc::new(search.expect("priors"));
        let mut decoder = BeamDecoder::new(search.clone(), search.hot_words(&[]).expect("none"));
        decoder.push(frames).expect("push");
        ids(&decoder.best(1)[0].emissions)
    };
    assert_eq!(search(&frames, Some(&priors)), search(&lowered, None));
    assert_ne!(search(&frames, Some(&priors)), search(&frames, None));
    let other = TokenPriors::from_posteriors(&[1.0, 1.0]);
    assert!(BeamSearch::new(&table, None, config, FRAME).expect("search").with_priors(other).is_err());
}

#[test]
fn odd_frames_are_taken_and_wrong_ones_refused() {
    let table = letters();
    let mut decoder = decoder(&table, Some(lm()), BeamConfig::default(), &[]);
    for value in [f32::NAN, f32::NEG_INFINITY, f32::INFINITY] {
        decoder.push(&Frames { data: vec![value; 4], dim: 4, first_frame: 0 }).expect("push");
    }
    let only = |token: usize| (0..4).map(|k| if k == token { 0.0 } else { f32::NEG_INFINITY }).collect::<Vec<_>>();
    for token in [2, 0, 3, 0, 0] {
        decoder.push(&Frames { data: only(token), dim: 4, first_frame: 0 }).expect("push");
    }
    assert_eq!((text(&decoder, &table).as_str(), decoder.frames()), ("ab", 8));
    let message = decoder.push(&Frames::new(7)).expect_err("7 tokens").to_string();
    assert!(message.contains("7 tokens: must be 4"), "{message}");
}

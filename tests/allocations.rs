//! The hot paths take no memory from the system once they are warm. A file of its own: the allocator counts for the
//! whole thread, and this one's must be the only one.

use allocation_counter::measure;
use eddy::ctc::{BeamConfig, BeamDecoder, BeamSearch, Decoder, GreedyDecoder};
use eddy::frontend::{FrontEnd, FrontEndConfig};
use eddy::lm::NgramLm;
use eddy::text::TokenTable;
use eddy::{Frames, Stage};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Pseudo-random numbers in `0.0..1.0`.
fn random(seed: u64) -> impl FnMut() -> f32 {
    let mut state = seed;
    move || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 40) as f32 / (1u32 << 24) as f32
    }
}

#[test]
fn the_front_end() {
    for rate in [16_000, 8_000, 44_100, 48_000] {
        let mut front_end = FrontEnd::new(&FrontEndConfig::default(), rate, None).expect("front end");
        let mut random = random(1);
        let block: Vec<f32> = (0..rate / 50).map(|_| random() - 0.5).collect();
        let mut frames = Frames::new(front_end.dim());
        let mut push = |times: usize| {
            for _ in 0..times {
                front_end.push(&block, &mut frames).expect("push");
                frames.consume();
            }
        };
        push(100);
        let counted = measure(|| push(500));
        assert_eq!(counted.count_total, 0, "{rate} Hz: {counted:?}");
    }
}

/// Log-probs of `count` frames, each over `dim` tokens, blank the likeliest in two of three.
fn log_probs(count: usize, dim: usize, seed: u64) -> Vec<Frames> {
    let mut random = random(seed);
    let frame = |_| {
        let mut logits: Vec<f32> = (0..dim).map(|_| random() * 9.0).collect();
        logits[0] += if random() < 0.67 { 9.0 } else { 0.0 };
        let sum = logits.iter().map(|logit| logit.exp()).sum::<f32>().ln();
        Frames { data: logits.iter().map(|logit| logit - sum).collect(), dim, first_frame: 0 }
    };
    (0..count).map(frame).collect()
}

#[test]
fn beam_and_greedy_search() {
    let letters = ["<blank>", "▁", "a", "b", "c", "d"].map(str::to_string).to_vec();
    let table = TokenTable::new(letters).expect("tokens");
    let arpa = "\\data\\\nngram 1=5\nngram 2=2\n\n\\1-grams:\n-1.5\t<unk>\t0\n-99\t<s>\t-0.3\n-1\t</s>\n-0.8\tab\t-0.2\n\
                -0.7\tcad\t-0.2\n\n\\2-grams:\n-0.3\tab cad\n-0.4\tcad ab\n\n\\end\\\n";
    let lm = Arc::new(NgramLm::read_arpa(arpa.as_bytes(), Path::new("test.arpa")).expect("language model"));
    let search = BeamSearch::new(&table, Some(lm), BeamConfig::default(), Duration::from_millis(30)).expect("search");
    let search = Arc::new(search);
    let hot = search.hot_words(&[]).expect("no hot words");
    let mut beam = BeamDecoder::new(search, hot);
    let mut greedy = GreedyDecoder::default();
    let frames = log_probs(6000, table.len(), 5);
    let (warm_up, rest) = frames.split_at(4000);
    for (name, decoder) in [("beam", &mut beam as &mut dyn Decoder), ("greedy", &mut greedy)] {
        // Segments of 15 s; their ends, which build a text, may take memory.
        let mut count = |frames: &[Frames]| {
            let mut taken = 0;
            for segment in frames.chunks(500) {
                taken += measure(|| segment.iter().for_each(|frame| decoder.push(frame).expect("push"))).count_total;
                decoder.end_segment();
            }
            taken
        };
        count(warm_up);
        assert_eq!(count(rest), 0, "{name}: times that memory was taken in {} frames", rest.len());
    }
}

//! The recogniser on random weights: cut invariance, streaming against whole utterances, the last block, forks and
//! snapshots, endpoints, batches. (Weights that were trained are tested where they are.)
#![cfg(feature = "torch")]

mod common;

use common::{
    DIM, GRIDS, MAKING_WEIGHTS, MemorySource, STACKING, controlled, encoder, features, model, random, sound,
    write_model,
};
use eddy::audio::Recording;
use eddy::ctc::{Decoder, GreedyDecoder};
use eddy::nn::{Encoder, Mode};
use eddy::pipeline::{BatchControl, BatchOptions, BatchSummary, transcribe_recordings};
use eddy::recognizer::EndpointConfig;
use eddy::{
    CellKind, Direction, DirectionConfig, Error, Event, Frames, ModelDir, Recognizer, RecognizerConfig, Session,
};
use std::path::Path;
use std::time::Duration;
use tch::{Device, Kind, Tensor};

const CELLS: [CellKind; 3] = [CellKind::Rnn, CellKind::Lstm, CellKind::Gru];

/// Endpoints so eager that random weights reach them: after 60 ms, two output frames.
fn eager() -> EndpointConfig {
    let pause = Duration::from_millis(60);
    EndpointConfig { no_speech: pause, after_speech: pause, long_speech: pause, long_speech_pause: pause }
}

fn recognizer_of(facts: ModelDir, kind: Kind, config: RecognizerConfig) -> Recognizer {
    let encoder = encoder(&facts, 1, kind);
    Recognizer::with_encoder(facts, encoder, config).expect("recognizer")
}

fn recognizer(cell: CellKind, direction: DirectionConfig, endpoint: EndpointConfig) -> Recognizer {
    let config = RecognizerConfig { endpoint, ..RecognizerConfig::default() };
    recognizer_of(model(Path::new("memory"), cell, direction), Kind::Float, config)
}

fn part(frames: &Frames, from: usize, to: usize) -> Frames {
    let first_frame = frames.first_frame + from as u64;
    Frames { data: frames.data[from * frames.dim..to * frames.dim].to_vec(), dim: frames.dim, first_frame }
}

/// Pushes frames `from..` in pieces of the sizes that `size` gives, and finishes.
fn run(
    recognizer: &Recognizer,
    mut session: Session,
    all: &Frames,
    from: usize,
    size: &mut dyn FnMut() -> usize,
) -> Vec<Event> {
    let mut events = Vec::new();
    let mut at = from;
    while at < all.len() {
        let next = all.len().min(at + size());
        recognizer.push(&mut session, &part(all, at, next), &mut events).expect("push");
        at = next;
    }
    recognizer.finish(session, &mut events).expect("finish");
    events
}

fn whole(recognizer: &Recognizer, all: &Frames) -> Vec<Event> {
    run(recognizer, recognizer.session().expect("session"), all, 0, &mut || usize::MAX / 2)
}

fn finals(events: &[Event]) -> Vec<&eddy::Segment> {
    events.iter().filter_map(|event| if let Event::Final(segment) = event { Some(segment) } else { None }).collect()
}

/// Log-probs `[T', V]` of a session that was pushed `size` frames at a time.
fn streamed(recognizer: &Recognizer, all: &Frames, size: usize) -> Tensor {
    let mut session = recognizer.session().expect("session");
    let (mut events, mut blocks) = (Vec::new(), Vec::new());
    let mut observe = |block: &Tensor| blocks.push(block.copy());
    for at in (0..all.len()).step_by(size) {
        let piece = part(all, at, all.len().min(at + size));
        recognizer.push_observed(&mut session, &piece, &mut events, &mut observe).expect("push");
    }
    recognizer.finish_observed(session, &mut events, &mut observe).expect("finish");
    let vocabulary = recognizer.model().encoder.vocabulary as i64;
    blocks.insert(0, Tensor::zeros([0, vocabulary], (blocks.first().map_or(Kind::Double, Tensor::kind), Device::Cpu)));
    Tensor::cat(&blocks, 0)
}

/// Log-probs `[T', V]` of the whole utterance at once, as training computes them.
fn at_once(encoder: &Encoder, direction: Direction, all: &Frames) -> Tensor {
    let x = Tensor::from_slice(&all.data).view([1, -1, DIM as i64]).to_kind(encoder.options().0);
    let run = || encoder.forward(&x, &[all.len() as i64], direction, Mode::Infer);
    tch::no_grad(run).expect("forward").0.squeeze_dim(1)
}

fn worst(a: &Tensor, b: &Tensor) -> f64 {
    assert_eq!(a.size(), b.size());
    if a.numel() == 0 { 0.0 } else { (a - b).abs().max().double_value(&[]) }
}

#[test]
fn events_do_not_depend_on_how_the_features_are_cut() {
    let all = features(301, 5);
    for direction in [controlled(), DirectionConfig::Forward, DirectionConfig::Full] {
        let recognizer = recognizer(CellKind::Lstm, direction.clone(), eager());
        let wanted = whole(&recognizer, &all);
        assert!(finals(&wanted).len() > 1, "{direction:?}");
        let mut random = random(3);
        let mut piece = || ((random() + 1.0) * 25.0) as usize;
        for size in [1, 2, 12, 18, 100] {
            let events = run(&recognizer, recognizer.session().expect("session"), &all, 0, &mut || size);
            assert_eq!(events, wanted, "{direction:?}, {size} frames a push");
        }
        let events = run(&recognizer, recognizer.session().expect("session"), &all, 0, &mut piece);
        assert_eq!(events, wanted, "{direction:?}, random pushes (seed 3)");
    }
}

#[test]
fn transcripts_do_not_depend_on_how_the_samples_are_cut() {
    let recognizer = recognizer(CellKind::Gru, controlled(), eager());
    for rate in [16_000, 44_100, 8_000] {
        let samples = sound(rate as usize * 2 + 123, rate, 8);
        let transcript = |block, chunk_ms| {
            let mut source = MemorySource { rate, samples: samples.clone(), block };
            recognizer.transcribe(&mut source, chunk_ms).expect("transcript")
        };
        let wanted = transcript(usize::MAX, None);
        assert!(!wanted.text().is_empty());
        assert_eq!(wanted.duration, Duration::from_secs_f64(samples.len() as f64 / f64::from(rate)));
        for (block, chunk_ms) in [(100, None), (977, None), (4096, Some(1)), (4096, Some(7)), (100, Some(700))] {
            assert_eq!(transcript(block, chunk_ms), wanted, "{rate} Hz, blocks of {block}, pushes of {chunk_ms:?} ms");
        }
    }
}

/// Laws 2 and 3 in float64: every length, so that the last blocks are short in every way.
#[test]
fn a_session_gives_what_the_whole_utterance_gives_for_every_length() {
    let block = GRIDS[0].chunk + GRIDS[0].look_ahead;
    for cell in CELLS {
        for direction in [controlled(), DirectionConfig::Forward, DirectionConfig::Full] {
            let facts = model(Path::new("memory"), cell, direction.clone());
            let recognizer = recognizer_of(facts.clone(), Kind::Double, RecognizerConfig::default());
            let same = encoder(&facts, 1, Kind::Double);
            for length in 0..=2 * block + STACKING {
                let all = features(length, 11);
                let mine = streamed(&recognizer, &all, 7);
                assert_eq!(mine.size()[0] as usize, length.div_ceil(STACKING));
                let error = worst(&mine, &at_once(&same, recognizer.direction(), &all));
                assert!(error < 1e-9, "{cell:?} {direction:?} T = {length}: off by {error}");
            }
        }
    }
}

/// A recording through a forward network runs in longer blocks than a session, which may not change what it says.
#[test]
fn recordings_through_a_forward_network_say_what_a_session_says() {
    let samples = sound(16_000 * 7 + 321, 16_000, 21);
    let mut said = 0;
    for cell in CELLS {
        let facts = model(Path::new("memory"), cell, DirectionConfig::Forward);
        let config = RecognizerConfig { endpoint: eager(), ..RecognizerConfig::default() };
        let recognizer = recognizer_of(facts, Kind::Double, config);
        let mut blocks = Vec::new();
        let mut source = MemorySource { rate: 16_000, samples: samples.clone(), block: 4000 };
        let mut observe = |block: &Tensor| blocks.push(block.copy());
        let transcript = recognizer.transcribe_observed(&mut source, None, &mut observe).expect("transcript");
        let mut front_end = recognizer.front_end(16_000).expect("front end");
        let all = front_end.whole_with(&samples, &mut |_| {}).expect("features");
        assert!(worst(&Tensor::cat(&blocks, 0), &streamed(&recognizer, &all, 10)) < 1e-9, "{cell:?}");
        assert!(blocks.len() * 20 < all.len() / STACKING, "{} calls of the network", blocks.len());
        let wanted = whole(&recognizer, &all);
        let segments = finals(&wanted);
        said += segments.len();
        let places = |segment: &eddy::Segment| {
            segment.words.iter().map(|word| (word.text.clone(), word.start, word.end)).collect::<Vec<_>>()
        };
        let mine: Vec<_> = transcript.segments.iter().map(places).collect();
        assert_eq!(mine, segments.into_iter().map(places).collect::<Vec<_>>(), "{cell:?}");
    }
    assert!(said > 0, "none of them says anything");
}

#[test]
fn float32_sessions_give_the_same_greedy_text() {
    for (cell, latency_ms) in CELLS.into_iter().flat_map(|cell| [(cell, None), (cell, Some(1515.0))]) {
        let facts = model(Path::new("memory"), cell, controlled());
        let config = RecognizerConfig { latency_ms, ..Default::default() };
        let recognizer = recognizer_of(facts.clone(), Kind::Float, config);
        let all = features(1000, 12);
        let same = encoder(&facts, 1, Kind::Float);
        let (mine, wanted) = (streamed(&recognizer, &all, 10), at_once(&same, recognizer.direction(), &all));
        assert!(worst(&mine, &wanted) < 1e-3, "{cell:?} {:?}", recognizer.direction());
        assert_eq!(mine.argmax(-1, false), wanted.argmax(-1, false));
    }
}

#[test]
fn forks_and_restored_snapshots_go_on_as_the_original() {
    let all = features(200, 6);
    for cell in CELLS {
        for direction in [controlled(), DirectionConfig::Forward, DirectionConfig::Full] {
            let recognizer = recognizer(cell, direction, eager());
            for at in [0, 1, 17, 18, 100, 199] {
                let mut session = recognizer.session().expect("session");
                recognizer.push(&mut session, &part(&all, 0, at), &mut Vec::new()).expect("push");
                let fork = session.fork();
                let bytes = recognizer.snapshot(&session).expect("snapshot");
                let restored = recognizer.restore(&bytes).expect("restored");
                assert_eq!(restored.frames(), at as u64);
                assert_eq!(recognizer.snapshot(&restored).expect("snapshot"), bytes);
                let wanted = run(&recognizer, session, &all, at, &mut || 9);
                assert_eq!(run(&recognizer, fork, &all, at, &mut || 5), wanted, "{cell:?} fork at {at}");
                assert_eq!(run(&recognizer, restored, &all, at, &mut || 31), wanted, "{cell:?} restored at {at}");
            }
        }
    }
}

#[test]
fn snapshots_of_another_model_or_latency_and_damaged_ones_are_refused() {
    let facts = model(Path::new("memory"), CellKind::Lstm, controlled());
    let recognizer = recognizer_of(facts.clone(), Kind::Float, RecognizerConfig::default());
    let bytes = recognizer.snapshot(&recognizer.session().expect("session")).expect("snapshot");
    assert!(recognizer.restore(&bytes).is_ok());
    let slower = RecognizerConfig { latency_ms: Some(1515.0), ..Default::default() };
    let trained_again = encoder(&facts, 2, Kind::Float);
    let others = [
        recognizer_of(facts.clone(), Kind::Float, slower),
        Recognizer::with_encoder(facts, trained_again, RecognizerConfig::default()).expect("recognizer"),
        recognizer_of(model(Path::new("memory"), CellKind::Gru, controlled()), Kind::Float, Default::default()),
    ];
    for other in &others {
        assert!(other.restore(&bytes).expect_err("another model").to_string().contains("another model"));
    }
    for damaged in [&bytes[..bytes.len() / 2], b"", b"{}", b"not JSON"] {
        assert!(recognizer.restore(damaged).expect_err("damaged").to_string().contains("not a snapshot"));
    }
}

#[test]
fn a_full_model_holds_everything_until_the_end() {
    let recognizer = recognizer(CellKind::Lstm, DirectionConfig::Full, eager());
    assert_eq!(recognizer.direction(), Direction::Full);
    let (mut session, mut events) = (recognizer.session().expect("session"), Vec::new());
    recognizer.push(&mut session, &features(200, 6), &mut events).expect("push");
    assert!(events.is_empty());
    recognizer.finish(session, &mut events).expect("finish");
    assert!(!finals(&events).is_empty());
}

#[test]
fn endpoints_cut_the_text_and_change_nothing_else() {
    let letters =
        |events: &[Event]| finals(events).iter().map(|segment| segment.text.replace(' ', "")).collect::<String>();
    let all = features(900, 21);
    let cut = whole(&recognizer(CellKind::Lstm, controlled(), eager()), &all);
    let calm = EndpointConfig { after_speech: Duration::from_secs(100), ..eager() };
    let calm = EndpointConfig { long_speech: Duration::from_secs(100), ..calm };
    let uncut = whole(&recognizer(CellKind::Lstm, controlled(), calm), &all);
    assert!(finals(&cut).len() > 3, "{} segments", finals(&cut).len());
    assert_eq!(finals(&uncut).len(), 1);
    assert_eq!(letters(&cut), letters(&uncut));
    let words: Vec<_> = finals(&cut).into_iter().flat_map(|segment| &segment.words).collect();
    assert!(words.iter().all(|word| word.start < word.end && (0.0..=1.0).contains(&word.confidence)));
    assert!(words.windows(2).all(|pair| pair[0].end <= pair[1].start), "words overlap");
    assert!(words.iter().all(|word| word.end <= Duration::from_secs(9)), "a word after the end");
}

#[test]
fn committed_words_never_change() {
    let all = features(900, 22);
    let mut committed: Vec<eddy::Word> = Vec::new();
    let mut most = 0;
    for event in whole(&recognizer(CellKind::Lstm, controlled(), EndpointConfig::default()), &all) {
        let words = match event {
            Event::Partial { committed: words, tentative } => {
                assert!(words.starts_with(&committed), "{words:?} after {committed:?}");
                assert!(tentative.len() <= 1);
                most = most.max(words.len());
                words
            }
            Event::Final(segment) => {
                assert!(segment.words.starts_with(&committed));
                Vec::new()
            }
            Event::Gap { .. } => unreachable!("nothing is lost here"),
        };
        committed = words;
    }
    assert!(most > 5, "only {most} words committed");
}

#[test]
fn words_are_those_of_the_greedy_path() {
    let recognizer = recognizer(CellKind::Lstm, controlled(), EndpointConfig::default());
    let facts = model(Path::new("memory"), CellKind::Lstm, controlled());
    let all = features(200, 30);
    let log_probs = at_once(&encoder(&facts, 1, Kind::Float), recognizer.direction(), &all).contiguous();
    let mut frames = Frames::new(facts.tokens.len());
    frames.data = Vec::try_from(log_probs.view([-1])).expect("values");
    let mut decoder = GreedyDecoder::default();
    decoder.push(&frames).expect("decoded");
    let ids: Vec<i64> = decoder.best(1)[0].emissions.iter().map(|emission| emission.token).collect();
    let events = whole(&recognizer, &all);
    assert_eq!(finals(&events)[0].text, facts.tokens.decode(&ids));
}

#[test]
fn features_that_do_not_follow_are_refused() {
    let recognizer = recognizer(CellKind::Lstm, controlled(), EndpointConfig::default());
    let (mut session, mut events) = (recognizer.session().expect("session"), Vec::new());
    recognizer.push(&mut session, &features(5, 1), &mut events).expect("push");
    let again = recognizer.push(&mut session, &features(5, 1), &mut events).expect_err("frame 0 again");
    assert!(again.to_string().contains("must be 13 from frame 5"), "{again}");
    let narrow = Frames { data: vec![0.0; 24], dim: 12, first_frame: 5 };
    assert!(recognizer.push(&mut session, &narrow, &mut events).is_err());
}

#[test]
fn a_bad_file_does_not_stop_a_batch() {
    let folder = tempfile::tempdir().expect("folder");
    let path = |name: &str| folder.path().join(name);
    common::write_sound(&path("good.wav"), 1.0, 16_000, 1);
    common::write_sound(&path("cut.wav"), 1.0, 22_050, 2);
    common::truncate(&path("cut.wav"), 0.6);
    std::fs::write(path("text.wav"), "no audio").expect("write");
    let facts = write_model(&path("model"));
    let opened = ModelDir::open(&facts.path).expect("model");
    let making = MAKING_WEIGHTS.lock().expect("no test panics while it makes weights");
    let recognizer = Recognizer::load(opened, Device::Cpu, RecognizerConfig::default()).expect("recognizer");
    drop(making);
    let recordings =
        ["missing.wav", "good.wav", "text.wav", "cut.wav", "good.wav"].map(|name| Recording::file(path(name)));
    let mut results = Vec::new();
    let options = BatchOptions { chunk_ms: Some(100), ..Default::default() };
    let control = BatchControl::default();
    let summary = transcribe_recordings(&recognizer, &recordings, &options, &control, |index, result| {
        results.push((index, result));
        Ok::<(), Error>(())
    });
    assert_eq!(summary.expect("summary"), BatchSummary { whole: 2, truncated: 1, failed: 2 });
    assert!(results.iter().map(|(index, _)| *index).eq(0..5), "in order");
    assert!(results[0].1.as_ref().expect_err("missing").to_string().contains("missing.wav"));
    let done = |index: usize| results[index].1.as_ref().expect("transcribed");
    assert_eq!(done(1), done(4));
    assert!(done(3).truncation.as_ref().is_some_and(|missing| missing.contains("are missing")));
    assert_eq!(done(3).transcript.duration.as_millis() / 10, 59);
    let full = |_, _| Err(Error::Shape("disk full".to_string()));
    let stopped = transcribe_recordings(&recognizer, &recordings, &options, &control, full);
    assert_eq!(stopped.expect_err("ended").to_string(), "disk full");
}

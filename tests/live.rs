//! The live pipeline on random weights: events against batch, against any cut of the audio, against their own recording;
//! faults of every part.
#![cfg(feature = "torch")]

mod common;

use common::{MAKING_WEIGHTS, MemorySource, sound, write_model};
use eddy::audio::{self, AudioBlock, AudioSource, SampleSource};
use eddy::nn::weights;
use eddy::output::{end_line, event_line};
use eddy::pipeline::{Control, Ending, LiveConfig, LiveEvent, MarkKind, Pipeline, WhenBehind, marks_path, read_marks};
use eddy::recognizer::EndpointConfig;
use eddy::{Device, Error, Event, ModelDir, Recognizer, RecognizerConfig, Segment, Word};
use std::collections::VecDeque;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const RATE: u32 = 16_000;
/// Bias of the blank token, in nats.
const BLANK_BIAS: f64 = 3.5;

/// A model of random weights, loaded as often as there are sessions.
struct Bench {
    folder: TempDir,
    model: ModelDir,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let model = write_model(&folder.path().join("model"));
        let encoder = common::encoder(&model, 1, tch::Kind::Float);
        // Blank is likely enough for pauses, and not so likely that a second passes without a word.
        tch::no_grad(|| {
            for (name, parameter) in encoder.parameters() {
                if name == "output.bias" {
                    drop(parameter.get(0).fill_(BLANK_BIAS));
                }
            }
        });
        weights::save(&encoder, &model.weights_path(), tch::Kind::Float).expect("weights saved");
        Bench { folder, model }
    }

    fn recognizer(&self, pause: Duration) -> Recognizer {
        let _making = MAKING_WEIGHTS.lock().expect("no test panics while it makes weights");
        let endpoint = EndpointConfig { after_speech: pause, long_speech_pause: pause, ..Default::default() };
        let config = RecognizerConfig { endpoint, ..Default::default() };
        Recognizer::load(self.model.clone(), Device::Cpu, config).expect("recognizer")
    }

    /// Segments end after 90 ms of blanks.
    fn eager(&self) -> Recognizer {
        self.recognizer(Duration::from_millis(90))
    }

    /// No segment ends before the session.
    fn calm(&self) -> Recognizer {
        self.recognizer(Duration::from_secs(3600))
    }

    fn transcribe(&self, recognizer: &Recognizer, samples: &[f32], rate: u32) -> Vec<Segment> {
        let mut source = SampleSource::new(samples.to_vec(), rate);
        recognizer.transcribe(&mut source, None).expect("transcript").segments
    }
}

/// What a scripted source does next.
enum Step {
    Samples(Vec<f32>),
    Lost(u64),
    Nothing,
    Enter,
    Fail,
    Panic,
    /// Lets go whoever waits on the other side.
    Release(crossbeam_channel::Sender<()>),
}

/// A source that does what it is told.
struct Script {
    steps: VecDeque<Step>,
    control: Arc<OnceLock<Arc<Control>>>,
}

impl AudioSource for Script {
    fn sample_rate(&self) -> u32 {
        RATE
    }

    fn next_block(&mut self) -> eddy::Result<Option<AudioBlock>> {
        let mut block = AudioBlock::default();
        match self.steps.pop_front() {
            None => return Ok(None),
            Some(Step::Samples(samples)) => block.samples = samples,
            Some(Step::Lost(samples)) => block.dropped = samples,
            Some(Step::Nothing) => {}
            Some(Step::Enter) => self.control.wait().end_segment(),
            Some(Step::Fail) => return Err(Error::audio("headset", "unplugged")),
            Some(Step::Panic) => panic!("the driver is broken"),
            Some(Step::Release(other_side)) => drop(other_side),
        }
        Ok(Some(block))
    }
}

/// Runs a script to its end.
fn play(recognizer: Recognizer, steps: Vec<Step>, config: LiveConfig) -> (Vec<LiveEvent>, Ending) {
    let control = Arc::new(OnceLock::new());
    let script = Script { steps: steps.into(), control: Arc::clone(&control) };
    let mut pipeline = Pipeline::start(recognizer, Box::new(script), config).expect("started");
    control.set(Arc::clone(pipeline.control())).expect("once");
    let events = pipeline.by_ref().collect();
    (events, pipeline.join())
}

fn play_whole(recognizer: Recognizer, samples: &[f32], rate: u32, block: usize) -> Vec<LiveEvent> {
    let source = MemorySource { rate, samples: samples.to_vec(), block };
    let mut pipeline = Pipeline::start(recognizer, Box::new(source), LiveConfig::default()).expect("started");
    let events = pipeline.by_ref().collect();
    let ending = pipeline.join();
    assert!(ending.fault.is_none(), "{:?}", ending.fault);
    assert_eq!(ending.heard.as_millis(), samples.len() as u128 * 1000 / u128::from(rate));
    events
}

fn finals(events: &[LiveEvent]) -> Vec<Segment> {
    let segment = |event: &LiveEvent| match &event.event {
        Event::Final(segment) => Some(segment.clone()),
        _ => None,
    };
    events.iter().filter_map(segment).collect()
}

fn partials(events: &[LiveEvent]) -> Vec<(Duration, Vec<Word>, Vec<Word>)> {
    let partial = |event: &LiveEvent| match &event.event {
        Event::Partial { committed, tentative } => Some((event.at, committed.clone(), tentative.clone())),
        _ => None,
    };
    events.iter().filter_map(partial).collect()
}

fn gaps(events: &[LiveEvent]) -> Vec<(Duration, Duration)> {
    let gap = |event: &LiveEvent| match event.event {
        Event::Gap { lost } => Some((event.at, lost)),
        _ => None,
    };
    events.iter().filter_map(gap).collect()
}

fn text(segments: &[Segment]) -> String {
    segments.iter().map(|segment| segment.text.as_str()).collect::<Vec<_>>().join(" ")
}

fn seconds(samples: usize) -> Duration {
    Duration::from_secs_f64(samples as f64 / f64::from(RATE))
}

#[test]
fn events_do_not_depend_on_how_the_audio_is_cut() {
    let bench = Bench::new();
    for rate in [16_000, 44_100] {
        let samples = sound(rate as usize * 3 + 77, rate, 31);
        let wanted = play_whole(bench.eager(), &samples, rate, usize::MAX);
        assert!(finals(&wanted).len() > 1 && partials(&wanted).len() > 4, "{wanted:?}");
        for block in [1, 7, 160, 441, 4096, 30_000] {
            let events = play_whole(bench.eager(), &samples, rate, block);
            assert_eq!(events, wanted, "{rate} Hz in blocks of {block}");
        }
    }
}

#[test]
fn finals_are_those_of_a_batch_and_no_word_at_the_end_is_lost() {
    let bench = Bench::new();
    let recognizer = bench.eager();
    let all = sound(RATE as usize * 3, RATE, 32);
    for length in (0..40).map(|index| all.len() - 997 * index) {
        let live = finals(&play_whole(bench.eager(), &all[..length], RATE, 320));
        assert_eq!(live, bench.transcribe(&recognizer, &all[..length], RATE), "{length} samples");
    }
    assert!(play_whole(bench.eager(), &[], RATE, 320).is_empty());
}

#[test]
fn partials_come_at_fixed_times_show_what_is_steady_and_keep_what_is_committed() {
    let bench = Bench::new();
    let recognizer = bench.calm();
    let mut reached = 0;
    for rate in [16_000u32, 44_100] {
        let samples = sound(rate as usize * 4, rate, 33);
        let events = play_whole(bench.calm(), &samples, rate, 1000);
        let mut before: Vec<Word> = Vec::new();
        for (at, committed, tentative) in partials(&events) {
            assert_eq!(at.as_millis() % 300, 0, "{at:?}");
            assert!(committed.starts_with(&before), "{committed:?} after {before:?}");
            // What a batch makes of all samples up to here, and up to the partial result before.
            let [now, earlier] = [0, 300].map(|ago| {
                let heard = (at.as_millis() as usize - ago) * rate as usize / 1000;
                text(&bench.transcribe(&recognizer, &samples[..heard], rate))
            });
            let words = |text: &str| text.split_whitespace().map(str::to_string).collect::<Vec<_>>();
            let shown: Vec<_> = committed.iter().chain(&tentative).map(|word| word.text.clone()).collect();
            let steady = words(&now).iter().zip(&words(&earlier)).take_while(|(now, earlier)| now == earlier).count();
            assert!(shown.starts_with(&words(&now)[..steady]), "{at:?}: {shown:?} of {now}, {earlier} before");
            if now == earlier {
                assert_eq!(shown.join(" "), now, "{at:?}");
                reached += 1;
            }
            before = committed;
        }
        assert!(before.len() > 3, "{} words committed", before.len());
        assert!(finals(&events)[0].words.starts_with(&before));
    }
    assert!(reached > 0, "no partial result showed all there was");
}

#[test]
fn a_short_gap_is_zeros_and_is_told() {
    let bench = Bench::new();
    let samples = sound(RATE as usize * 2, RATE, 34);
    let (head, tail) = samples.split_at(17_001);
    let steps = vec![Step::Samples(head.to_vec()), Step::Nothing, Step::Lost(5000), Step::Samples(tail.to_vec())];
    let (events, ending) = play(bench.eager(), steps, LiveConfig::default());
    assert_eq!(gaps(&events), [(Duration::from_nanos(1_062_562_500), Duration::from_micros(312_500))]);
    assert_eq!((ending.heard, ending.lost), (seconds(37_000), seconds(5000)));
    let filled = [head, &[0.0; 5000], tail].concat();
    let without: Vec<_> = events.into_iter().filter(|event| !matches!(event.event, Event::Gap { .. })).collect();
    assert_eq!(without, play_whole(bench.eager(), &filled, RATE, 4096));
}

#[test]
fn after_a_long_gap_a_new_grid_begins_and_the_time_line_goes_on() {
    let bench = Bench::new();
    let recognizer = bench.eager();
    let samples = sound(RATE as usize * 3, RATE, 35);
    let (head, tail) = samples.split_at(20_123);
    let lost = 2 * RATE as usize;
    let steps = vec![Step::Samples(head.to_vec()), Step::Lost(lost as u64), Step::Samples(tail.to_vec())];
    let (events, ending) = play(bench.eager(), steps, LiveConfig::default());
    let at = Duration::from_nanos(20_123 * 1_000_000_000 / 16_000);
    assert_eq!(gaps(&events), [(at, Duration::from_secs(2))]);
    assert_eq!(ending.heard, seconds(samples.len() + lost));
    let (first, second) = (bench.transcribe(&recognizer, head, RATE), bench.transcribe(&recognizer, tail, RATE));
    let told = finals(&events);
    assert_eq!(told[..first.len()], first, "before the gap");
    assert_eq!(text(&told[first.len()..]), text(&second));
    let origin = Duration::from_nanos((20_123 + 32_000) * 1_000_000_000 / 16_000);
    assert_eq!(told[first.len()].start, second[0].start + origin);
    assert!(partials(&events).iter().all(|(at, _, _)| at.as_millis() % 300 == 0));
}

#[test]
fn enter_ends_a_segment_and_changes_no_letter() {
    let bench = Bench::new();
    let samples = sound(RATE as usize * 3, RATE, 36);
    let (head, tail) = samples.split_at(24_000);
    let steps = vec![Step::Samples(head.to_vec()), Step::Enter, Step::Samples(tail.to_vec())];
    let (events, _) = play(bench.calm(), steps, LiveConfig::default());
    let segments = finals(&events);
    assert_eq!(segments.len(), 2);
    assert!(segments[0].end <= segments[1].start);
    let letters = |segments: &[Segment]| text(segments).replace(' ', "");
    assert_eq!(letters(&segments), letters(&finals(&play_whole(bench.calm(), &samples, RATE, 4096))));
}

/// What `eddy listen --json` would print.
fn lines(events: &[LiveEvent], ending: &Ending) -> Vec<String> {
    let lines = events.iter().map(|event| event_line(event.at, &event.event));
    lines.chain([end_line(ending.heard)]).collect()
}

#[test]
fn a_recording_replays_to_the_same_bytes() {
    let bench = Bench::new();
    let path = bench.folder.path().join("talk.wav");
    let samples = sound(RATE as usize * 5, RATE, 37);
    let piece = |from: usize, to: usize| Step::Samples(samples[from..to].to_vec());
    let steps = vec![
        piece(0, 9600),
        Step::Enter,
        piece(9600, 20_001),
        Step::Lost(3000),
        piece(20_001, 30_000),
        Step::Lost(50_000),
        Step::Enter,
        piece(30_000, 48_000),
        Step::Lost(40_000),
        Step::Lost(100),
        piece(48_000, 80_000),
        Step::Enter,
        Step::Nothing,
    ];
    let config = LiveConfig { record: Some(path.clone()), ..Default::default() };
    let (events, ending) = play(bench.eager(), steps, config);
    assert!(ending.fault.is_none(), "{:?}", ending.fault);
    let marks = read_marks(&marks_path(&path)).expect("marks");
    assert_eq!(marks.len(), 7);
    assert_eq!(marks[1].kind, MarkKind::Gap { lost: 3000 });
    let recorded = audio::read_all(audio::open(&path).expect("recording").as_mut()).expect("samples");
    assert_eq!(recorded.len(), 80_000 + 3000 + 100);
    for block in [37, 4096, usize::MAX] {
        let source = MemorySource { rate: RATE, samples: recorded.clone(), block };
        let config = LiveConfig { replay: marks.clone(), ..Default::default() };
        let mut pipeline = Pipeline::start(bench.eager(), Box::new(source), config).expect("started");
        let replayed: Vec<_> = pipeline.by_ref().collect();
        assert_eq!(lines(&replayed, &pipeline.join()), lines(&events, &ending), "blocks of {block}");
    }
    let output = eddy(&bench, &["listen", "--json", "--from", "talk.wav", "--endpoint-after-speech", "90"]);
    let again = eddy(&bench, &["listen", "--json", "--from", "talk.wav", "--endpoint-after-speech", "90"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.stdout, again.stdout);
    let gaps = String::from_utf8_lossy(&output.stdout).matches(r#""event":"gap""#).count();
    assert_eq!(gaps, 4);
}

#[test]
fn a_device_that_fails_in_mid_word_loses_no_word_and_is_reported() {
    let bench = Bench::new();
    let samples = sound(RATE as usize * 2 + 333, RATE, 38);
    let steps = vec![Step::Samples(samples.clone()), Step::Fail];
    let (events, ending) = play(bench.eager(), steps, LiveConfig::default());
    assert_eq!(finals(&events), bench.transcribe(&bench.eager(), &samples, RATE));
    assert!(ending.fault.expect("a fault").to_string().contains("unplugged"));
    let steps = vec![Step::Samples(samples.clone()), Step::Panic];
    let (events, ending) = play(bench.eager(), steps, LiveConfig::default());
    assert!(!finals(&events).is_empty());
    let fault = ending.fault.expect("a fault").to_string();
    assert_eq!(fault, "the frontend thread died: the driver is broken");
}

#[test]
fn a_reader_that_stops_reading_loses_nothing_and_may_leave() {
    let bench = Bench::new();
    let samples = sound(RATE as usize * 20, RATE, 39);
    let config = LiveConfig { partial_every: Duration::from_millis(20), ..Default::default() };
    let start = || {
        let source = MemorySource { rate: RATE, samples: samples.clone(), block: 320 };
        Pipeline::start(bench.eager(), Box::new(source), config.clone()).expect("started")
    };
    let wanted: Vec<_> = start().collect();
    assert!(wanted.len() > 300, "{} events do not fill the channel", wanted.len());
    let mut late = start();
    // Until everything stands still.
    let mut backlog = Duration::ZERO;
    loop {
        std::thread::sleep(Duration::from_millis(200));
        let now = late.monitor().backlog();
        if now == backlog && !now.is_zero() {
            break;
        }
        backlog = now;
    }
    assert_eq!(late.by_ref().collect::<Vec<_>>(), wanted);
    // One that never reads does not hang the session.
    assert!(start().join().fault.is_none());
    drop(start());
}

#[test]
fn a_recognizer_that_panics_still_tells_its_last_words() {
    let bench = Bench::new();
    let path = bench.folder.path().join("kept.wav");
    let samples = sound(RATE as usize * 3, RATE, 40);
    let source = MemorySource { rate: RATE, samples: samples.clone(), block: 320 };
    let config = LiveConfig { record: Some(path.clone()), ..Default::default() };
    let mut blocks = 0;
    let observe = move |_: &tch::Tensor| {
        blocks += 1;
        assert!(blocks < 20, "out of luck");
    };
    let mut pipeline =
        Pipeline::start_observed(bench.calm(), Box::new(source), config, Box::new(observe)).expect("started");
    let events: Vec<_> = pipeline.by_ref().collect();
    let ending = pipeline.join();
    let fault = ending.fault.expect("a fault").to_string();
    assert!(fault.starts_with("the recognizer thread died: out of luck"), "{fault}");
    let (_, committed, tentative) = partials(&events).pop().expect("a partial result");
    assert_eq!(finals(&events).len(), 1);
    assert_eq!(finals(&events)[0].words, [committed, tentative].concat());
    assert!(audio::open(&path).is_ok(), "the recording is whole");
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_ends_the_recording_and_not_the_session() {
    let bench = Bench::new();
    let path = bench.folder.path().join("full.wav");
    std::os::unix::fs::symlink("/dev/full", &path).expect("link");
    let samples = sound(RATE as usize * 2, RATE, 41);
    let config = LiveConfig { record: Some(path), ..Default::default() };
    let control = Arc::new(OnceLock::new());
    let script = Script { steps: vec![Step::Samples(samples.clone())].into(), control };
    // Either the file is refused at once, or the recording ends on the way.
    match Pipeline::start(bench.eager(), Box::new(script), config) {
        Err(error) => assert!(error.to_string().contains("full.wav"), "{error}"),
        Ok(mut pipeline) => {
            let events: Vec<_> = pipeline.by_ref().collect();
            assert_eq!(finals(&events), bench.transcribe(&bench.eager(), &samples, RATE));
            let fault = pipeline.join().fault.expect("a fault").to_string();
            assert!(fault.contains("full.wav"), "{fault}");
        }
    }
}

#[test]
fn stop_tells_the_final() {
    /// Never ends.
    struct Endless(u64);
    impl AudioSource for Endless {
        fn sample_rate(&self) -> u32 {
            RATE
        }
        fn next_block(&mut self) -> eddy::Result<Option<AudioBlock>> {
            self.0 += 1;
            Ok(Some(AudioBlock { samples: sound(1600, RATE, self.0), dropped: 0 }))
        }
    }
    let bench = Bench::new();
    let mut pipeline = Pipeline::start(bench.calm(), Box::new(Endless(0)), LiveConfig::default()).expect("started");
    for _ in 0..3 {
        assert!(matches!(pipeline.next().expect("endless").event, Event::Partial { .. }));
    }
    pipeline.control().stop();
    let rest: Vec<_> = pipeline.by_ref().collect();
    assert!(matches!(rest.last().expect("a final").event, Event::Final(_)));
    assert!(pipeline.join().fault.is_none());
}

#[test]
fn behind_with_drop_sheds_audio_in_a_gap_that_replays() {
    let bench = Bench::new();
    let path = bench.folder.path().join("shed.wav");
    let samples = sound(RATE as usize * 8, RATE, 42);
    let (given, all_given) = crossbeam_channel::bounded::<()>(1);
    // The recognizer stands still at its third block until the source has given everything.
    let mut steps: Vec<Step> = samples.chunks(320).map(|piece| Step::Samples(piece.to_vec())).collect();
    steps.push(Step::Release(given));
    let script = Script { steps: steps.into(), control: Arc::default() };
    let config =
        LiveConfig { record: Some(path.clone()), real_time: true, when_behind: WhenBehind::Drop, ..Default::default() };
    let mut blocks = 0;
    let observe = move |_: &tch::Tensor| {
        blocks += 1;
        if blocks == 3 {
            assert!(all_given.recv().is_err(), "nothing is ever sent");
        }
    };
    let mut pipeline =
        Pipeline::start_observed(bench.eager(), Box::new(script), config, Box::new(observe)).expect("started");
    let events: Vec<_> = pipeline.by_ref().collect();
    let ending = pipeline.join();
    assert_eq!(ending.heard, Duration::from_secs(8));
    assert!(ending.lost > Duration::ZERO && ending.lost < Duration::from_secs(8), "{:?} lost", ending.lost);
    let recorded = audio::read_all(audio::open(&path).expect("recording").as_mut()).expect("samples");
    let replay = read_marks(&marks_path(&path)).expect("marks");
    let source = SampleSource::new(recorded, RATE);
    let config = LiveConfig { replay, ..Default::default() };
    let mut again = Pipeline::start(bench.eager(), Box::new(source), config).expect("started");
    let replayed: Vec<_> = again.by_ref().collect();
    assert_eq!(lines(&replayed, &again.join()), lines(&events, &ending));
}

#[test]
fn what_cannot_be_is_refused() {
    let bench = Bench::new();
    let start = |config| {
        let source = SampleSource::new(vec![0.0; 100], RATE);
        Pipeline::start(bench.eager(), Box::new(source), config).map(|_| ()).expect_err("refused").to_string()
    };
    let config = LiveConfig { partial_every: Duration::from_millis(3), ..Default::default() };
    assert!(start(config).contains("3 ms: must be at least 20 ms"));
    let record = Some(bench.folder.path().join("no/such/folder.wav"));
    assert!(start(LiveConfig { record, ..Default::default() }).contains("folder.wav"));
    for (arguments, parts) in [
        (&["--from", "x.wav"][..], "x.wav"),
        (&["--realtime"], "--from"),
        (&["--from", "x.wav", "--when-behind", "drop"], "a file waits"),
        (&["--from", "x.wav", "--out", "x.doc"], ".srt, .vtt or .jsonl"),
    ] {
        let output = eddy(&bench, &[&["listen"], arguments].concat());
        let message = String::from_utf8_lossy(&output.stderr).to_string();
        assert_eq!(output.status.code(), Some(2), "{message}");
        assert!(message.contains(parts), "{parts:?} not in {message}");
    }
}

fn eddy(bench: &Bench, arguments: &[&str]) -> std::process::Output {
    command(bench, arguments).output().expect("eddy runs")
}

fn command(bench: &Bench, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_eddy"));
    command.current_dir(bench.folder.path()).env("EDDY_MODEL", "model").env_remove("RUST_LOG").args(arguments);
    command.stdin(Stdio::null());
    command
}

#[test]
fn plain_lines_are_the_segments_and_the_files_grow_with_them() {
    let bench = Bench::new();
    common::write_sound(&bench.folder.path().join("a.wav"), 3.0, 44_100, 43);
    let arguments = ["listen", "--plain", "--from", "a.wav", "--record", "b.wav", "--out", "a.srt"];
    let output = eddy(&bench, &[&arguments[..], &["--endpoint-after-speech", "90"]].concat());
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""));
    let plain = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(plain.lines().count() > 1, "{plain}");
    let read = |name: &str| std::fs::read_to_string(bench.folder.path().join(name)).expect("read");
    let srt = read("a.srt");
    let shown: Vec<&str> = srt.split_terminator("\n\n").flat_map(|cue| cue.lines().skip(2)).collect();
    assert_eq!(shown.join(" "), plain.lines().collect::<Vec<_>>().join(" "));
    let bytes = |name: &str| audio::read_all(audio::open(&bench.folder.path().join(name)).expect("open").as_mut());
    assert_eq!(bytes("a.wav").expect("samples"), bytes("b.wav").expect("samples"));
    let json = eddy(&bench, &["listen", "--json", "--from", "b.wav", "--endpoint-after-speech", "90"]);
    let events: Vec<serde_json::Value> =
        String::from_utf8_lossy(&json.stdout).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let texts: Vec<&str> = events.iter().filter_map(|event| event["text"].as_str()).collect();
    assert_eq!(texts, plain.lines().collect::<Vec<_>>());
    assert_eq!(events.last().map(ToString::to_string).as_deref(), Some(r#"{"at":3.0,"event":"end"}"#));
}

/// Waits until `check` holds, a minute at most.
fn eventually(what: &str, check: impl Fn() -> bool) {
    let begin = Instant::now();
    while !check() {
        assert!(begin.elapsed() < Duration::from_secs(60), "never: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_killed_session_leaves_readable_files() {
    let bench = Bench::new();
    common::write_sound(&bench.folder.path().join("long.wav"), 60.0, RATE, 44);
    let arguments = ["listen", "--plain", "--from", "long.wav", "--realtime", "--record", "k.wav", "--out", "k.vtt"];
    let mut child = command(&bench, &[&arguments[..], &["--endpoint-after-speech", "60000"]].concat())
        .stdout(Stdio::null())
        .spawn()
        .expect("eddy runs");
    let path = |name: &str| bench.folder.path().join(name);
    let recorded = |path: &Path| audio::open(path).and_then(|mut source| audio::read_all(source.as_mut()));
    eventually("a second of recording", || recorded(&path("k.wav")).is_ok_and(|samples| samples.len() > 16_000));
    let transcript = || std::fs::read_to_string(path("k.vtt")).expect("transcript");
    // No segment ends: these are committed words of the one that is being said.
    eventually("words in the transcript", || transcript().contains("-->"));
    child.kill().expect("killed");
    child.wait().expect("gone");
    let samples = recorded(&path("k.wav")).expect("readable");
    let wanted = recorded(&path("long.wav")).expect("samples");
    assert!(wanted.starts_with(&samples));
    assert!(transcript().starts_with("WEBVTT\n\n"), "{}", transcript());
}

#[test]
#[cfg(unix)]
fn ctrl_c_tells_the_final() {
    let bench = Bench::new();
    common::write_sound(&bench.folder.path().join("long.wav"), 60.0, RATE, 45);
    let arguments = ["listen", "--json", "--from", "long.wav", "--realtime", "--record", "c.wav"];
    let child = command(&bench, &[&arguments[..], &["--endpoint-after-speech", "60000"]].concat())
        .stdout(Stdio::piped())
        .spawn()
        .expect("eddy runs");
    let record = bench.folder.path().join("c.wav");
    let size = || std::fs::metadata(&record).map_or(0, |metadata| metadata.len());
    eventually("a second of recording", || size() > 64_000);
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill");
    assert!(sent.success());
    let output = child.wait_with_output().expect("eddy ends");
    let lines: Vec<&str> = std::str::from_utf8(&output.stdout).expect("UTF-8").lines().collect();
    assert_eq!(output.status.code(), Some(0));
    assert!(lines[lines.len() - 2].starts_with(r#"{"event":"final""#), "{lines:?}");
    assert!(lines[lines.len() - 1].starts_with(r#"{"event":"end""#));
}

/// Shared by the tests' threads: nothing of the pipeline keeps it from being sent.
#[test]
fn a_pipeline_may_move_to_another_thread() {
    let bench = Bench::new();
    let source = SampleSource::new(sound(RATE as usize, RATE, 46), RATE);
    let pipeline = Mutex::new(Pipeline::start(bench.calm(), Box::new(source), LiveConfig::default()).expect("started"));
    let count = std::thread::scope(|scope| {
        scope.spawn(|| pipeline.lock().expect("no panic").by_ref().count()).join().expect("no panic")
    });
    assert!(count > 0);
}

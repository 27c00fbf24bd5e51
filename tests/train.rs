//! Training end to end on tones as words: it learns them, stops and resumes bit for bit, names what it leaves out.
#![cfg(feature = "torch")]

use eddy::audio::{self, WavWriter};
use eddy::train::{Adaptation, Choice, Manifest, Start, TrainConfig, Trainer, evaluate, export};
use eddy::{Error, ModelDir, Recognizer, RecognizerConfig};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tch::{Device, Kind};

const RATE: u32 = 8000;
const WORDS: [(&str, f32); 3] = [("low", 300.0), ("mid", 900.0), ("top", 2500.0)];

/// A tone for each word of `text`, with silence around.
fn write_tones(path: &Path, text: &str) {
    let mut samples = vec![0.0f32; 800];
    for word in text.split_whitespace() {
        let hz = WORDS.iter().find(|(name, _)| *name == word).map_or(5000.0, |(_, hz)| *hz);
        samples.extend((0..640).map(|i| 0.4 * (i as f32 * hz * std::f32::consts::TAU / RATE as f32).sin()));
        samples.extend([0.0; 720]);
    }
    let mut writer = WavWriter::create(path, RATE).expect("writer");
    writer.write(&samples).expect("samples");
    writer.finish().expect("file");
}

/// LibTorch draws first weights from one generator for the whole process: trainings of one process take turns.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// A folder with recordings, a manifest and a recipe.
struct Corpus {
    folder: tempfile::TempDir,
    _turn: MutexGuard<'static, ()>,
}

impl Corpus {
    fn new() -> Self {
        let turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let corpus = Corpus { folder: tempfile::tempdir().expect("folder"), _turn: turn };
        let texts = ["low", "mid", "top", "low top", "mid low", "top mid", "low mid top", "top low low", "mid mid"];
        let lines = texts.iter().enumerate().map(|(index, text)| {
            write_tones(&corpus.path(&format!("{index}.wav")), text);
            format!(r#"{{"audio": "{index}.wav", "text": "{text}", "speaker": "s{}"}}"#, index % 3)
        });
        let lines: Vec<String> = lines.collect();
        corpus.write("train.jsonl", &lines.join("\n"));
        write_tones(&corpus.path("noise.wav"), "hum hum");
        corpus.write("noise.jsonl", r#"{"audio": "noise.wav", "kind": "hum"}"#);
        corpus
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("write");
    }

    fn recipe(&self, epochs: usize, more: &str) -> String {
        let folder = self.folder.path().display();
        format!(
            r#"
name = "tones"
[model]
cell = "lstm"
layers = 2
hidden = 24
stacking = 2
direction = {{ latency_controlled = [{{ chunk = 8, look_ahead = 4 }}, {{ chunk = 16, look_ahead = 8 }}] }}
tokens = {{ words = 1 }}
[front_end]
sample_rate_hz = 8000
num_mels = 16
num_ceps = 12
[data]
train = ["{folder}/train.jsonl"]
noise = ["{folder}/noise.jsonl"]
dev = ["{folder}/train.jsonl"]
{more}
[train]
epochs = {epochs}
batch_seconds = 3
learning_rate = 0.006
warmup_steps = 10
dropout = 0.1
ema_decay = 0.9
[augment]
speed = [0.95, 1.05]
gain_db = [-3, 3]
noise_probability = 0.3
snr_db = [20, 30]
join_probability = 0.2
wordless_share = 0.1
time_masks_per_second = 0.5
time_width = 4
frequency_masks = 1
frequency_width = 2
"#
        )
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_eddy"));
        command.current_dir(self.folder.path()).env_remove("EDDY_MODEL").env_remove("RUST_LOG").args(arguments);
        command
    }

    fn eddy(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("eddy runs")
    }

    /// What `eddy` prints when all goes well.
    fn done(&self, arguments: &[&str]) -> String {
        let output = self.eddy(arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// Steps that a run has told of.
    fn steps(&self, run: &str) -> usize {
        let metrics = std::fs::read_to_string(self.path(run).join("metrics.jsonl")).unwrap_or_default();
        metrics.lines().filter(|line| line.contains("\"step\"")).count()
    }

    /// Adds to the training manifest.
    fn add_line(&self, line: &str) {
        let before = std::fs::read_to_string(self.path("train.jsonl")).expect("manifest");
        self.write("train.jsonl", &format!("{before}\n{line}"));
    }

    /// The model of a whole training, in `model`.
    fn trained(&self, recipe: &str) -> ModelDir {
        self.trainer(recipe, "run", Start::Fresh).expect("trainer").run(&AtomicBool::new(false)).expect("training");
        export(&self.path("run"), Choice::Last, Kind::Float, &self.path("model")).expect("export");
        ModelDir::open(&self.path("model")).expect("model")
    }

    fn trainer(&self, recipe: &str, run: &str, start: Start) -> eddy::Result<Trainer> {
        self.write("recipe.toml", recipe);
        let config = TrainConfig::load(&self.path("recipe.toml"))?;
        Trainer::new(config, recipe, &self.path(run), start, Device::Cpu)
    }
}

#[test]
fn it_learns_the_words_and_what_is_exported_knows_them() {
    let corpus = Corpus::new();
    let mut trainer = corpus.trainer(&corpus.recipe(150, ""), "run", Start::Fresh).expect("trainer");
    trainer.run(&AtomicBool::new(false)).expect("training");
    let manifest = Manifest::read(&corpus.path("train.jsonl")).expect("manifest");
    for (choice, kind) in [(Choice::Best, Kind::Float), (Choice::Last, Kind::Half), (Choice::Average(3), Kind::Half)] {
        let out = corpus.path("model");
        export(&corpus.path("run"), choice, kind, &out).expect("export");
        let model = ModelDir::open(&out).expect("model");
        let recognizer = Recognizer::load(model, Device::Cpu, RecognizerConfig::default()).expect("recognizer");
        let evaluation = evaluate(&recognizer, &manifest.utterances, &|u| audio::open(&u.audio), &mut |_| {});
        assert_eq!((evaluation.utterances, evaluation.words.reference), (9, 17));
        assert_eq!(evaluation.words.errors(), 0, "{choice:?}: {:?}", evaluation.words);
        for name in ["model.json", "model.safetensors", "tokens.txt", "cmvn.json", "recipe.toml", "MODEL.md"] {
            assert!(out.join(name).is_file(), "{name}");
        }
    }
}

#[test]
fn stopped_after_every_step_and_resumed_equals_never_stopped() {
    let corpus = Corpus::new();
    let recipe = corpus.recipe(3, "");
    let mut whole = corpus.trainer(&recipe, "whole", Start::Fresh).expect("trainer");
    whole.run(&AtomicBool::new(false)).expect("training");
    let mut stops = 0;
    let mut start = Start::Fresh;
    loop {
        let mut trainer = corpus.trainer(&recipe, "parts", start).expect("trainer");
        match trainer.run(&AtomicBool::new(true)) {
            Ok(()) => break,
            Err(Error::Interrupted) => stops += 1,
            Err(error) => panic!("{error}"),
        }
        start = Start::Resume;
    }
    assert!(stops >= 6, "{stops} stops");
    for name in ["last.safetensors", "best.safetensors", "epoch-0002.safetensors"] {
        let read = |run: &str| eddy::nn::weights::read(&corpus.path(run).join(name)).expect("tensors");
        for ((key, a), (other, b)) in read("whole").iter().zip(&read("parts")) {
            assert_eq!(key, other);
            assert!(a.equal(b), "{name}: {key} differs");
        }
    }
}

#[test]
fn bad_utterances_are_named_counted_and_left_out() {
    let corpus = Corpus::new();
    corpus.write("not-audio.wav", "no");
    let mut short = WavWriter::create(&corpus.path("short.wav"), RATE).expect("writer");
    short.write(&[0.1; 500]).expect("samples");
    short.finish().expect("file");
    let whole = std::fs::read(corpus.path("0.wav")).expect("bytes");
    std::fs::write(corpus.path("cut.wav"), &whole[..whole.len() / 2]).expect("write");
    let bad = [
        r#"{"audio": "missing.wav", "text": "low"}"#,
        r#"{"audio": "not-audio.wav", "text": "low"}"#,
        r#"{"audio": "short.wav", "text": "low low low"}"#,
        r#"{"audio": "cut.wav", "text": "low"}"#,
        r#"{"audio": "0.wav", "text": ""}"#,
    ];
    corpus.add_line(&bad.join("\n"));
    let recipe = corpus.recipe(1, r#"exclude = ["LOW, top!"]"#);
    let summary = corpus.trainer(&recipe, "run", Start::Fresh).expect("trainer").summary();
    assert!(summary.contains("8 utterances"), "{summary}");
    assert!(summary.contains("left out by text: 1"), "{summary}");
    for wanted in [
        "missing.wav: No such file",
        "not-audio.wav: is not audio",
        "too short for its text",
        "cut.wav:",
        "`text` is empty",
    ] {
        assert!(summary.contains(wanted), "{wanted} in {summary}");
    }
}

#[test]
fn characters_unknown_to_an_initial_model_are_named_and_other_networks_refused() {
    let corpus = Corpus::new();
    let recipe = corpus.recipe(1, "");
    let model = corpus.trained(&recipe);
    corpus.add_line(r#"{"audio": "0.wav", "text": "zero"}"#);
    let summary = corpus.trainer(&recipe, "second", Start::Init(Box::new(model.clone()))).expect("trainer").summary();
    assert!(summary.contains("'z' is not"), "{summary}");
    let wider = recipe.replace("hidden = 24", "hidden = 25");
    let error = corpus.trainer(&wider, "third", Start::Init(Box::new(model))).err().expect("refused").to_string();
    assert!(error.contains("--init needs the same"), "{error}");
}

#[test]
fn run_folders_and_recipes_that_do_not_fit_are_refused_with_the_way_out() {
    let corpus = Corpus::new();
    let recipe = corpus.recipe(1, "");
    let refused = |recipe: &str, start| corpus.trainer(recipe, "run", start).err().expect("refused").to_string();
    assert!(refused(&recipe, Start::Resume).contains("start without --resume"));
    corpus.trainer(&recipe, "run", Start::Fresh).expect("trainer").run(&AtomicBool::new(false)).expect("training");
    assert!(refused(&recipe, Start::Fresh).contains("go on with --resume"));
    assert!(refused(&recipe.replace("epochs = 1", "epochs = 2"), Start::Resume).contains("keeps its recipe"));
    let config = std::fs::read(corpus.path("run/model.json")).expect("bytes");
    std::fs::create_dir(corpus.path("shipped")).expect("folder");
    std::fs::write(corpus.path("shipped/model.json"), &config).expect("write");
    std::fs::write(corpus.path("shipped/model.safetensors"), "weights").expect("write");
    let other = recipe.replace("hidden = 24", "hidden = 20");
    let error = corpus.trainer(&other, "shipped", Start::Fresh).err().expect("refused").to_string();
    assert!(error.contains("holds a model"), "{error}");
    assert_eq!(std::fs::read(corpus.path("shipped/model.json")).expect("bytes"), config);
    let missing = recipe.replace("/train.jsonl", "/nothing.jsonl").replace("name = \"tones\"", "name = \"other\"");
    assert!(
        corpus.trainer(&missing, "other", Start::Fresh).err().expect("refused").to_string().contains("nothing.jsonl")
    );
    for (from, to, wanted) in [
        ("dropout = 0.1", "dropout = 1.5", "train.dropout = 1.5: must be 0..=0.9"),
        ("speed = [0.95, 1.05]", "speed = [1.05, 0.95]", "augment.speed = [1.05, 0.95]"),
        ("chunk = 8", "chunk = 7", "chunk = 7: must be a multiple of the stacking, 2"),
        ("hidden = 24", "hidden = 24\nheads = 4", "unknown field `heads`"),
    ] {
        let error = corpus.trainer(&recipe.replace(from, to), "new", Start::Fresh).err().expect("refused").to_string();
        assert!(error.contains(wanted), "{error}");
    }
    let last = corpus.path("run").join("last.safetensors");
    let bytes = std::fs::read(&last).expect("bytes");
    std::fs::write(&last, &bytes[..bytes.len() / 2]).expect("truncate");
    assert!(refused(&recipe, Start::Resume).contains("last.safetensors: not a whole safetensors file"));
}

/// Each recording alone just carries its labels; two in a row repeat a label where they meet and need more frames.
#[test]
fn recordings_too_short_to_be_joined_are_not_joined() {
    let corpus = Corpus::new();
    for name in ["a.wav", "b.wav"] {
        let mut writer = WavWriter::create(&corpus.path(name), RATE).expect("writer");
        writer.write(&[0.1; 520]).expect("samples");
        writer.finish().expect("file");
    }
    corpus.write(
        "train.jsonl",
        "{\"audio\": \"a.wav\", \"text\": \"low low\"}\n{\"audio\": \"b.wav\", \"text\": \"low low\"}",
    );
    let recipe = corpus
        .recipe(60, "")
        .replace("[0.95, 1.05]", "[1, 1]")
        .replace("join_probability = 0.2", "join_probability = 1");
    let mut trainer = corpus.trainer(&recipe, "run", Start::Fresh).expect("trainer");
    trainer.run(&AtomicBool::new(false)).expect("training");
}

#[test]
fn adaptation_starts_from_the_model_and_frozen_layers_stay() {
    let corpus = Corpus::new();
    let recipe = corpus.recipe(2, "");
    let model = corpus.trained(&recipe);
    let manifest = corpus.path("train.jsonl");
    let adaptation = Adaptation {
        train: vec![manifest.clone()],
        dev: vec![manifest.clone()],
        epochs: 2,
        freeze_layers: 1,
        ..Adaptation::default()
    };
    let config = adaptation.recipe(&model).expect("recipe");
    let text = "any";
    let unadapted = model.clone();
    let start = Start::Init(Box::new(model));
    let mut trainer = Trainer::new(config, text, &corpus.path("adapted"), start, Device::Cpu).expect("trainer");
    // Before the first step the dev errors are those of the model itself.
    let before = trainer.dev_error_rate().expect("dev errors").expect("a dev set");
    let recognizer = Recognizer::load(unadapted, Device::Cpu, RecognizerConfig::default()).expect("recognizer");
    let utterances = Manifest::read(&manifest).expect("manifest").utterances;
    let own = evaluate(&recognizer, &utterances, &|u| audio::open(&u.audio), &mut |_| {});
    assert_eq!(before, own.words.rate());
    assert_eq!(trainer.best_error_rate(), None);
    trainer.run(&AtomicBool::new(false)).expect("adaptation");
    assert!(trainer.best_error_rate().is_some());
    let read = |path: &str| eddy::nn::weights::read(&corpus.path(path)).expect("tensors");
    let pairs = read("model/model.safetensors").into_iter().zip(read("adapted/epoch-0001.safetensors"));
    for ((name, before), (_, after)) in pairs {
        let frozen = name.starts_with("layers.0.");
        assert_eq!(before.equal(&after), frozen, "{name}");
    }
}

#[test]
fn dropped_layers_start_anew_with_the_recipes_own_tokens() {
    let corpus = Corpus::new();
    let recipe = corpus.recipe(1, "");
    let model = corpus.trained(&recipe);
    corpus.add_line(r#"{"audio": "0.wav", "text": "zero"}"#);
    let other = recipe.replace("[augment]", "drop_layers = 1\nfreeze_layers = 2\n[augment]");
    let start = Start::Init(Box::new(model));
    let mut trainer = corpus.trainer(&other, "other", start).expect("trainer");
    assert!(!trainer.summary().contains("left out"), "{}", trainer.summary());
    trainer.run(&AtomicBool::new(false)).expect("training");
    let read = |path: &str| eddy::nn::weights::read(&corpus.path(path)).expect("tensors");
    let pairs = read("model/model.safetensors").into_iter().zip(read("other/epoch-0000.safetensors"));
    for ((name, before), (_, after)) in pairs {
        let same = before.size() == after.size() && before.equal(&after);
        assert_eq!(same, name.starts_with("layers."), "{name}");
    }
    let impossible = recipe.replace("[augment]", "drop_layers = 2\nfreeze_layers = 2\n[augment]");
    let error = corpus.trainer(&impossible, "third", Start::Fresh).err().expect("refused").to_string();
    assert!(error.contains("train.freeze_layers = 2: must be at most 1, with train.drop_layers = 2"), "{error}");
}

/// Single words of several lengths as classes; noise is the class without a name.
#[test]
fn a_classifier_learns_its_classes() {
    let corpus = Corpus::new();
    let lines: Vec<String> = (0..12)
        .map(|index| {
            let (word, _) = WORDS[index % 3];
            let path = corpus.path(&format!("class{index}.wav"));
            write_tones(&path, word);
            let mut samples = audio::read_all(audio::open(&path).expect("opened").as_mut()).expect("samples");
            samples.resize(samples.len() + 200 * (index % 4), 0.0);
            let mut writer = WavWriter::create(&path, RATE).expect("writer");
            writer.write(&samples).expect("samples");
            writer.finish().expect("file");
            format!(r#"{{"audio": "class{index}.wav", "text": "{word}"}}"#)
        })
        .collect();
    corpus.write("train.jsonl", &lines.join("\n"));
    for direction in ["forward", "full"] {
        let grids = "{ latency_controlled = [{ chunk = 8, look_ahead = 4 }, { chunk = 16, look_ahead = 8 }] }";
        let recipe = corpus.recipe(40, "");
        let recipe = recipe.replace(grids, &format!("\"{direction}\"\nhead = \"classify\""));
        let recipe =
            recipe.replace("{ words = 1 }", "\"classes\"").replace("join_probability = 0.2", "join_probability = 0");
        corpus.write("recipe.toml", &recipe);
        let run = corpus.path(direction);
        let config = TrainConfig::load(&corpus.path("recipe.toml")).expect("recipe");
        let mut trainer = Trainer::new(config, &recipe, &run, Start::Fresh, Device::Cpu).expect("trainer");
        trainer.run(&AtomicBool::new(false)).expect("trained");
        let model = corpus.path(&format!("{direction}-model"));
        export(&run, Choice::Last, Kind::Float, &model).expect("exported");
        let model = ModelDir::open(&model).expect("model");
        let recognizer = Recognizer::load(model, Device::Cpu, RecognizerConfig::default()).expect("recognizer");
        let utterances = Manifest::read(&corpus.path("train.jsonl")).expect("manifest").utterances;
        let evaluation = evaluate(&recognizer, &utterances, &|one| one.open(), &mut |_| {});
        assert_eq!((evaluation.utterances, evaluation.words.errors()), (12, 0), "{direction}");
        let mut noise = audio::open(&corpus.path("noise.wav")).expect("opened");
        let classes = recognizer.classify(noise.as_mut()).expect("classes");
        assert_eq!((classes.best(), classes.classes.len()), ("", 4), "{direction}");
        let path = corpus.path(&format!("{direction}-model")).display().to_string();
        let told = corpus.done(&["evaluate", "--json", "--model", &path, "train.jsonl"]);
        let told: Value = serde_json::from_str(&told).expect("an object");
        assert_eq!((&told["accuracy"], &told["confusion"]["mid"]["mid"]), (&json!(1.0), &json!(4)), "{told}");
        let told = corpus.done(&["classify", "--json", "--model", &path, "class0.wav", "class1.wav"]);
        let classes_told: Vec<Value> =
            told.lines().map(|line| serde_json::from_str::<Value>(line).expect("an object")["class"].clone()).collect();
        assert_eq!(classes_told, ["low", "mid"], "{told}");
        let sum: f32 = classes.classes.iter().map(|(_, probability)| probability).sum();
        assert!((sum - 1.0).abs() < 1e-5, "{sum}");
        assert!(recognizer.session().is_err(), "there is no stream of classes");
    }
    for (from, to, wanted) in [
        ("\"classes\"", "\"characters\"", "model.tokens"),
        ("join_probability = 0", "join_probability = 0.1", "join_probability"),
        ("\"full\"", "{ latency_controlled = [{ chunk = 8, look_ahead = 4 }] }", "direction"),
    ] {
        let recipe = std::fs::read_to_string(corpus.path("recipe.toml")).expect("recipe").replace(from, to);
        corpus.write("bad.toml", &recipe);
        let outcome = TrainConfig::load(&corpus.path("bad.toml"))
            .and_then(|config| Trainer::new(config, &recipe, &corpus.path("bad"), Start::Fresh, Device::Cpu).map(drop));
        assert!(outcome.expect_err(wanted).to_string().contains(wanted), "{wanted}");
    }
}

/// The program itself: Ctrl-C saves, `--resume` goes on, what is exported can be used.
#[cfg(unix)]
#[test]
fn a_training_stopped_by_ctrl_c_goes_on_and_is_exported() {
    let corpus = Corpus::new();
    corpus.write("recipe.toml", &corpus.recipe(100_000, ""));
    let mut before = 0;
    for resume in [false, true] {
        let mut arguments = vec!["train", "recipe.toml", "--run", "run", "--threads", "1"];
        arguments.extend(resume.then_some("--resume"));
        let child = corpus.command(&arguments).stderr(Stdio::piped()).spawn().expect("eddy runs");
        let deadline = Instant::now() + Duration::from_secs(120);
        while corpus.steps("run") < before + 8 {
            assert!(Instant::now() < deadline, "no step after {before}");
            std::thread::sleep(Duration::from_millis(20));
        }
        let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill");
        assert!(killed.success());
        let output = child.wait_with_output().expect("ended");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(told.contains("saved: eddy train recipe.toml --run run --resume --threads 1"), "{told}");
        before = corpus.steps("run");
    }
    let again = corpus.eddy(&["train", "recipe.toml", "--run", "run"]);
    assert_eq!(again.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&again.stderr).contains("go on with --resume"), "{again:?}");
    corpus.done(&["export", "run", "--last", "--dtype", "f32", "-o", "mine"]);
    let own = corpus.eddy(&["export", "run", "--last", "-o", "run"]);
    assert_eq!(own.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&own.stderr).contains("the training's own folder"), "{own:?}");
    let facts: Value = serde_json::from_str(&corpus.done(&["inspect", "mine", "--json"])).expect("an object");
    assert_eq!((&facts["name"], &facts["weight_kinds"]), (&json!("tones"), &json!(["F32"])));
    assert!(facts["resampling"][1]["delay_ms"].as_f64().is_some_and(|ms| ms > 0.0), "{facts}");
    corpus.done(&["transcribe", "--model", "mine", "0.wav"]);
    let line = corpus.done(&["evaluate", "--json", "--model", "mine", "train.jsonl"]);
    let line: Value = serde_json::from_str(&line).expect("an object");
    assert_eq!((&line["utterances"], &line["words"]), (&json!(9), &json!(17)));
    assert!(corpus.done(&["plot", "run", "-o", "curves.svg"]).contains("curves.svg"));
    assert!(std::fs::read_to_string(corpus.path("curves.svg")).expect("picture").contains("polyline"));
    // What was tuned for other weights does not stay beside these.
    corpus.write("mine/priors.json", "{}");
    corpus.done(&["export", "run", "--last", "-o", "mine"]);
    assert!(!corpus.path("mine/priors.json").exists());
    for (more, dim) in [(&["--model", "mine"][..], 12), (&["--model", "mine", "--raw"], 12), (&["--ceps", "7"], 7)] {
        corpus.done(&[&["features", "0.wav", "--out", "f.npy"], more].concat());
        let bytes = std::fs::read(corpus.path("f.npy")).expect("features");
        let header = String::from_utf8_lossy(&bytes[10..128]).into_owned();
        assert!(header.contains("'<f4'") && header.contains(&format!(", {dim})")), "{more:?}: {header}");
    }
}

#[test]
fn a_comparison_is_of_one_recipe() {
    let corpus = Corpus::new();
    let recipe = corpus.recipe(2, "").replace("join_probability = 0.2", "join_probability = 0");
    corpus.write("recipe.toml", &recipe);
    let compare = ["lab", "compare", "recipe.toml", "-o", "out", "--cell", "rnn,gru", "--direction", "forward"];
    let table = corpus.done(&compare);
    assert!(table.contains("| rnn | forward |") && table.contains("| gru | forward |"), "{table}");
    assert!(corpus.path("out/curves.svg").is_file() && corpus.path("out/table.md").is_file());
    assert_eq!(corpus.done(&compare), table, "nothing is trained twice");
    corpus.write("recipe.toml", &recipe.replace("hidden = 24", "hidden = 20"));
    let other = corpus.eddy(&compare);
    assert_eq!(other.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&other.stderr).contains("made by another recipe"), "{other:?}");
}

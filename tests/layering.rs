//! A module uses only modules of its own layer or below: the order of the table in the crate's documentation.

use std::path::{Path, PathBuf};

/// Layers from the bottom; a name is a file or folder under `src/`.
const LAYERS: [&[&str]; 10] = [
    &["error", "stage"],
    &["audio"],
    &["frontend"],
    &["text", "transcript"],
    &["lm", "ctc", "metrics", "model_dir", "corpus", "output"],
    &["nn"],
    &["recognizer"],
    &["pipeline"],
    &["train", "plot", "lab"],
    &["cli", "main", "lib"],
];
/// The lowest layer that may use tensors.
const TENSORS_FROM: usize = 5;

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

/// Modules of this crate that a source text names, by `crate::x` and by what `lib.rs` re-exports.
fn used_modules(source: &str) -> Vec<String> {
    let code: Vec<&str> = source.lines().map(|line| line.split("//").next().unwrap_or("")).collect();
    let mut used = Vec::new();
    for line in code {
        for part in line.split("crate::").skip(1) {
            let name: String = part.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            used.push(match name.as_str() {
                "Error" | "Result" => "error".to_string(),
                "Frames" | "Stage" => "stage".to_string(),
                "ModelDir" | "ModelConfig" | "Head" | "Direction" | "EncoderConfig" => "model_dir".to_string(),
                "Recognizer" | "RecognizerConfig" | "Session" => "recognizer".to_string(),
                "Alternative" | "Event" | "Segment" | "Transcript" | "Word" => "transcript".to_string(),
                _ => name,
            });
        }
    }
    used.retain(|name| !name.is_empty());
    used
}

/// What is wrong with a file of `module`.
fn violations(module: &str, source: &str) -> Vec<String> {
    let own = layer(module).unwrap_or_else(|| panic!("module {module} has no layer: add it to the table"));
    let upward = |name: &String| layer(name).is_some_and(|other| other > own);
    let mut found: Vec<String> = used_modules(source)
        .into_iter()
        .filter(upward)
        .map(|name| format!("{module} (layer {own}) uses {name}"))
        .collect();
    // The crate's name, not the end of another (`Scratch::`).
    let named = |code: &str| {
        code.match_indices("tch::").any(|(at, _)| !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_'))
    };
    let tensors = source.lines().any(|line| line.split("//").next().is_some_and(named));
    // Drawing is of one layer with training, and neither needs the other.
    found.extend(
        used_modules(source).into_iter().filter(|name| module == "train" && ["plot", "lab"].contains(&name.as_str())),
    );
    if tensors && own < TENSORS_FROM && module != "error" {
        found.push(format!("{module} (layer {own}) uses tensors"));
    }
    found
}

fn sources(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

#[test]
fn no_module_uses_a_higher_layer() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    assert!(files.len() > 20, "the sources were not found");
    let mut found = Vec::new();
    for path in files {
        let inside = path.strip_prefix(&root).expect("under src").with_extension("");
        let module = inside.components().next().expect("a name").as_os_str().to_string_lossy().to_string();
        if module == "lib" {
            continue;
        }
        found.extend(violations(&module, &std::fs::read_to_string(&path).expect("source")));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn the_check_finds_what_it_is_for() {
    assert_eq!(violations("audio", "use crate::frontend::Mfcc;").len(), 1);
    assert_eq!(violations("text", "use tch::Tensor;").len(), 1);
    assert_eq!(violations("train", "use crate::plot::draw;").len(), 1);
    assert_eq!(violations("ctc", "let scratch = Scratch::default();").len(), 0);
    assert_eq!(violations("nn", "use tch::Tensor;\nuse crate::model_dir::Direction; // crate::cli").len(), 0);
    assert_eq!(violations("ctc", "use crate::{Frames, Result};\nuse crate::stage::Frames;").len(), 0);
}

//! Which files a run writes, decided before it begins.

use super::Format;
use crate::audio::{Origin, Recording};
use crate::error::{Error, Result};
use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::path::{Component, Path, PathBuf};

/// The files of one recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedFiles {
    /// The recording's name: its files' name without the format's ending; where recordings of several folders have the
    /// same, with the folders below the output folder, or as they were given.
    pub name: String,
    /// A file a format.
    pub files: Vec<(Format, PathBuf)>,
}

/// Where the files of one recording go.
struct Place {
    /// Names the folder the same for all recordings: the files' own, or relative to the output folder.
    key: PathBuf,
    /// The folder as it is written to.
    folder: PathBuf,
    name: OsString,
}

/// The files of each recording.
///
/// They lie next to the recording; with `output_dir` below it, in the tree that the recording has below the folder it
/// was found in. Where recordings of several folders would meet there, all keep so many of the folders above them as
/// tell them apart (`x/a.wav`, `y/a.wav`: `x/a.txt`, `y/a.txt`). Files have the recording's name without its ending;
/// with it, where two recordings share a stem in a folder, or where the ending is a format's (`a.wav.txt`).
///
/// # Errors
/// When two recordings would still be written to the same file: they are the same one.
pub fn plan_files(
    recordings: &[Recording],
    formats: &[Format],
    output_dir: Option<&Path>,
) -> Result<Vec<PlannedFiles>> {
    let mut places = match output_dir {
        None => recordings.iter().map(beside).collect(),
        Some(output_dir) => below(recordings, output_dir),
    };
    shorten_names(&mut places, formats);
    let mut taken: HashMap<(&Path, &OsStr), &Recording> = HashMap::new();
    for (place, recording) in places.iter().zip(recordings) {
        if let Some(other) = taken.insert((&place.key, &place.name), recording) {
            let wanted = format!("of another name or folder than {}, or left out", other.path.display());
            return Err(Error::invalid("recording", recording.path.display(), wanted));
        }
    }
    let file = |place: &Place, format: Format| {
        let mut name = place.name.clone();
        name.push(".");
        name.push(format.ending());
        (format, place.folder.join(name))
    };
    let mut named: HashMap<&OsStr, usize> = HashMap::new();
    places.iter().for_each(|place| *named.entry(&place.name).or_default() += 1);
    let name = |place: &Place| match named.get(place.name.as_os_str()) {
        Some(2..) => if output_dir.is_some() { &place.key } else { &place.folder }.join(&place.name),
        _ => PathBuf::from(&place.name),
    };
    let planned = |place: &Place| PlannedFiles {
        name: name(place).to_string_lossy().into_owned(),
        files: formats.iter().map(|&format| file(place, format)).collect(),
    };
    Ok(places.iter().map(planned).collect())
}

fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new(""))
}

/// The file's name, a part's with where it begins.
fn file_name(recording: &Recording) -> OsString {
    match recording.origin {
        Origin::File => recording.path.file_name().unwrap_or_default().to_os_string(),
        Origin::Stdin(_) => "stdin".into(),
        Origin::Part { offset, .. } => {
            let mut name = recording.path.file_stem().unwrap_or_default().to_os_string();
            name.push(format!("-{}ms", offset.as_millis()));
            if let Some(ending) = recording.path.extension() {
                name.push(".");
                name.push(ending);
            }
            name
        }
    }
}

/// Next to the recording.
fn beside(recording: &Recording) -> Place {
    let key = parent(&recording.absolute).to_path_buf();
    Place { key, folder: parent(&recording.path).to_path_buf(), name: file_name(recording) }
}

/// Below the output folder, with so many folders more as are needed.
fn below(recordings: &[Recording], output_dir: &Path) -> Vec<Place> {
    let deepest = recordings.iter().map(|recording| recording.absolute.components().count()).max().unwrap_or(0);
    let mut places = Vec::new();
    for more in 0..=deepest {
        places = recordings.iter().map(|recording| place_below(recording, output_dir, more)).collect();
        let mut distinct: Vec<_> = places.iter().map(|place: &Place| (&place.key, &place.name)).collect();
        distinct.sort();
        distinct.dedup();
        if distinct.len() == recordings.len() {
            break;
        }
    }
    places
}

/// Below the output folder with `more` of the folders above the recording's tree.
fn place_below(recording: &Recording, output_dir: &Path, more: usize) -> Place {
    let found_in = recording.below.as_deref();
    let tree = found_in.and_then(|folder| recording.path.strip_prefix(folder).ok()).map_or(Path::new(""), parent);
    let root = parent(&recording.absolute).ancestors().nth(tree.components().count()).unwrap_or(Path::new(""));
    let named = |component: &Component| matches!(component, Component::Normal(_));
    let above: Vec<Component> = root.components().filter(named).collect();
    let kept: PathBuf = above[above.len().saturating_sub(more)..].iter().collect();
    let key = kept.join(tree);
    Place { folder: output_dir.join(&key), key, name: file_name(recording) }
}

/// Takes the endings away where the stems are enough.
fn shorten_names(places: &mut [Place], formats: &[Format]) {
    let stem = |name: &OsStr| Path::new(name).file_stem().unwrap_or_default().to_os_string();
    let ending_is_a_format = |name: &OsStr| {
        let ending = Path::new(name).extension();
        ending.is_some_and(|ending| formats.iter().any(|format| ending.eq_ignore_ascii_case(format.ending())))
    };
    let mut short: Vec<bool> = places.iter().map(|place| !ending_is_a_format(&place.name)).collect();
    let name = |place: &Place, short: bool| if short { stem(&place.name) } else { place.name.clone() };
    // A name made long may meet the stem of a third: again, until none does.
    loop {
        let mut count: HashMap<(PathBuf, OsString), usize> = HashMap::new();
        let key = |place: &Place, short: bool| (place.key.clone(), name(place, short));
        for (place, &short) in places.iter().zip(&short) {
            *count.entry(key(place, short)).or_default() += 1;
        }
        let shared = |place: &Place, short: bool| count.get(&key(place, short)).is_some_and(|&count| count > 1);
        let long: Vec<bool> = places.iter().zip(&short).map(|(place, &short)| short && shared(place, short)).collect();
        if !long.contains(&true) {
            break;
        }
        short.iter_mut().zip(&long).for_each(|(short, &long)| *short &= !long);
    }
    for (place, short) in places.iter_mut().zip(short) {
        place.name = name(place, short);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// A recording given in `/home/me`, by itself or in a folder.
    fn recording(path: &str, below: Option<&str>) -> Recording {
        let mut absolute = PathBuf::new();
        for component in Path::new("/home/me").join(path).components() {
            match component {
                Component::ParentDir => drop(absolute.pop()),
                Component::CurDir => {}
                other => absolute.push(other),
            }
        }
        Recording { path: path.into(), below: below.map(PathBuf::from), absolute, origin: Origin::File }
    }

    fn planned(recordings: &[Recording], output_dir: Option<&str>) -> Vec<String> {
        let planned = plan_files(recordings, &[Format::Text], output_dir.map(Path::new)).expect("a plan");
        planned.iter().map(|planned| planned.files[0].1.display().to_string()).collect()
    }

    fn alone(paths: &[&str], output_dir: Option<&str>) -> Vec<String> {
        planned(&paths.iter().map(|path| recording(path, None)).collect::<Vec<_>>(), output_dir)
    }

    #[test]
    fn files_lie_next_to_the_recording_in_every_format() {
        let planned = plan_files(&[recording("x/a.b.wav", None)], &[Format::Srt, Format::TextGrid], None);
        let files = vec![(Format::Srt, "x/a.b.srt".into()), (Format::TextGrid, "x/a.b.TextGrid".into())];
        assert_eq!(planned.expect("a plan"), [PlannedFiles { name: "a.b".into(), files }]);
        let wanted = ["a.txt", "../a.txt", "/data/a.txt", "x/a.txt"];
        assert_eq!(alone(&["a.wav", "../a.wav", "/data/a.wav", "x/a.flac"], None), wanted);
        assert!(alone(&[], None).is_empty());
    }

    #[test]
    fn a_shared_stem_keeps_the_ending() {
        assert_eq!(alone(&["a.wav", "a.flac", "b.wav"], None), ["a.wav.txt", "a.flac.txt", "b.txt"]);
        assert_eq!(alone(&["a.wav", "/home/me/a.flac"], None), ["a.wav.txt", "/home/me/a.flac.txt"]);
        assert_eq!(alone(&["x/a.wav", "x/../y/a.flac"], None), ["x/a.txt", "x/../y/a.txt"]);
        assert_eq!(alone(&["a.wav", "a.flac", "a.wav.mp3"], None), ["a.wav.txt", "a.flac.txt", "a.wav.mp3.txt"]);
        assert_eq!(alone(&["a.wav", "a.flac"], Some("out")), ["out/a.wav.txt", "out/a.flac.txt"]);
        assert_eq!(alone(&["a.TXT", "no ending"], None), ["a.TXT.txt", "no ending.txt"]);
    }

    #[test]
    fn the_tree_below_a_folder_is_kept() {
        let of = |path: &str| recording(path, Some("../talks"));
        let found = [of("../talks/a.wav"), of("../talks/x/a.wav"), of("../talks/x/y/a.wav"), recording("b.wav", None)];
        assert_eq!(planned(&found, Some("/out")), ["/out/a.txt", "/out/x/a.txt", "/out/x/y/a.txt", "/out/b.txt"]);
        let wanted = ["../talks/a.txt", "../talks/x/a.txt", "../talks/x/y/a.txt", "b.txt"];
        assert_eq!(planned(&found, None), wanted);
        let here = [recording("./x/a.wav", Some(".")), recording("a.wav", Some(""))];
        assert_eq!(planned(&here, Some("out")), ["out/x/a.txt", "out/a.txt"]);
    }

    #[test]
    fn the_same_name_in_several_folders_keeps_the_folders() {
        assert_eq!(alone(&["x/a.wav", "y/a.wav", "y/b.wav"], Some("o")), ["o/x/a.txt", "o/y/a.txt", "o/y/b.txt"]);
        assert_eq!(alone(&["x/1/a.wav", "/data/y/1/a.wav"], Some("o")), ["o/x/1/a.txt", "o/y/1/a.txt"]);
        assert_eq!(alone(&["a.wav", "../a.wav"], Some("o")), ["o/me/a.txt", "o/home/a.txt"]);
        let of = |path: &str, folder: &str| recording(path, Some(folder));
        let discs = [of("disc1/t/a.wav", "disc1"), of("disc2/t/a.wav", "disc2"), of("disc2/b.wav", "disc2")];
        assert_eq!(planned(&discs, Some("o")), ["o/disc1/t/a.txt", "o/disc2/t/a.txt", "o/disc2/b.txt"]);
    }

    #[test]
    fn names_tell_recordings_of_several_folders_apart() {
        let of = |path: &str| recording(path, Some("talks"));
        let found = [of("talks/a.wav"), of("talks/x/a.wav"), of("talks/x/b.wav")];
        let names = |output_dir| -> Vec<String> {
            let planned = plan_files(&found, &[Format::Ctm], output_dir).expect("a plan");
            planned.into_iter().map(|planned| planned.name).collect()
        };
        assert_eq!(names(Some(Path::new("out"))), ["a", "x/a", "b"]);
        assert_eq!(names(None), ["talks/a", "talks/x/a", "b"]);
    }

    #[test]
    fn parts_and_standard_input_have_names_of_their_own() {
        let part = |ms| Recording {
            origin: Origin::Part { offset: Duration::from_millis(ms), duration: None },
            ..recording("x/a.wav", None)
        };
        let all = [part(0), part(12_345), Recording::stdin(None), recording("x/a.wav", None)];
        assert_eq!(planned(&all, Some("o")), ["o/a-0ms.txt", "o/a-12345ms.txt", "o/stdin.txt", "o/a.txt"]);
        assert_eq!(planned(&all, None), ["x/a-0ms.txt", "x/a-12345ms.txt", "stdin.txt", "x/a.txt"]);
    }

    #[test]
    fn the_same_recording_twice_is_refused() {
        let twice = [recording("x/a.wav", None), recording("/home/me/x/a.wav", None)];
        for output_dir in [None, Some(Path::new("out"))] {
            let message = plan_files(&twice, &[Format::Csv], output_dir).expect_err("one file").to_string();
            assert!(message.contains("/home/me/x/a.wav: must be of another name or folder than x/a.wav"), "{message}");
        }
    }
}

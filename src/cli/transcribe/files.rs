//! Transcripts as files, with a journal so that a run that was cut off can go on.

use super::progress::Progress;
use super::settings::settings;
use super::{Tally, TranscribeArgs, naming, stop_on_ctrl_c, warn_of};
use crate::Error;
use crate::audio::{Recording, without_repeats};
use crate::cli::inputs::Found;
use crate::error::{unfinished, write_atomically};
use crate::output::{Format, PlannedFiles, RenderOptions, plan_files};
use crate::pipeline::{BatchControl, FileTranscript, Journal, transcribe_recordings};
use anyhow::Result;
use std::collections::HashSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Every recording's files, and a summary on stderr.
pub(super) fn run(args: &TranscribeArgs, formats: &[Format], found: Found) -> Result<u8> {
    let Found { recordings, bad_lines } = found;
    let recordings = without_repeats(recordings);
    // Names follow from all recordings, whichever of them are left out here.
    let planned = plan_files(&recordings, formats, args.files_out.output_dir.as_deref())?;
    let mine = args.batch.share(&recordings);
    let mut journal = open_journal(args)?;
    let all = mine.iter().filter(|mine| **mine).count() + bad_lines;
    let mut tally = Tally { all, failed: bad_lines, ..Default::default() };
    let mut work: Vec<(Recording, Targets)> = Vec::new();
    for ((recording, planned), _) in recordings.into_iter().zip(planned).zip(mine).filter(|(_, mine)| *mine) {
        let targets = Targets::new(planned);
        let earlier = journal.as_ref().filter(|_| args.files_out.resume);
        match earlier.and_then(|journal| journal.earlier(&recording, &targets.paths)) {
            Some(earlier) => {
                tally.skipped += 1;
                tally.skipped_truncated += usize::from(earlier.truncation.is_some());
            }
            None => work.push((recording, targets)),
        }
    }
    if !work.is_empty() {
        if args.files_out.resume {
            remove_unfinished(&work);
        }
        if let Err(error) = transcribe(args, work, journal.as_mut(), &mut tally) {
            if tally.whole + tally.truncated == 0 {
                return Err(error);
            }
            // Some are done: what is left is for another run.
            eprintln!("eddy: {error:#}");
        }
    }
    eprintln!("eddy: {}", summary(&tally));
    Ok(tally.exit_code())
}

/// The files of one recording.
struct Targets {
    planned: PlannedFiles,
    paths: Vec<PathBuf>,
}

impl Targets {
    fn new(planned: PlannedFiles) -> Self {
        let paths = planned.files.iter().map(|(_, path)| path.clone()).collect();
        Targets { planned, paths }
    }
}

/// Takes away what a killed run left half written of the files that are to be written now.
fn remove_unfinished(work: &[(Recording, Targets)]) {
    let all: HashSet<&Path> = work.iter().flat_map(|(_, targets)| &targets.paths).map(PathBuf::as_path).collect();
    let folders: HashSet<&Path> = all.iter().filter_map(|path| path.parent()).collect();
    for folder in folders {
        let here = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        // A folder that is not there yet has nothing in it.
        for entry in std::fs::read_dir(here).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if unfinished(&name).is_some_and(|name| all.contains(folder.join(name).as_path())) {
                // What cannot be removed does no harm.
                let _ = std::fs::remove_file(entry.path());
            }
        }
    }
}

/// In the output folder; without one only where it is asked for, here.
fn open_journal(args: &TranscribeArgs) -> Result<Option<Journal>> {
    let folder = match &args.files_out.output_dir {
        Some(folder) => folder,
        None if args.files_out.resume => Path::new("."),
        None => return Ok(None),
    };
    Ok(Some(Journal::open(folder, &settings(args)?, args.batch.shard)?))
}

/// Transcribes what is left to do.
fn transcribe(
    args: &TranscribeArgs,
    work: Vec<(Recording, Targets)>,
    mut journal: Option<&mut Journal>,
    tally: &mut Tally,
) -> Result<()> {
    let recognizer = args.load()?;
    let options = RenderOptions { word_times: args.files_out.word_times };
    let (recordings, targets): (Vec<Recording>, Vec<Targets>) = work.into_iter().unzip();
    let control = BatchControl::default();
    stop_on_ctrl_c(&control)?;
    let progress = Progress::start(&recordings, &control);
    let run = transcribe_recordings(
        &recognizer,
        &recordings,
        &args.batch_options(&recognizer, &recordings),
        &control,
        |index, result| {
            let (recording, targets) = (&recordings[index], &targets[index]);
            let outcome = Outcome::of(recording, targets, result, options)?;
            progress.suspend(|| outcome.tell(recording));
            progress.inc();
            if let Some(journal) = journal.as_deref_mut() {
                outcome.note(recording, targets, journal)?;
            }
            outcome.count(tally);
            let fatal = args.batch.fail_fast && !matches!(outcome, Outcome::Written(_));
            if fatal { Err(Error::Interrupted) } else { Ok(()) }
        },
    );
    progress.finish();
    match run {
        Ok(_) | Err(Error::Interrupted) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// What came of a recording.
enum Outcome {
    /// All its files; what was missing at its end.
    Written(Option<String>),
    /// It could not be transcribed.
    Failed(String),
    /// Its transcript could not be written.
    Unwritten(String),
}

impl Outcome {
    /// Writes the files, if there is a transcript. An error ends the run: the others' files could not be written either.
    fn of(
        recording: &Recording,
        targets: &Targets,
        result: Result<FileTranscript, Error>,
        options: RenderOptions,
    ) -> Result<Self, Error> {
        let file = match result {
            Ok(file) => file,
            Err(error) => return Ok(Outcome::Failed(naming(&recording.path, &error))),
        };
        match write_files(&recording.label(), &file, &targets.planned, options) {
            Ok(()) => Ok(Outcome::Written(file.truncation)),
            Err(Error::Io { path, error }) if is_full(&error) => Err(Error::Io { path, error }),
            Err(error) => Ok(Outcome::Unwritten(error.to_string())),
        }
    }

    fn tell(&self, recording: &Recording) {
        match self {
            Outcome::Written(None) => {}
            Outcome::Written(Some(missing)) => warn_of(&recording.path, missing),
            Outcome::Failed(reason) | Outcome::Unwritten(reason) => eprintln!("eddy: {reason}"),
        }
    }

    fn note(&self, recording: &Recording, targets: &Targets, journal: &mut Journal) -> Result<(), Error> {
        match self {
            Outcome::Written(truncation) => journal.done(recording, &targets.paths, truncation.as_deref()),
            Outcome::Failed(reason) | Outcome::Unwritten(reason) => journal.failed(recording, reason),
        }
    }

    fn count(&self, tally: &mut Tally) {
        *match self {
            Outcome::Written(None) => &mut tally.whole,
            Outcome::Written(Some(_)) => &mut tally.truncated,
            Outcome::Failed(_) => &mut tally.failed,
            Outcome::Unwritten(_) => &mut tally.unwritten,
        } += 1;
    }
}

/// Each file as a whole or not at all.
fn write_files(
    path: &Path,
    file: &FileTranscript,
    planned: &PlannedFiles,
    options: RenderOptions,
) -> Result<(), Error> {
    for (format, target) in &planned.files {
        if let Some(folder) = target.parent() {
            std::fs::create_dir_all(folder).map_err(|error| Error::io(folder, error))?;
        }
        let text = format.render(path, &planned.name, &file.transcript, options);
        write_atomically(target, text.as_bytes())?;
    }
    Ok(())
}

/// Whether a write failed for a reason that all further ones would fail for.
fn is_full(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::ReadOnlyFilesystem)
}

fn summary(tally: &Tally) -> String {
    let counts = [
        (tally.skipped, "done before"),
        (tally.truncated, "cut short"),
        (tally.failed, "failed"),
        (tally.unwritten, "not written"),
        (tally.not_done(), "not done"),
    ];
    let told: Vec<_> = counts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!(", {n} {what}")).collect();
    format!("transcripts of {} of {} recordings written{}", tally.whole + tally.truncated, tally.all, told.concat())
}

//! `eddy lm estimate`: a model from text.

use crate::error::write_atomically_with;
use crate::lm::{EstimateConfig, EstimateReport, Estimator, Words};
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};

/// Sentences between two messages.
const REPORT_EVERY: u64 = 200_000;

/// Flags of `eddy lm estimate`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  eddy lm estimate book.txt news.txt -o lm.arpa
  xz -dc prose.txt.xz | eddy lm estimate - --order 4 --max-words 60000 --prune '0 0 1 2' -o lm.arpa

Each line of a text is a sentence. Words outside the vocabulary count as <unk>. Probabilities are those of KenLM's lmplz.
`eddy lm prune` and `eddy lm build` make a small file of the result.")]
pub(super) struct EstimateArgs {
    /// Text, a sentence a line; - is standard input
    #[arg(value_name = "TEXT", required = true)]
    texts: Vec<PathBuf>,
    /// ARPA file to write
    #[arg(short, long, value_name = "OUT.arpa")]
    out: PathBuf,
    /// Longest n-gram, in words (1 to 6)
    #[arg(long, value_name = "N", default_value_t = 3)]
    order: usize,
    /// Leave out n-grams seen no more often than this: a count for each length from 1, the last for all longer; the first
    /// must be 0
    #[arg(long, value_name = "COUNTS", default_value = "0")]
    prune: String,
    /// Know only the N most frequent words
    #[arg(long, value_name = "N", conflicts_with = "vocabulary")]
    max_words: Option<usize>,
    /// Know only the words of this file, parted by white space
    #[arg(long, value_name = "FILE")]
    vocabulary: Option<PathBuf>,
    /// Take the text as it is, words parted by white space, instead of normalizing it
    #[arg(long)]
    verbatim: bool,
    /// Memory for sorting; what does not fit goes to temporary files
    #[arg(long, value_name = "MB", default_value_t = 2000)]
    memory: usize,
    /// Folder for temporary files [default: the system's]
    #[arg(long, value_name = "DIR")]
    temporary: Option<PathBuf>,
}

/// Runs it.
pub(super) fn run(args: EstimateArgs) -> Result<u8> {
    let config = EstimateConfig {
        order: args.order,
        prune: parse_prune(&args.prune)?,
        words: words(&args)?,
        memory_mb: args.memory,
        temporary: args.temporary.unwrap_or_else(std::env::temp_dir),
    };
    let inputs = args.texts.iter().chain(&args.vocabulary).map(PathBuf::as_path).collect::<Vec<_>>();
    crate::cli::not_over("--out", &args.out, &inputs)?;
    let mut estimator = Estimator::new(config)?;
    let mut sentences = 0;
    for path in &args.texts {
        super::each_line(path, args.verbatim, |line| {
            sentences += 1;
            if sentences % REPORT_EVERY == 0 {
                tracing::info!("{sentences} lines read");
            }
            Ok(estimator.add_sentence(line)?)
        })?;
    }
    tracing::info!("{sentences} lines read; counting");
    let mut report = EstimateReport::default();
    write_atomically_with(&args.out, |writer| {
        report = estimator.estimate(writer, &args.out)?;
        Ok(())
    })?;
    print_report(&report, &args.out);
    Ok(0)
}

fn parse_prune(text: &str) -> Result<Vec<u32>> {
    let count = |part: &str| part.parse().with_context(|| format!("--prune = {text}: must be counts, such as '0 1 1'"));
    text.split([' ', ',']).filter(|part| !part.is_empty()).map(count).collect()
}

fn words(args: &EstimateArgs) -> Result<Words> {
    match (&args.vocabulary, args.max_words) {
        (Some(path), _) => {
            let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
            anyhow::ensure!(!text.trim().is_empty(), "{}: holds no word", path.display());
            Ok(Words::Listed(text.split_whitespace().map(str::to_string).collect()))
        }
        (None, Some(most)) => Ok(Words::Most(most)),
        (None, None) => Ok(Words::All),
    }
}

fn print_report(report: &EstimateReport, out: &Path) {
    for length in &report.fallbacks {
        eprintln!(
            "eddy: {}: warning: too little text, or too even, to estimate discounts of {length}-grams: took 0.5, 1 and 1.5",
            out.display()
        );
    }
    eprintln!(
        "{}: {} sentences, {} words, {} outside the vocabulary",
        out.display(),
        report.sentences,
        report.words,
        report.unknown
    );
    for (index, (count, [one, two, more])) in report.counts.iter().zip(&report.discounts).enumerate() {
        eprintln!("  {count} {}-grams, discounts {one:.4} {two:.4} {more:.4}", index + 1);
    }
}

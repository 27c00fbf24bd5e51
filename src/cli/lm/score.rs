//! `eddy lm score`: how well a model predicts a text.

use crate::lm::{NgramLm, Perplexity};
use anyhow::{Context, Result};
use std::io::Write;
use std::path::PathBuf;

/// Flags of `eddy lm score`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  eddy lm score lm.bin dev.txt
  echo 'a quiet evening' | eddy lm score lm.arpa - --sentences

Sentence ends count as words, as in KenLM's and SRILM's figures. Models with different vocabularies compare only by text
that both know.")]
pub(super) struct ScoreArgs {
    /// Language model: ARPA, or what `eddy lm build` wrote
    #[arg(value_name = "LM")]
    lm: PathBuf,
    /// Text, a sentence a line; - is standard input
    #[arg(value_name = "TEXT", required = true)]
    texts: Vec<PathBuf>,
    /// Take the text as it is, words parted by white space, instead of normalizing it
    #[arg(long)]
    verbatim: bool,
    /// First a line for each sentence: log10 probability, words not known, sentence, parted by tabs
    #[arg(long)]
    sentences: bool,
}

/// Runs it.
pub(super) fn run(args: ScoreArgs) -> Result<u8> {
    let lm = NgramLm::load(&args.lm)?;
    let mut perplexity = Perplexity::default();
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for path in &args.texts {
        super::each_line(path, args.verbatim, |line| {
            if line.is_empty() {
                return Ok(());
            }
            let score = lm.score_sentence(line);
            perplexity.add(score);
            if args.sentences {
                writeln!(out, "{:.4}\t{}\t{line}", score.log10_prob, score.unknown).context("standard output")?;
            }
            Ok(())
        })?;
    }
    if perplexity.sentences == 0 {
        anyhow::bail!("{}: no words to score", args.texts[0].display());
    }
    let total = perplexity.total;
    write!(
        out,
        "sentences\t{}\nwords\t{}\nunknown\t{}\nlog10 probability\t{:.4}\n\
         perplexity, unknown words included\t{:.4}\nperplexity, unknown words excluded\t{:.4}\n",
        perplexity.sentences,
        total.words,
        total.unknown,
        total.log10_prob,
        perplexity.including_unknown(),
        perplexity.excluding_unknown()
    )
    .and_then(|()| out.flush())
    .context("standard output")?;
    Ok(0)
}

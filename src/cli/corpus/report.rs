//! A preflight's report on standard output.

use crate::corpus::{Finding, FindingKind, ManifestTotals, Report, SharedSentences};
use serde_json::{Value, json};
use std::cmp::Reverse;
use std::io::{Result, Write};

/// Rare characters are told one by one; so many of the others.
const SHOWN_CHARACTERS: usize = 60;

/// A report to be printed.
pub(super) struct Printed<'a> {
    pub report: &'a Report,
}

impl Printed<'_> {
    /// A line a finding, an empty line if there are any, the summary.
    pub fn text(&self, out: &mut impl Write) -> Result<()> {
        let Report { findings, manifests, shared, .. } = self.report;
        for finding in findings {
            writeln!(out, "{finding}")?;
        }
        if !findings.is_empty() {
            writeln!(out)?;
        }
        for (kind, count) in self.counts() {
            let note = if kind.is_fault() { "" } else { "  (note)" };
            writeln!(out, "{:<18} {count:>7}{note}", kind.name())?;
        }
        for manifest in manifests {
            writeln!(out, "{}: {}", manifest.path.display(), in_words(manifest))?;
        }
        if manifests.len() > 1 {
            writeln!(out, "all: {}", in_words(&self.total()))?;
        }
        for shared in shared {
            writeln!(out, "{}", self.overlap(shared))?;
        }
        if let Some(characters) = self.characters() {
            writeln!(out, "characters: {characters}")?;
        }
        Ok(())
    }

    /// An object a finding, then the summary.
    pub fn json(&self, out: &mut impl Write) -> Result<()> {
        for finding in &self.report.findings {
            writeln!(out, "{}", finding_json(finding))?;
        }
        let total = self.total();
        let kinds: serde_json::Map<String, Value> =
            self.counts().into_iter().map(|(kind, count)| (kind.name().to_string(), count.into())).collect();
        let shared = |shared: &SharedSentences| {
            let path = |place: usize| self.report.manifests[place].path.display().to_string();
            let [first, second] = shared.manifests.map(path);
            json!({"manifests": [first, second], "sentences": shared.sentences, "lines": shared.lines})
        };
        let summary = json!({
            "manifests": self.report.manifests.iter().map(totals_json).collect::<Vec<_>>(),
            "good": total.good,
            "bad": total.bad,
            "good_seconds": total.good_seconds,
            "bad_seconds": total.bad_seconds,
            "kinds": kinds,
            "shared_sentences": self.report.shared.iter().map(shared).collect::<Vec<_>>(),
            "characters": self.report.characters,
        });
        writeln!(out, "{}", json!({ "summary": summary }))
    }

    /// Findings of each kind that there is.
    fn counts(&self) -> Vec<(FindingKind, usize)> {
        let count = |kind| self.report.findings.iter().filter(|finding| finding.kind == kind).count();
        FindingKind::ALL.into_iter().map(|kind| (kind, count(kind))).filter(|(_, count)| *count > 0).collect()
    }

    fn total(&self) -> ManifestTotals {
        self.report.manifests.iter().fold(ManifestTotals::default(), |mut total, manifest| {
            total.good += manifest.good;
            total.bad += manifest.bad;
            total.good_seconds += manifest.good_seconds;
            total.bad_seconds += manifest.bad_seconds;
            total
        })
    }

    fn overlap(&self, shared: &SharedSentences) -> String {
        let part = |place: usize| {
            let manifest = &self.report.manifests[shared.manifests[place]];
            let all = manifest.good + manifest.bad;
            format!("{} of {all} lines of {}", shared.lines[place], manifest.path.display())
        };
        format!("sentences in both: {}, in {} and {}", shared.sentences, part(0), part(1))
    }

    /// The most frequent first.
    fn characters(&self) -> Option<String> {
        let mut counts: Vec<(char, usize)> = self.report.characters.iter().map(|(&c, &count)| (c, count)).collect();
        counts.sort_by_key(|&(character, count)| (Reverse(count), character));
        let shown = counts.iter().take(SHOWN_CHARACTERS).map(|(character, count)| format!("{character} {count}"));
        let more = counts.len().saturating_sub(SHOWN_CHARACTERS);
        let more = (more > 0).then(|| format!("and {more} rarer ones"));
        let shown: Vec<String> = shown.chain(more).collect();
        (!shown.is_empty()).then(|| shown.join(", "))
    }
}

fn in_words(totals: &ManifestTotals) -> String {
    let ManifestTotals { good, bad, good_seconds, bad_seconds, .. } = totals;
    let hours = |seconds: &f64| seconds / 3600.0;
    format!("{good} good lines, {:.2} h; {bad} bad, {:.2} h", hours(good_seconds), hours(bad_seconds))
}

fn totals_json(totals: &ManifestTotals) -> Value {
    json!({
        "path": totals.path.display().to_string(),
        "good": totals.good,
        "bad": totals.bad,
        "good_seconds": totals.good_seconds,
        "bad_seconds": totals.bad_seconds,
    })
}

fn finding_json(finding: &Finding) -> Value {
    json!({
        "kind": finding.kind,
        "fault": finding.kind.is_fault(),
        "manifest": finding.manifest.display().to_string(),
        "line": finding.line,
        "audio": finding.audio.as_ref().map(|audio| audio.display().to_string()),
        "reason": finding.reason,
    })
}

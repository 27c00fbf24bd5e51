//! Speech that is far faster or slower than the rest of its manifest: text and recording hardly belong together.
//!
//! Layer 4. The centre is the median, the spread the median absolute deviation, scaled to a normal distribution's
//! standard deviation: a few bad lines move neither. Too many characters a second are measured against the rates
//! themselves, too few against their logarithms, since rates cannot fall below 0.

use super::Line;
use super::finding::{FindingKind, Flaw};

/// Standard deviations from the median.
const DEVIATIONS: f64 = 5.0;
/// Utterances that a manifest must have for its rates to mean anything.
const FEWEST: usize = 20;
/// Shorter recordings may be as slow as they like: the silence around a word is most of them.
const SLOW_FROM_SECONDS: f64 = 2.0;
/// The spread counts as at least this share of the median, for manifests with much the same sentences.
const LEAST_SPREAD: f64 = 0.1;
/// Standard deviation of a normal distribution in median absolute deviations.
const NORMAL: f64 = 1.4826;

/// The lines of each of `manifests` whose rates are odd.
pub(super) fn odd_rates(lines: &[Line], manifests: usize) -> Vec<Flaw> {
    (0..manifests).flat_map(|manifest| odd_in(lines, manifest)).collect()
}

fn odd_in(lines: &[Line], manifest: usize) -> Vec<Flaw> {
    let own = lines.iter().enumerate().filter(|(_, line)| line.manifest == manifest);
    let rates: Vec<(usize, f64, f64)> = own.filter_map(|(place, line)| rate(place, line)).collect();
    let Some(limits) = Limits::of(rates.iter().map(|(_, rate, _)| *rate)) else {
        return Vec::new();
    };
    let odd = |(place, rate, seconds): (usize, f64, f64)| {
        let allowed = limits.broken_by(rate, seconds)?;
        let reason =
            format!("{rate:.2} characters a second: must be {allowed}, the manifest's median is {:.2}", limits.median);
        Some(Flaw { line: place, kind: FindingKind::OddRate, reason })
    };
    rates.into_iter().filter_map(odd).collect()
}

/// A line's place, characters a second without spaces, and seconds.
fn rate(place: usize, line: &Line) -> Option<(usize, f64, f64)> {
    let seconds = line.heard.as_ref()?.seconds();
    let characters = line.text()?.chars().filter(|character| !character.is_whitespace()).count();
    (seconds > 0.0).then_some((place, characters as f64 / seconds, seconds))
}

/// What rates a manifest's are held to.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Limits {
    median: f64,
    lowest: f64,
    highest: f64,
}

impl Limits {
    /// `None` where there are too few.
    fn of(rates: impl Iterator<Item = f64>) -> Option<Self> {
        let rates: Vec<f64> = rates.collect();
        if rates.len() < FEWEST {
            return None;
        }
        let median = median(rates.clone());
        let spread = NORMAL * self::median(rates.iter().map(|rate| (rate - median).abs()).collect());
        let ratio = NORMAL * self::median(rates.iter().map(|rate| (rate / median).ln().abs()).collect());
        Some(Limits {
            median,
            lowest: median * (-DEVIATIONS * ratio.max(LEAST_SPREAD)).exp(),
            highest: median + DEVIATIONS * spread.max(LEAST_SPREAD * median),
        })
    }

    /// What would be allowed.
    fn broken_by(&self, rate: f64, seconds: f64) -> Option<String> {
        if rate > self.highest {
            return Some(format!("at most {:.2}", self.highest));
        }
        let slow = rate < self.lowest && seconds >= SLOW_FROM_SECONDS;
        slow.then(|| format!("at least {:.2}", self.lowest))
    }
}

/// The middle value of at least one, the upper of two.
fn median(mut values: Vec<f64>) -> f64 {
    let middle = values.len() / 2;
    *values.select_nth_unstable_by(middle, f64::total_cmp).1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limits_are_five_deviations_whatever_the_outliers_say() {
        // Median 10, deviations from it 0, 1, 1, 2, 2, of logarithms at 10 and 9 in the middle.
        let even = [8.0, 9.0, 10.0, 11.0, 12.0].repeat(20);
        let limits = Limits::of(even.iter().copied()).expect("enough");
        assert_eq!(limits.median, 10.0);
        assert!((limits.highest - (10.0 + 5.0 * 1.4826)).abs() < 1e-9, "{limits:?}");
        assert!((limits.lowest - 10.0 * (-5.0 * 1.4826 * (10.0f64 / 9.0).ln()).exp()).abs() < 1e-9, "{limits:?}");
        let spoiled = Limits::of(even.iter().copied().chain([500.0, 0.01])).expect("enough");
        assert_eq!((spoiled.highest, spoiled.median), (limits.highest, 10.0));
        let broken = |rate, seconds| limits.broken_by(rate, seconds);
        assert_eq!(broken(17.5, 0.3).as_deref(), Some("at most 17.41"));
        assert_eq!((broken(17.0, 9.0), broken(1.0, 1.9)), (None, None));
        assert!(broken(1.0, 2.0).is_some_and(|allowed| allowed.starts_with("at least ")));
    }

    #[test]
    fn equal_rates_leave_room_and_few_say_nothing() {
        let limits = Limits::of([10.0; 20].into_iter()).expect("enough");
        assert_eq!((limits.highest, limits.broken_by(6.1, 9.0)), (15.0, None));
        assert!(limits.broken_by(6.0, 9.0).is_some());
        assert_eq!(Limits::of([10.0; 19].into_iter()), None);
    }
}

//! Modified Kneser-Ney discounts.
//!
//! Source: Chen & Goodman, An Empirical Study of Smoothing Techniques for Language Modeling (1998), equation 26.

/// How many n-grams of a length have the adjusted count 1, 2, 3, 4.
pub(super) type CountsOfCounts = [u64; 4];

/// What is taken from a count of 0, 1, 2, and of 3 and more.
pub(super) type Discounts = [f64; 4];

/// What other toolkits offer for texts too small or too odd for the formula.
pub(super) const FALLBACK: Discounts = [0.0, 0.5, 1.0, 1.5];

/// `D_j = j - (j + 1) Y t_{j+1} / t_j` with `Y = t_1 / (t_1 + 2 t_2)`; `None` when a count is missing or a discount is
/// not between 0 and its count.
pub(super) fn estimate(counts: CountsOfCounts) -> Option<Discounts> {
    let t = counts.map(|count| count as f64);
    let y = t[0] / (t[0] + 2.0 * t[1]);
    let discount = |j: usize| j as f64 - (j + 1) as f64 * y * t[j] / t[j - 1];
    let discounts = [0.0, discount(1), discount(2), discount(3)];
    let sound = (1..=3).all(|j| (0.0..=j as f64).contains(&discounts[j]));
    (sound && counts.iter().all(|count| *count > 0)).then_some(discounts)
}

/// The discount of a count.
pub(super) fn of(discounts: &Discounts, count: u64) -> f64 {
    discounts[count.min(3) as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn discounts_by_hand() {
        // Y = 10 / (10 + 2 * 5) = 1/2; 1 - 2/2 * 5/10; 2 - 3/2 * 3/5; 3 - 4/2 * 2/3.
        let discounts = estimate([10, 5, 3, 2]).expect("discounts");
        for (discount, expected) in discounts.iter().zip([0.0, 0.5, 1.1, 5.0 / 3.0]) {
            assert!((discount - expected).abs() < 1e-12);
        }
        assert_eq!(
            [1, 2, 3, 99].map(|count| of(&discounts, count)),
            [discounts[1], discounts[2], discounts[3], discounts[3]]
        );
        assert_eq!(estimate([10, 5, 0, 0]), None);
        assert_eq!(estimate([0, 0, 0, 0]), None);
        // The third would be below 0.
        assert_eq!(estimate([10, 5, 1, 9]), None);
    }
}

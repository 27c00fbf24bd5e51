//! Values rounded to a few hundred: codes and the codebook they index.
//!
//! Bins of equal population whose value is their mean, as KenLM does.

use super::binary::FLOAT_BITS;

/// The codebook of `values` and each one's code of `bits` bits. A field of [`FLOAT_BITS`] holds the float itself and has
/// no codebook, one of no bits holds nothing. Zero, the back-off weight of all that is never backed off from, stays
/// exactly zero.
pub(super) fn encode(values: &[f32], bits: usize) -> (Vec<f32>, Vec<u32>) {
    match bits {
        0 => (Vec::new(), Vec::new()),
        FLOAT_BITS => (Vec::new(), values.iter().map(|value| value.to_bits()).collect()),
        _ => {
            let codebook = codebook(values, 1 << bits);
            let codes = values.iter().map(|value| nearest(&codebook, *value)).collect();
            (codebook, codes)
        }
    }
}

/// `size` values, sorted.
fn codebook(values: &[f32], size: usize) -> Vec<f32> {
    let mut sorted: Vec<f32> = values.iter().copied().filter(|value| *value != 0.0).collect();
    sorted.sort_unstable_by(f32::total_cmp);
    let mean = |bin: &[f32]| (bin.iter().map(|value| f64::from(*value)).sum::<f64>() / bin.len() as f64) as f32;
    let bins = size - 1;
    let bounds = |bin: usize| bin * sorted.len() / bins;
    let occupied = (0..bins).map(|bin| bounds(bin)..bounds(bin + 1)).filter(|bin| !bin.is_empty());
    let mut codebook: Vec<f32> = occupied.map(|bin| mean(&sorted[bin])).collect();
    codebook.resize(size, 0.0);
    codebook.sort_unstable_by(f32::total_cmp);
    codebook
}

/// Index of the nearest value of a sorted codebook.
fn nearest(codebook: &[f32], value: f32) -> u32 {
    let above = codebook.partition_point(|other| *other < value).min(codebook.len() - 1);
    let below = above.saturating_sub(1);
    let nearer = if value == 0.0 || codebook[above] - value <= value - codebook[below] { above } else { below };
    nearer as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_is_exact_and_others_are_near() {
        let values: Vec<f32> = (0..10_000).map(|i| -(i as f32) / 1000.0).collect();
        let (codebook, codes) = encode(&values, 8);
        assert_eq!(codebook.len(), 256);
        assert_eq!(codebook[codes[0] as usize], 0.0);
        for (value, code) in values.iter().zip(codes) {
            // Half a bin: 10 / 255 / 2.
            assert!((codebook[code as usize] - value).abs() <= 0.02, "{value}");
        }
        let (few, codes) = encode(&[-1.0, -2.0, 0.5, -1.0], 4);
        assert_eq!(codes.iter().map(|code| few[*code as usize]).collect::<Vec<_>>(), [-1.0, -2.0, 0.5, -1.0]);
        let (none, codes) = encode(&[-1.5], FLOAT_BITS);
        assert!(none.is_empty() && f32::from_bits(codes[0]) == -1.5);
    }
}

//! Records of a few bit fields each, one after another without gaps: how a model lies in memory and in its file.

/// Bytes past the last record, so that any field can be read as part of eight bytes.
const PADDING: usize = 8;

/// Records of `width` bits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Packed {
    bytes: Vec<u8>,
    width: usize,
}

/// A field of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Field {
    /// Bits before it in its record.
    pub at: usize,
    /// Its bits, at most 32.
    pub bits: usize,
}

/// Bits that hold every value up to `largest`.
pub(super) fn bits_for(largest: usize) -> usize {
    (usize::BITS - largest.leading_zeros()) as usize
}

impl Packed {
    /// Bytes of `count` records of `width` bits.
    pub fn size(count: usize, width: usize) -> usize {
        (count * width).div_ceil(8) + PADDING
    }

    /// Records of zeros.
    pub fn zeros(count: usize, width: usize) -> Self {
        Packed { bytes: vec![0; Self::size(count, width)], width }
    }

    /// Records as `bytes` gave them.
    pub fn from_bytes(bytes: Vec<u8>, width: usize) -> Self {
        Packed { bytes, width }
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// A field of a record; 0 past the end.
    #[inline]
    pub fn get(&self, record: usize, field: Field) -> u32 {
        let bit = record * self.width + field.at;
        let Some(bytes) = self.bytes.get(bit / 8..).and_then(<[u8]>::first_chunk::<8>) else { return 0 };
        (u64::from_le_bytes(*bytes) >> (bit % 8) & ((1 << field.bits) - 1)) as u32
    }

    /// Sets a field that is still 0.
    pub fn set(&mut self, record: usize, field: Field, value: u32) {
        debug_assert!(u64::from(value) < 1 << field.bits, "{value} in {} bits", field.bits);
        let bit = record * self.width + field.at;
        let shifted = u64::from(value) << (bit % 8);
        for (byte, part) in self.bytes[bit / 8..].iter_mut().zip(shifted.to_le_bytes()) {
            *byte |= part;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_any_width_are_kept_apart() {
        for width in [1, 7, 8, 17, 31, 32] {
            let fields = [Field { at: 0, bits: width }, Field { at: width, bits: 3 }];
            let mut packed = Packed::zeros(50, width + 3);
            let value = |record: usize| (record as u64 * 2_654_435_761 % (1 << width)) as u32;
            for record in 0..50 {
                packed.set(record, fields[0], value(record));
                packed.set(record, fields[1], record as u32 % 8);
            }
            for record in 0..50 {
                assert_eq!(packed.get(record, fields[0]), value(record), "{width} bits");
                assert_eq!(packed.get(record, fields[1]), record as u32 % 8);
            }
            assert_eq!(packed.get(1000, fields[0]), 0);
        }
        assert_eq!([0, 1, 2, 255, 256].map(bits_for), [0, 1, 2, 8, 9]);
    }
}

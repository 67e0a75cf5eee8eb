//! Numbers of 16 bits (IEEE 754 binary16), and their way from and to 32.

/// The nearest half-precision number, ties to even; what is too large becomes infinite.
pub fn from_f32(value: f32) -> u16 {
    let bits = value.to_bits();
    let sign = ((bits >> 16) & 0x8000) as u16;
    let exponent = ((bits >> 23) & 0xff) as i32;
    let fraction = bits & 0x007f_ffff;
    if exponent == 0xff {
        // Infinite stays infinite; what is no number stays none.
        let quiet = if fraction == 0 { 0 } else { 0x0200 | (fraction >> 13) as u16 };
        return sign | 0x7c00 | quiet;
    }
    let exponent = exponent - 127 + 15;
    if exponent >= 0x1f {
        return sign | 0x7c00;
    }
    // The fraction with its leading one, and how many of its bits do not fit; too small a number has no leading one.
    let (whole, drop) = match exponent {
        1.. => (((exponent as u32) << 23) | fraction, 13),
        -10..=0 => (fraction | 0x0080_0000, (14 - exponent) as u32),
        _ => return sign,
    };
    let (kept, rest, middle) = (whole >> drop, whole & ((1 << drop) - 1), 1 << (drop - 1));
    let up = rest > middle || (rest == middle && kept & 1 == 1);
    // A carry goes into the exponent, which is what it should do.
    sign | (kept + u32::from(up)) as u16
}

/// The same number in single precision; every one has one.
pub fn to_f32(half: u16) -> f32 {
    let sign = u32::from(half & 0x8000) << 16;
    let exponent = u32::from(half >> 10) & 0x1f;
    let fraction = u32::from(half & 0x03ff);
    let bits = match (exponent, fraction) {
        (0, 0) => sign,
        (0, _) => {
            // Below the smallest normal half: a normal single.
            let shift = fraction.leading_zeros() - 21;
            sign | ((113 - shift) << 23) | (((fraction << shift) & 0x03ff) << 13)
        }
        (0x1f, _) => sign | 0x7f80_0000 | (fraction << 13),
        _ => sign | ((exponent + 112) << 23) | (fraction << 13),
    };
    f32::from_bits(bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_half_comes_back_from_single_precision() {
        for half in 0..=u16::MAX {
            let single = to_f32(half);
            if single.is_nan() {
                assert!(to_f32(from_f32(single)).is_nan(), "{half:#x}");
            } else {
                assert_eq!(from_f32(single), half, "{half:#x} is {single}");
            }
        }
    }

    #[test]
    fn known_numbers_have_the_bits_of_the_standard() {
        let known: [(f32, u16); 12] = [
            (1.0, 0x3c00),
            (-2.0, 0xc000),
            (65504.0, 0x7bff),
            (65520.0, 0x7c00),
            (65519.996, 0x7bff),
            (0.099_975_586, 0x2e66),
            (0.1, 0x2e66),
            (5.960_464_5e-8, 0x0001),
            (2.980_232_2e-8, 0x0000),
            (2.980_233e-8, 0x0001),
            (6.097_555e-5, 0x03ff),
            (1.000_488_3, 0x3c00),
        ];
        for (single, half) in known {
            assert_eq!(from_f32(single), half, "{single}");
        }
        // A tie goes to the even one, up as well as down.
        assert_eq!(from_f32(1.001_464_8), 0x3c02);
        assert_eq!(from_f32(f32::NEG_INFINITY), 0xfc00);
    }
}

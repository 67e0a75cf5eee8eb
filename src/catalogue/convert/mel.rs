//! The filters that make 80 bands of a spectrum, as Whisper was trained with: triangles that are evenly spaced on Slaney's
//! mel scale and have the same area.

/// Bins of the spectrum: a window of 400 samples.
pub const BINS: usize = 201;
const HIGHEST: f64 = 8_000.0;
/// Up to here the scale is straight, above it is logarithmic.
const KNEE: f64 = 1_000.0;
const HERTZ_A_MEL: f64 = 200.0 / 3.0;

/// `bands` rows of [`BINS`] weights.
pub fn filters(bands: usize) -> Vec<f32> {
    let log_step = 6.4_f64.ln() / 27.0;
    let knee = KNEE / HERTZ_A_MEL;
    let highest = knee + (HIGHEST / KNEE).ln() / log_step;
    let step = highest / (bands + 1) as f64;
    let edges: Vec<f64> = (0..bands + 2)
        .map(|at| if at == bands + 1 { highest } else { at as f64 * step })
        .map(|mel| if mel < knee { mel * HERTZ_A_MEL } else { KNEE * (log_step * (mel - knee)).exp() })
        .collect();
    let bin_step = HIGHEST / (BINS - 1) as f64;
    let mut rows = Vec::with_capacity(bands * BINS);
    for edge in edges.windows(3) {
        let &[low, middle, high] = edge else { continue };
        let area = 2.0 / (high - low);
        rows.extend((0..BINS).map(|bin| {
            let hertz = bin as f64 * bin_step;
            let (rises, falls) = (-(low - hertz) / (middle - low), (high - hertz) / (high - middle));
            let weight = rises.min(falls);
            // The first one is a negative nothing, and stays one: the file's digest is known.
            let weight = if weight >= 0.0 { weight } else { 0.0 };
            (weight * area) as f32
        }));
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_triangles_in_order_of_their_pitch() {
        let filters = filters(80);
        assert_eq!(filters.len(), 80 * BINS);
        let peak = |row: &[f32]| row.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).map(|(at, _)| at);
        let peaks: Vec<_> = filters.chunks(BINS).map(peak).collect();
        assert!(peaks.is_sorted(), "{peaks:?}");
        assert!(filters.iter().all(|weight| (0.0..0.03).contains(weight)));
        // The first row of OpenAI's own table.
        assert!((filters[1] - 0.024_862_45).abs() < 1e-6, "{}", filters[1]);
        assert_eq!((filters[0], filters[5]), (0.0, 0.0));
    }
}

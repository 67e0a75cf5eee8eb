//! Whether this processor can run this build. Without the question it would die of an illegal instruction in the
//! middle of the first sentence.

/// The variant of `scripts/portable-build.sh`; `None`: built by plain cargo, for the machine that built it.
const VARIANT: Option<&str> = option_env!("AIGOLOS_CPU");

/// What the processor lacks for this build, in words with a hint; `None`: nothing that is known of.
#[must_use]
pub fn lacking() -> Option<String> {
    let lacking = missing(VARIANT?);
    (!lacking.is_empty()).then(|| {
        format!(
            "this build is for {} processors, and this one lacks {}\nhint: take the x86-64-v2 build, or build on this machine with `cargo build --release`",
            VARIANT.unwrap_or_default(),
            lacking.join(", ")
        )
    })
}

#[cfg(target_arch = "x86_64")]
fn missing(variant: &str) -> Vec<&'static str> {
    let wide = variant == "x86-64-v3";
    let wanted = [
        ("SSE 4.2", variant == "x86-64-v2" || wide, std::arch::is_x86_feature_detected!("sse4.2")),
        ("AVX", wide, std::arch::is_x86_feature_detected!("avx")),
        ("AVX2", wide, std::arch::is_x86_feature_detected!("avx2")),
        ("FMA", wide, std::arch::is_x86_feature_detected!("fma")),
        ("F16C", wide, std::arch::is_x86_feature_detected!("f16c")),
        ("BMI2", wide, std::arch::is_x86_feature_detected!("bmi2")),
    ];
    wanted.into_iter().filter(|(_, wanted, there)| *wanted && !there).map(|(name, ..)| name).collect()
}

#[cfg(not(target_arch = "x86_64"))]
fn missing(_: &str) -> Vec<&'static str> {
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_of_no_variant_asks_for_nothing() {
        assert!(missing("native").is_empty() && missing("armv8-a").is_empty());
    }
}

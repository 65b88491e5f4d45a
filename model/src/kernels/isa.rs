//! Which instruction set the kernels use, found once at run time.

use std::fmt;
use std::sync::OnceLock;

/// An instruction-set level. Each gives bitwise the same results; only the speed differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Isa {
    /// Plain Rust, any processor.
    Portable,
    /// AVX2 with FMA and F16C.
    Avx2,
    /// AVX2 with the dot products of AVX-VNNI.
    AvxVnni,
    /// AVX-512 (F, BW, VL, DQ) with VNNI.
    Avx512Vnni,
    /// NEON, which every aarch64 has.
    Neon,
    /// NEON with dot products (Armv8.4, and many before).
    NeonDot,
}

impl Isa {
    /// The best level of this machine, or the one that `REDRAFT_ISA` names if the machine has it.
    pub fn best() -> Isa {
        static BEST: OnceLock<Isa> = OnceLock::new();
        *BEST.get_or_init(|| {
            let available = Isa::available();
            let asked = std::env::var("REDRAFT_ISA").unwrap_or_default();
            let named = available.iter().find(|isa| isa.name() == asked);
            named.or(available.last()).copied().unwrap_or(Isa::Portable)
        })
    }

    /// Every level that this machine can run, slowest first.
    pub fn available() -> Vec<Isa> {
        #[allow(unused_mut)]
        let mut levels = vec![Isa::Portable];
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx2")
                && is_x86_feature_detected!("fma")
                && is_x86_feature_detected!("f16c")
            {
                levels.push(Isa::Avx2);
                if is_x86_feature_detected!("avxvnni") {
                    levels.push(Isa::AvxVnni);
                }
                if is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512vl")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512vnni")
                {
                    levels.push(Isa::Avx512Vnni);
                }
            }
        }
        #[cfg(target_arch = "aarch64")]
        {
            levels.push(Isa::Neon);
            if std::arch::is_aarch64_feature_detected!("dotprod") {
                levels.push(Isa::NeonDot);
            }
        }
        levels
    }

    /// The name used by `REDRAFT_ISA`, `redraft doctor` and `redraft bench`.
    pub fn name(self) -> &'static str {
        match self {
            Isa::Portable => "portable",
            Isa::Avx2 => "avx2",
            Isa::AvxVnni => "avx-vnni",
            Isa::Avx512Vnni => "avx512-vnni",
            Isa::Neon => "neon",
            Isa::NeonDot => "neon-dot",
        }
    }
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

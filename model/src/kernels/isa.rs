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
    /// AVX-512 (F, BW, VL, DQ) with VNNI.
    Avx512Vnni,
    /// AVX-512 VNNI plus AMX int8 tiles for chunks of many tokens.
    Amx,
}

impl Isa {
    /// The best level of this machine, or the one that `REDRAFT_ISA` names if the machine has it.
    ///
    /// AMX is used only when named: its tiles wait for their loads, and on the machines measured so far (Sapphire
    /// Rapids, two hyper-threads) a forward of 64 tokens takes 1.15 times as long as with VNNI.
    pub fn best() -> Isa {
        static BEST: OnceLock<Isa> = OnceLock::new();
        *BEST.get_or_init(|| {
            let available = Isa::available();
            let asked = std::env::var("REDRAFT_ISA").unwrap_or_default();
            let named = available.iter().find(|isa| isa.name() == asked);
            let best = available.iter().rfind(|isa| **isa != Isa::Amx);
            named.or(best).copied().unwrap_or(Isa::Portable)
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
                if is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512vl")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512vnni")
                {
                    levels.push(Isa::Avx512Vnni);
                    if super::amx::permitted() {
                        levels.push(Isa::Amx);
                    }
                }
            }
        }
        levels
    }

    /// The name used by `REDRAFT_ISA`, `redraft doctor` and `redraft bench`.
    pub fn name(self) -> &'static str {
        match self {
            Isa::Portable => "portable",
            Isa::Avx2 => "avx2",
            Isa::Avx512Vnni => "avx512-vnni",
            Isa::Amx => "amx-int8",
        }
    }
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

//! Where a model is run: on the processor with the kernels of this crate, or on a device of candle's with candle's own.
//!
//! What [`crate::kernels`] promises, the same bits in any chunk and on any number of threads, holds on [`Device::Cpu`]
//! alone. Elsewhere candle may use other kernels for chunks of other sizes, whose sums are rounded differently: a draft
//! can then tip a token between two that are nearly equally likely, so that the text differs from plain decoding's.

use crate::error::ModelError;
use crate::kernels::isa::Isa;
use candle_core::utils::{cuda_is_available, get_num_threads, metal_is_available};
use std::fmt;
use std::panic::catch_unwind;
use std::str::FromStr;

/// A place to run a model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Device {
    /// The processor, with this crate's kernels.
    #[default]
    Cpu,
    /// The processor with candle's kernels: to compare with, and to test what runs on the other devices.
    CandleCpu,
    /// A graphics card by NVIDIA, counted from 0. Only in builds with the feature `cuda`.
    Cuda(usize),
    /// An Apple GPU. Only in builds with the feature `metal`.
    Metal,
}

impl Device {
    /// Those that this build can use, the first of each kind.
    pub fn in_this_build() -> Vec<Device> {
        let all = [Device::Cpu, Device::CandleCpu, Device::Cuda(0), Device::Metal];
        all.into_iter().filter(|device| device.check_build().is_ok()).collect()
    }

    /// An error if this build cannot use it, whatever the machine has.
    pub fn check_build(self) -> Result<(), ModelError> {
        let feature = match self {
            Device::Cuda(_) if !cuda_is_available() => "cuda",
            Device::Metal if !metal_is_available() => "metal",
            _ => return Ok(()),
        };
        let reason = format!(
            "this build of Redraft cannot use it; build with `cargo install --path server --features {feature}`"
        );
        Err(self.error(reason))
    }

    /// The device as candle knows it; an error if this build or this machine does not have it.
    pub fn open(self) -> Result<candle_core::Device, ModelError> {
        self.check_build()?;
        let open = || match self {
            Device::Cpu | Device::CandleCpu => Ok(candle_core::Device::Cpu),
            Device::Cuda(index) => candle_core::Device::new_cuda(index),
            Device::Metal => candle_core::Device::new_metal(0),
        };
        // candle panics where it counts on a device that is not there.
        match catch_unwind(open) {
            Ok(Ok(device)) => Ok(device),
            Ok(Err(error)) => Err(self.failed(&error)),
            Err(_) => Err(self.error("there is no such device on this machine".to_owned())),
        }
    }

    /// The kernels that compute there, by name.
    pub fn kernels(self) -> &'static str {
        match self {
            Device::Cpu => Isa::best().name(),
            _ => "candle",
        }
    }

    /// Threads that compute there, where that cannot be chosen.
    pub fn own_threads(self) -> Option<usize> {
        match self {
            Device::Cpu => None,
            Device::CandleCpu => Some(get_num_threads()),
            Device::Cuda(_) | Device::Metal => Some(1),
        }
    }

    /// The error for what failed there.
    pub(crate) fn failed(self, error: &candle_core::Error) -> ModelError {
        // The first line: a backtrace may follow.
        self.error(error.to_string().lines().next().unwrap_or("no reason was given").to_owned())
    }

    fn error(self, reason: String) -> ModelError {
        ModelError::Device { device: self, reason }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Device::Cpu => f.write_str("cpu"),
            Device::CandleCpu => f.write_str("candle-cpu"),
            Device::Cuda(0) => f.write_str("cuda"),
            Device::Cuda(index) => write!(f, "cuda:{index}"),
            Device::Metal => f.write_str("metal"),
        }
    }
}

impl FromStr for Device {
    /// The names that there are.
    type Err = String;

    fn from_str(name: &str) -> Result<Device, String> {
        match name {
            "cpu" => Ok(Device::Cpu),
            "candle-cpu" => Ok(Device::CandleCpu),
            "cuda" => Ok(Device::Cuda(0)),
            "metal" => Ok(Device::Metal),
            _ => {
                let index = name.strip_prefix("cuda:").and_then(|index| index.parse().ok());
                index.map(Device::Cuda).ok_or_else(|| "cpu, cuda, cuda:1, metal, candle-cpu".to_owned())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for name in ["cpu", "candle-cpu", "cuda", "cuda:1", "cuda:12", "metal"] {
            assert_eq!(name.parse::<Device>().unwrap().to_string(), name);
        }
        assert_eq!("cuda:0".parse(), Ok(Device::Cuda(0)));
        for name in ["", "gpu", "cuda:", "cuda:-1", "cuda:one", "metal:1", "CPU"] {
            assert!(name.parse::<Device>().unwrap_err().contains("candle-cpu"), "{name}");
        }
    }

    #[test]
    fn what_this_build_lacks_is_said_with_the_remedy() {
        for (device, feature) in [(Device::Cuda(1), "cuda"), (Device::Metal, "metal")] {
            let built = Device::in_this_build().iter().any(|other| other.to_string() == feature);
            let error = device.check_build().err().map(|error| error.to_string());
            assert_eq!(error.is_none(), built);
            if let Some(error) = error {
                assert!(error.contains(&format!("`{device}`")), "{error}");
                assert!(error.contains(&format!("--features {feature}")), "{error}");
                assert!(error.contains("set `model.device` to `cpu`"), "{error}");
                assert_eq!(device.open().unwrap_err().to_string(), error);
            }
        }
        assert!(Device::Cpu.open().is_ok() && Device::CandleCpu.open().is_ok());
    }
}

//! The processor that this runs on, as far as the system tells.

use std::collections::BTreeSet;
use std::path::Path;
use std::thread::available_parallelism;
use std::time::Duration;
use std::{fs, io};

/// The processor's name; nothing where the system does not say.
pub fn processor() -> Option<String> {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").ok()?;
    // ARM's kernels name no model, but numbers for its maker and part.
    let line = |key: &str| {
        let line = cpuinfo.lines().find(|line| line.starts_with(key))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let part = || Some(format!("{} {}", line("CPU implementer")?, line("CPU part")?));
    line("model name").or_else(part)
}

/// Processors that this process may use, those that share a core counted each.
pub fn processors() -> usize {
    available_parallelism().map_or(1, usize::from)
}

/// Physical cores that this process may use: two threads of one core share its arithmetic units, so that a second one
/// gains nothing here. Where the system does not tell cores apart, every processor counts as one.
pub fn physical_cores() -> usize {
    let allowed = fs::read_to_string("/proc/self/status").ok().and_then(|status| {
        let line = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
        parse_list(line.trim())
    });
    let cores = allowed.and_then(|allowed| cores_of(Path::new("/sys/devices/system/cpu"), &allowed));
    // A quota may allow less than the processors that may be used.
    cores.unwrap_or(usize::MAX).min(processors())
}

/// How long this process' threads have stood in line for a processor since each began: grows when other programs are in
/// the way. Nothing where the system does not tell.
pub fn stood_in_line() -> Option<Duration> {
    let waited = |task: io::Result<fs::DirEntry>| {
        // "nanoseconds running, nanoseconds in line, turns"
        let text = fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        text.split_whitespace().nth(1)?.parse::<u64>().ok()
    };
    let tasks = fs::read_dir("/proc/self/task").ok()?;
    let waited = tasks.map(waited).collect::<Option<Vec<_>>>()?;
    Some(Duration::from_nanos(waited.iter().sum()))
}

/// How many cores these processors belong to, by the topology under `folder`.
fn cores_of(folder: &Path, processors: &[usize]) -> Option<usize> {
    let core = |processor: &usize| {
        let topology = folder.join(format!("cpu{processor}/topology"));
        let read = |name: &str| fs::read_to_string(topology.join(name)).ok();
        Some((read("physical_package_id")?, read("core_id")?))
    };
    let cores = processors.iter().map(core).collect::<Option<BTreeSet<_>>>()?;
    (!cores.is_empty()).then_some(cores.len())
}

/// The numbers of a list such as `0-3,8`.
fn parse_list(list: &str) -> Option<Vec<usize>> {
    let mut numbers = Vec::new();
    for part in list.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        numbers.extend(first.parse::<usize>().ok()?..=last.parse().ok()?);
    }
    Some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_of_one_core_count_once() {
        let folder = tempfile::tempdir().unwrap();
        // Two packages of two cores of two threads each.
        for processor in 0..8 {
            let topology = folder.path().join(format!("cpu{processor}/topology"));
            fs::create_dir_all(&topology).unwrap();
            fs::write(topology.join("physical_package_id"), format!("{}\n", processor / 2 % 2)).unwrap();
            fs::write(topology.join("core_id"), format!("{}\n", processor % 2)).unwrap();
        }
        let cores = |list: &str| cores_of(folder.path(), &parse_list(list).unwrap());
        assert_eq!(cores("0-7"), Some(4));
        assert_eq!(cores("0,4"), Some(1), "the two threads of one core");
        assert_eq!(cores("0-1,6"), Some(3));
        assert_eq!(cores("0-8"), None, "a processor without topology");
        assert_eq!(parse_list("0-3,x"), None);
    }

    #[test]
    fn this_machine_has_a_core_for_each_thread_at_most() {
        assert!((1..=processors()).contains(&physical_cores()));
    }
}

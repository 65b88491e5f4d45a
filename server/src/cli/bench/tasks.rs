//! Tasks as JSON lines, plain or gzipped.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use flate2::read::GzDecoder;
use serde::de::DeserializeOwned;

use crate::cli::UsageError;

/// Reads tasks, plain or gzipped, at most `limit`.
pub(super) fn read_tasks<T: DeserializeOwned>(path: &Path, limit: usize) -> anyhow::Result<Vec<T>> {
    let shown = path.display();
    let open = || File::open(path).map_err(|error| UsageError(format!("cannot read {shown}: {error}")));
    let mut magic = [0; 2];
    let gzipped = open()?.read_exact(&mut magic).is_ok() && magic == [0x1f, 0x8b];
    let reader: Box<dyn Read> = if gzipped { Box::new(GzDecoder::new(open()?)) } else { Box::new(open()?) };
    let mut tasks = Vec::new();
    for (number, line) in BufReader::new(reader).lines().enumerate() {
        if tasks.len() == limit {
            break;
        }
        let wrong = |what: String| UsageError(format!("line {} of {shown} is no task: {what}", number + 1));
        let line = line.map_err(|error| wrong(error.to_string()))?;
        if !line.trim().is_empty() {
            tasks.push(serde_json::from_str(&line).map_err(|error| wrong(error.to_string()))?);
        }
    }
    if tasks.is_empty() {
        return Err(UsageError(format!("{shown} has no tasks")).into());
    }
    Ok(tasks)
}

#[cfg(test)]
mod tests {
    use super::read_tasks;
    use std::io::Write;
    use std::path::Path;

    fn tasks(path: &Path, limit: usize) -> anyhow::Result<Vec<serde_json::Value>> {
        read_tasks(path, limit)
    }

    const TASK: &str = r#"{"id":"a","language":"rust","original":"x\n","suggestion":"y","extra":1}"#;

    #[test]
    fn tasks_are_read_plain_and_gzipped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tasks");
        std::fs::write(&path, format!("{TASK}\n\n{TASK}\n")).unwrap();
        assert_eq!(tasks(&path, 9).unwrap().len(), 2);
        assert_eq!(tasks(&path, 1).unwrap().len(), 1);

        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(TASK.as_bytes()).unwrap();
        std::fs::write(&path, packed.finish().unwrap()).unwrap();
        assert_eq!(tasks(&path, 9).unwrap()[0]["id"], "a");

        std::fs::write(&path, format!("{TASK}\n{{\"id\":\n")).unwrap();
        assert!(tasks(&path, 9).unwrap_err().to_string().contains("line 2"));
        std::fs::write(&path, "").unwrap();
        assert!(tasks(&path, 9).unwrap_err().to_string().contains("no tasks"));
    }
}

//! A git history, read through the `git` command: which files each commit changed, and what they held.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, bail};

use super::Edit;
use crate::cli::UsageError;

/// A file that a commit modified.
pub(super) struct Change {
    commit: String,
    subject: String,
    before: String,
    after: String,
    pub(super) path: String,
}

/// A repository, and the `git cat-file` that reads it.
pub(super) struct Repository {
    path: PathBuf,
    name: String,
    reader: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Repository {
    pub(super) fn open(path: &Path) -> anyhow::Result<Repository> {
        let shown = path.display();
        let inside = git(path).args(["rev-parse", "--git-dir"]).output();
        let inside = inside.context("cannot run git, which reads the history: install it")?;
        if !inside.status.success() {
            return Err(UsageError(format!("{shown} is no git repository")).into());
        }
        let mut reader = git(path)
            .args(["cat-file", "--batch"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot run git cat-file")?;
        let (Some(requests), Some(answers)) = (reader.stdin.take(), reader.stdout.take()) else {
            bail!("git cat-file has no pipes");
        };
        let full = path.canonicalize().with_context(|| format!("cannot read {shown}"))?;
        let name = full.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let answers = BufReader::new(answers);
        Ok(Repository { path: path.to_owned(), name, reader, requests, answers })
    }

    /// The files that the newest `commits` commits with one parent modified, the newest first.
    pub(super) fn changes(&self, commits: usize) -> anyhow::Result<Vec<Change>> {
        let output = git(&self.path)
            .args(["-c", "core.quotePath=false", "log", "--no-merges", "--no-renames", "--diff-filter=M"])
            .args(["--raw", "--abbrev=40", "--format=commit %H %s"])
            .arg(format!("--max-count={commits}"))
            .output()
            .context("cannot run git log")?;
        if !output.status.success() {
            bail!("git log: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        let text = String::from_utf8_lossy(&output.stdout);
        let (mut changes, mut commit, mut subject) = (Vec::new(), "", "");
        for line in text.lines() {
            if let Some(head) = line.strip_prefix("commit ") {
                (commit, subject) = head.split_once(' ').unwrap_or((head, ""));
            } else if let Some((status, path)) = line.strip_prefix(':').and_then(|line| line.split_once('\t'))
                && let [old, new, before, after, "M"] = status.split(' ').collect::<Vec<_>>()[..]
                // Neither links nor submodules.
                && old.starts_with("100") && new.starts_with("100")
            {
                changes.push(Change {
                    commit: commit.to_owned(),
                    subject: subject.to_owned(),
                    before: before.to_owned(),
                    after: after.to_owned(),
                    path: path.to_owned(),
                });
            }
        }
        Ok(changes)
    }

    /// The change with its texts; nothing if one of them is no text.
    pub(super) fn edit(&mut self, change: &Change) -> anyhow::Result<Option<Edit>> {
        let (before, after) = (self.blob(&change.before)?, self.blob(&change.after)?);
        let (Ok(before), Ok(after)) = (String::from_utf8(before), String::from_utf8(after)) else {
            return Ok(None);
        };
        Ok(Some(Edit {
            path: change.path.clone(),
            before,
            after,
            instruction: instruction(&change.subject),
            repo: self.name.clone(),
            commit: change.commit.clone(),
        }))
    }

    fn blob(&mut self, id: &str) -> anyhow::Result<Vec<u8>> {
        writeln!(self.requests, "{id}").context("git cat-file ended")?;
        let mut head = String::new();
        self.answers.read_line(&mut head).context("git cat-file ended")?;
        // A shallow or partial clone lacks some.
        let Some((_, size)) = head.trim_end().split_once(" blob ") else { return Ok(Vec::new()) };
        let size: usize = size.parse().context("git cat-file says what is no size")?;
        let mut bytes = vec![0; size + 1];
        self.answers.read_exact(&mut bytes).context("git cat-file ended")?;
        bytes.pop();
        Ok(bytes)
    }
}

impl Drop for Repository {
    fn drop(&mut self) {
        // It ends by itself when its input is closed; this only spares us waiting for that.
        let _ = self.reader.kill();
        let _ = self.reader.wait();
    }
}

fn git(path: &Path) -> Command {
    let mut command = Command::new("git");
    command.arg("-C").arg(path).stdin(Stdio::null());
    command
}

/// A commit's subject as a user would say it: without `fix(scope):` before it and `(#12)` after it.
fn instruction(subject: &str) -> String {
    let mut text = subject.trim();
    if let Some((kind, rest)) = text.split_once(": ")
        && !kind.contains(' ')
        && kind.len() < 30
    {
        text = rest.trim();
    }
    if let Some(at) = text.rfind(" (#") {
        text = text[..at].trim_end();
    }
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::instruction;

    #[test]
    fn a_subject_becomes_an_instruction() {
        assert_eq!(instruction("fix(parser): Read tabs (#12)"), "Read tabs");
        assert_eq!(instruction("Note: this stays"), "this stays");
        assert_eq!(instruction("What follows is: a colon"), "What follows is: a colon");
    }
}

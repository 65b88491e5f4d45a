//! Tasks: a hole in a file, and what stands in it. The files of HumanEval-Infilling are such tasks as they are.

use redraft_grammars::Language;
use serde::{Deserialize, Serialize};

use crate::cli::bench::random::Random;
use crate::complete::{Completion, Query};

/// A hole in a file, and what stands in it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::cli::bench) struct Task {
    #[serde(alias = "task_id")]
    pub(in crate::cli::bench) id: String,
    #[serde(default = "python")]
    pub(in crate::cli::bench) language: String,
    #[serde(default)]
    pub(in crate::cli::bench) path: Option<String>,
    /// What kind of hole it is, for the table.
    #[serde(default)]
    pub(in crate::cli::bench) kind: Option<String>,
    #[serde(alias = "prompt")]
    pub(in crate::cli::bench) prefix: String,
    pub(in crate::cli::bench) suffix: String,
    #[serde(default, alias = "canonical_solution")]
    pub(in crate::cli::bench) middle: Option<String>,
    /// Other files of the same project.
    #[serde(default)]
    pub(in crate::cli::bench) files: Vec<OtherText>,
    /// Python that defines `check(function)`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::cli::bench) test: Option<String>,
    /// The function that it checks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::cli::bench) entry_point: Option<String>,
}

/// Another file of a task.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::cli::bench) struct OtherText {
    pub(in crate::cli::bench) path: String,
    pub(in crate::cli::bench) text: String,
}

fn python() -> String {
    "python".to_owned()
}

impl Task {
    /// The task as it looks in an editor: where whole lines are missing, the cursor stands in an empty line, not before the
    /// text of the next one.
    pub(super) fn in_editor(mut self) -> Task {
        if let Some(middle) = &mut self.middle
            && (self.prefix.is_empty() || self.prefix.ends_with('\n'))
            && middle.ends_with('\n')
        {
            middle.pop();
            self.suffix.insert(0, '\n');
        }
        self
    }

    /// The cursor in the hole.
    pub(super) fn query(&self) -> Query {
        let language = Language::by_name(&self.language);
        let text = [self.prefix.as_str(), &self.suffix].concat();
        Query {
            file: self.id.clone(),
            path: self.path().to_owned(),
            repository: String::new(),
            language,
            tree: language.and_then(|language| language.parse(&text, None)),
            text,
            cursor: self.prefix.len(),
        }
    }

    pub(super) fn path(&self) -> &str {
        self.path.as_deref().unwrap_or("file")
    }

    /// The file once the completion is in it.
    pub(super) fn completed(&self, completion: &Completion) -> String {
        [&self.prefix, &completion.text, &self.suffix[completion.replaces..]].concat()
    }
}

/// So many of the tasks, chosen by chance, in their own order.
pub(super) fn sample(tasks: Vec<Task>, count: usize, seed: u64) -> Vec<Task> {
    let mut order: Vec<usize> = (0..tasks.len()).collect();
    Random::new(&[&seed.to_le_bytes()]).shuffle(&mut order);
    let mut chosen = vec![false; tasks.len()];
    order.iter().take(count).for_each(|at| chosen[*at] = true);
    tasks.into_iter().zip(chosen).filter_map(|(task, chosen)| chosen.then_some(task)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_human_eval_are_tasks() {
        let row = r#"{"task_id": "L/0", "entry_point": "f", "prompt": "def f(a):\n", "suffix": "    return b\n",
            "canonical_solution": "    b = a\n", "test": "def check(candidate):\n    assert candidate(1) == 1\n"}"#;
        let task = serde_json::from_str::<Task>(row).unwrap().in_editor();
        assert_eq!((task.id.as_str(), task.language.as_str()), ("L/0", "python"));
        assert_eq!(task.middle.as_deref(), Some("    b = a"));
        let completion = Completion { text: "    b = a".to_owned(), replaces: 0, confidence: 1.0 };
        assert_eq!(task.completed(&completion), "def f(a):\n    b = a\n    return b\n");
        assert_eq!(task.query().cursor, "def f(a):\n".len());
    }

    #[test]
    fn a_sample_depends_on_its_seed_alone_and_keeps_the_order() {
        let task = |number: u64| -> Task {
            serde_json::from_value(serde_json::json!({"id": number.to_string(), "prefix": "", "suffix": ""}))
                .unwrap()
        };
        let ids = |seed| -> Vec<u64> {
            let sampled = sample((0..50).map(task).collect(), 10, seed);
            sampled.iter().map(|task| task.id.parse().unwrap()).collect()
        };
        assert!(ids(1).len() == 10 && ids(1).is_sorted());
        assert_eq!(ids(1), ids(1));
        assert_ne!(ids(1), ids(2));
    }
}

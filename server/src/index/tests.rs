//! The index as a whole, over real folders.

use std::fs;
use std::path::{Path, PathBuf};

use redraft_grammars::Language;
use ropey::Rope;
use tempfile::TempDir;

use super::*;

struct Workspace {
    dir: TempDir,
    cache: TempDir,
}

impl Workspace {
    fn new(files: &[(&str, &str)]) -> Self {
        let workspace = Self { dir: TempDir::new().unwrap(), cache: TempDir::new().unwrap() };
        for (path, text) in files {
            workspace.write(path, text);
        }
        workspace
    }

    fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// An index as a starting server has it.
    fn index(&self) -> Index {
        self.index_of(1000)
    }

    fn index_of(&self, max_files: usize) -> Index {
        let index = Index::new(IndexOptions { cache: self.cache.path().to_owned(), max_files });
        index.set_folders(vec![self.dir.path().to_owned()]);
        index.wait();
        index
    }

    /// What is related to `$0` in a text that is open as `path`.
    fn related(&self, index: &Index, path: &str, text: &str) -> Vec<Snippet> {
        let cursor = text.find("$0").unwrap();
        let text = text.replacen("$0", "", 1);
        let path = self.path(path);
        let query = Query {
            path: Some(&path),
            language: Language::from_path(&path),
            text: &text,
            tree: None,
            cursor,
            shown: 0..text.len(),
        };
        index.related(&query)
    }
}

/// The workspace's files, the open file with `$0`, and what must come first, as `path: text`.
fn check(files: &[(&str, &str)], path: &str, text: &str, expected: &[&str]) {
    let workspace = Workspace::new(files);
    let index = workspace.index();
    let found: Vec<String> = workspace
        .related(&index, path, text)
        .iter()
        .map(|s| format!("{}: {}", s.path.strip_prefix(workspace.dir.path()).unwrap().display(), s.text))
        .collect();
    assert!(found.len() >= expected.len() && found[..expected.len()] == *expected, "{found:#?}");
}

const QUEUE: &str = "/// A queue.\npub struct Queue {\n    items: Vec<Item>,\n}\n\nimpl Queue {\n    /// Adds one.\n    pub fn push(&mut self, item: Item) -> usize {\n        self.items.push(item);\n        1\n    }\n\n    pub fn pop(&mut self) -> Option<Item> {\n        None\n    }\n}\n\npub fn open_queue(name: &str) -> Queue {\n    Queue { items: vec![] }\n}\n";

#[test]
fn members_of_what_stands_before_the_dot_come_first() {
    let members = "src/queue.rs: impl Queue {\n    pub fn push(&mut self, item: Item) -> usize\n    pub fn pop(&mut self) -> Option<Item>\n}";
    let one = "src/queue.rs: impl Queue {\n    pub fn pop(&mut self) -> Option<Item>\n}";
    let files = [("src/queue.rs", QUEUE), ("src/other.rs", "pub struct Item;\n")];
    for (text, expected) in [
        ("fn main() {\n    let mut q = crate::queue::open_queue(\"a\");\n    q.$0\n}\n", members),
        ("fn main(q: &mut Queue) {\n    q.po$0\n}\n", one),
        (
            "struct A {\n    queue: Queue,\n}\nimpl A {\n    fn f(&self) {\n        self.queue.$0\n    }\n}\n",
            members,
        ),
    ] {
        check(&files, "src/main.rs", text, &[expected]);
    }
}

#[test]
fn items_of_the_module_before_the_colons_come_first() {
    let files =
        [("src/queue.rs", QUEUE), ("src/lib.rs", "mod queue;\npub(crate) fn run(\n    a: u8,\n) {}\n")];
    let items = "src/queue.rs: pub fn open_queue(name: &str) -> Queue\npub struct Queue";
    for (path, text, expected) in [
        ("src/main.rs", "fn main() {\n    queue::$0\n}\n", items),
        (
            "src/main.rs",
            "fn main() {\n    queue::open$0\n}\n",
            "src/queue.rs: pub fn open_queue(name: &str) -> Queue",
        ),
        ("src/a/b.rs", "fn main() {\n    crate::$0\n}\n", "src/lib.rs: pub(crate) fn run(a: u8)"),
        ("src/a.rs", "fn main() {\n    super::$0\n}\n", "src/lib.rs: pub(crate) fn run(a: u8)"),
    ] {
        check(&files, path, text, &[expected]);
    }
    let files = [("app/shop.py", "def sell(\n    item,\n):\n    pass\n\ndef _hidden():\n    pass\n")];
    let text = "from app import shop\n\ndef main():\n    shop.$0\n";
    check(&files, "app/main.py", text, &["app/shop.py: def sell(item):\ndef _hidden():"]);
}

#[test]
fn another_type_of_the_same_name_is_not_the_files_own() {
    let files = [("a/src/queue.rs", QUEUE), ("b/src/more.rs", "impl Queue {\n    fn more(&self) {}\n}\n")];
    let text = "struct Queue;\n\nimpl Queue {\n    fn f(&self) {\n        self.$0\n    }\n}\n";
    let workspace = Workspace::new(&files);
    let found = workspace.related(&workspace.index(), "b/src/main.rs", text);
    let members: Vec<&Snippet> = found.iter().filter(|snippet| snippet.reason == Reason::Member).collect();
    assert_eq!(members.len(), 1, "{found:#?}");
    assert!(members[0].text.contains("fn more"));
}

#[test]
fn what_is_imported_wins_over_what_has_the_same_name() {
    let other = "class Store:\n    def __init__(self, path):\n        pass\n";
    let files = [
        (
            "app/db/store.py",
            "class Store:\n    \"\"\"On disk.\"\"\"\n    def __init__(self, url: str, retries: int = 3):\n        self.url = url\n",
        ),
        ("app/api/fake.py", other),
        ("app/cli/memory.py", other),
    ];
    let text = "from app.db.store import Store\n\ndef main():\n    store = Store($0)\n";
    check(
        &files,
        "app/api/main.py",
        text,
        &["app/db/store.py: class Store:\n    def __init__(self, url: str, retries: int = 3):"],
    );
}

#[test]
fn types_of_the_parameters_and_called_functions_are_there() {
    let files = [
        ("src/config.rs", "pub struct Config {\n    pub name: String,\n}\n"),
        ("src/net.rs", "/// Sends it.\npub fn send_all(config: &Config, retry: bool) {}\n"),
    ];
    check(
        &files,
        "src/main.rs",
        "fn run(config: &Config) {\n    let a = 1;\n    send_all(config, $0)\n}\n",
        &[
            "src/net.rs: /// Sends it.\npub fn send_all(config: &Config, retry: bool)",
            "src/config.rs: pub struct Config {\n    pub name: String,\n}",
        ],
    );
}

#[test]
fn a_start_reads_only_what_has_changed() {
    let workspace = Workspace::new(&[("a.rs", "fn one() {}\n"), ("b/b.rs", "fn two() {}\n"), ("c.py", "")]);
    let index = workspace.index();
    assert_eq!(index.refreshed(), Refreshed { files: 3, read: 3, gone: 0, left_out: 0 });
    assert!(index.is_kept());
    drop(index);
    workspace.write("a.rs", "fn changed() {}\n");
    fs::remove_dir_all(workspace.path("b")).unwrap();
    // The worker of the first one may still be letting the store go; a copy of it serves as well.
    let index = workspace.index();
    assert_eq!(index.refreshed(), Refreshed { files: 2, read: 1, gone: 1, left_out: 0 });
    let names = |text: &str| workspace.related(&index, "main.rs", text).len();
    assert_eq!(names("fn f() { changed($0) }"), 1);
    assert_eq!(names("fn f() { one($0) }"), 0);
    assert_eq!(names("fn f() { two($0) }"), 0);
}

#[test]
fn two_servers_on_one_folder_both_work() {
    let workspace = Workspace::new(&[("a.rs", "fn one() {}\n")]);
    let (first, second) = (workspace.index(), workspace.index());
    assert!(first.is_kept() && !second.is_kept());
    assert_eq!(second.refreshed().read, 0);
    workspace.write("b.rs", "fn two() {}\n");
    for index in [&first, &second] {
        index.files_changed(vec![workspace.path("b.rs")]);
        index.wait();
        assert_eq!(workspace.related(index, "main.rs", "fn f() { two($0) }").len(), 1);
    }
}

#[test]
fn a_damaged_store_is_made_again() {
    let workspace = Workspace::new(&[("a.rs", "fn one() {}\n")]);
    drop(workspace.index());
    for entry in fs::read_dir(workspace.cache.path()).unwrap() {
        let path = entry.unwrap().path();
        let damaged: Vec<u8> = fs::read(&path).unwrap().iter().map(|byte| byte ^ 0x55).collect();
        fs::write(path, damaged).unwrap();
    }
    let index = workspace.index();
    assert_eq!(workspace.related(&index, "main.rs", "fn f() { one($0) }").len(), 1);
}

#[test]
fn changed_files_and_ignored_ones_are_followed() {
    let workspace = Workspace::new(&[(".gitignore", "out/\n"), ("a.rs", "fn one() {}\n")]);
    let index = workspace.index();
    let files = |changed: &[&str]| {
        index.files_changed(changed.iter().map(|path| workspace.path(path)).collect());
        index.wait();
        index.size().files
    };
    workspace.write("b.rs", "fn two() {}\n");
    workspace.write("out/c.rs", "fn three() {}\n");
    assert_eq!(files(&["b.rs", "out/c.rs"]), 2);
    fs::remove_file(workspace.path("a.rs")).unwrap();
    assert_eq!(files(&["a.rs"]), 1);
    workspace.write("dir/d.rs", "");
    workspace.write("dir/e.rs", "");
    assert_eq!(files(&["dir"]), 3);
    workspace.write(".gitignore", "");
    assert_eq!(files(&[".gitignore"]), 4);
    index.set_folders(Vec::new());
    index.wait();
    assert_eq!(index.size(), IndexSize::default());
}

#[test]
fn the_limit_of_files_holds() {
    let files: Vec<(String, String)> =
        (0..20).map(|n| (format!("f{n}.rs"), format!("fn f{n}() {{}}\n"))).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    let workspace = Workspace::new(&files);
    let index = workspace.index_of(5);
    assert_eq!((index.refreshed().files, index.refreshed().left_out), (5, 15));
}

#[test]
fn an_open_document_counts_in_place_of_its_file() {
    let workspace = Workspace::new(&[("a.rs", "fn one() {}\n")]);
    let index = workspace.index();
    let path = workspace.path("a.rs");
    let rust = Language::by_name("rust").unwrap();
    let text = "fn unsaved(really: bool) {}\n";
    index.buffer_changed(&path, Some(rust), &Rope::from_str(text), rust.parse(text, None).as_ref());
    let found = |name: &str| workspace.related(&index, "main.rs", &format!("fn f() {{ {name}($0) }}"));
    assert_eq!(found("unsaved")[0].text, "fn unsaved(really: bool)");
    assert!(found("one").is_empty());
    index.buffer_closed(&path);
    assert!(found("unsaved").is_empty());
    assert_eq!(found("one").len(), 1);
}

#[test]
fn recent_places_and_siblings_weigh_little() {
    let workspace = Workspace::new(&[
        ("src/user_handler.rs", "pub fn handle(request: Request) {}\n"),
        ("src/queue.rs", QUEUE),
        ("src/far.rs", "fn far() {}\n"),
    ]);
    let index = workspace.index();
    let far = Rope::from_str("fn far() {\n    edited();\n}\n");
    index.visited(&workspace.path("src/far.rs"), &far, &(1..2), Visit::Edited);
    let found = workspace.related(&index, "src/order_handler.rs", "fn f(q: Queue) {\n    q.$0\n}\n");
    let reasons: Vec<Reason> = found.iter().map(|snippet| snippet.reason).collect();
    assert_eq!(reasons, [Reason::Member, Reason::Mentioned, Reason::Edited, Reason::Sibling], "{found:#?}");
    assert!(found[3].value < 0.1);
}

#[test]
fn what_the_file_defines_out_of_sight_is_given() {
    let workspace = Workspace::new(&[]);
    let index = workspace.index();
    let text = "fn helper(a: u8) {}\n\nfn main() {\n    helper();\n}\n";
    let path = workspace.path("main.rs");
    let shown = text.find("fn main").unwrap()..text.len();
    let query = Query {
        path: Some(&path),
        language: Language::from_path(&path),
        text,
        tree: None,
        cursor: text.find(");").unwrap(),
        shown,
    };
    let found = index.related(&query);
    assert_eq!(found[0].text, "fn helper(a: u8)");
    assert!(index.related(&Query { shown: 0..text.len(), ..query }).is_empty());
}

#[test]
fn a_path_outside_every_folder_and_odd_offsets_are_answered() {
    let workspace = Workspace::new(&[("a.rs", "fn one() {}\n")]);
    let index = workspace.index();
    let query = |path, text, cursor| {
        let language = Language::by_name("rust");
        index.related(&Query { path, language, text, tree: None, cursor, shown: 0..usize::MAX }).len()
    };
    assert_eq!(query(Some(Path::new("/elsewhere/x.rs")), "fn f() { one() }", 13), 1);
    assert_eq!(query(None, "fn f() { one() }", 999), 1);
    assert_eq!(query(None, "é", 1), 0);
    assert_eq!(query(Some(Path::new("/")), "", 0), 0);
}

//! Every query compiles and finds what it is for in a file of its language; the table is consistent.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use redraft_grammars::{InputEdit, Item, ItemKind, Language, Point, QueryKind, error_ranges, has_errors};

const RUST: &str = include_str!("../fixtures/sample.rs");
const PYTHON: &str = include_str!("../fixtures/sample.py");

/// `fixtures/sample.EXTENSION` for every language with a grammar, with the language's first extension.
fn fixture(language: Language) -> String {
    let name = format!("sample.{}", language.extensions()[0]);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(&name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("no fixture for {language}: {name}: {error}"))
}

fn items(name: &str) -> Vec<Item> {
    let language = Language::by_name(name).unwrap();
    let text = fixture(language);
    let tree = language.parse(&text, None).unwrap();
    assert!(!has_errors(&tree), "{:?}", error_ranges(&tree));
    language.items(&tree, &text)
}

fn outline(items: &[Item]) -> Vec<String> {
    let depth = |mut at: usize| {
        let mut depth = 0;
        while let Some(parent) = items[at].parent {
            at = parent;
            depth += 1;
        }
        depth
    };
    items
        .iter()
        .enumerate()
        .map(|(at, item)| {
            let owner = item.owner.as_ref().map(|owner| format!(" of {owner}")).unwrap_or_default();
            format!("{}{:?} {}{owner}", "  ".repeat(depth(at)), item.kind, item.name)
        })
        .collect()
}

#[test]
fn every_query_compiles_and_matches() {
    for language in Language::all() {
        let Some(grammar) = language.grammar() else { continue };
        for kind in QueryKind::ALL {
            grammar.compile(kind).unwrap_or_else(|error| panic!("{language} {kind:?}: {error}"));
        }
        let text = fixture(language);
        let tree = language.parse(&text, None).unwrap();
        assert!(!has_errors(&tree), "{language}: {:?}", error_ranges(&tree));
        assert!(!language.items(&tree, &text).is_empty(), "{language}");
        assert!(language.scopes(&tree, &text).len() > 1, "{language}");
        let comments = language.comments(&tree, &text);
        assert!(!comments.is_empty(), "{language}");
        for range in comments {
            let comment = &text[range];
            let known = language.line_comments().iter().any(|token| comment.starts_with(token))
                || language.block_comments().iter().any(|(open, _)| comment.starts_with(open));
            assert!(known, "{language}: {comment:?} does not start as the table says");
        }
    }
}

/// `fixtures/outlines.txt` has the outline of every fixture, as a person who reads the fixture would write it.
#[test]
fn items_are_those_that_a_reader_sees() {
    let expected = include_str!("../fixtures/outlines.txt");
    let mut sections: HashMap<&str, Vec<&str>> = HashMap::new();
    for section in expected.split("== ").skip(1) {
        let mut lines = section.lines();
        sections.insert(lines.next().unwrap(), lines.collect());
    }
    for language in Language::all().filter(|language| language.grammar().is_some()) {
        let expected = sections.remove(language.name());
        assert_eq!(
            Some(outline(&items(language.name()))),
            expected.map(|lines| lines.iter().map(ToString::to_string).collect()),
            "{language}"
        );
    }
    assert!(sections.is_empty(), "no such languages: {sections:?}");
}

/// What other files can see is found without the rest.
#[test]
fn outer_items_are_those_outside_of_functions() {
    for language in Language::all().filter(|language| language.grammar().is_some()) {
        let text = fixture(language);
        let tree = language.parse(&text, None).unwrap();
        let all = language.items(&tree, &text);
        let inside = |item: &Item| {
            let outer = |at: usize| Some(&all[at]);
            std::iter::successors(item.parent.and_then(outer), |item| item.parent.and_then(outer))
                .any(|outer| outer.kind == ItemKind::Function)
        };
        let named = |items: &[Item], keep: &dyn Fn(&Item) -> bool| -> Vec<(ItemKind, String)> {
            items.iter().filter(|item| keep(item)).map(|item| (item.kind, item.name.clone())).collect()
        };
        let outer = language.outer_items(&tree, &text);
        let found = named(&outer, &|_| true);
        for wanted in named(&all, &|item| !inside(item)) {
            assert!(found.contains(&wanted), "{language}: {wanted:?}");
        }
    }
}

#[test]
fn an_item_knows_its_parts() {
    let rust = items("rust");
    let find = |items: &[Item], kind, name: &str| {
        items.iter().find(|item| item.kind == kind && item.name == name).cloned().unwrap()
    };
    let queue = find(&rust, ItemKind::Struct, "Queue");
    assert!(RUST[queue.byte_range].starts_with("pub struct Queue<T> {"));
    assert!(RUST[queue.full_range].starts_with("/// A queue.\n#[derive(Debug)]\npub struct"));
    assert_eq!(&RUST[queue.name_range], "Queue");
    assert_eq!(&RUST[queue.body.unwrap()], "{\n    /// What waits.\n    items: Vec<T>,\n}");
    let names = find(&rust, ItemKind::Constant, "NAMES");
    assert!(RUST[names.full_range].starts_with("static NAMES"), "the comment above ends another item's line");
    let push = find(&rust, ItemKind::Function, "push");
    assert!(RUST[push.full_range].starts_with("// adds one\n    pub fn push"));

    let python = items("python");
    let queue = find(&python, ItemKind::Class, "Queue");
    assert!(PYTHON[queue.byte_range].starts_with("@dataclass\nclass Queue:"));
    assert!(PYTHON[queue.full_range].starts_with("# A queue.\n# Of things.\n@dataclass"));
    let full = find(&python, ItemKind::Function, "full");
    assert!(PYTHON[full.byte_range].starts_with("@property"));
    assert_eq!(&PYTHON[full.body.unwrap()], "return self.size >= LIMIT");
}

#[test]
fn errors_are_found_where_they_are() {
    let rust = Language::by_name("rust").unwrap();
    let text = "fn a() {}\nfn b( {}\nfn c() {}\n";
    let tree = rust.parse(text, None).unwrap();
    assert!(has_errors(&tree));
    let ranges = error_ranges(&tree);
    assert!(ranges.iter().all(|range| range.start >= 10 && range.end <= text.len()), "{ranges:?}");
    assert!(!ranges.is_empty());
    let tree = rust.parse("fn a() {}\n", None).unwrap();
    assert!(error_ranges(&tree).is_empty());
}

#[test]
fn an_edited_tree_equals_a_fresh_one() {
    let rust = Language::by_name("rust").unwrap();
    let mut tree = rust.parse(RUST, None).unwrap();
    let at = RUST.find("struct Unit;").unwrap();
    let text = RUST.replacen("struct Unit;", "fn unit() {}", 1);
    let row = RUST[..at].matches('\n').count();
    let end = |column| Point { row, column };
    tree.edit(&InputEdit {
        start_byte: at,
        old_end_byte: at + "struct Unit;".len(),
        new_end_byte: at + "fn unit() {}".len(),
        start_position: end(0),
        old_end_position: end("struct Unit;".len()),
        new_end_position: end("fn unit() {}".len()),
    });
    let tree = rust.parse(&text, Some(&tree)).unwrap();
    let fresh = rust.parse(&text, None).unwrap();
    assert_eq!(tree.root_node().to_sexp(), fresh.root_node().to_sexp());
    assert_eq!(rust.items(&tree, &text), rust.items(&fresh, &text));
}

#[test]
fn text_in_pieces_parses_as_text_in_one() {
    let python = Language::by_name("python").unwrap();
    let bytes = PYTHON.as_bytes();
    let pieces =
        python.parse_chunks(|at| &bytes[at.min(bytes.len())..(at + 7).min(bytes.len())], None).unwrap();
    let whole = python.parse(PYTHON, None).unwrap();
    assert_eq!(pieces.root_node().to_sexp(), whole.root_node().to_sexp());
}

#[test]
fn files_ids_and_names_lead_to_languages() {
    let by_path = |path: &str| Language::from_path(path).map(Language::name);
    assert_eq!(by_path("src/main.rs"), Some("rust"));
    assert_eq!(by_path("a/B.PY"), Some("python"));
    assert_eq!(by_path("Makefile"), Some("makefile"));
    assert_eq!(by_path("x/go.mod"), Some("go.mod"));
    assert_eq!(by_path("no_extension"), None);
    assert_eq!(by_path("x.unheard-of"), None);
    assert_eq!(Language::from_lsp_id("typescriptreact").map(Language::name), Some("tsx"));
    assert_eq!(Language::from_lsp_id("nothing"), None);
    assert_eq!(Language::by_name("Rust").map(Language::name), Some("rust"));
    assert_eq!(Language::by_name("py").map(Language::name), Some("python"));
    assert_eq!(Language::by_name("shellscript").map(Language::name), Some("bash"));
    assert!(Language::by_name("rust").unwrap().parse("", None).is_some());
    assert!(Language::by_name("json").unwrap().parse("{}", None).is_none());
}

#[test]
fn the_table_names_nothing_twice() {
    let mut seen = HashMap::new();
    let mut check = |what: &'static str, key: &'static str, language: Language| {
        if let Some(other) = seen.insert((what, key), language) {
            panic!("{what} {key} is claimed by {other} and {language}");
        }
    };
    for language in Language::all() {
        check("name", language.name(), language);
        for extension in language.extensions() {
            assert_eq!(*extension, extension.to_ascii_lowercase(), "{language}");
            check("extension", extension, language);
        }
        for id in language.lsp_ids() {
            check("lsp id", id, language);
        }
    }
    assert!(Language::all().count() >= 80);
}

/// What a function holds is found in no function's body, and what stands deep in conditions is found.
#[test]
fn outer_items_leave_the_bodies_of_functions_out() {
    let outer = |language: &str, text: &str| -> Vec<String> {
        let language = Language::by_name(language).unwrap();
        let tree = language.parse(text, None).unwrap();
        language.outer_items(&tree, text).into_iter().map(|item| item.name).collect()
    };
    let rust = "mod a {\n    impl B {\n        fn c() {\n            struct D;\n        }\n        const E: u8 = 1;\n    }\n}\nfn f() {}\n";
    assert_eq!(outer("rust", rust), ["a", "B", "c", "E", "f"]);
    let python = "try:\n    import a\nexcept ImportError:\n    def b():\n        def c():\n            pass\n\nclass D:\n    def e(self):\n        x = 1\n\n    f = 2\n";
    assert_eq!(outer("python", python), ["a", "b", "D", "e", "f"]);
    let c = "#ifndef A_H\n#ifdef B\nint c(void) {\n    struct d { int e; };\n    return 1;\n}\n#endif\nint f(void) { return 2; }\n#endif\n";
    assert_eq!(outer("c", c), ["c", "f"]);
}

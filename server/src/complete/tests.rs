//! What of a model's text is shown, case by case.

use redraft_grammars::Language;

use super::{Completer, Completion, Options, Planned, Query, Rejected, Written};

/// The query of a text with the cursor at `$0`.
fn query(language: &str, marked: &str) -> Query {
    let language = Language::by_name(language);
    let text = marked.replacen("$0", "", 1);
    Query {
        file: "a".to_owned(),
        path: "a".to_owned(),
        repository: String::new(),
        language,
        cursor: marked.find("$0").expect("a cursor"),
        tree: language.and_then(|language| language.parse(&text, None)),
        text,
    }
}

fn complete(language: &str, marked: &str, model: &str, log_prob: f32) -> Result<Completion, Rejected> {
    let mut completer = Completer::default();
    let plan = match completer.plan(&query(language, marked), &Options::default(), |_| Vec::new()) {
        Planned::Known(known) => return known,
        Planned::Write(plan) => plan,
    };
    // As the engine does: a token at a time, until it is over.
    let mut written = Written { unfinished: true, ..Written::default() };
    for token in model.split_inclusive([' ', '\n']) {
        written.text.push_str(token);
        written.tokens.push((written.text.len(), log_prob));
        if plan.is_over(&written.text) {
            written.unfinished = false;
            break;
        }
    }
    if written.text == model {
        written.unfinished = false;
    }
    completer.finish(&plan, &written)
}

/// The text after the completion was accepted, with `$1` where the cursor is then.
#[track_caller]
fn check(language: &str, marked: &str, model: &str, after: &str) {
    let accepted = match complete(language, marked, model, -0.1) {
        Ok(completion) => {
            let accepted = query(language, marked).accepted(&completion);
            let mut text = accepted.text;
            text.insert_str(accepted.cursor, "$1");
            text
        }
        Err(rejected) => rejected.to_string(),
    };
    assert_eq!(accepted, after);
}

/// What is shown at `later` of a text that is still being written at `marked`.
#[track_caller]
fn check_so_far(marked: &str, model: &str, later: &str, expected: Option<&str>) {
    let planned = Completer::default().plan(&query("rust", marked), &Options::default(), |_| Vec::new());
    let Planned::Write(plan) = planned else { panic!("{planned:?}") };
    let tokens = vec![(model.len(), -0.1)];
    let written = Written { text: model.to_owned(), tokens, ..Written::default() };
    let shown = plan.so_far(&query("rust", later), &written).map(|completion| completion.text);
    assert_eq!(shown.as_deref(), expected);
}

#[test]
fn of_a_text_that_is_being_written_whole_words_are_shown() {
    let marked = "fn a() {\n    let x = $0\n}\n";
    check_so_far(marked, "self.value(ind", marked, Some("self.value("));
    check_so_far(marked, "self.va", "fn a() {\n    let x = se$0\n}\n", Some("lf."));
    check_so_far(marked, "sel", marked, None);
    check_so_far(marked, "self.va", "fn a() {\n    let x = so$0\n}\n", None);
    check_so_far(marked, "self.va", "fn a() {\n    let x = self.$0\n}\n", None);
    // What is over is shown to its end.
    check_so_far(marked, "self.value;\n    le", marked, Some("self.value;"));
    let closed = "fn a() {\n    f($0)\n}\n";
    check_so_far(closed, "self.value, ind", closed, Some("self.value,"));
}

#[test]
fn what_may_become_a_neighbouring_line_is_not_shown_before_it_is_whole() {
    let marked = "fn a() {\n    $0\n    self.value(1);\n}\n";
    check_so_far(marked, "self.value(", marked, None);
    check_so_far(marked, "self.other(", marked, Some("self.other("));
    check_so_far(marked, "self.other();\n    self.value(", marked, None);
}

#[test]
fn a_statement_ends_with_its_line() {
    check("rust", "fn a() {\n    let x = $0\n}\n", "1;\n    let y = 2;\n", "fn a() {\n    let x = 1;$1\n}\n");
    check("python", "def f(a):\n    return $0\n", "a + 1\n\ndef g():\n", "def f(a):\n    return a + 1$1\n");
}

#[test]
fn a_statement_goes_on_until_its_brackets_are_closed() {
    check(
        "rust",
        "fn a() {\n    let x = $0\n}\n",
        "f(\n        1,\n        2,\n    );\n    g();\n",
        "fn a() {\n    let x = f(\n        1,\n        2,\n    );$1\n}\n",
    );
}

#[test]
fn a_block_ends_where_the_suffix_closes_it() {
    check(
        "rust",
        "fn a(x: u32) -> u32 {$0\n}\n\nfn b() {}\n",
        "\n    x + 1\n}\n\nfn c() {}\n",
        "fn a(x: u32) -> u32 {\n    x + 1$1\n}\n\nfn b() {}\n",
    );
}

#[test]
fn a_block_that_nothing_closes_is_closed() {
    check(
        "rust",
        "fn a(x: u32) -> u32 {$0\n\nfn b() {}\n",
        "\n    x + 1\n}\n\nfn c() {}\n",
        "fn a(x: u32) -> u32 {\n    x + 1\n}$1\n\nfn b() {}\n",
    );
}

#[test]
fn a_block_of_indentation_ends_with_it() {
    check(
        "python",
        "def f(a):$0\n\ndef g():\n    pass\n",
        "\n    b = a\n    return b\ndef h():\n    pass\n",
        "def f(a):\n    b = a\n    return b$1\n\ndef g():\n    pass\n",
    );
    check(
        "python",
        "def f(a):\n    if a:\n        $0\n    return 1\n",
        "a += 1\n    return 2\n",
        "def f(a):\n    if a:\n        a += 1$1\n    return 1\n",
    );
}

#[test]
fn a_paragraph_is_enough() {
    check(
        "rust",
        "fn a() {\n    $0\n}\n",
        "let x = 1;\n    let y = 2;\n\n    let z = 3;\n",
        "fn a() {\n    let x = 1;\n    let y = 2;$1\n}\n",
    );
}

#[test]
fn brackets_that_the_editor_closed_are_used_and_not_doubled() {
    check("rust", "fn a() {\n    f($0)\n}\n", "1, 2);\n}", "fn a() {\n    f(1, 2);$1\n}\n");
    check("rust", "fn a() {\n    f($0);\n}\n", "1, 2);\n}", "fn a() {\n    f(1, 2);$1\n}\n");
    check("rust", "fn a() {\n    f(g($0));\n}\n", "1), 2);\n}", "fn a() {\n    f(g(1), 2);$1\n}\n");
    check("rust", "fn a() {\n    f($0)\n}\n", "1, 2", "fn a() {\n    f(1, 2$1)\n}\n");
    check("rust", "fn a() {\n    let x = [$0];\n}\n", "1, 2];\n}", "fn a() {\n    let x = [1, 2];$1\n}\n");
}

#[test]
fn the_rest_of_the_line_is_not_said_again() {
    check("rust", "fn a() {\n    f($0, two);\n}\n", "one, two);\n", "fn a() {\n    f(one$1, two);\n}\n");
    check("rust", "fn a() {\n    f($0 + two);\n}\n", "one);\n    g(", "fn a() {\n    f(one$1 + two);\n}\n");
}

#[test]
fn the_next_line_is_not_said_again() {
    let next = "fn a() {\n    one();\n    $0\n    three(x);\n}\n";
    check(
        "rust",
        next,
        "two();\n    three(x);\n    four();\n",
        "fn a() {\n    one();\n    two();$1\n    three(x);\n}\n",
    );
    check("rust", next, "three(x);\n    four();\n", "the model would say a neighbouring line again");
    check("rust", next, "one();\n\n", "the model would say a neighbouring line again");
}

#[test]
fn what_repeats_ends() {
    check(
        "python",
        "x = [\n    $0\n",
        "'aaa',\n    'bbb',\n    'bbb',\n    'bbb',\n",
        "x = [\n    'aaa',\n    'bbb',$1\n",
    );
}

#[test]
fn nothing_is_shown_where_nothing_is_wanted() {
    check("rust", "fn a() {\n    fo$0o();\n}\n", "x", "the cursor stands inside of a word");
    check("rust", "fn a() {} // so $0\n", "x", "the cursor is in a comment");
    check("rust", "const A: &str = \"x$0\";\n", "x", "the cursor is in a string");
    check("rust", "fn a() {\n    let x = 1$0\n}\n", "\n    let y", "the model has nothing to add here");
    check("rust", "fn a() {\n    $0\n}\n", "   \n\n", "the model has nothing to add here");
}

#[test]
fn an_unsure_model_is_not_heard() {
    let marked = "fn a() {\n    let x = $0\n}\n";
    let unsure = complete("rust", marked, "y + z;\n", -2.0);
    assert!(matches!(unsure, Err(Rejected::Unsure { confidence }) if (0.1..0.2).contains(&confidence)));
    assert_eq!(complete("rust", marked, "y + z;\n", -0.1).unwrap().text, "y + z;");
}

#[test]
fn line_endings_are_the_files() {
    check(
        "rust",
        "fn a() {\r\n    f($0)\r\n}\r\n",
        "\n        1,\n    );\n",
        "fn a() {\r\n    f(\r\n        1,\r\n    );$1\r\n}\r\n",
    );
}

#[test]
fn an_unfinished_block_has_whole_lines() {
    let marked = "fn a() {\n    $0\n}\n";
    let mut completer = Completer::default();
    let planned = completer.plan(&query("rust", marked), &Options::default(), |_| Vec::new());
    let Planned::Write(plan) = planned else { panic!("{planned:?}") };
    let text = "let x = 1;\n    let y = some_th".to_owned();
    let written = Written { tokens: vec![(text.len(), -0.1)], text, unfinished: true, ..Written::default() };
    assert_eq!(completer.finish(&plan, &written).unwrap().text, "let x = 1;");
}

#[test]
fn a_bracket_that_the_editor_adds_while_typing_is_taken_along() {
    let mut completer = Completer::default();
    let options = Options::default();
    let before = query("rust", "fn a() {\n    let x = $0\n}\n");
    let Planned::Write(plan) = completer.plan(&before, &options, |_| Vec::new()) else { panic!() };
    let written = Written { text: "f(1);".to_owned(), tokens: vec![(5, -0.1)], ..Written::default() };
    completer.finish(&plan, &written).unwrap();
    let typed = query("rust", "fn a() {\n    let x = f($0)\n}\n");
    let Planned::Known(Ok(known)) = completer.plan(&typed, &options, |_| Vec::new()) else { panic!() };
    assert_eq!(typed.accepted(&known).text, "fn a() {\n    let x = f(1);\n}\n");
}

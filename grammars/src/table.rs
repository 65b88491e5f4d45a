//! The table of languages. A row without a grammar still says which files are that language and how its comments look.
//!
//! To add a grammar: add its crate, write `queries/<name>/{items,scopes,comments}.scm`, name it with
//! `parsed`, and add a file in it to `fixtures/` and what is in that to `fixtures/outlines.txt`.

use crate::grammar::Grammar;

/// A row of the table; see the accessors of [`crate::Language`].
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) extensions: &'static [&'static str],
    pub(crate) filenames: &'static [&'static str],
    pub(crate) lsp_ids: &'static [&'static str],
    pub(crate) line_comments: &'static [&'static str],
    pub(crate) block_comments: &'static [(&'static str, &'static str)],
    pub(crate) grammar: Option<&'static Grammar>,
}

/// The items, scopes and comments of a grammar; with `items of`, its items come on top of those of that folder.
macro_rules! queries {
    ($name:literal) => {
        queries!($name, include_str!(concat!("../queries/", $name, "/items.scm")))
    };
    ($name:literal, items of $base:literal) => {
        queries!(
            $name,
            concat!(
                include_str!(concat!("../queries/", $base, "/items.scm")),
                include_str!(concat!("../queries/", $name, "/items.scm")),
            )
        )
    };
    ($name:literal, $items:expr) => {
        [
            $items,
            include_str!(concat!("../queries/", $name, "/scopes.scm")),
            include_str!(concat!("../queries/", $name, "/comments.scm")),
        ]
    };
}

static RUST: Grammar = Grammar::new(|| tree_sitter_rust::LANGUAGE.into(), queries!("rust"));
static PYTHON: Grammar = Grammar::new(|| tree_sitter_python::LANGUAGE.into(), queries!("python"));
static JAVASCRIPT: Grammar =
    Grammar::new(|| tree_sitter_javascript::LANGUAGE.into(), queries!("javascript", items of "ecmascript"));
static TYPESCRIPT: Grammar = Grammar::new(
    || tree_sitter_typescript::LANGUAGE_TYPESCRIPT.into(),
    queries!("typescript", items of "ecmascript"),
);
static TSX: Grammar = Grammar::new(
    || tree_sitter_typescript::LANGUAGE_TSX.into(),
    queries!("typescript", items of "ecmascript"),
);
static JAVA: Grammar = Grammar::new(|| tree_sitter_java::LANGUAGE.into(), queries!("java"));
static KOTLIN: Grammar = Grammar::new(|| tree_sitter_kotlin_ng::LANGUAGE.into(), queries!("kotlin"));
static SCALA: Grammar = Grammar::new(|| tree_sitter_scala::LANGUAGE.into(), queries!("scala"));
static C_LANGUAGE: Grammar = Grammar::new(|| tree_sitter_c::LANGUAGE.into(), queries!("c"));
static CPP: Grammar = Grammar::new(|| tree_sitter_cpp::LANGUAGE.into(), queries!("cpp", items of "c"));
static CSHARP: Grammar = Grammar::new(|| tree_sitter_c_sharp::LANGUAGE.into(), queries!("csharp"));
static GO: Grammar = Grammar::new(|| tree_sitter_go::LANGUAGE.into(), queries!("go"));
static SWIFT: Grammar = Grammar::new(|| tree_sitter_swift::LANGUAGE.into(), queries!("swift"));
static DART: Grammar = Grammar::new(|| tree_sitter_dart::LANGUAGE.into(), queries!("dart"));
static ZIG: Grammar = Grammar::new(|| tree_sitter_zig::LANGUAGE.into(), queries!("zig"));
static RUBY: Grammar = Grammar::new(|| tree_sitter_ruby::LANGUAGE.into(), queries!("ruby"));
static PHP: Grammar = Grammar::new(|| tree_sitter_php::LANGUAGE_PHP.into(), queries!("php"));
static LUA: Grammar = Grammar::new(|| tree_sitter_lua::LANGUAGE.into(), queries!("lua"));
static LUAU: Grammar = Grammar::new(|| tree_sitter_luau::LANGUAGE.into(), queries!("luau"));
static R: Grammar = Grammar::new(|| tree_sitter_r::LANGUAGE.into(), queries!("r"));
static ELIXIR: Grammar = Grammar::new(|| tree_sitter_elixir::LANGUAGE.into(), queries!("elixir"));
static ERLANG: Grammar = Grammar::new(|| tree_sitter_erlang::LANGUAGE.into(), queries!("erlang"));
static GLEAM: Grammar = Grammar::new(|| tree_sitter_gleam::LANGUAGE.into(), queries!("gleam"));
static ELM: Grammar = Grammar::new(|| tree_sitter_elm::LANGUAGE.into(), queries!("elm"));
static SOLIDITY: Grammar = Grammar::new(|| tree_sitter_solidity::LANGUAGE.into(), queries!("solidity"));
static BASH: Grammar = Grammar::new(|| tree_sitter_bash::LANGUAGE.into(), queries!("bash"));
static POWERSHELL: Grammar = Grammar::new(|| tree_sitter_powershell::LANGUAGE.into(), queries!("powershell"));
static MAKE: Grammar = Grammar::new(|| tree_sitter_make::LANGUAGE.into(), queries!("makefile"));
static CMAKE: Grammar = Grammar::new(|| tree_sitter_cmake::LANGUAGE.into(), queries!("cmake"));
static STARLARK: Grammar = Grammar::new(|| tree_sitter_starlark::LANGUAGE.into(), queries!("starlark"));
static NIX: Grammar = Grammar::new(|| tree_sitter_nix::LANGUAGE.into(), queries!("nix"));
static HCL: Grammar = Grammar::new(|| tree_sitter_hcl::LANGUAGE.into(), queries!("terraform"));
static PROTOBUF: Grammar = Grammar::new(|| tree_sitter_proto::LANGUAGE.into(), queries!("protobuf"));
static GRAPHQL: Grammar = Grammar::new(|| tree_sitter_graphql::LANGUAGE.into(), queries!("graphql"));
static HTML: Grammar = Grammar::new(|| tree_sitter_html::LANGUAGE.into(), queries!("html"));
static CSS: Grammar = Grammar::new(|| tree_sitter_css::LANGUAGE.into(), queries!("css"));
static YAML: Grammar = Grammar::new(|| tree_sitter_yaml::LANGUAGE.into(), queries!("yaml"));
static TOML: Grammar = Grammar::new(|| tree_sitter_toml_ng::LANGUAGE.into(), queries!("toml"));

type Names = &'static [&'static str];
type Pairs = &'static [(&'static str, &'static str)];

/// A row for text only: the name is also an LSP id.
const fn text(name: &'static str, lsp_ids: Names, extensions: Names, line: Names, block: Pairs) -> Row {
    Row {
        name,
        extensions,
        filenames: &[],
        lsp_ids,
        line_comments: line,
        block_comments: block,
        grammar: None,
    }
}

impl Row {
    const fn files(mut self, filenames: Names) -> Self {
        self.filenames = filenames;
        self
    }

    const fn parsed(mut self, grammar: &'static Grammar) -> Self {
        self.grammar = Some(grammar);
        self
    }
}

const C: Pairs = &[("/*", "*/")];
const SLASHES: Names = &["//"];
const HASH: Names = &["#"];
const DASHES: Names = &["--"];
const SEMICOLON: Names = &[";"];
const PERCENT: Names = &["%"];
const QUOTE: Names = &["'"];
const MARKUP: Pairs = &[("<!--", "-->")];

pub(crate) static ROWS: &[Row] = &[
    text("rust", &["rust"], &["rs"], SLASHES, C).parsed(&RUST),
    text("python", &["python"], &["py", "pyi", "pyw"], HASH, &[])
        .files(&["SConstruct", "SConscript"])
        .parsed(&PYTHON),
    text("javascript", &["javascript"], &["js", "mjs", "cjs"], SLASHES, C).parsed(&JAVASCRIPT),
    text("jsx", &["javascriptreact"], &["jsx"], SLASHES, C).parsed(&JAVASCRIPT),
    text("typescript", &["typescript"], &["ts", "mts", "cts"], SLASHES, C).parsed(&TYPESCRIPT),
    text("tsx", &["typescriptreact"], &["tsx"], SLASHES, C).parsed(&TSX),
    text("java", &["java"], &["java"], SLASHES, C).parsed(&JAVA),
    text("kotlin", &["kotlin"], &["kt", "kts"], SLASHES, C).parsed(&KOTLIN),
    text("scala", &["scala"], &["scala", "sc", "sbt"], SLASHES, C).parsed(&SCALA),
    text("groovy", &["groovy"], &["groovy", "gradle"], SLASHES, C).files(&["Jenkinsfile"]),
    text("c", &["c"], &["c", "h"], SLASHES, C).parsed(&C_LANGUAGE),
    text("cpp", &["cpp"], &["cpp", "cc", "cxx", "hpp", "hh", "hxx", "ipp", "inl"], SLASHES, C).parsed(&CPP),
    text("cuda", &["cuda-cpp", "cuda"], &["cu", "cuh"], SLASHES, C),
    text("objective-c", &["objective-c"], &["m"], SLASHES, C),
    text("objective-cpp", &["objective-cpp"], &["mm"], SLASHES, C),
    text("csharp", &["csharp"], &["cs", "csx"], SLASHES, C).parsed(&CSHARP),
    text("fsharp", &["fsharp"], &["fs", "fsi", "fsx"], SLASHES, &[("(*", "*)")]),
    text("vb", &["vb"], &["vb", "bas"], QUOTE, &[]),
    text("go", &["go"], &["go"], SLASHES, C).parsed(&GO),
    text("go.mod", &["go.mod"], &["mod"], SLASHES, &[]).files(&["go.mod", "go.work"]),
    text("swift", &["swift"], &["swift"], SLASHES, C).parsed(&SWIFT),
    text("dart", &["dart"], &["dart"], SLASHES, C).parsed(&DART),
    text("zig", &["zig"], &["zig", "zon"], SLASHES, &[]).parsed(&ZIG),
    text("nim", &["nim"], &["nim", "nims"], HASH, &[("#[", "]#")]),
    text("d", &["d"], &["d", "di"], SLASHES, &[("/*", "*/"), ("/+", "+/")]),
    text("v", &["v"], &["v", "vsh"], SLASHES, C),
    text("ruby", &["ruby"], &["rb", "rake", "gemspec"], HASH, &[("=begin", "=end")])
        .files(&["Gemfile", "Rakefile"])
        .parsed(&RUBY),
    text("erb", &["erb", "html.erb"], &["erb"], &[], &[("<%#", "%>"), ("<!--", "-->")]),
    text("crystal", &["crystal"], &["cr"], HASH, &[]),
    text("php", &["php"], &["php", "phtml"], &["//", "#"], C).parsed(&PHP),
    text("perl", &["perl", "perl6"], &["pl", "pm", "t"], HASH, &[("=pod", "=cut")]),
    text("raku", &["raku"], &["raku", "rakumod"], HASH, &[]),
    text("lua", &["lua"], &["lua"], DASHES, &[("--[[", "]]")]).parsed(&LUA),
    text("luau", &["luau"], &["luau"], DASHES, &[("--[[", "]]")]).parsed(&LUAU),
    text("r", &["r"], &["r", "rprofile"], HASH, &[]).parsed(&R),
    text("julia", &["julia"], &["jl"], HASH, &[("#=", "=#")]),
    text("matlab", &["matlab"], &["mlx"], PERCENT, &[("%{", "%}")]),
    text("haskell", &["haskell", "literate haskell"], &["hs", "lhs"], DASHES, &[("{-", "-}")]),
    text("purescript", &["purescript"], &["purs"], DASHES, &[("{-", "-}")]),
    text("elm", &["elm"], &["elm"], DASHES, &[("{-", "-}")]).parsed(&ELM),
    text("idris", &["idris", "idris2"], &["idr"], DASHES, &[("{-", "-}")]),
    text("agda", &["agda"], &["agda"], DASHES, &[("{-", "-}")]),
    text("lean", &["lean", "lean4"], &["lean"], DASHES, &[("/-", "-/")]),
    text("coq", &["coq"], &["coq"], &[], &[("(*", "*)")]),
    text("ocaml", &["ocaml", "ocaml.interface"], &["ml", "mli"], &[], &[("(*", "*)")]),
    text("reason", &["reason"], &["re", "rei"], SLASHES, C),
    text("rescript", &["rescript"], &["res", "resi"], SLASHES, C),
    text("elixir", &["elixir"], &["ex", "exs"], HASH, &[]).parsed(&ELIXIR),
    text(
        "heex",
        &["heex", "html-heex"],
        &["heex", "eex", "leex"],
        &[],
        &[("<%!--", "--%>"), ("<!--", "-->")],
    ),
    text("erlang", &["erlang"], &["erl", "hrl"], PERCENT, &[]).parsed(&ERLANG),
    text("gleam", &["gleam"], &["gleam"], SLASHES, &[]).parsed(&GLEAM),
    text("clojure", &["clojure"], &["clj", "cljs", "cljc", "edn"], SEMICOLON, &[]),
    text("commonlisp", &["commonlisp", "lisp"], &["lisp", "cl", "lsp"], SEMICOLON, &[("#|", "|#")]),
    text("emacs-lisp", &["elisp", "emacs-lisp"], &["el"], SEMICOLON, &[]),
    text("scheme", &["scheme"], &["scm", "ss", "sld"], SEMICOLON, &[("#|", "|#")]),
    text("racket", &["racket"], &["rkt"], SEMICOLON, &[("#|", "|#")]),
    text("fennel", &["fennel"], &["fnl"], SEMICOLON, &[]),
    text("prolog", &["prolog"], &["pro", "prolog"], PERCENT, C),
    text(
        "fortran",
        &["fortran", "fortran-modern", "FortranFreeForm"],
        &["f90", "f95", "f03", "f08"],
        &["!"],
        &[],
    ),
    text("cobol", &["cobol", "COBOL"], &["cob", "cbl", "cpy"], &["*>"], &[]),
    text("pascal", &["pascal"], &["pas", "pp", "dpr"], SLASHES, &[("{", "}"), ("(*", "*)")]),
    text("ada", &["ada"], &["adb", "ads"], DASHES, &[]),
    text("vhdl", &["vhdl"], &["vhd", "vhdl"], DASHES, C),
    text("verilog", &["verilog"], &["vh"], SLASHES, C),
    text("systemverilog", &["systemverilog"], &["sv", "svh"], SLASHES, C),
    text("solidity", &["solidity"], &["sol"], SLASHES, C).parsed(&SOLIDITY),
    text("glsl", &["glsl"], &["glsl", "vert", "frag", "comp", "geom"], SLASHES, C),
    text("hlsl", &["hlsl"], &["hlsl", "fx"], SLASHES, C),
    text("wgsl", &["wgsl"], &["wgsl"], SLASHES, C),
    text("bash", &["shellscript", "bash", "sh", "zsh"], &["sh", "bash", "zsh", "ksh"], HASH, &[])
        .files(&[".bashrc", ".bash_profile", ".profile", ".zshrc", "PKGBUILD"])
        .parsed(&BASH),
    text("fish", &["fish"], &["fish"], HASH, &[]),
    text("nushell", &["nu", "nushell"], &["nu"], HASH, &[]),
    text("powershell", &["powershell"], &["ps1", "psm1", "psd1"], HASH, &[("<#", "#>")]).parsed(&POWERSHELL),
    text("bat", &["bat"], &["bat", "cmd"], &["REM", "::"], &[]),
    text("awk", &["awk"], &["awk"], HASH, &[]),
    text("tcl", &["tcl"], &["tcl"], HASH, &[]),
    text("vim", &["vim", "viml"], &["vim"], &["\""], &[]).files(&[".vimrc"]),
    text("makefile", &["makefile", "make"], &["mk", "mak"], HASH, &[])
        .files(&["Makefile", "makefile", "GNUmakefile"])
        .parsed(&MAKE),
    text("just", &["just"], &["just"], HASH, &[]).files(&["justfile", "Justfile"]),
    text("cmake", &["cmake"], &["cmake"], HASH, &[("#[[", "]]")]).files(&["CMakeLists.txt"]).parsed(&CMAKE),
    text("meson", &["meson"], &["meson"], HASH, &[]).files(&["meson.build", "meson_options.txt"]),
    text("starlark", &["starlark", "bazel"], &["bzl", "star"], HASH, &[])
        .files(&["BUILD", "BUILD.bazel", "WORKSPACE"])
        .parsed(&STARLARK),
    text("dockerfile", &["dockerfile"], &["dockerfile"], HASH, &[]).files(&["Dockerfile", "Containerfile"]),
    text("nix", &["nix"], &["nix"], HASH, C).parsed(&NIX),
    text("terraform", &["terraform", "hcl", "terraform-vars"], &["tf", "tfvars", "hcl"], &["#", "//"], C)
        .parsed(&HCL),
    text("puppet", &["puppet"], &["epp"], HASH, &[]),
    text("protobuf", &["proto", "proto3", "protobuf"], &["proto"], SLASHES, C).parsed(&PROTOBUF),
    text("thrift", &["thrift"], &["thrift"], &["//", "#"], C),
    text("graphql", &["graphql"], &["graphql", "gql"], HASH, &[]).parsed(&GRAPHQL),
    text("sql", &["sql"], &["sql"], DASHES, C),
    text("html", &["html"], &["html", "htm", "xhtml"], &[], MARKUP).parsed(&HTML),
    text("vue", &["vue"], &["vue"], SLASHES, MARKUP),
    text("svelte", &["svelte"], &["svelte"], SLASHES, MARKUP),
    text("astro", &["astro"], &["astro"], SLASHES, MARKUP),
    text("handlebars", &["handlebars"], &["hbs", "handlebars"], &[], &[("{{!--", "--}}")]),
    text("jinja", &["jinja", "jinja-html", "django-html"], &["j2", "jinja", "jinja2"], &[], &[("{#", "#}")]),
    text("liquid", &["liquid"], &["liquid"], &[], &[("{% comment %}", "{% endcomment %}")]),
    text("pug", &["jade", "pug"], &["pug", "jade"], SLASHES, &[]),
    text("haml", &["haml"], &["haml"], &["-#"], &[]),
    text("css", &["css"], &["css"], &[], C).parsed(&CSS),
    text("scss", &["scss"], &["scss"], SLASHES, C),
    text("sass", &["sass"], &["sass"], SLASHES, C),
    text("less", &["less"], &["less"], SLASHES, C),
    text("stylus", &["stylus"], &["styl"], SLASHES, C),
    text("xml", &["xml", "xsl"], &["xml", "xsd", "xsl", "xslt", "svg", "csproj", "plist"], &[], MARKUP),
    text("json", &["json"], &["json", "webmanifest"], &[], &[]).files(&["composer.lock"]),
    text("jsonc", &["jsonc", "json5"], &["jsonc", "json5"], SLASHES, C).files(&["tsconfig.json"]),
    text("yaml", &["yaml", "dockercompose", "github-actions-workflow"], &["yaml", "yml"], HASH, &[])
        .parsed(&YAML),
    text("toml", &["toml"], &["toml"], HASH, &[])
        .files(&["Cargo.lock", "poetry.lock", "Pipfile"])
        .parsed(&TOML),
    text("ini", &["ini", "properties", "dosini"], &["ini", "cfg", "conf", "properties"], &["#", ";"], &[])
        .files(&[".editorconfig", ".gitconfig"]),
    text("dotenv", &["dotenv"], &["env"], HASH, &[]).files(&[".env"]),
    text(
        "markdown",
        &["markdown", "rmd", "quarto"],
        &["md", "markdown", "mdown", "mkd", "rmd", "qmd"],
        &[],
        MARKUP,
    ),
    text("mdx", &["mdx"], &["mdx"], &[], &[("{/*", "*/}"), ("<!--", "-->")]),
    text("asciidoc", &["asciidoc"], &["adoc", "asciidoc"], SLASHES, &[("////", "////")]),
    text("restructuredtext", &["restructuredtext"], &["rst"], &[".."], &[]),
    text("latex", &["latex", "tex", "bibtex"], &["tex", "sty", "cls", "bib", "ltx"], PERCENT, &[]),
    text("typst", &["typst"], &["typ"], SLASHES, C),
    text("gitignore", &["ignore", "gitignore"], &[], HASH, &[]).files(&[
        ".gitignore",
        ".dockerignore",
        ".npmignore",
    ]),
    text("diff", &["diff"], &["diff", "patch"], &[], &[]),
    text("plaintext", &["plaintext", "text"], &["txt", "text", "log"], &[], &[]),
];

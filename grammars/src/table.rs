//! The table of languages. A row without a grammar still says which files are that language and how its comments look.
//!
//! To add a grammar: add its crate, write `queries/<name>/{items,scopes,comments}.scm`, name it in `grammar:`, and add
//! a fixture to `tests/queries.rs`.

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

macro_rules! queries {
    ($name:literal) => {
        [
            include_str!(concat!("../queries/", $name, "/items.scm")),
            include_str!(concat!("../queries/", $name, "/scopes.scm")),
            include_str!(concat!("../queries/", $name, "/comments.scm")),
        ]
    };
}

static RUST: Grammar = Grammar::new(|| tree_sitter_rust::LANGUAGE.into(), queries!("rust"));
static PYTHON: Grammar = Grammar::new(|| tree_sitter_python::LANGUAGE.into(), queries!("python"));

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
    text("javascript", &["javascript"], &["js", "mjs", "cjs"], SLASHES, C),
    text("jsx", &["javascriptreact"], &["jsx"], SLASHES, C),
    text("typescript", &["typescript"], &["ts", "mts", "cts"], SLASHES, C),
    text("tsx", &["typescriptreact"], &["tsx"], SLASHES, C),
    text("java", &["java"], &["java"], SLASHES, C),
    text("kotlin", &["kotlin"], &["kt", "kts"], SLASHES, C),
    text("scala", &["scala"], &["scala", "sc", "sbt"], SLASHES, C),
    text("groovy", &["groovy"], &["groovy", "gradle"], SLASHES, C).files(&["Jenkinsfile"]),
    text("c", &["c"], &["c", "h"], SLASHES, C),
    text("cpp", &["cpp"], &["cpp", "cc", "cxx", "hpp", "hh", "hxx", "ipp", "inl"], SLASHES, C),
    text("cuda", &["cuda-cpp", "cuda"], &["cu", "cuh"], SLASHES, C),
    text("objective-c", &["objective-c"], &["m"], SLASHES, C),
    text("objective-cpp", &["objective-cpp"], &["mm"], SLASHES, C),
    text("csharp", &["csharp"], &["cs", "csx"], SLASHES, C),
    text("fsharp", &["fsharp"], &["fs", "fsi", "fsx"], SLASHES, &[("(*", "*)")]),
    text("vb", &["vb"], &["vb", "bas"], QUOTE, &[]),
    text("go", &["go"], &["go"], SLASHES, C),
    text("go.mod", &["go.mod"], &["mod"], SLASHES, &[]).files(&["go.mod", "go.work"]),
    text("swift", &["swift"], &["swift"], SLASHES, C),
    text("dart", &["dart"], &["dart"], SLASHES, C),
    text("zig", &["zig"], &["zig", "zon"], SLASHES, &[]),
    text("nim", &["nim"], &["nim", "nims"], HASH, &[("#[", "]#")]),
    text("d", &["d"], &["d", "di"], SLASHES, &[("/*", "*/"), ("/+", "+/")]),
    text("v", &["v"], &["v", "vsh"], SLASHES, C),
    text("ruby", &["ruby"], &["rb", "rake", "gemspec"], HASH, &[("=begin", "=end")])
        .files(&["Gemfile", "Rakefile"]),
    text("erb", &["erb", "html.erb"], &["erb"], &[], &[("<%#", "%>"), ("<!--", "-->")]),
    text("crystal", &["crystal"], &["cr"], HASH, &[]),
    text("php", &["php"], &["php", "phtml"], &["//", "#"], C),
    text("perl", &["perl", "perl6"], &["pl", "pm", "t"], HASH, &[("=pod", "=cut")]),
    text("raku", &["raku"], &["raku", "rakumod"], HASH, &[]),
    text("lua", &["lua"], &["lua"], DASHES, &[("--[[", "]]")]),
    text("luau", &["luau"], &["luau"], DASHES, &[("--[[", "]]")]),
    text("r", &["r"], &["r", "rprofile"], HASH, &[]),
    text("julia", &["julia"], &["jl"], HASH, &[("#=", "=#")]),
    text("matlab", &["matlab"], &["mlx"], PERCENT, &[("%{", "%}")]),
    text("haskell", &["haskell", "literate haskell"], &["hs", "lhs"], DASHES, &[("{-", "-}")]),
    text("purescript", &["purescript"], &["purs"], DASHES, &[("{-", "-}")]),
    text("elm", &["elm"], &["elm"], DASHES, &[("{-", "-}")]),
    text("idris", &["idris", "idris2"], &["idr"], DASHES, &[("{-", "-}")]),
    text("agda", &["agda"], &["agda"], DASHES, &[("{-", "-}")]),
    text("lean", &["lean", "lean4"], &["lean"], DASHES, &[("/-", "-/")]),
    text("coq", &["coq"], &["coq"], &[], &[("(*", "*)")]),
    text("ocaml", &["ocaml", "ocaml.interface"], &["ml", "mli"], &[], &[("(*", "*)")]),
    text("reason", &["reason"], &["re", "rei"], SLASHES, C),
    text("rescript", &["rescript"], &["res", "resi"], SLASHES, C),
    text("elixir", &["elixir"], &["ex", "exs"], HASH, &[]),
    text(
        "heex",
        &["heex", "html-heex"],
        &["heex", "eex", "leex"],
        &[],
        &[("<%!--", "--%>"), ("<!--", "-->")],
    ),
    text("erlang", &["erlang"], &["erl", "hrl"], PERCENT, &[]),
    text("gleam", &["gleam"], &["gleam"], SLASHES, &[]),
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
    text("solidity", &["solidity"], &["sol"], SLASHES, C),
    text("glsl", &["glsl"], &["glsl", "vert", "frag", "comp", "geom"], SLASHES, C),
    text("hlsl", &["hlsl"], &["hlsl", "fx"], SLASHES, C),
    text("wgsl", &["wgsl"], &["wgsl"], SLASHES, C),
    text("bash", &["shellscript", "bash", "sh", "zsh"], &["sh", "bash", "zsh", "ksh"], HASH, &[]).files(&[
        ".bashrc",
        ".bash_profile",
        ".profile",
        ".zshrc",
        "PKGBUILD",
    ]),
    text("fish", &["fish"], &["fish"], HASH, &[]),
    text("nushell", &["nu", "nushell"], &["nu"], HASH, &[]),
    text("powershell", &["powershell"], &["ps1", "psm1", "psd1"], HASH, &[("<#", "#>")]),
    text("bat", &["bat"], &["bat", "cmd"], &["REM", "::"], &[]),
    text("awk", &["awk"], &["awk"], HASH, &[]),
    text("tcl", &["tcl"], &["tcl"], HASH, &[]),
    text("vim", &["vim", "viml"], &["vim"], &["\""], &[]).files(&[".vimrc"]),
    text("makefile", &["makefile", "make"], &["mk", "mak"], HASH, &[]).files(&[
        "Makefile",
        "makefile",
        "GNUmakefile",
    ]),
    text("just", &["just"], &["just"], HASH, &[]).files(&["justfile", "Justfile"]),
    text("cmake", &["cmake"], &["cmake"], HASH, &[("#[[", "]]")]).files(&["CMakeLists.txt"]),
    text("meson", &["meson"], &["meson"], HASH, &[]).files(&["meson.build", "meson_options.txt"]),
    text("starlark", &["starlark", "bazel"], &["bzl", "star"], HASH, &[]).files(&[
        "BUILD",
        "BUILD.bazel",
        "WORKSPACE",
    ]),
    text("dockerfile", &["dockerfile"], &["dockerfile"], HASH, &[]).files(&["Dockerfile", "Containerfile"]),
    text("nix", &["nix"], &["nix"], HASH, C),
    text("terraform", &["terraform", "hcl", "terraform-vars"], &["tf", "tfvars", "hcl"], &["#", "//"], C),
    text("puppet", &["puppet"], &["epp"], HASH, &[]),
    text("protobuf", &["proto", "proto3", "protobuf"], &["proto"], SLASHES, C),
    text("thrift", &["thrift"], &["thrift"], &["//", "#"], C),
    text("graphql", &["graphql"], &["graphql", "gql"], HASH, &[]),
    text("sql", &["sql"], &["sql"], DASHES, C),
    text("html", &["html"], &["html", "htm", "xhtml"], &[], MARKUP),
    text("vue", &["vue"], &["vue"], SLASHES, MARKUP),
    text("svelte", &["svelte"], &["svelte"], SLASHES, MARKUP),
    text("astro", &["astro"], &["astro"], SLASHES, MARKUP),
    text("handlebars", &["handlebars"], &["hbs", "handlebars"], &[], &[("{{!--", "--}}")]),
    text("jinja", &["jinja", "jinja-html", "django-html"], &["j2", "jinja", "jinja2"], &[], &[("{#", "#}")]),
    text("liquid", &["liquid"], &["liquid"], &[], &[("{% comment %}", "{% endcomment %}")]),
    text("pug", &["jade", "pug"], &["pug", "jade"], SLASHES, &[]),
    text("haml", &["haml"], &["haml"], &["-#"], &[]),
    text("css", &["css"], &["css"], &[], C),
    text("scss", &["scss"], &["scss"], SLASHES, C),
    text("sass", &["sass"], &["sass"], SLASHES, C),
    text("less", &["less"], &["less"], SLASHES, C),
    text("stylus", &["stylus"], &["styl"], SLASHES, C),
    text("xml", &["xml", "xsl"], &["xml", "xsd", "xsl", "xslt", "svg", "csproj", "plist"], &[], MARKUP),
    text("json", &["json"], &["json", "webmanifest"], &[], &[]).files(&["composer.lock"]),
    text("jsonc", &["jsonc", "json5"], &["jsonc", "json5"], SLASHES, C).files(&["tsconfig.json"]),
    text("yaml", &["yaml", "dockercompose", "github-actions-workflow"], &["yaml", "yml"], HASH, &[]),
    text("toml", &["toml"], &["toml"], HASH, &[]).files(&["Cargo.lock", "poetry.lock", "Pipfile"]),
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

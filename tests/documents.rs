//! What the documents say about the code, compared with the code.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What stands between `<!-- name -->` and `<!-- /name -->`.
fn between<'a>(text: &'a str, name: &str) -> &'a str {
    let (open, close) = (format!("<!-- {name} -->"), format!("<!-- /{name} -->"));
    let start = text.find(&open).unwrap_or_else(|| panic!("{open} is missing")) + open.len();
    let end = text[start..].find(&close).unwrap_or_else(|| panic!("{close} is missing"));
    &text[start..start + end]
}

/// The Rust files below a folder of the workspace, by their path from the root.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for entry in entries {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn the_architecture_lists_the_modules_where_unsafe_is_allowed() {
    let mut files = Vec::new();
    for folder in ["src", "kernel/src", "shard/src"] {
        sources(&root().join(folder), &mut files);
    }
    let allow = "allow(unsafe_code)";
    let with_unsafe: BTreeSet<String> = files
        .iter()
        .filter(|file| read(file).contains(allow))
        .map(|file| file.strip_prefix(root()).expect("below the root").to_string_lossy().replace('\\', "/"))
        .collect();

    let page = read("docs/architecture.md");
    let listed: BTreeSet<String> =
        between(&page, "unsafe").split('`').filter(|word| word.ends_with(".rs")).map(str::to_owned).collect();
    assert_eq!(listed, with_unsafe, "docs/architecture.md (left) and the code (right)");
}

#[test]
fn the_first_actor_of_the_readme_has_less_than_25_lines() {
    let readme = read("README.md");
    let program = readme.split("```rust\n").nth(1).and_then(|rest| rest.split("```").next());
    let program = program.expect("a program in the README");
    assert!(program.contains("impl Actor for") && program.contains("fn main"), "{program}");
    assert!(program.lines().count() < 25, "{} lines", program.lines().count());
}

#[test]
fn the_readme_measures_workloads_that_exist() {
    let readme = read("README.md");
    let table = between(&readme, "bench");
    let head: Vec<_> = table.lines().filter(|line| line.starts_with("| name")).collect();
    assert_eq!(head, ["| name | what | cost | raw | ratio |"]);
    // Rows name workloads that exist, each once.
    let rows: Vec<_> = table.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    let names: BTreeSet<_> = rows.iter().copied().collect();
    assert_eq!(names.len(), rows.len(), "{rows:?}");
    #[cfg(feature = "workloads")]
    for name in names {
        let known = corelane::workloads::WORKLOADS.iter().any(|workload| workload.name == name);
        assert!(known, "{name} is no workload");
    }
}

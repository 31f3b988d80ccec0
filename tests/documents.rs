//! What the documents say about the code, compared with the code.

use std::collections::{BTreeMap, BTreeSet};
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
    for folder in ["src", "kernel/src", "net/src", "shard/src"] {
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

#[cfg(feature = "workloads")]
fn assert_is_workload(name: &str) {
    let known = corelane::workloads::WORKLOADS.iter().any(|workload| workload.name == name);
    assert!(known, "{name} is no workload");
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
    names.into_iter().for_each(assert_is_workload);
}

/// A test by its file, from the root, and its name.
type Test = (String, String);

/// The numbers at the beginning of a text: "14, 17: so and so" has two.
fn numbers(text: &str) -> Vec<usize> {
    let leading = |part: &str| part.split(|char: char| !char.is_ascii_digit()).next()?.parse().ok();
    text.split(", ").map_while(leading).collect()
}

/// What a line of a test's documentation says of a list's numbers: "Conformance 3, reliability 18: so and so" has a part for
/// each of two lists.
fn about<'a>(line: &'a str, list: &str) -> Option<&'a str> {
    let line = line.strip_prefix("/// ")?;
    if let Some(about) = line.strip_prefix(list).and_then(|rest| rest.strip_prefix(' ')) {
        return Some(about);
    }
    // Another list's numbers stand before.
    let second = format!(", {} ", list.to_lowercase());
    line.strip_prefix("Conformance ")?.split_once(&second).map(|(_, about)| about)
}

/// The tests whose documentation has the number of a row of a list, by that number.
fn tests_by_number(list: &str) -> BTreeMap<usize, BTreeSet<Test>> {
    let mut files = Vec::new();
    for folder in ["kernel/src", "kernel/tests", "net/src", "net/tests", "shard/src", "shard/tests", "tests"]
    {
        sources(&root().join(folder), &mut files);
    }
    let mut tests: BTreeMap<usize, BTreeSet<Test>> = BTreeMap::new();
    for file in files {
        let text = read(&file);
        let file = file.strip_prefix(root()).expect("below the root").to_string_lossy().replace('\\', "/");
        let mut lines = text.lines().map(str::trim);
        while let Some(line) = lines.next() {
            let Some(about) = about(line, list) else { continue };
            let mut rest = lines.clone().skip_while(|line| line.starts_with("///")).peekable();
            // One of the reactor's suite, of which a macro makes a test for each backend.
            let is_of_suite = rest.peek().is_some_and(|line| line.ends_with("(open: Open) {"));
            let is_test = is_of_suite || rest.next() == Some("#[test]");
            assert!(is_test, "{file}: what has \"{list} {about}\" is no test");
            let name = rest.find_map(|line| line.strip_prefix("fn ")?.split('(').next());
            let name = name.expect("a test has a name");
            for number in numbers(about) {
                tests.entry(number).or_default().insert((file.clone(), name.to_owned()));
            }
        }
    }
    tests
}

/// The tests that a cell of the table names: each file in front of its tests.
fn tests_in(cell: &str) -> BTreeSet<Test> {
    let mut file = "";
    let mut tests = BTreeSet::new();
    for word in cell.split('`').skip(1).step_by(2) {
        if word.ends_with(".rs") {
            file = word;
        } else {
            tests.insert((file.to_owned(), word.to_owned()));
        }
    }
    tests
}

/// The rows of the table between `<!-- name -->` and `<!-- /name -->`, by their cells.
fn rows<'a>(page: &'a str, name: &str) -> Vec<Vec<&'a str>> {
    between(page, name)
        .lines()
        .skip_while(|line| !line.starts_with("|---"))
        .skip(1)
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect()
}

/// Compares the table of a list with the tests that have its numbers: a row begins with its number, its last cell names all
/// tests that have it, and none of its so many cells is empty. Gives the numbers, which are those of the tests, in order.
fn compare_with_tests(list: &str, columns: usize) -> Vec<usize> {
    let name = list.to_lowercase();
    let page = format!("docs/{name}.md");
    let tests = tests_by_number(list);
    let mut numbers = Vec::new();
    for row in rows(&read(&page), &name) {
        assert!(row.len() == columns && row.iter().all(|cell| !cell.is_empty()), "{columns} cells: {row:?}");
        let number: usize =
            row[0].parse().unwrap_or_else(|_| panic!("a row begins with its number: {row:?}"));
        let shown = row[columns - 1];
        let marked = tests.get(&number).cloned().unwrap_or_default();
        assert_eq!(tests_in(shown), marked, "{number}: {page} (left) and the code (right)");
        numbers.push(number);
    }
    assert_eq!(numbers, tests.keys().copied().collect::<Vec<_>>(), "the rows (left) and the tests (right)");
    numbers
}

#[test]
fn the_conformance_table_names_the_tests_of_each_behaviour() {
    let numbers = compare_with_tests("Conformance", 4);
    assert!(numbers.len() >= 35 && numbers[34] == 35, "what one host is trusted for is there in full");
}

#[test]
fn the_reliability_table_names_the_tests_of_each_number() {
    compare_with_tests("Reliability", 5);
}

#[test]
fn the_reliability_page_names_scripts_and_workloads_that_exist() {
    let page = read("docs/reliability.md");
    let words: Vec<_> = page.split('`').skip(1).step_by(2).collect();
    let scripts: Vec<_> = words.iter().filter(|word| word.ends_with(".sh")).collect();
    assert!(!scripts.is_empty());
    for script in scripts {
        assert!(root().join(script).is_file(), "{script} is not there");
    }
    #[cfg(feature = "workloads")]
    {
        let named: Vec<_> =
            page.split("workload `").skip(1).filter_map(|rest| rest.split('`').next()).collect();
        assert!(!named.is_empty());
        named.into_iter().for_each(assert_is_workload);
    }
}

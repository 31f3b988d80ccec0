//! The examples, run as a user runs them: as programs, with what they print and the status they exit with.
//!
//! The word frequencies are compared with what `tr`, `sort` and `uniq -c` print for the same files.
#![cfg(unix)]

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The program of an example. `cargo test` builds it with this test, but `cargo test --test examples` does not.
fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("the path of this test");
    let profile = test.ancestors().nth(2).expect("a test is built into PROFILE/deps");
    let program = profile.join("examples").join(name);
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(format!("{name}.rs"));
    let changed = |path: &Path| fs::metadata(path).and_then(|data| data.modified());
    let source = changed(&source).expect("the example's source");
    let fresh = changed(&program).is_ok_and(|built| built >= source);
    assert!(fresh, "{} is missing or old: run `cargo build --examples` first", program.display());
    program
}

fn run(program: &str, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Output {
    Command::new(example(program)).args(args).stdin(Stdio::null()).output().expect("the example starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn hello() {
    let output = run("1_hello", [""; 0]);
    assert_eq!(text(&output.stdout), "Hello, world and moon!\n0 dead letters, ended cleanly: true\n");
    assert_eq!((text(&output.stderr).as_str(), output.status.code()), ("", Some(0)));
}

#[test]
fn a_supervised_pipeline_loses_and_regains_stages_and_accounts_for_every_order() {
    let output = run("3_supervised_pipeline", [""; 0]);
    let expected = "\
--- 2 tea, some tea, 1 pot
line: parse failed: error: invalid digit found in string
shop: gets order 1: 2 tea for 6, parcel 1
shop: gets order 3: 1 pot for 20, parcel 2
--- 1 cake, 4 tea, 2 pot
line: price failed: panic: all that is ordered has a price
price: reads its list again
shop: gets order 5: 4 tea for 12, parcel 3
shop: gets order 6: 2 pot for 40, parcel 4
--- 200 tea, 300 pot, 400 tea, 1 pot
line: pack failed: error: 200 tea do not fit
line: pack failed: error: 300 pot do not fit
line: pack failed: error: 400 tea do not fit
shop: the line is gone: Failed(Failure(error: no packing any more: error: 400 tea do not fit))
--- 10 orders, 4 parcels, 6 dead letters
ended cleanly: true
";
    assert_eq!(text(&output.stdout), expected);
    assert_eq!((text(&output.stderr).as_str(), output.status.code()), ("", Some(0)));
}

#[test]
fn vending_machine() {
    let output = run("4_vending_machine", [""; 0]);
    let expected = "\
customer: inserts 100
customer: chooses Chips
display: Idle
display: Idle -> Paying
customer: is asked for 50 more
customer: inserts 70
customer: chooses Chips
display: Paying -> Dispensing
customer: gets Chips
customer: gets 20 back
customer: chooses Nuts
customer: inserts 200
display: Dispensing -> Idle
display: Idle -> Paying
customer: gets 200 back
customer: inserts 50
customer: walks away
display: Paying -> Idle
display: Idle -> Paying
customer: gets 50 back
display: Paying -> Idle
machine: ends while Idle: Normal
visits: 4, dead letters: 1, ended cleanly: true
";
    assert_eq!(text(&output.stdout), expected);
    assert_eq!((text(&output.stderr).as_str(), output.status.code()), ("", Some(0)));
}

#[test]
fn a_router_pool_grows_with_the_rush_and_shrinks_when_it_is_quiet() {
    let expected = r"
                                  ......*:.....
                              .........::***:......
                           ..........::**##*#:.......
                        ........:::::::*####*::::::...
                     ........:::###**###########***#*..
                 ..........::::#*##################*::..
           ......::*:::*::::::#######################*...
       ..........:::*######***#######################:....
     ......:::::#**#################################*:....
    ##############################################*:::....
     ......:::::#**#################################*:....
       ..........:::*######***#######################:....
           ......::*:::*::::::#######################*...
                 ..........::::#*##################*::..
                     ........:::###**###########***#*..
                        ........:::::::*####*::::::...
                           ..........::**##*#:.......
                              .........::***:......
                                  ......*:.....
painters in the rush:    [2, 3, 5, 8]
painters when quiet:     [8, 7, 6, 5, 4, 3]
painters after one left: [2]
painters in a new rush:  [2, 3, 5, 8]
one picture: true
0 dead letters, ended cleanly: true
";
    let output = run("5_router_pool", [""; 0]);
    assert_eq!(text(&output.stdout), expected[1..]);
    assert_eq!((text(&output.stderr).as_str(), output.status.code()), ("", Some(0)));
}

#[test]
fn testing_with_probes_passes_in_virtual_time() {
    let output = run("6_testing_with_probes", [""; 0]);
    let expected = "\
a letter with a receipt is brought once: ok, after 60 s
a letter without a receipt is brought again after a growing wait: ok, after 7 s
letters do not wait for each other: ok, after 3 s
whoever signs at once gets each letter once: ok, after 60 s
a surplus receipt is a dead letter: ok, after 3 s
after four attempts the courier fails and starts afresh: ok, after 17 s
";
    assert_eq!(text(&output.stdout), expected);
    assert_eq!((text(&output.stderr).as_str(), output.status.code()), ("", Some(0)));
}

#[test]
fn the_simulator_catches_a_race_and_its_seed_replays_it() {
    let output = run("7_testing_with_the_simulator", ["trace"]);
    let stdout = text(&output.stdout);
    let (before, trace) = stdout.split_once("seed ").expect("the trace of a seed");
    let expected = "\
careful clerks: 100 seeds, and no coin is lost
hasty clerks: coins are lost
the same seed: the same trace: true
another seed: the same trace: false
";
    assert_eq!(before, expected);
    assert_eq!((text(&output.stderr).as_str(), output.status.code()), ("", Some(0)));
    // Which seed it is, and what happens in it, is for the runtime to change. It ends with a coin that is lost.
    let sums: Vec<_> =
        trace.lines().filter_map(|line| line.split_once(" reads ")).map(|sums| sums.1).collect();
    let [.., one, other] = sums[..] else { panic!("no two payments: {stdout}") };
    assert_eq!(one, other, "{stdout}");
}

#[test]
fn two_hosts_are_one_system_until_one_is_lost() {
    let output = run("8_two_hosts", [""; 0]);
    let expected = "\
waiter: the kitchen has 12 eggs
waiter: orders for 2
waiter: serves omelette number 1
waiter: serves omelette number 2
waiter: orders for 40
waiter: orders for 1
waiter: the cook fails, and begins anew: error: no table is for 40
waiter: serves omelette number 1
--- the kitchen is killed
waiter: pantry and cook are lost: [Unreachable, Unreachable]
waiter: has no answer from there: the question could not be sent
ended cleanly: true
";
    assert_eq!((text(&output.stdout).as_str(), text(&output.stderr).as_str()), (expected, ""));
    assert_eq!(output.status.code(), Some(0));
}

// --- word frequencies: the reference -----------------------------------------------------------------------------

/// What the example promises to print, made by other programs.
const PIPELINE: &str = r#"find -L "$@" -type f -exec sh -c 'for f; do tr -cs A-Za-z "\n" <"$f"; echo; done' sh {} + |
    tr A-Z a-z | grep . | sort | uniq -c"#;

fn shell(script: &str, paths: &[&Path]) -> String {
    let output = Command::new("sh")
        .args(["-c", script, "sh"])
        .args(paths)
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .output()
        .expect("a shell with find, tr, grep, sort and uniq");
    String::from_utf8(output.stdout).expect("letters, digits and spaces")
}

/// Counts with the example; it must have read everything.
fn count(args: &[&str], paths: &[&Path]) -> String {
    let args = args.iter().map(OsStr::new).chain(paths.iter().map(|path| path.as_os_str()));
    let output = run("2_word_frequencies", args);
    assert_eq!((text(&output.stderr).as_str(), output.status.code()), ("", Some(0)));
    text(&output.stdout)
}

#[track_caller]
fn assert_counts_agree(args: &[&str], paths: &[&Path]) {
    let (ours, theirs) = (count(args, paths), shell(PIPELINE, paths));
    if ours != theirs {
        let differ = ours.lines().zip(theirs.lines()).find(|(ours, theirs)| ours != theirs);
        let lines = (ours.lines().count(), theirs.lines().count());
        panic!("{args:?} {paths:?}: lines (ours, theirs) {lines:?}, first that differ {differ:?}");
    }
}

// --- word frequencies: the input ---------------------------------------------------------------------------------

/// A fresh folder, removed with the value.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("words-{name}"));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("a folder");
        Folder(path)
    }

    /// Writes a file, and the folders it is in.
    fn write(&self, name: impl AsRef<Path>, bytes: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().expect("a file is in a folder")).expect("a folder");
        fs::write(&path, bytes).expect("a file");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// `SplitMix64` (Steele et al., 2014).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    /// Bytes that make few words often, many words, long words, or hardly any.
    fn bytes(&mut self, len: usize) -> Vec<u8> {
        let alphabet: &[u8] = self.pick(&[
            b"aAbB \n",
            b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 \t\r\n.,;-'_@[`{/",
            b"\0\x01\x7f\x80\xc3\xa9\xff@[`{AZaz",
            b"zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz ",
        ]);
        (0..len).map(|_| self.pick(alphabet)).collect()
    }
}

/// Bytes that the example reads at once.
const CHUNK: usize = 64 << 10;

/// Files of all sizes, in folders some of which are empty, with names that need care.
fn plant(folder: &Folder, dice: &mut Dice) {
    let mut below = vec![PathBuf::new()];
    for number in 0..40 {
        let mut name = OsString::from(format!("{number} "));
        name.push(OsStr::from_bytes(dice.pick(&[
            b"it's".as_slice(),
            b"-n",
            b"new\nline",
            b"\xff\xfe",
            b"$x*",
        ])));
        let path = below[dice.below(below.len())].join(name);
        if dice.below(3) == 0 {
            fs::create_dir_all(folder.0.join(&path)).expect("a folder");
            below.push(path);
        } else {
            let size = match dice.below(8) {
                0 => 0,
                1 => CHUNK - 2 + dice.below(5),
                2 => dice.below(5 * CHUNK),
                _ => dice.below(3000),
            };
            folder.write(path, &dice.bytes(size));
        }
    }
}

// --- word frequencies: what is promised --------------------------------------------------------------------------

#[test]
fn generated_trees_count_as_tr_sort_and_uniq_count() {
    for seed in 0..6 {
        let folder = Folder::new(&format!("tree-{seed}"));
        plant(&folder, &mut Dice(seed));
        let shards = (1 + seed % 3).to_string();
        assert_counts_agree(&["--shards", &shards], &[&folder.0]);
    }
}

#[test]
fn words_go_on_across_chunks_but_not_across_files() {
    let folder = Folder::new("borders");
    for (number, before) in [CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK - 3].into_iter().enumerate() {
        let mut bytes = vec![b' '; before - 2];
        bytes.extend_from_slice(b"Straddling and more");
        folder.write(format!("{number}"), &bytes);
    }
    let long = Dice(7).bytes(4).repeat(80_000);
    folder.write("long", &[b"before ".as_slice(), &vec![b'q'; 5 * CHUNK + 17], b" after "].concat());
    folder.write("long without an end", &vec![b'Q'; 2 * CHUNK]);
    folder.write("noise", &long);
    assert_counts_agree(&[], &[&folder.0]);
    assert!(count(&[], &[&folder.0]).contains("      4 straddling\n"));
}

#[test]
fn empty_input_prints_nothing_and_a_missing_last_newline_changes_nothing() {
    let folder = Folder::new("empty");
    folder.write("empty", b"");
    folder.write("below/also empty", b"");
    fs::create_dir(folder.0.join("nothing")).expect("a folder");
    assert_eq!(count(&[], &[&folder.0]), "");
    let (with, without) = (folder.write("with", b"one two\n"), folder.write("without", b"one two"));
    assert_eq!(count(&[], &[&with]), "      1 one\n      1 two\n");
    assert_eq!(count(&[], &[&without]), count(&[], &[&with]));
    assert_counts_agree(&[], &[&with, &without]);
}

#[test]
fn deep_folders_and_many_files() {
    let folder = Folder::new("deep");
    let mut deep = PathBuf::new();
    for level in 0..200 {
        deep.push(format!("d{}", level % 7));
        if level % 20 == 0 {
            folder.write(deep.join("file"), format!("level x{}", "y".repeat(level)).as_bytes());
        }
    }
    for number in 0..700 {
        folder.write(format!("many/{number}"), format!("a b{}c", number % 10).as_bytes());
    }
    assert_counts_agree(&[], &[&folder.0]);
    assert!(count(&[], &[&folder.0]).contains("    700 a\n"));
}

#[test]
fn links_are_followed_and_a_file_reached_twice_counts_twice() {
    let folder = Folder::new("links");
    let file = folder.write("there/file", b"linked");
    symlink("there", folder.0.join("here")).expect("a link");
    assert_counts_agree(&[], &[&folder.0]);
    assert_eq!(count(&[], &[&folder.0, &file]), "      3 linked\n");
}

#[test]
fn the_most_frequent_come_first_and_equals_by_name() {
    let folder = Folder::new("top");
    plant(&folder, &mut Dice(99));
    folder.write("more", b"tie tea toe tie tea toe ton");
    for top in ["0", "1", "20", "1000000"] {
        let script = format!("{{ {PIPELINE}; }} | sort -k1,1nr -k2,2 | head -n {top}");
        assert_eq!(count(&["--top", top], &[&folder.0]), shell(&script, &[&folder.0]), "--top {top}");
    }
}

#[test]
fn what_cannot_be_read_is_named_and_the_rest_is_counted() {
    let folder = Folder::new("unreadable");
    folder.write("good", b"good good");
    folder.write("below/loop/good", b"good");
    symlink("..", folder.0.join("below/loop/back")).expect("a link");
    symlink("itself", folder.0.join("itself")).expect("a link");
    symlink("nowhere", folder.0.join("dangling")).expect("a link");
    let mut paths = vec![folder.0.clone(), folder.0.join("missing")];
    let mut named = vec!["below/loop/back", "itself", "dangling", "missing"];
    if cfg!(target_os = "linux") {
        // Opens, and cannot be read.
        paths.push("/proc/self/mem".into());
        named.push("/proc/self/mem");
    }
    let output = run("2_word_frequencies", &paths);
    assert_eq!((text(&output.stdout).as_str(), output.status.code()), ("      3 good\n", Some(1)));
    let complaints = text(&output.stderr);
    assert_eq!(complaints.lines().count(), named.len(), "{complaints}");
    for name in named {
        assert!(complaints.lines().any(|line| line.contains(name)), "{name} is not in: {complaints}");
    }
    assert_eq!(shell(PIPELINE, &[&folder.0]), text(&output.stdout));
}

#[test]
fn bad_arguments_end_with_status_2() {
    for (args, complaint) in [
        (&[][..], "<PATH>"),
        (&["--top"], "--top <N>"),
        (&["--top", "many", "."], "'many' for '--top <N>'"),
        (&["--shards", "0", "."], "'0' for '--shards <N>'"),
        (&["--sort", "."], "'--sort'"),
    ] {
        let output = run("2_word_frequencies", args);
        assert_eq!((text(&output.stdout).as_str(), output.status.code()), ("", Some(2)), "{args:?}");
        assert!(text(&output.stderr).contains(complaint), "{args:?}: {}", text(&output.stderr));
    }
}

/// The input comes through a pipe that stays open until the memory has been looked at, so the program has taken all of
/// it but what the pipe holds, and still runs.
#[cfg(target_os = "linux")]
#[test]
fn memory_stays_bounded_however_large_the_input() {
    const BLOCKS: usize = 96;
    const MOST_KIB: usize = 24 << 10;
    let block: Vec<u8> = b"ab".iter().flat_map(|letter| [vec![*letter; 1023], vec![b' ']].concat()).collect();
    let block = block.repeat((512 << 10) / block.len());
    assert!(BLOCKS * block.len() >= 2 * MOST_KIB * 1024);

    let mut program = Command::new(example("2_word_frequencies"))
        .args(["--shards", "2", "/dev/stdin"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the example starts");
    let mut input = program.stdin.take().expect("a pipe");
    for _ in 0..BLOCKS {
        input.write_all(&block).expect("the example reads on");
    }
    let status =
        fs::read_to_string(format!("/proc/{}/status", program.id())).expect("the example still runs");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
    let peak: usize = peak.and_then(|kib| kib.trim().parse().ok()).expect("the most that was resident");
    drop(input);
    let output = program.wait_with_output().expect("the example ends");
    let words = BLOCKS * block.len() / 2048;
    let expected = ["a", "b"].map(|letter| format!("{words:>7} {}\n", letter.repeat(1023))).concat();
    assert_eq!((text(&output.stdout), output.status.code()), (expected, Some(0)));
    assert!(peak < MOST_KIB, "{peak} KiB were resident");
}

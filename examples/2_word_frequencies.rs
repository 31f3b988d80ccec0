//! Word frequencies of files and folders: real work on real input, on all cores and in bounded memory.
//!
//!     cargo run --release --example 2_word_frequencies -- [--top N] PATH...
//!
//! **What counts.** A word is a longest run of the letters A-Z and a-z within one file; capitals count as small letters.
//! Every other byte parts words, so the input need not be text of any encoding. Folders are read with all below them,
//! links are followed, and below a folder only regular files are read; a file that is reached twice counts twice.
//! The lines are, byte for byte, those of
//!
//! ```sh
//! find -L PATH... -type f -exec sh -c 'for f; do tr -cs A-Za-z "\n" <"$f"; echo; done' sh {} + |
//!     tr A-Z a-z | grep . | LC_ALL=C sort | uniq -c
//! ```
//!
//! (`grep .` drops the empty lines that `tr` makes of what stands before a file's first word), and with `--top N` those
//! of `LC_ALL=C sort -k1,1nr -k2,2 | head -n N` behind it.
//!
//! **Exit status.** 0; 1 if something could not be read (it is named on standard error, as is a link that leads back
//! into its own folder, and all else is counted) or the count was not finished; 2 for bad arguments.
//!
//! **How.** Blocking calls run on the system's pool, all else on the shards:
//!
//! ```text
//!            paths              chunks, split          batches of words, by the word's hash
//!    Walk ──────────▶ Reader, two on each shard ──────────▶ Counter, spread over all shards by key
//!      ▲                 │                ▲                    │
//!      └── file is done ─┘                └── so many counted ─┘
//! ```
//!
//! **Memory.** A reader reads its next chunk of 64 KiB only while no more than one chunk's words wait to be counted, and the
//! walk looks for more files only when those it found are handed out; so what is under way is bounded however large
//! the input is. A word is held whole while it is read. The counts are the result: they take as much room as the input
//! has different words.

use std::cmp::Reverse;
use std::collections::{HashMap, VecDeque};
use std::error::Error;
use std::fmt::Display;
use std::fs::File;
use std::hash::{DefaultHasher, Hasher};
use std::io::{self, BufWriter, ErrorKind, Read as _, Write};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use clap::Parser;
use corelane::prelude::*;
use corelane::shard::OffloadError;
use walkdir::{DirEntry, WalkDir};

/// Bytes read at once.
const CHUNK: usize = 64 << 10;
/// Paths that wait to be read.
const PATHS: usize = 256;
/// Readers on each shard: while one waits for the pool, the other splits.
const READERS: usize = 2;
/// Counters for each shard, so that keys spread evenly.
const COUNTERS: usize = 8;
/// How long a counter may take to hand over its counts.
const PATIENCE: Duration = Duration::from_secs(600);

/// Counts the words of files and folders.
#[derive(Parser)]
#[command(name = "word_frequencies")]
struct Args {
    /// Print only the N most frequent words, most frequent first
    #[arg(long, value_name = "N")]
    top: Option<usize>,
    /// Shards to run on [default: one for each core]
    #[arg(long, value_name = "N")]
    shards: Option<NonZeroUsize>,
    /// Files and folders to read
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
}

fn main() -> ExitCode {
    let all_read = run(&Args::parse()).unwrap_or_else(|error| {
        complain(error);
        false
    });
    if all_read { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Names a problem on standard error. Whoever closed that does not want to know.
fn complain(problem: impl Display) {
    let _ = writeln!(io::stderr(), "word_frequencies: {problem}");
}

/// Counts and prints; says whether everything could be read.
fn run(args: &Args) -> Result<bool, Box<dyn Error>> {
    let mut builder = System::builder().name("words");
    if let Some(shards) = args.shards {
        builder = builder.shards(shards.get());
    }
    let system = builder.start()?;
    let shards = system.shards();

    let counters: Arc<[_]> = (0..shards * COUNTERS)
        .map(|number| system.spawn_on(On::key(number), Counter::default))
        .collect::<Result<_, _>>()?;
    let readers: Vec<_> = (0..shards * READERS)
        .map(|number| {
            let counters = counters.clone();
            system.spawn_on(On::Shard(number % shards), move || Reader::new(counters.clone()))
        })
        .collect::<Result<_, _>>()?;

    let (report, finished) = mpsc::channel();
    let (paths, of) = (args.paths.clone(), counters.clone());
    system.spawn(move || Walk::new(paths.clone(), readers.clone(), &of, report.clone()))?;
    let unreadable = finished.recv().map_err(|_| "the search for files failed")??;

    let (mut gateway, mut counts) = (system.gateway()?, Counts::new());
    for counter in counters.iter() {
        let top = args.top;
        counts.append(&mut gateway.ask(*counter, PATIENCE, move |reply| Count::Report { top, reply })?);
    }
    sort(&mut counts, args.top);
    print(&counts)?;
    Ok(unreadable == 0)
}

/// Words and how often each came.
type Counts = Vec<(Box<[u8]>, u64)>;

/// By word; or the `top` most frequent only, those first that came most often.
fn sort(counts: &mut Counts, top: Option<usize>) {
    match top {
        None => counts.sort_unstable(),
        Some(top) => {
            counts.sort_unstable_by(|(a, n), (b, m)| (Reverse(n), a).cmp(&(Reverse(m), b)));
            counts.truncate(top);
        }
    }
}

/// Prints lines as `uniq -c` does.
fn print(counts: &Counts) -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    let written = counts.iter().try_for_each(|(word, count)| {
        write!(out, "{count:>7} ")?;
        out.write_all(word)?;
        out.write_all(b"\n")
    });
    match written.and_then(|()| out.flush()) {
        // Whoever reads the lines has seen enough of them.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(io::Error::new(error.kind(), format!("standard output: {error}"))),
        Ok(()) => Ok(()),
    }
}

// --- Counter: how often each of its words came -------------------------------------------------------------------

enum Count {
    /// Words, each with a newline behind it. Answered with how many bytes they were, when they are counted.
    Words { words: Vec<u8>, counted: ReplyTo<usize> },
    /// Hands the counts over: all of them, or the `top` most frequent.
    Report { top: Option<usize>, reply: ReplyTo<Counts> },
}

#[derive(Default)]
struct Counter {
    counts: HashMap<Box<[u8]>, u64>,
}

impl Actor for Counter {
    type Msg = Count;

    fn receive(&mut self, msg: Count, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match msg {
            Count::Words { words, counted } => {
                for word in words.split(|byte| *byte == b'\n').filter(|word| !word.is_empty()) {
                    match self.counts.get_mut(word) {
                        Some(count) => *count += 1,
                        None => drop(self.counts.insert(word.into(), 1)),
                    }
                }
                ctx.try_tell(counted, words.len())?;
            }
            Count::Report { top, reply } => {
                let mut counts = self.counts.drain().collect();
                if top.is_some() {
                    sort(&mut counts, top);
                }
                ctx.try_tell(reply, counts)?;
            }
        }
        Ok(())
    }
}

// --- Reader: one file after the other, chunk by chunk ------------------------------------------------------------

enum Read {
    /// Read this file, and say so when all its words are counted.
    File { path: PathBuf, done: ReplyTo<Done> },
    /// The pool has read.
    Chunk(Result<Chunk, OffloadError>),
    /// A counter has counted words of so many bytes.
    Counted(usize),
}

/// All words of a file are counted, or those before it could not be read on.
struct Done {
    reader: ActorRef<Read>,
    readable: bool,
}

/// An open file.
type Input = (PathBuf, File);

/// What the pool brings from a file.
enum Chunk {
    Bytes(Vec<u8>, Input),
    End,
    Unreadable,
}

/// Opens a file and reads its first chunk. Blocks.
fn open(path: PathBuf) -> Chunk {
    match File::open(&path) {
        Ok(file) => read((path, file)),
        Err(error) => {
            complain(format_args!("{}: {error}", path.display()));
            Chunk::Unreadable
        }
    }
}

/// Reads the next chunk. Blocks.
fn read((path, file): Input) -> Chunk {
    let mut bytes = Vec::with_capacity(CHUNK);
    match (&file).take(CHUNK as u64).read_to_end(&mut bytes) {
        Ok(0) => Chunk::End,
        Ok(_) => Chunk::Bytes(bytes, (path, file)),
        // What came before the error is counted; reading on meets the error again.
        Err(_) if !bytes.is_empty() => Chunk::Bytes(bytes, (path, file)),
        Err(error) => {
            complain(format_args!("{}: {error}", path.display()));
            Chunk::Unreadable
        }
    }
}

struct Reader {
    counters: Arc<[ActorRef<Count>]>,
    /// Words on their way to each counter.
    batches: Vec<Vec<u8>>,
    /// Letters that ended the last chunk: the next may begin with the rest of their word.
    word: Vec<u8>,
    /// The file, while nobody reads it.
    input: Option<Input>,
    /// Bytes of words that are sent and not yet counted.
    uncounted: usize,
    /// Whom to tell of the file's end, and how it ended, if it has.
    done: ReplyTo<Done>,
    ended: Option<bool>,
    /// This actor's address for what counters answer.
    counted: ReplyTo<usize>,
}

impl Reader {
    fn new(counters: Arc<[ActorRef<Count>]>) -> Reader {
        Reader {
            batches: vec![Vec::new(); counters.len()],
            counters,
            word: Vec::new(),
            input: None,
            uncounted: 0,
            done: ReplyTo::nobody(),
            ended: None,
            counted: ReplyTo::nobody(),
        }
    }

    /// Takes the words out of a chunk; the last one may go on in the next.
    fn split(&mut self, bytes: &[u8]) {
        let mut words = bytes.split(|byte| !byte.is_ascii_alphabetic());
        if let Some(rest) = words.next() {
            self.word.extend(rest.iter().map(u8::to_ascii_lowercase));
        }
        for word in words {
            self.end_word();
            self.word.extend(word.iter().map(u8::to_ascii_lowercase));
        }
    }

    /// Puts the word, if there is one, among those for the counter that its hash belongs to.
    fn end_word(&mut self) {
        if self.word.is_empty() {
            return;
        }
        let mut hasher = DefaultHasher::new();
        hasher.write(&self.word);
        let batch = &mut self.batches[(hasher.finish() % self.counters.len() as u64) as usize];
        batch.append(&mut self.word);
        batch.push(b'\n');
    }

    fn send(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        for (counter, batch) in self.counters.iter().zip(&mut self.batches).filter(|(_, it)| !it.is_empty()) {
            self.uncounted += batch.len();
            let words = std::mem::take(batch);
            ctx.try_tell(*counter, Count::Words { words, counted: self.counted })?;
        }
        Ok(())
    }

    /// Reads on unless too much waits to be counted; says so when all is.
    fn go_on(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        if self.uncounted <= CHUNK
            && let Some(input) = self.input.take()
        {
            ctx.offload(move || read(input), Read::Chunk)?;
        }
        if self.uncounted == 0
            && let Some(readable) = self.ended.take()
        {
            ctx.try_tell(self.done, Done { reader: ctx.me(), readable })?;
        }
        Ok(())
    }
}

impl Actor for Reader {
    type Msg = Read;

    fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        self.counted = ctx.adapter(Read::Counted)?;
        Ok(())
    }

    fn receive(&mut self, msg: Read, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match msg {
            Read::File { path, done } => {
                self.done = done;
                ctx.offload(move || open(path), Read::Chunk)?;
            }
            Read::Chunk(chunk) => {
                match chunk? {
                    Chunk::Bytes(bytes, input) => {
                        self.split(&bytes);
                        self.input = Some(input);
                    }
                    end => {
                        self.end_word();
                        self.ended = Some(matches!(end, Chunk::End));
                    }
                }
                self.send(ctx)?;
                self.go_on(ctx)?;
            }
            Read::Counted(bytes) => {
                self.uncounted -= bytes;
                self.go_on(ctx)?;
            }
        }
        Ok(())
    }
}

// --- Walk: finds the files, hands them out, and knows when all are counted ---------------------------------------

enum Search {
    /// The pool has looked.
    Found(Result<Found, OffloadError>),
    /// A reader is done with a file.
    Done(Done),
}

/// The search for files, which goes on where it stopped.
type Files = Box<dyn Iterator<Item = walkdir::Result<DirEntry>> + Send>;

/// Files, and the rest of the search unless it has ended.
struct Found {
    paths: VecDeque<PathBuf>,
    unreadable: u64,
    rest: Option<Files>,
}

/// Looks for up to [`PATHS`] files. Blocks.
fn look(mut files: Files) -> Found {
    let mut found = Found { paths: VecDeque::new(), unreadable: 0, rest: None };
    while found.paths.len() < PATHS {
        match files.next() {
            Some(Ok(entry)) if entry.file_type().is_dir() => {}
            // What the user named is read whatever it is, what lies in a folder if it is a regular file.
            Some(Ok(entry)) if entry.depth() > 0 && !entry.file_type().is_file() => {}
            Some(Ok(entry)) => found.paths.push_back(entry.into_path()),
            Some(Err(error)) => {
                complain(error);
                found.unreadable += 1;
            }
            None => return found,
        }
    }
    found.rest = Some(files);
    found
}

struct Walk {
    /// All others, none of which ends before the count does.
    others: Vec<Address>,
    readers: usize,
    /// Readers without a file.
    idle: Vec<ActorRef<Read>>,
    /// Files that no reader has yet.
    paths: VecDeque<PathBuf>,
    /// The search, while the pool is not at it.
    files: Option<Files>,
    /// The search has come to its end.
    all_found: bool,
    unreadable: u64,
    /// This actor's address for what readers answer.
    done: ReplyTo<Done>,
    /// Where the end is reported: with how much could not be read, or with why the count was given up.
    report: mpsc::Sender<Result<u64, String>>,
}

impl Walk {
    fn new(
        paths: Vec<PathBuf>,
        readers: Vec<ActorRef<Read>>,
        counters: &[ActorRef<Count>],
        report: mpsc::Sender<Result<u64, String>>,
    ) -> Walk {
        let others = readers.iter().map(|reader| reader.address());
        let files = paths.into_iter().flat_map(|path| WalkDir::new(path).follow_links(true));
        Walk {
            others: others.chain(counters.iter().map(|counter| counter.address())).collect(),
            readers: readers.len(),
            idle: readers,
            paths: VecDeque::new(),
            files: Some(Box::new(files)),
            all_found: false,
            unreadable: 0,
            done: ReplyTo::nobody(),
            report,
        }
    }

    /// Hands out what was found, and looks for more when all of it is.
    fn go_on(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        while !self.idle.is_empty()
            && let Some(path) = self.paths.pop_front()
            && let Some(reader) = self.idle.pop()
        {
            ctx.try_tell(reader, Read::File { path, done: self.done })?;
        }
        if self.paths.is_empty() {
            if let Some(files) = self.files.take() {
                ctx.offload(move || look(files), Search::Found)?;
            }
            if self.all_found && self.idle.len() == self.readers {
                // Nobody listens when the program is on its way out.
                let _ = self.report.send(Ok(self.unreadable));
            }
        }
        Ok(())
    }
}

impl Actor for Walk {
    type Msg = Search;

    fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        self.done = ctx.adapter(Search::Done)?;
        for other in &self.others {
            ctx.watch(*other)?;
        }
        self.go_on(ctx)
    }

    fn receive(&mut self, msg: Search, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match msg {
            Search::Found(found) => {
                let Found { paths, unreadable, rest } = found?;
                self.paths = paths;
                self.unreadable += unreadable;
                self.all_found = rest.is_none();
                self.files = rest;
            }
            Search::Done(Done { reader, readable }) => {
                self.unreadable += u64::from(!readable);
                self.idle.push(reader);
            }
        }
        self.go_on(ctx)
    }

    /// One of the others failed.
    fn terminated(&mut self, gone: &Terminated, _: &mut Ctx<'_, Self>) -> Outcome {
        let why = match &gone.reason {
            StopReason::Failed(failure) => failure.to_string(),
            reason => format!("{reason:?}"),
        };
        let _ = self.report.send(Err(format!("the count was given up: {why}")));
        Ok(())
    }
}

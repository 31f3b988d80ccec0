//! What the subcommands are to the shell that runs them: standard output, complaints, interruptions and exit codes.

use std::fmt;
use std::io::{self, ErrorKind, Write as _};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The exit code for arguments, or a configuration, that cannot be met, as clap's own.
pub(super) const REFUSED: u8 = 2;

/// The exit code of a process that an interrupt ended, by convention 128 and the signal's number.
pub(super) const INTERRUPTED: u8 = 130;

/// Complains about the arguments.
pub(super) fn refuse(reason: impl fmt::Display) -> ExitCode {
    eprintln!("error: {reason}");
    ExitCode::from(REFUSED)
}

/// Prints the result to standard output. Exit code 1 if that cannot be written.
pub(super) fn print(text: &str) -> ExitCode {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads it may have seen enough of it.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: cannot write to standard output: {error}");
            ExitCode::FAILURE
        }
    }
}

/// A flag that an interruption sets, so that the command ends in order. Called once.
pub(super) fn interruption() -> Arc<AtomicBool> {
    let interrupted = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&interrupted);
    if let Err(error) = ctrlc::set_handler(move || flag.store(true, Ordering::Relaxed)) {
        eprintln!("warning: an interruption will not end in order: {error}");
    }
    interrupted
}

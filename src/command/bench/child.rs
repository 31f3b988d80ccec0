//! Measuring in a process of its own.
//!
//! Resident memory can only be counted in a process that has done nothing else: what earlier workloads left
//! behind in the allocator and in the page tables would be counted or reused. So the command starts itself
//! again with a hidden argument, and reads one line: total and count.

use std::error::Error;
use std::fmt;
use std::io;
use std::process::{Command, ExitCode, ExitStatus};

use corelane::workloads::{Cost, Plan, Scale, WORKLOADS, Workload};

/// Why a child process gave no figure.
#[derive(Debug)]
pub(super) enum ChildError {
    /// The executable could not be found or started.
    Start(io::Error),
    /// The child ended without a figure; its message, if it left one.
    Failed { status: ExitStatus, message: String },
    /// The child's answer is not a total and a count.
    Garbled(String),
}

impl fmt::Display for ChildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start(error) => write!(f, "the child process could not be started: {error}"),
            Self::Failed { status, message } if message.is_empty() => {
                write!(f, "the child process ended with {status}")
            }
            Self::Failed { message, .. } => f.write_str(message),
            Self::Garbled(answer) => write!(f, "the child process answered `{answer}`"),
        }
    }
}

impl Error for ChildError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Start(error) => Some(error),
            Self::Failed { .. } | Self::Garbled(_) => None,
        }
    }
}

/// Measures `workload` once in a child process.
pub(super) fn measure(workload: &Workload, plan: &Plan) -> Result<Cost, ChildError> {
    let cores = plan.cores().iter().map(usize::to_string).collect::<Vec<_>>().join(",");
    let mut command = Command::new(std::env::current_exe().map_err(ChildError::Start)?);
    command.args(["bench", "--measure", workload.name, "--cores", &cores]);
    if plan.scale() == Scale::Quick {
        command.arg("--quick");
    }
    let output = command.output().map_err(ChildError::Start)?;
    if !output.status.success() {
        let message = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(ChildError::Failed { status: output.status, message });
    }
    let answer = String::from_utf8_lossy(&output.stdout);
    parse(&answer).ok_or_else(|| ChildError::Garbled(answer.trim().to_owned()))
}

/// The child's side: measures the workload called `name` and prints the answer.
pub(super) fn serve(name: &str, plan: &Plan) -> ExitCode {
    let Some(workload) = WORKLOADS.iter().find(|workload| workload.name == name) else {
        eprintln!("no workload is called `{name}`");
        return ExitCode::from(2);
    };
    match (workload.run)(plan).map(|cost| (cost.as_bytes(), cost.count())) {
        Ok((Some(bytes), count)) => {
            println!("{bytes} {count}");
            ExitCode::SUCCESS
        }
        Ok((None, _)) => {
            eprintln!("`{name}` measures time, which needs no process of its own");
            ExitCode::from(2)
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Reads the child's line.
fn parse(answer: &str) -> Option<Cost> {
    let (bytes, count) = answer.trim().split_once(' ')?;
    let count = count.parse().ok().filter(|&count| count > 0)?;
    Some(Cost::bytes(bytes.parse().ok()?, count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_is_a_total_and_a_count() {
        assert_eq!(parse("480 10\n"), Some(Cost::bytes(480, 10)));
    }

    #[test]
    fn anything_else_is_garbled() {
        for answer in ["", "480", "480 0", "480 ten", "-1 10", "480 10 3"] {
            assert_eq!(parse(answer), None, "{answer}");
        }
    }
}

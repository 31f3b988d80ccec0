//! The double panic: one within another aborts the process, as Rust has it, and is not mistaken for a failure of an actor. The
//! process is another one, in which this very test runs again.

mod common;

use std::process::Command;

use common::{Job, builder, end, hush, puppet, tell, with};

/// Says to the test that it is the process that dies.
const DIES: &str = "CORELANE_TEST_DOUBLE_PANIC";

/// Panics as it is dropped, come what may.
struct Reckless;

impl Drop for Reckless {
    fn drop(&mut self) {
        panic!("on purpose: within a panic");
    }
}

/// Reliability 18.
#[test]
fn a_panic_within_a_panic_aborts_the_process() {
    if std::env::var_os(DIES).is_some() {
        hush();
        let system = builder(1).start().unwrap();
        let mut gateway = system.gateway().unwrap();
        let doomed = puppet(&system, 0);
        tell(
            &mut gateway,
            doomed,
            Job::run(|_| {
                let _reckless = Reckless;
                panic!("on purpose: first");
            }),
        );
        let other = puppet(&system, 0);
        with(&mut gateway, other, |_| ());
        end(system);
        return;
    }
    let this = std::env::current_exe().unwrap();
    let mut again = Command::new(this);
    again.args(["--exact", "a_panic_within_a_panic_aborts_the_process"]).env(DIES, "1");
    let died = again.output().unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::process::ExitStatusExt;
        const SIGABRT: i32 = 6;
        assert_eq!(died.status.signal(), Some(SIGABRT), "{died:?}");
    }
    assert!(!died.status.success());
}

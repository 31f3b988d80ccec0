//! The exit code of a program whose `main` gives a report back, and what it says on standard error. A program of its own,
//! without the test harness, for it is the return of `main` that is looked at: it starts itself once for each case.

mod common;

use std::error::Error;
use std::process::{Command, Output};

use common::{LONG, builder};
use corelane_kernel::{Actor, Ctx, Directive, Failure, KernelConfig, Outcome, Strategy};
use corelane_shard::{Report, ShutdownPhase, System};

/// Says to this program which case it is.
const CASE: &str = "CORELANE_TEST_EXIT_CODE";

/// Fails as it starts, with a parent that is beyond help.
struct Doomed;

impl Actor for Doomed {
    type Msg = ();
    fn started(&mut self, _: &mut Ctx<'_, Self>) -> Outcome {
        Err(Failure::new("the disk is gone"))
    }
    fn receive(&mut self, (): (), _: &mut Ctx<'_, Self>) -> Outcome {
        Ok(())
    }
}

struct Parent;

impl Actor for Parent {
    type Msg = ();
    fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        ctx.spawn_from(|| Doomed)?;
        Ok(())
    }
    fn receive(&mut self, (): (), _: &mut Ctx<'_, Self>) -> Outcome {
        Ok(())
    }
    fn strategy(&self) -> Strategy {
        Strategy::one_for_one().deciding(|_| Directive::Escalate)
    }
}

fn escalating() -> System {
    let supervision = Strategy::one_for_one().deciding(|_| Directive::Escalate);
    let kernel = KernelConfig { supervision, ..KernelConfig::default() };
    builder(2).kernel(kernel).start().expect("a system")
}

fn main() -> Result<Report, Box<dyn Error>> {
    match std::env::var(CASE).as_deref() {
        Ok("escalated") => {
            let system = escalating();
            system.spawn(|| Parent)?;
            // Nobody asks it to: the failure does.
            Ok(system.wait())
        }
        Ok("unclean") => {
            let system = builder(1).start()?;
            let shutdown = system.coordinated_shutdown();
            let phase = ShutdownPhase::BEFORE_SYSTEM_TERMINATE;
            shutdown.add_blocking_task(phase, "flush", |_| Err("nowhere to write".into()))?;
            Ok(system.shutdown(LONG))
        }
        Ok("clean") => Ok(builder(1).start()?.shutdown(LONG)),
        Ok("not started") => Ok(builder(1).region_bytes(1).start()?.shutdown(LONG)),
        _ => {
            check();
            Ok(builder(1).start()?.shutdown(LONG))
        }
    }
}

fn run(case: &str) -> (Output, String) {
    let this = std::env::current_exe().expect("the path of this test");
    let output = Command::new(this).env(CASE, case).output().expect("this program starts");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output, said)
}

fn check() {
    let (ended, said) = run("escalated");
    assert_eq!(ended.status.code(), Some(1), "{said}");
    assert!(said.starts_with("Error: 2 shards ran "), "{said}");
    let failure = "; stopped by a failure that no supervisor took: failed start: the disk is gone\n";
    assert!(said.ends_with(failure), "{said}");

    let (ended, said) = run("unclean");
    assert_eq!(ended.status.code(), Some(1), "{said}");
    assert!(said.contains("\"flush\" failed (nowhere to write)"), "{said}");

    let (ended, said) = run("clean");
    assert_eq!((ended.status.code(), said.as_str()), (Some(0), ""));

    let (ended, said) = run("not started");
    assert_eq!(ended.status.code(), Some(1), "{said}");
    assert!(said.starts_with("Error: ") && said.contains("region_bytes"), "{said}");
}

//! A routee that does as it is told, for the tests of pools.

use std::sync::mpsc::Sender;

use corelane_kernel::{Actor, Address, Ctx, Failure, Outcome};

use super::{Census, Counted};

pub(crate) enum Job {
    /// To be answered with the routee's address and the number.
    Do(u64, Sender<(Address, u64)>),
    Fail,
    Panic,
    Stop,
}

pub(crate) struct Worker {
    _counted: Counted,
}

impl Worker {
    /// One that is counted.
    pub(crate) fn new(census: &Census) -> Worker {
        Worker { _counted: census.one() }
    }
}

impl Actor for Worker {
    type Msg = Job;
    fn receive(&mut self, job: Job, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match job {
            Job::Do(number, done) => done.send((ctx.me().address(), number))?,
            Job::Fail => return Err(Failure::new("no more")),
            Job::Panic => panic!("on purpose"),
            Job::Stop => ctx.stop_self(),
        }
        Ok(())
    }
}

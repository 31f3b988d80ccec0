//! What shards are built from: what they share, the lanes between them, and for each its region, kernel and services. A shard is
//! built on the thread that will run it.

use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, mpsc};

use corelane_kernel::{LaneReceiver, LaneSender, Place, Seat};

use crate::blocking::Pool;
use crate::clock::Clock;
use crate::config::Builder;
use crate::deploy::Deployments;
use crate::drive::Berth;
use crate::error::StartError;
use crate::future::Executor;
use crate::handle::Handle;
use crate::host::Host;
use crate::idle::Idler;
use crate::inbox::Inbox;
use crate::local::Local;
use crate::log::Log;
use crate::memory::{Housed, HousingError};
use crate::mesh::{self, Corner};
use crate::report::ShardReport;
use crate::services::Services;
use crate::shared::{Gauges, Post, Shared};
use crate::stall::Pulse;
use crate::topology::pin_current_thread;
use crate::turn::Worker;
use crate::unwind::guard;
use crate::wake::Wake;

/// What a system stands on.
pub(crate) struct Ground {
    pub(crate) host: Host,
    pub(crate) may_spin: bool,
    pub(crate) signal_words: usize,
    /// Bytes of each shard's region.
    pub(crate) region: usize,
    pub(crate) pool: Pool,
}

impl Ground {
    /// What the shards on these cores share, and what each of them is built from. `lane` makes a lane of so many words
    /// from one shard to another.
    pub(crate) fn lay_out(
        self,
        builder: &Builder,
        cores: &[Option<usize>],
        lane: impl FnMut(usize, usize, usize) -> (LaneSender, LaneReceiver),
    ) -> Result<(Handle, Vec<House>), StartError> {
        let clock = Clock::new();
        let sleepless = Idler::is_sleepless(builder.idle, self.may_spin);
        let seats: Vec<Seat> = Seat::realm(cores.len())?.collect();
        let places: Vec<Place> = seats.iter().map(Seat::place).collect();
        let posts = cores.iter().zip(&places).map(|(core, place)| Post {
            place: *place,
            core: *core,
            wake: Wake::new(sleepless),
            inbox: Inbox::new(),
            gauges: Gauges::default(),
            pulse: Pulse::default().into(),
            told: AtomicU64::new(0),
            quiet: AtomicU64::new(0),
            active_turns: AtomicU64::new(0),
            ended: AtomicBool::new(false),
        });
        let shared = Arc::new(Shared::new(clock, self.host, posts.collect(), self.may_spin));
        let corners = mesh::weave(&places, builder.lane_bytes / 8, self.signal_words, lane);
        let services = Arc::new(Services::new(&shared, &builder.phases, self.pool.clone())?);
        let deployments = Deployments::new(&builder.decisions, cores.len()).map_err(StartError::Config)?;
        let deployments = Arc::new(deployments);
        let handle = Handle::new(shared, services, deployments, builder.gateway_bytes);
        let houses = seats.into_iter().zip(corners).enumerate().map(|(shard, (seat, corner))| House {
            shard,
            shards: cores.len(),
            seat,
            corner,
            region: self.region,
            builder: builder.clone(),
            handle: handle.clone(),
            pool: self.pool.clone(),
        });
        let houses = houses.collect();
        Ok((handle, houses))
    }
}

/// What a shard is built from.
pub(crate) struct House {
    shard: usize,
    shards: usize,
    seat: Seat,
    corner: Corner,
    region: usize,
    builder: Builder,
    handle: Handle,
    pool: Pool,
}

/// A shard's thread ends when it is dropped: see [`Shared::leave`].
struct Leaving {
    shared: Arc<Shared>,
    shard: usize,
}

impl Drop for Leaving {
    fn drop(&mut self) {
        self.shared.leave(self.shard);
    }
}

impl House {
    /// Builds the shard on this thread, says so, and runs it to its end.
    pub(crate) fn run(self, ready: &mpsc::Sender<Result<(), StartError>>) -> ShardReport {
        let (shard, shared) = (self.shard, self.handle.shared.clone());
        // Whatever ends this thread: it wakes the others when the kernel is dropped, to hear the farewell.
        let _leaving = Leaving { shared: shared.clone(), shard };
        shared.posts[shard].wake.settle();
        crate::panics::limit_on_this_thread();
        let built = self.build();
        let mut worker = match built {
            Ok(built) => built,
            Err(error) => {
                // The starter is listening until all have answered.
                let _ = ready.send(Err(error));
                return ShardReport {
                    shard,
                    core: None,
                    handled: 0,
                    actors_left: 0,
                    requests_left: 0,
                    futures_left: 0,
                    dead_letters: corelane_kernel::DeadReason::ALL.map(|reason| (reason, 0)),
                };
            }
        };
        shared.posts[shard].pulse.show(worker.kernel.lookout());
        let _ = ready.send(Ok(()));
        let report = worker.run();
        // What is still in the kernel is dropped here, on its own thread; a drop that panics must not lose the report.
        if let Err(failure) = guard(move || drop(worker)) {
            tracing::error!(shard, %failure, "dropping what was left panicked");
        }
        report
    }

    /// Called on the thread that will run the shard.
    pub(crate) fn build(self) -> Result<Worker, StartError> {
        let shard = self.shard;
        let shared = self.handle.shared.clone();
        let post = &shared.posts[shard];
        if let Some(core) = post.core {
            pin_current_thread(core).map_err(|error| StartError::Pin { shard, error })?;
        }
        let config = self.builder.kernel.clone();
        let mut housed =
            Housed::new(self.region, config, self.seat, self.shards).map_err(|error| match error {
                HousingError::Memory(error) => StartError::System { shard, error },
                HousingError::Kernel(error) => StartError::Kernel { shard, error },
            })?;
        let too_small = || {
            StartError::Config(format!(
                "region_bytes is {}, too small for {} shards",
                self.region, self.shards
            ))
        };
        self.corner.furnish(&mut housed).ok_or_else(too_small)?;
        let executor = Executor::new(self.handle.shared.clone(), shard);
        let local = Local {
            handle: self.handle.clone(),
            shard,
            executor: executor.clone(),
            pool: self.pool.clone(),
            driver: Berth::Free,
        };
        housed.set_extension(local).map_err(|_| too_small())?;
        let log = Log::new(shard, self.builder.log_letters);
        housed.scope().observe(log).map_err(|_| too_small())?;
        let services = &self.handle.services;
        services.furnish(&mut housed, &self.handle.deployments).map_err(|_| too_small())?;
        services.extensions.make_parts(&mut housed, shard)?;
        let driver = housed.scope().extension::<Local>().and_then(|local| local.driver.close());
        if let Some(driver) = &driver {
            post.wake.settle_elsewhere(driver.waker());
        }
        let idler = Idler::new(self.builder.idle, shared.may_spin, shared.clock.now());
        Ok(Worker {
            shared,
            handle: self.handle,
            shard,
            executor,
            idler,
            orphans: false,
            kernel: housed,
            driver,
        })
    }
}

//! Kernels of one realm, each connected to each.

use std::time::Duration;

use corelane_kernel::{ActorRef, Ctx, Kernel, KernelConfig, LaneMemory, LaneReceiver, LaneSender, Seat};

use super::lock;
use super::puppet::{Log, Order, Puppet, order};
use super::world::{LEAKED, World, region};

/// A lane of static memory, so that it works without an allocator in the kernel.
pub(crate) fn lane_of<const WORDS: usize>() -> (LaneSender, LaneReceiver) {
    let memory: &'static LaneMemory<WORDS> = Box::leak(Box::new(LaneMemory::new()));
    lock(&LEAKED).push(std::ptr::from_ref(memory) as usize);
    memory.split().expect("fresh memory splits")
}

/// Kernels of one realm, each connected to each with lanes of so many words for messages.
pub(crate) struct Realm {
    pub(crate) worlds: Vec<World>,
}

/// Words of the lanes for signals in tests: a few of the largest.
pub(crate) const SIGNAL_WORDS: usize = 64;

impl Realm {
    pub(crate) fn new<const WORDS: usize>(shards: usize, bytes: usize, config: &KernelConfig) -> Realm {
        Realm::wired(shards, bytes, config, lane_of::<WORDS>)
    }

    /// Two kernels with lanes for messages on the heap.
    #[cfg(feature = "alloc")]
    pub(crate) fn on_heap(words: usize) -> Realm {
        Realm::wired(2, 1 << 20, &KernelConfig::default(), || corelane_kernel::lane(words))
    }

    fn wired(
        shards: usize,
        bytes: usize,
        config: &KernelConfig,
        lane_for_messages: impl Fn() -> (LaneSender, LaneReceiver),
    ) -> Realm {
        let log = Log::default();
        let mut worlds: Vec<World> = Seat::realm(shards)
            .expect("a realm")
            .map(|seat| {
                let kernel = Kernel::seated(region(bytes), config.clone(), seat, shards).expect("a kernel");
                let mut world = World::of(kernel);
                world.log = log.clone();
                world
            })
            .collect();
        for from in 0..shards {
            for to in 0..shards {
                if from != to {
                    let (messages_in, messages_out) = lane_for_messages();
                    let (signals_in, signals_out) = lane_of::<SIGNAL_WORDS>();
                    worlds[to].add_lane(messages_out).expect("room for a lane");
                    worlds[to].add_signal_lane(signals_out).expect("room for a lane");
                    worlds[from].connect(to, messages_in, signals_in);
                }
            }
        }
        Realm { worlds }
    }

    /// Two kernels with ordinary lanes.
    pub(crate) fn pair() -> Realm {
        Realm::new::<1024>(2, 1 << 20, &KernelConfig::default())
    }

    pub(crate) fn log(&self) -> Log {
        self.worlds[0].log.clone()
    }

    /// Turns all kernels until nothing moves.
    pub(crate) fn settle(&mut self) {
        for _ in 0..1_000_000 {
            let mut still = true;
            for world in &mut self.worlds {
                let turn = world.turn();
                still &= turn.handled == 0 && !turn.more && !world.spilled();
            }
            if still && !self.worlds.iter_mut().any(|world| world.has_input()) {
                return;
            }
        }
        panic!("the realm does not come to rest");
    }

    pub(crate) fn pass(&mut self, by: Duration) {
        self.settle();
        for world in &mut self.worlds {
            world.now = world.now + by;
        }
        self.settle();
    }

    pub(crate) fn events(&mut self) -> Vec<String> {
        self.settle();
        self.worlds[0].log.take()
    }

    /// Has a puppet of one kernel do something, and settles.
    pub(crate) fn have(
        &mut self,
        shard: usize,
        puppet: ActorRef<Order>,
        deed: impl FnOnce(&mut Puppet, &mut Ctx<'_, Puppet>) + Send + 'static,
    ) {
        self.worlds[shard].tell(puppet, order(deed));
        self.settle();
    }
}

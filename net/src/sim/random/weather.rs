//! What may go wrong in a random cluster, and what is small in it: drawn once for each.

use std::time::Duration;

use corelane_kernel::Strategy;
use corelane_shard::sim::{Dice, Options};

use super::habits::SYSTEM;
use super::rules::Limits;
use crate::endpoint::EndpointConfig;
use crate::link::LinkConfig;
use crate::liveness::LivenessConfig;
use crate::reactor::sim::NetworkOptions;

/// Heartbeats of links.
const HEARTBEAT: Duration = Duration::from_millis(400);
/// How long a peer may be silent.
const PAUSE: Duration = Duration::from_secs(3);

/// What shards may do.
pub(super) fn draw(dice: &mut Dice) -> Options {
    let mut often = |one_in: u32, worlds: usize| if dice.index(worlds) == 0 { one_in } else { 0 };
    let mut options = Options {
        stall_one_in: often(400, 3),
        clock_jump_one_in: often(4000, 6),
        clock_back_one_in: often(400, 3),
        ..Options::calm()
    };
    options.clock_back = Duration::from_micros(1)..=Duration::from_millis(5);
    options.stall_time = Duration::from_micros(100)..=Duration::from_millis(20);
    options.clock_jump = Duration::from_millis(1)..=Duration::from_secs(2);
    options.lane_words = 256..=4096;
    options.budgets = 1..=64;
    options.lane_time = Duration::ZERO..=Duration::from_micros([1, 200][dice.index(2)]);
    options.step_time = Duration::from_micros(1)..=Duration::from_micros([3, 50][dice.index(2)]);
    // In a few, what a flood brings finds no room.
    options.region_bytes = [2048, 2048, 2048, 96][dice.index(4)] << 10;
    options.supervision = Strategy::stopping();
    options.events_max = 3_000_000;
    options
}

/// What may go wrong between hosts, and how they are set up.
#[derive(Clone, Debug)]
pub(super) struct Weather {
    pub(super) network: NetworkOptions,
    /// Rounds, after one of which each kind of fault comes.
    pub(super) fault_one_in: u32,
    pub(super) crash_one_in: u32,
    /// Signals and the like, one of which is followed by a fault.
    pub(super) ambush_one_in: u32,
    /// Bytes that may wait at a socket.
    pub(super) send_bytes: usize,
    pub(super) endpoint: EndpointConfig,
    pub(super) limits: Limits,
    /// Each looks for others on the next host only, so that further ones are known by what is told.
    pub(super) in_ring: bool,
}

impl Weather {
    pub(super) fn draw(dice: &mut Dice, options: &Options) -> Weather {
        let memory = options.region_bytes < 1 << 20;
        let network = NetworkOptions {
            delay: Duration::from_micros(20)..Duration::from_micros([100, 2000, 50_000][dice.index(3)]),
            // Where there is little memory, as much at once as a flood has.
            window: if memory { 64 << 10 } else { [3000, 20_000, 64 << 10][dice.index(3)] },
            reset_one_in: [0, 0, 0, 0, 0, 0, 40, 400][dice.index(8)],
            lose_one_in: [0, 0, 20, 200][dice.index(4)],
            retransmit: Duration::from_millis(50)..Duration::from_millis(300),
            ..NetworkOptions::default()
        };
        let fault_one_in = [0, 0, 6, 2][dice.index(4)];
        let crash_one_in = [0, 0, 10, 4][dice.index(4)];
        let ambush_one_in = [0, 6, 15, 40][dice.index(4)];
        let pending_bytes = [2000, 4 << 20][dice.index(2)];
        let mut few = |most: usize, worlds: usize| (dice.index(worlds) == 0).then_some(most);
        let (watches, children, lookups, signals) = (few(1, 8), few(2, 5), few(3, 8), few(4, 12));
        let limits = Limits {
            anything: network.reset_one_in > 0 || options.clock_jump_one_in > 0 || signals.is_some(),
            watches,
            children,
            lookups,
            pending: pending_bytes < 1 << 20,
            memory,
        };
        let most = EndpointConfig::default();
        let endpoint = EndpointConfig {
            system: SYSTEM.to_owned(),
            link: LinkConfig {
                heartbeat: HEARTBEAT,
                liveness: LivenessConfig { pause: PAUSE, first: HEARTBEAT, ..LivenessConfig::default() },
                handshake: Duration::from_secs(2),
                redial_first: Duration::from_millis(20),
                redial_max: Duration::from_millis(500),
                message_max: [20_000, most.link.message_max][dice.index(2)],
                signals_max: signals.unwrap_or(most.link.signals_max),
                ..most.link
            },
            pending_bytes,
            watches_max: watches.unwrap_or(most.watches_max),
            children_max: children.unwrap_or(most.children_max),
            lookups_max: lookups.unwrap_or(most.lookups_max),
            insecure_plaintext_beyond_loopback: true,
            ..most
        };
        let send_bytes = [16 << 10, 1 << 20][dice.index(2)];
        let in_ring = dice.one_in(4);
        Weather { network, fault_one_in, crash_one_in, ambush_one_in, send_bytes, endpoint, limits, in_ring }
    }

    /// What the links of one life may have under way: no two hosts need agree on it.
    pub(super) fn link(&self, dice: &mut Dice) -> LinkConfig {
        let chunk = [1024, 16 << 10][dice.index(2)];
        LinkConfig {
            frame_max: [(chunk as u32 + 64).max(4096), 64 << 10][dice.index(2)],
            chunk,
            streams_max: 1 + dice.index(4),
            backlog_max: [2 * chunk, 64 << 20][dice.index(2)],
            credit_bytes: [4 * chunk.max(4096) as u64, 4 << 20][dice.index(2)],
            credit_messages: if self.limits.memory {
                [300, 1 << 16][dice.index(2)]
            } else {
                [2, 50, 1 << 16][dice.index(3)]
            },
            ..self.endpoint.link
        }
    }
}

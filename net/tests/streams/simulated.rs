//! A service and its clients in the simulator.

use std::time::Duration;

use corelane_kernel::{Actor, Ctx, Outcome};
use corelane_net::reactor::Address;
use corelane_net::reactor::sim::NetworkOptions;
use corelane_net::{Net, NetConfig, SimulatedHost, SocketCtx, Stream, StreamEvent, StreamOptions, serve};
use corelane_shard::sim::{Options as SimOptions, Sim, note};

use crate::rig::{Echo, LONG, nearby};

/// Counts what its echo says.
struct Talker {
    to: Address,
    options: StreamOptions,
    stream: Option<Stream>,
    left: usize,
}

impl Actor for Talker {
    type Msg = StreamEvent;
    fn started(&mut self, ctx: &mut Ctx<'_, Self>) -> Outcome {
        let stream = ctx.connect(&self.to, &self.options, |event| event)?;
        stream.write(vec![9; self.left])?;
        self.stream = Some(stream);
        Ok(())
    }
    fn receive(&mut self, event: StreamEvent, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match event {
            StreamEvent::Received(bytes) => {
                self.left -= bytes.len();
                note(format_args!("{} bytes are left", self.left));
                if self.left == 0 {
                    note("all has come");
                    ctx.stop_self();
                }
            }
            StreamEvent::Failed(error) => {
                note(format_args!("failed: {:?}", error.kind()));
                ctx.stop_self();
            }
            _ => {}
        }
        Ok(())
    }
}

/// An echo service in a simulated network, and three who talk to it.
fn story(seed: u64, delay: std::ops::Range<Duration>, connect_within: Duration) -> String {
    let options = NetworkOptions { delay, window: 4_000, ..NetworkOptions::default() };
    let host = SimulatedHost { address: [10, 0, 0, 1].into(), network: seed, options };
    let net = NetConfig { simulated: Some(host), ..NetConfig::default() };
    let sim = Sim::new(seed).shards(2).options(SimOptions::calm()).extension(Net::of(net));
    let trace = sim.run(|sim| {
        let service = serve(sim.system(), &nearby(), &StreamOptions::default(), Echo)?;
        for shard in [0, 1, 0] {
            let to = service.address().clone();
            let options = StreamOptions { connect_within: Some(connect_within), ..StreamOptions::default() };
            let make =
                move || Talker { to: to.clone(), options: options.clone(), stream: None, left: 20_000 };
            sim.spawn_on(shard, make)?;
        }
        sim.run_for(Duration::from_secs(5));
        Ok(())
    });
    trace.unwrap().to_string()
}

#[test]
fn a_service_runs_in_the_simulator_and_the_same_seed_makes_the_same_happen() {
    let quick = Duration::from_micros(10)..Duration::from_micros(500);
    let first = story(1, quick.clone(), LONG);
    assert_eq!(first.matches("all has come").count(), 3, "{first}");
    assert!(first == story(1, quick.clone(), LONG));
    assert!(first != story(2, quick, LONG));
}

#[test]
fn a_connection_that_takes_too_long_has_timed_out() {
    let slow = Duration::from_secs(1)..Duration::from_secs(2);
    let trace = story(1, slow, Duration::from_millis(100));
    assert_eq!(trace.matches("failed: TimedOut").count(), 3, "{trace}");
}

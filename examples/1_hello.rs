//! One actor that is told, asked and stopped: the smallest whole program.
//!
//!     cargo run --example 1_hello

use std::error::Error;
use std::time::Duration;

use corelane::prelude::*;

/// What may be told to a greeter.
enum Msg {
    /// Count a guest.
    Greet(&'static str),
    /// Say who was greeted.
    Recall(ReplyTo<String>),
}

#[derive(Default)]
struct Greeter {
    guests: Vec<&'static str>,
}

impl Actor for Greeter {
    type Msg = Msg;

    fn receive(&mut self, msg: Msg, ctx: &mut Ctx<'_, Self>) -> Outcome {
        match msg {
            Msg::Greet(guest) => self.guests.push(guest),
            Msg::Recall(reply) => ctx.tell(reply, self.guests.join(" and ")),
        }
        Ok(())
    }
}

fn main() -> Result<Report, Box<dyn Error>> {
    let system = System::builder().shards(1).start()?;
    let greeter = system.spawn(Greeter::default)?;

    // This thread is no shard: a gateway is its way in. Messages of one gateway arrive in the order they were told.
    let mut gateway = system.gateway()?;
    gateway.tell(greeter, Msg::Greet("world"));
    gateway.tell(greeter, Msg::Greet("moon"));
    let guests = gateway.ask(greeter, Duration::from_secs(5), Msg::Recall)?;
    println!("Hello, {guests}!");

    // Dropping the system would end it as well; this tells how that went. Given back from `main`, the report is the exit
    // code too: 0 if it is clean.
    let report = system.shutdown(Duration::from_secs(5));
    println!("{} dead letters, ended cleanly: {}", report.dead_letters(), report.is_clean());
    Ok(report)
}

//! placeholder

mod affinity;
mod blocking;
mod clock;
mod config;
mod error;
mod future;
mod gateway;
mod idle;
mod inbox;
mod local;
mod log;
mod memory;
mod mesh;
mod report;
mod shared;
mod spawn;
mod sync;
mod system;
pub mod topology;
mod turn;
mod unwind;
mod wake;

pub use config::{Builder, REGION_BYTES_MAX};
pub use error::{CallError, GatewayAskError, OffloadError, SpawnOnError, StartError};
pub use gateway::Gateway;
pub use idle::Idle;
pub use local::ShardCtx;
pub use report::{Report, ShardReport, ShardStats};
pub use spawn::On;
pub use system::{Handle, System};

//! Message types in several versions.

use corelane_net::codec::bytemuck::{CheckedBitPattern, NoUninit, Pod, Zeroable};
use corelane_net::codec::{Compact, Fixed, Upgraded, Wire};
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, NoUninit, CheckedBitPattern)]
#[repr(u8)]
pub(crate) enum Side {
    Buy = 1,
    Sell = 2,
}

#[derive(Clone, Copy, Debug, PartialEq, NoUninit, CheckedBitPattern)]
#[repr(C)]
pub(crate) struct Trade {
    pub(crate) at: u64,
    pub(crate) amount: u32,
    pub(crate) side: Side,
    pub(crate) zero: [u8; 3],
}

impl Wire for Trade {
    const NAME: &'static str = "test.Trade";
    type Form = Fixed;
}

#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct TickV1 {
    pub(crate) at: u64,
    pub(crate) price: u64,
}

impl Wire for TickV1 {
    const NAME: &'static str = "test.Tick";
    type Form = Fixed;
}

/// The next version, with a field at the end.
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct Tick {
    pub(crate) at: u64,
    pub(crate) price: u64,
    pub(crate) amount: u64,
}

impl Wire for Tick {
    const NAME: &'static str = "test.Tick";
    const VERSION: u16 = 2;
    const READABLE_SINCE: u16 = 1;
    type Form = Upgraded<TickV1, Fixed>;
}

impl From<TickV1> for Tick {
    fn from(old: TickV1) -> Tick {
        Tick { at: old.at, price: old.price, amount: 1 }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum OrderV1 {
    Place { item: String, count: u32 },
    Cancel(u64),
}

impl Wire for OrderV1 {
    const NAME: &'static str = "test.Order";
    type Form = Compact;
}

/// The next version, whose first variant has other fields: no older reader can read it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum OrderV2 {
    Place { item: String, count: u32, note: Option<String> },
    Cancel(u64),
}

impl Wire for OrderV2 {
    const NAME: &'static str = "test.Order";
    const VERSION: u16 = 2;
    type Form = Upgraded<OrderV1, Compact>;
}

impl From<OrderV1> for OrderV2 {
    fn from(old: OrderV1) -> OrderV2 {
        match old {
            OrderV1::Place { item, count } => OrderV2::Place { item, count, note: None },
            OrderV1::Cancel(id) => OrderV2::Cancel(id),
        }
    }
}

/// And the next, with a variant at the end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Order {
    Place { item: String, count: u32, note: Option<String> },
    Cancel(u64),
    Flush,
}

impl Wire for Order {
    const NAME: &'static str = "test.Order";
    const VERSION: u16 = 3;
    const READABLE_SINCE: u16 = 2;
    type Form = Upgraded<OrderV2, Compact>;
}

impl From<OrderV2> for Order {
    fn from(old: OrderV2) -> Order {
        match old {
            OrderV2::Place { item, count, note } => Order::Place { item, count, note },
            OrderV2::Cancel(id) => Order::Cancel(id),
        }
    }
}

//! Keys over one field each: a number, a size in bytes or a time within bounds.

use std::time::Duration;

use corelane_shard::config::Value;

/// What a key shows of a field.
pub(super) fn whole<T: Copy + TryInto<u64>>(field: T) -> u64 {
    field.try_into().unwrap_or(u64::MAX)
}

/// Sets a field to a number or a size. The bounds of its key are within what it holds.
pub(super) fn set_whole<T: TryFrom<u64>>(field: &mut T, value: &Value) {
    value.number(|number| {
        if let Ok(number) = T::try_from(number) {
            *field = number;
        }
    });
}

pub(super) fn set_time(field: &mut Duration, value: &Value) {
    value.time(|time| *field = time);
}

/// A key over a number, from the least to the most: `number!("net.sockets", reactor.sockets, 1, 1 << 24)`.
macro_rules! number {
    ($name:literal, $($field:ident).+, $least:expr, $most:expr) => {
        SectionKey {
            name: $name,
            allowed: Allowed::number($least, $most),
            get: |section| Value::Number(field::whole(section.$($field).+)),
            set: |section, value| field::set_whole(&mut section.$($field).+, value),
        }
    };
}

/// A key over a size in bytes.
macro_rules! bytes {
    ($name:literal, $($field:ident).+, $least:expr, $most:expr) => {
        SectionKey {
            name: $name,
            allowed: Allowed::bytes($least, $most),
            get: |section| Value::Bytes(field::whole(section.$($field).+)),
            set: |section, value| field::set_whole(&mut section.$($field).+, value),
        }
    };
}

/// A key over a time.
macro_rules! time {
    ($name:literal, $($field:ident).+, $least:expr, $most:expr) => {
        SectionKey {
            name: $name,
            allowed: Allowed::time($least, $most),
            get: |section| Value::Time(section.$($field).+),
            set: |section, value| field::set_time(&mut section.$($field).+, value),
        }
    };
}

pub(super) use {bytes, number, time};

//! Tests of reading and choosing over folders that look like the sysfs and procfs of other machines.

mod fake;
mod planning;
mod reading;
